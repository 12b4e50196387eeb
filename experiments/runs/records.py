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


def result_in(path: Path, cell: Mapping[str, object], made_with: Mapping[str, str]) -> dict:
    """Return the result that a file keeps.

    Args:
        path: The file.
        cell: What it should be of.
        made_with: The versions it should be made with; what is not there may be anything.

    Raises:
        DamagedError: It is damaged, or of something else; the message ends a sentence.
    """
    found = files.unsealed(files.read_bytes(path))
    if found.keys() != {"cell", "versions", "result"} or not isinstance(found["result"], dict):
        raise DamagedError("holds no result")
    if canonical(found["cell"]) != canonical(cell):
        raise DamagedError(f"holds another result than its name says ({_apart(found, cell)})")
    theirs = found["versions"] if isinstance(found["versions"], dict) else {}
    for name in ("python", *_DECISIVE):
        here, there = (str(v.get(name, "")) for v in (made_with, theirs))
        if name == "python":
            here, there = (".".join(v.split(".")[:2]) for v in (here, there))
        if here and here != there:
            there = files.printable(there)[:40] or "an unknown version"
            raise DamagedError(f"was made with {name} {there}, not {here}")
    return found["result"]


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
    return json.dumps(cell, sort_keys=True)


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
