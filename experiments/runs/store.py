"""The result folder: one file per finished cell, so that a run can stop and go on at any time."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import claims, files, opening, records
from tfadaopt.experiments.runs.cell_files import CellFiles, name_of
from tfadaopt.experiments.runs.files import DamagedError, said
from tfadaopt.experiments.runs.index import Index
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
        self._results = CellFiles(folder / CELLS)
        self._failures = CellFiles(folder / FAILURES)
        self._lock: FolderLock | None = None
        self._is_open = False
        self._made = False
        self._versions: dict[str, str] | None = None

    def open(
        self,
        experiment: str,
        config,
        command: str,
        growing: Sequence[str] = (),
        join: bool = False,
    ) -> "Store":
        """Begin or go on with an experiment, and keep others out of the folder until ``close``.

        Args:
            experiment: Its name.
            config: Its settings.
            command: The command line, for the report.
            growing: Settings of which more may be asked for than the folder holds.
            join: Whether to share the folder with a run that has it.

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
            is_mine = lock.acquire(command, or_share=join)
        except OSError as error:
            raise ConfigError(
                f"--out {files.printable(str(self.folder))}: no results can be kept there "
                f"({error.strerror or error}). Choose another folder with --out."
            ) from None
        self._lock = lock if is_mine else None
        self._is_open = True
        try:
            self._begin(experiment, settings, command, growing)
        except BaseException:
            # What is refused is left as it was found.
            if is_mine:
                lock.release(remove=not had_lock)
            self._lock, self._is_open = None, False
            if self._made:
                with contextlib.suppress(OSError):
                    self.folder.rmdir()
            raise
        return self

    def close(self) -> None:
        """Let others have the folder."""
        self._is_open = False
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
        if not self._made or kept or self._results.any():
            self.close()
            return
        # The failure of what looked at the problem is in the message; it is no result.
        for path in (*self._failures.folder.glob("*"), self.folder / RUN, self.folder / LOG):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for path in (self._results.folder, self._failures.folder):
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
        claims.clear(self._results.folder)
        run["seconds"] += seconds
        if complete and not run.get("finished"):
            run["finished"] = _now()
        self._describe(run)

    def has(self, cell: Mapping[str, object]) -> bool:
        """Whether a cell is finished, and its file whole."""
        return self.find(cell) is not None

    def find(self, cell: Mapping[str, object]) -> dict | None:
        """Return the result of a cell, or None where there is none that can be used."""
        return self._found(self._results, cell)

    def put(self, cell: Mapping[str, object], result: Mapping[str, object]) -> None:
        """Keep the result of a cell; the file is complete or absent, whatever happens.

        Where two computed the same cell, each under a claim, the first result stays.
        """
        self._results.put(cell, result)

    def get(self, cell: Mapping[str, object]) -> dict:
        """Return the result of a finished cell."""
        result = self.find(cell)
        if result is None:
            path = self._results.path(cell)
            raise ConfigError(f"{path} is gone or damaged. Give the command again.")
        return result

    def put_failure(self, cell: Mapping[str, object], record: Mapping[str, object]) -> None:
        """Keep why a cell has no result."""
        self._failures.put(cell, record)

    def failure(self, cell: Mapping[str, object]) -> dict | None:
        """Return why a cell has no result, or None if it did not fail."""
        return self._found(self._failures, cell)

    def forget_failures(self, cell: Mapping[str, object] | None = None) -> None:
        """Forget why a cell has no result, or all of them: they are tried again."""
        self._failures.forget(cell)

    def vanished(self, cells: Sequence, failures: Sequence) -> list[tuple[dict, Exception]]:
        """Return the cells that were computed and are gone, as failures with their reason."""
        failed = {name_of(cell) for cell, _ in failures}
        gone = FileNotFoundError("Its result has been taken away or damaged meanwhile.")
        lost = (cell for cell in cells if not self.has(cell))
        return [(cell, gone) for cell in lost if name_of(cell) not in failed]

    def file_of(self, cell: Mapping[str, object]) -> Path:
        """Return where the result of a cell is kept, or would be."""
        return self._results.path(cell)

    def set_aside(self, cell: Mapping[str, object], why: str) -> None:
        """Count the result of a cell as missing, because its content is not what it should be."""
        self._refuse(self._results.path(cell), why)
        self._results.ignore(cell)

    @contextlib.contextmanager
    def indexed(self) -> Iterator["Store"]:
        """Read by the index of the folder, where there is one, and keep what it did not know."""
        index = self._results.index = Index(self.folder, self._results.folder)
        try:
            yield self
            index.keep()
        finally:
            self._results.index = None
            index.close()

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
            cells = self._results.any()
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
            if others and not self._results.folder.is_dir():
                raise ConfigError(
                    f"{self.folder} is not empty, and no results of tfadaopt lie in it. Choose "
                    "another folder with --out."
                )
            before = {"experiment": experiment, "settings": settings, "started": _now()}
            before |= {"finished": None, "seconds": 0.0}
        more = opening.grown(before["settings"], settings, growing)
        if more:
            before = before | {"finished": None}
        opening.check(self.folder, before, experiment, settings, more)
        try:
            files.make_folder(self._results.folder)
            claims.clear(self._results.folder)
            if self._lock is None and not more:
                return  # The run that has the folder has described it.
            if (self.folder / LOG).is_dir():
                files.set_aside(self.folder / LOG, self.folder, "is a folder, not a log")
            self._describe(
                before
                | {
                    "settings": before["settings"] | more,
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

    def _found(self, kept: CellFiles, cell: Mapping[str, object]) -> dict | None:
        try:
            return kept.find(cell, self._made_with)
        except DamagedError as error:
            self._refuse(kept.path(cell), str(error))
            return None

    def _made_with(self) -> dict[str, str]:
        """Return the versions of the results: ours for who adds to them, else those of the run."""
        if self._versions is None:
            of_run = None if self._is_open else self.describe()
            self._versions = versions() if self._is_open else (of_run or {}).get("versions")
        return self._versions or {}

    def _refuse(self, path: Path, why: str) -> None:
        if self._is_open:
            files.set_aside(path, self.folder, f"{why}, and is computed again")
        else:
            said.warning("%s %s; it counts as missing.", path, why)

    def _describe(self, run: Mapping[str, object]) -> None:
        files.write_whole(self.folder / RUN, files.sealed(run))


def file_in(folder: Path, cell: Mapping[str, object]) -> Path:
    """Return where the result of a cell is kept in a result folder, or would be."""
    return folder / CELLS / name_of(cell)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
