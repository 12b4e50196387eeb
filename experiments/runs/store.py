"""The result folder: one file per finished cell, so that a run can stop and go on at any time."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import files, records
from tfadaopt.experiments.runs.files import DamagedError, said
from tfadaopt.experiments.runs.lock import LOCK, FolderLock
from tfadaopt.experiments.runs.records import machine, versions

RUN, CELLS, FAILURES, LOG = "run.json", "cells", "failures", "worker.log"
# What a run may leave behind before it has its first result.
_OURS = (RUN, CELLS, FAILURES, LOG, LOCK, files.ASIDE)


class Store:
    """Results of one experiment in one folder.

    A cell is a dictionary that determines one result. Its file appears only when it is finished,
    under a name made from its content: what is there is never computed again, nor overwritten.
    A file says what it is of, with which versions it was made, and a digest of all that. One that
    says otherwise than it should counts as missing; who has opened the folder sets it aside.

    Args:
        folder: Where results lie or shall lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._cells = folder / CELLS
        self._lock: FolderLock | None = None
        self._made = False
        self._versions: dict[str, str] | None = None
        # Results by file, each with what identifies the state of the file.
        self._read: dict[Path, tuple[tuple | None, dict | None]] = {}

    def open(self, experiment: str, config, command: str, growing: Sequence[str] = ()) -> "Store":
        """Begin or go on with an experiment, and keep others out of the folder until ``close``.

        Args:
            experiment: Its name.
            config: Its settings.
            command: The command line, for the report.
            growing: Settings of which more may be asked for than the folder holds.

        Raises:
            ConfigError: The folder holds something else: results of other settings, or files that
                are none of ours; or another process has it; or no folder can be there.
        """
        settings = json.loads(json.dumps(asdict(config)))
        try:
            self._check_place()
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            had_lock = (self.folder / LOCK).exists()
            lock = FolderLock(self.folder)
            lock.acquire(command)
        except OSError as error:
            raise ConfigError(
                f"--out {files.printable(str(self.folder))}: no results can be kept there "
                f"({error.strerror or error}). Choose another folder with --out."
            ) from None
        self._lock = lock
        try:
            self._begin(experiment, settings, command, growing)
        except BaseException:
            # What is refused is left as it was found.
            lock.release(remove=not had_lock)
            self._lock = None
            if self._made:
                with contextlib.suppress(OSError):
                    self.folder.rmdir()
            raise
        return self

    def close(self) -> None:
        """Let others have the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def abandon(self) -> None:
        """Close, and take back the folder if it was made by ``open`` and holds no result.

        Nothing is removed but what the start of a run writes.
        """
        if self._lock is None:
            return
        kept = {path.name for path in self.folder.iterdir()} - {RUN, LOG, LOCK, CELLS, FAILURES}
        if not self._made or kept or any(self._cells.glob("*.json")):
            self.close()
            return
        # The failure of what looked at the problem is in the message; it is no result.
        for path in (*(self.folder / FAILURES).glob("*"), self.folder / RUN, self.folder / LOG):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for path in (self._cells, self.folder / FAILURES):
                if path.exists():
                    path.rmdir()
        self._lock.release(remove=True)
        self._lock = None
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def describe(self) -> dict | None:
        """Return what ``run.json`` says of the run, or None where there is none.

        Raises:
            DamagedError: The file is damaged; the message names it.
        """
        path = self.folder / RUN
        if not os.path.lexists(path):
            return None
        try:
            return records.run_in(path)
        except DamagedError as error:
            raise DamagedError(f"{path} {error}.") from None

    def finish(self, seconds: float, complete: bool) -> None:
        """Note how long this part of the run took, and whether nothing is left to do."""
        run = self.describe()
        if run is None:
            raise FileNotFoundError(
                errno.ENOENT, "was taken away while results were computed", str(self.folder / RUN)
            )
        run["seconds"] += seconds
        if complete and not run.get("finished"):
            run["finished"] = _now()
        self._describe(run)

    def has(self, cell: Mapping[str, object]) -> bool:
        """Whether a cell is finished, and its file whole."""
        return self._result(self._path(cell), cell) is not None

    def put(self, cell: Mapping[str, object], result: Mapping[str, object]) -> None:
        """Keep the result of a cell; the file is complete or absent, whatever happens."""
        self._put(self._path(cell), cell, result)

    def get(self, cell: Mapping[str, object]) -> dict:
        """Return the result of a finished cell."""
        result = self._result(self._path(cell), cell)
        if result is None:
            raise ConfigError(f"{self._path(cell)} is gone or damaged. Give the command again.")
        return result

    def put_failure(self, cell: Mapping[str, object], record: Mapping[str, object]) -> None:
        """Keep why a cell has no result."""
        self._put(self._path(cell, FAILURES), cell, record)

    def failure(self, cell: Mapping[str, object]) -> dict | None:
        """Return why a cell has no result, or None if it did not fail."""
        return self._result(self._path(cell, FAILURES), cell)

    def forget_failures(self, cell: Mapping[str, object] | None = None) -> None:
        """Forget why a cell has no result, or all of them: they are tried again."""
        paths = [self._path(cell, FAILURES)] if cell else (self.folder / FAILURES).glob("*.json")
        for path in paths:
            path.unlink(missing_ok=True)

    def vanished(self, cells: Sequence, failures: Sequence) -> list[tuple[dict, Exception]]:
        """Return the cells that were computed and are gone, as failures with their reason."""
        failed = [cell for cell, _ in failures]
        gone = FileNotFoundError("Its result has been taken away or damaged meanwhile.")
        return [(cell, gone) for cell in cells if cell not in failed and not self.has(cell)]

    def file_of(self, cell: Mapping[str, object]) -> Path:
        """Return where the result of a cell is kept, or would be."""
        return self._path(cell)

    def set_aside(self, cell: Mapping[str, object], why: str) -> None:
        """Count the result of a cell as missing, because its content is not what it should be."""
        path = self._path(cell)
        self._refuse(path, why)
        self._read[path] = (files.state(path), None)

    def _check_place(self) -> None:
        # A link that leads nowhere is no place either: nobody knows what it was to be.
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise ConfigError(
                f"--out {files.printable(str(self.folder))} is no folder. Choose another with "
                "--out."
            )

    def _begin(self, experiment: str, settings: dict, command: str, growing: Sequence[str]) -> None:
        try:
            before = self.describe()
        except DamagedError as error:
            cells = any(self._cells.glob("*.json")) if self._cells.is_dir() else False
            if not cells:
                raise ConfigError(
                    f"{error} There are no results beside it, so that it may be no folder of "
                    "ours. Remove it, or choose another folder with --out."
                ) from None
            files.set_aside(self.folder / RUN, self.folder, str(error).removeprefix(
                f"{self.folder / RUN} ").removesuffix("."))  # fmt: skip
            before = None
        if before is None:
            others = {path.name for path in self.folder.iterdir()} - set(_OURS)
            if others and not self._cells.is_dir():
                raise ConfigError(
                    f"{self.folder} is not empty, and no results of tfadaopt lie in it. Choose "
                    "another folder with --out."
                )
            before = {"experiment": experiment, "settings": settings, "started": _now()}
            before |= {"finished": None, "seconds": 0.0}
        there = before["settings"]
        counts = {name: there.get(name) for name in growing if isinstance(there.get(name), int)}
        more = {name: settings[name] for name, count in counts.items() if count < settings[name]}
        if more:
            before = before | {"finished": None}
        differing = [
            f"{name}: {there.get(name)!r} there, {value!r} asked for"
            if name != "file_sha256"
            else "the file of the problem, or a module that it imports, has changed since"
            for name, value in settings.items()
            if (there | more).get(name) != value
        ]
        if before["experiment"] != experiment or differing:
            raise ConfigError(
                f"{self.folder} holds results of {before['experiment']!r} with other settings "
                f"({'; '.join(differing) or 'another experiment'}). Nothing was changed. Choose "
                "another folder with --out, or repeat the run with the settings there."
            )
        try:
            files.make_folder(self._cells)
            for left in self.folder.glob(f"{CELLS}/*.part"):
                left.unlink()  # The beginning of a file whose process ended while it wrote.
            if (self.folder / LOG).is_dir():
                files.set_aside(self.folder / LOG, self.folder, "is a folder, not a log")
            self._describe(
                before
                | {
                    "settings": there | more,
                    "command": command,
                    "versions": versions(),
                    "machine": machine(),
                }
            )
        except OSError as error:
            raise ConfigError(
                f"--out {self.folder}: no results can be kept there ({error.strerror or error}). "
                "Choose another folder with --out."
            ) from None

    def _put(self, path: Path, cell: Mapping[str, object], result: Mapping[str, object]) -> None:
        # Not the folders above it: where the result folder is gone, none is to come back empty.
        path.parent.mkdir(exist_ok=True)
        files.write_whole(path, records.record(cell, result))

    def _result(self, path: Path, cell: Mapping[str, object]) -> dict | None:
        """Return the result in a file, or None where there is none that can be used."""
        state = files.state(path)
        if state is None:
            return None
        if path not in self._read or self._read[path][0] != state:
            try:
                found = records.result_in(path, cell, self._made_with())
            except DamagedError as error:
                found = None
                self._refuse(path, str(error))
            self._read[path] = (state, found)
        return self._read[path][1]

    def _made_with(self) -> dict[str, str]:
        """Return the versions of the results: ours for who adds to them, else those of the run."""
        if self._versions is None:
            self._versions = versions() if self._lock else (self.describe() or {}).get("versions")
        return self._versions or {}

    def _refuse(self, path: Path, why: str) -> None:
        if self._lock is not None:
            files.set_aside(path, self.folder, f"{why}, and is computed again")
        else:
            said.warning("%s %s; it counts as missing.", path, why)

    def _path(self, cell: Mapping[str, object], kind: str = CELLS) -> Path:
        digest = hashlib.sha256(records.canonical(cell).encode()).hexdigest()[:16]
        subject = files.file_name(str(cell.get("method") or cell["claim"]))
        return self.folder / kind / f"{cell['kind']}-{subject}-{digest}.json"

    def _describe(self, run: Mapping[str, object]) -> None:
        files.write_whole(self.folder / RUN, files.sealed(run))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
