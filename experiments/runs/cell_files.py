"""The files that keep results: found by what they are of, checked, and written once."""

import contextlib
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

from tfadaopt.experiments.runs import claims, files, records
from tfadaopt.experiments.runs.files import DamagedError
from tfadaopt.experiments.runs.index import Index

# Of results that were read lately, so many bytes of their files are kept parsed; each takes this
# much beside its text.
_MOST_RECENT, _BESIDE = 32 * 2**20, 1_000


class CellFiles:
    """The files of one kind in a result folder, such as all results.

    However many there are, the memory that they take stays the same.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.index: Index | None = None
        # By name of the file: its state, and its result or None where it is of no use.
        self._recent: OrderedDict[str, tuple[tuple, dict | None]] = OrderedDict()
        self._recent_bytes = 0

    def path(self, cell: Mapping[str, object]) -> Path:
        """Return where the result of a cell is kept, or would be."""
        return self.folder / name_of(cell)

    def find(
        self, cell: Mapping[str, object], made_with: Callable[[], Mapping[str, str]]
    ) -> dict | None:
        """Return the result of a cell, or None where there is none that can be used.

        Args:
            cell: The cell.
            made_with: Returns the versions that it should be made with.

        Raises:
            DamagedError: There is one that cannot be used, which was not known; the message ends a
                sentence.
        """
        canonical = records.canonical(cell)
        name = _file_name(cell, canonical)
        # Text, not Path: of 100,000 files, names made of objects take longer than reading them.
        place = f"{self.folder}{os.sep}{name}"
        state = files.state(place)
        if state is None:
            return None
        recent = self._recent.get(name)
        if recent is not None and recent[0] == state:
            return recent[1]
        found = self.index.find(name, state) if self.index is not None else None
        if found is not None and records.is_made_with(found[0], made_with()):
            return found[1]
        self._keep(name, state, None)
        versions, result = records.checked(Path(place), canonical, cell, made_with())
        if self.index is not None:
            self.index.add(name, state, versions, result)
        self._keep(name, state, result)
        return result

    def put(self, cell: Mapping[str, object], result: Mapping[str, object]) -> None:
        """Keep a result; the file is complete or absent.

        Under a claim, one that is there and whole stays: who was outdone is late.
        """
        # Not the folders above it: where the result folder is gone, none is to come back empty.
        self.folder.mkdir(exist_ok=True)
        path, text = self.path(cell), records.record(cell, result)
        if claims.held() != path or not self._is_there(path, cell, text):
            files.write_whole(path, text)

    def ignore(self, cell: Mapping[str, object]) -> None:
        """Count the file of a cell as missing, as long as it is what it is now."""
        path = self.path(cell)
        state = files.state(path)
        if state is not None:
            self._keep(path.name, state, None)

    def forget(self, cell: Mapping[str, object] | None = None) -> None:
        """Remove the file of a cell, or those of all."""
        paths = [self.path(cell)] if cell else self.folder.glob("*.json")
        for path in paths:
            path.unlink(missing_ok=True)

    def any(self) -> bool:
        """Whether there is any file of a cell."""
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            return any(entry.name.endswith(".json") for entry in entries)
        return False

    def _is_there(self, path: Path, cell: Mapping[str, object], text: str) -> bool:
        """Write a result where there is no whole one; return whether there is one now."""
        if files.write_first(path, text):
            return True
        try:
            records.checked(path, records.canonical(cell), cell, records.versions())
        except DamagedError:
            return False
        return True

    def _keep(self, name: str, state: tuple, result: dict | None) -> None:
        before = self._recent.pop(name, None)
        if before is not None:
            self._recent_bytes -= before[0][1] + _BESIDE
        self._recent[name] = (state, result)
        self._recent_bytes += state[1] + _BESIDE
        while self._recent_bytes > _MOST_RECENT and len(self._recent) > 1:
            _, (oldest, _) = self._recent.popitem(last=False)
            self._recent_bytes -= oldest[1] + _BESIDE


def name_of(cell: Mapping[str, object]) -> str:
    """Return the name of the file of a cell: what it is about, and a digest of all of it."""
    return _file_name(cell, records.canonical(cell))


def _file_name(cell: Mapping[str, object], canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    subject = files.file_name(str(cell.get("method") or cell["claim"]))
    return f"{cell['kind']}-{subject}-{digest}.json"
