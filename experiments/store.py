"""The result folder: one file per finished cell, so that a run can stop and go on at any time."""

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tfadaopt.experiments.configs import ConfigError

PACKAGES = ("tfadaopt", "tensorflow", "keras", "numpy", "tensorboard")


class Store:
    """Results of one experiment in one folder.

    A cell is a dictionary that determines one result. Its file appears only when it is finished,
    under a name made from its content: what is there is never computed again, nor overwritten.

    Args:
        folder: Where results lie or shall lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._cells = folder / "cells"

    def open(self, experiment: str, config, command: str) -> None:
        """Begin or go on with an experiment.

        Raises:
            ConfigError: The folder holds something else: results of other settings, or files that
                are none of ours.
        """
        settings = json.loads(json.dumps(asdict(config)))
        before = self.describe()
        if before is None:
            if self.folder.exists() and any(self.folder.iterdir()):
                raise ConfigError(
                    f"{self.folder} is not empty, and no results of tfadaopt lie in it. Choose "
                    "another folder with --out."
                )
            before = {"experiment": experiment, "settings": settings, "started": _now()}
            before |= {"finished": None, "seconds": 0.0}
        differing = [
            f"{name}: {before['settings'].get(name)!r} there, {value!r} asked for"
            for name, value in settings.items()
            if before["settings"].get(name) != value
        ]
        if before["experiment"] != experiment or differing:
            raise ConfigError(
                f"{self.folder} holds results of {before['experiment']!r} with other settings "
                f"({'; '.join(differing) or 'another experiment'}). Nothing was changed. Choose "
                "another folder with --out, or repeat the run with the settings there."
            )
        self._cells.mkdir(parents=True, exist_ok=True)
        self._describe(before | {"command": command, "versions": versions(), "machine": machine()})

    def describe(self) -> dict | None:
        """Return what ``run.json`` says of the run, or None where there is none."""
        path = self.folder / "run.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def finish(self, seconds: float, complete: bool) -> None:
        """Note how long this part of the run took, and whether nothing is left to do."""
        run = self.describe() or {}
        run["seconds"] = run.get("seconds", 0.0) + seconds
        if complete and not run.get("finished"):
            run["finished"] = _now()
        self._describe(run)

    def has(self, cell: Mapping[str, object]) -> bool:
        """Whether a cell is finished."""
        return self._path(cell).exists()

    def put(self, cell: Mapping[str, object], result: Mapping[str, object]) -> None:
        """Keep the result of a cell; the file is complete or absent, whatever happens."""
        text = json.dumps({"cell": cell, "versions": versions(), "result": result})
        _write_whole(self._path(cell), text)

    def get(self, cell: Mapping[str, object]) -> dict:
        """Return the result of a finished cell."""
        return json.loads(self._path(cell).read_text(encoding="utf-8"))["result"]

    def _path(self, cell: Mapping[str, object]) -> Path:
        canonical = json.dumps(cell, sort_keys=True)
        digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
        subject = cell.get("method") or cell["claim"]
        return self._cells / f"{cell['kind']}-{subject}-{digest}.json"

    def _describe(self, run: Mapping[str, object]) -> None:
        _write_whole(self.folder / "run.json", json.dumps(run, indent=2))


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def machine() -> str:
    """Return what ran it, in words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
