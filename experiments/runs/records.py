"""What a file of results says of itself, and whether it is what was asked for."""

import functools
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.files import DamagedError

PACKAGES = ("tfadaopt", "tensorflow", "keras", "numpy", "tensorboard")
# Those that a result depends on, beside Python's first two numbers.
_DECISIVE = ("tfadaopt", "tensorflow", "keras", "numpy")
_CANONICAL = json.JSONEncoder(sort_keys=True)
# What run.json says, where it says nothing.
_UNKNOWN: dict[str, Any] = {
    "command": "",
    "versions": {},
    "machine": "",
    "started": "",
    "finished": None,
    "seconds": 0.0,
}


def record(cell: Mapping[str, object], result: Mapping[str, object]) -> str:
    """Return the text that keeps the result of a cell."""
    return files.sealed({"cell": cell, "versions": versions(), "result": result})


def checked(
    path: Path, canonical: str, cell: Mapping[str, object], made_with: Mapping[str, str]
) -> tuple[dict[str, str], dict]:
    """Return the versions and the result that a file keeps.

    Args:
        path: The file.
        canonical: What it should be of, as text.
        cell: The same.
        made_with: The versions it should be made with; what is not there may be anything.

    Raises:
        DamagedError: It is damaged, or of something else; the message ends a sentence.
    """
    found, text = files.unsealed_as(files.read_bytes(path))
    if found.keys() != {"cell", "versions", "result"} or not isinstance(found["result"], dict):
        raise DamagedError("holds no result")
    # Names are sorted: the text begins with the cell, as canonical as it can be.
    if not text.startswith(f'{{"cell": {canonical}, "result": '):
        raise DamagedError(f"holds another result than its name says ({_apart(found, cell)})")
    theirs = found["versions"] if isinstance(found["versions"], dict) else {}
    for name, here, there in _differing(theirs, made_with):
        there = files.printable(there)[:40] or "an unknown version"
        raise DamagedError(f"was made with {name} {there}, not {here}")
    return theirs, found["result"]


def is_made_with(theirs: Mapping[str, str], made_with: Mapping[str, str]) -> bool:
    """Whether a result was made with these versions; what is not there may be anything."""
    return not _differing(theirs, made_with)


def other_versions(expected: Mapping[str, str]) -> str:
    """Return in which versions this process differs from what is expected, empty if in none."""
    differing = _differing(versions(), expected)
    return ", ".join(f"{name} {there}, not {here}" for name, here, there in differing)


def _differing(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return where versions differ in what decides: name, ours and theirs."""
    if theirs == ours:
        return []
    pairs = [(name, str(ours.get(name, "")), str(theirs.get(name, ""))) for name in _DECISIVE]
    here, there = (".".join(str(v.get("python", "")).split(".")[:2]) for v in (ours, theirs))
    pairs.insert(0, ("python", here, there))
    return [(name, here, there) for name, here, there in pairs if here and here != there]


def run_in(path: Path) -> dict:
    """Return what ``run.json`` says.

    Raises:
        DamagedError: It is damaged; the message ends a sentence.
    """
    run = files.unsealed(files.read_bytes(path))
    kinds: dict[str, Any] = {
        "experiment": str,
        "settings": dict,
        "command": str,
        "machine": str,
        "versions": dict,
        "seconds": int | float,
    }
    for name, kind in kinds.items():
        # Only what is there: a run that was begun by another version may say less.
        is_needed = name in run or name in ("experiment", "settings")
        if is_needed and not isinstance(run.get(name), kind):
            raise DamagedError(f"does not say what a run says: {name} is missing or of no use")
    return _UNKNOWN | run


def canonical(cell: object) -> str:
    """Return a cell as text that is the same whatever the order of its parts."""
    return _CANONICAL.encode(cell)


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def machine() -> str:
    """Return what ran it, in words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"


def _apart(found: Mapping[str, object], cell: Mapping[str, object]) -> str:
    """Return in which settings a record differs from what was looked for."""
    theirs = found["cell"] if isinstance(found["cell"], dict) else {}
    plain = json.loads(json.dumps(cell))
    names = [n for n in {**plain, **theirs} if plain.get(n) != theirs.get(n)]
    text = "; ".join(f"{n}: {theirs.get(n)!r}, not {plain.get(n)!r}" for n in names[:3])
    return files.printable(text)[:200]
