"""A file of all snapshots for notebooks: CSV, Parquet or NumPy."""

import csv
import heapq
import importlib
import itertools
import os
import warnings
from pathlib import Path
from typing import Any, ClassVar, TextIO
from weakref import WeakValueDictionary

import numpy as np

from tfadaopt.callbacks import locks
from tfadaopt.callbacks.log_format import Tables

COLUMNS = ("step", "quantity", "statistic", "layer", "value", "run")
_KINDS = (".csv", ".parquet", ".npz")


class NotebookFile:
    """Collects the numbers of each snapshot in a file, of one run after the other.

    Rows of CSV and Parquet are one number each: step, quantity, statistic, layer, value, run. An
    ``npz`` has an array [steps, layers] under ``<quantity>/<statistic>``, and its steps, runs and
    layers under ``<quantity>/<statistic>/steps``, ``/runs`` and ``/layers``; where the layers
    change in between, NaN fills what was not there. A run that is resumed goes on after its step.
    Rows are in the order of their steps, also where several runs share a file. CSV grows with each
    snapshot, and its lines are on disk at once; the others are written again at each end of an
    epoch, so their numbers stay in memory. While another process writes the file, ``run.csv``, a
    training goes to ``run-2.csv``, and so on: neither loses rows.

    Args:
        path: Name of the file; its ending says which kind.

    Raises:
        TypeError: It is no path.
        ValueError: Another ending.
        ImportError: Parquet needs pyarrow.
    """

    _of_path: ClassVar[WeakValueDictionary[tuple[str, str], "NotebookFile"]] = WeakValueDictionary()

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> "NotebookFile":
        """The file of that name: callbacks that name the same one share it."""
        made = cls(path)
        return cls._of_path.setdefault((os.path.abspath(path), os.fspath(path)), made)  # noqa: PTH100

    def __init__(self, path: str | os.PathLike[str]):
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"file must be a path, but {path!r} was received; give 'run.csv'.")
        self._asked_for = self._path = Path(path)
        if self._path.suffix not in _KINDS:
            raise ValueError(
                f"file={os.fspath(path)!r} is not allowed; its name must end in one of "
                f"{', '.join(_KINDS)}."
            )
        self._arrow: Any = None
        self._parquet: Any = None
        if self._path.suffix == ".parquet":
            try:
                # Not a dependency: it is larger than all the rest, and few ask for it.
                self._arrow = importlib.import_module("pyarrow")
                self._parquet = importlib.import_module("pyarrow.parquet")
            except ImportError as error:
                raise ImportError(
                    f"file={os.fspath(path)!r} needs pyarrow: run pip install pyarrow, or give a "
                    "name that ends in .csv or .npz."
                ) from error
        self._taken: list[tuple[str, int, Tables]] = []
        self._kept: _Kept | None = None
        self._out: TextIO | None = None
        # Where in a CSV the rows begin that were not there before.
        self._begun_at = 0

    def begin(self, run: str, step: int) -> None:
        """Go on in a run after a step: what the file has of it beyond that is done again.

        Args:
            run: Folder of the run.
            step: Optimizer iterations done before.
        """
        self.close()
        self._path = _free(self._asked_for)
        self._taken = []
        self._kept = _Kept(self._path, self._arrow, self._parquet, run, step)
        if self._path.suffix == ".csv":
            self._kept.trim_csv()

    def add(self, run: str, step: int, tables: Tables) -> None:
        """Take the numbers of a snapshot of a run."""
        self._taken.append((run, step, tables))
        if self._path.suffix == ".csv":
            self.save()

    def save(self) -> None:
        """Write what was taken since; a file that is replaced is there whole, before and after."""
        if not self._taken:
            return
        assert self._kept is not None  # ``add`` comes after ``begin``
        if self._path.suffix == ".csv":
            taken, self._taken = self._taken, []
            if self._out is None:
                self._out = self._path.open("a", newline="", encoding="utf-8")
                if self._out.tell() == 0:
                    csv.writer(self._out).writerow(COLUMNS)
                    self._out.flush()
                self._begun_at = self._out.tell()
            csv.writer(self._out).writerows(_rows(taken))
            self._out.flush()
            return
        part = self._path.with_name(f".{self._path.name}.part")
        if self._path.suffix == ".npz":
            with part.open("wb") as out:
                entries = [*self._kept.entries, *self._taken]
                arrays: dict[str, Any] = _arrays(sorted(entries, key=lambda entry: entry[1]))
                np.savez_compressed(out, **arrays)
        else:
            rows = sorted([*self._kept.rows, *_rows(self._taken)], key=lambda row: row[0])
            columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            self._parquet.write_table(self._arrow.table(columns), part)
        part.replace(self._path)

    def close(self) -> None:
        """Write what is left; a later ``begin`` goes on in the file."""
        if self._kept is not None:
            self.save()
        if self._out is not None:
            self._out.close()
            self._out = None
            self._merge_csv()
        locks.release(_lock_of(self._path))

    def _merge_csv(self) -> None:
        """Put the new rows between those of other runs, by step."""
        part = self._path.with_name(f".{self._path.name}.part")
        with (
            self._path.open("rb") as old,
            self._path.open("rb") as new,
            part.open("wb") as out,
        ):
            out.write(old.readline())
            if old.tell() == self._begun_at:
                part.unlink()
                return
            new.seek(self._begun_at)
            before = iter(lambda: old.readline() if old.tell() < self._begun_at else b"", b"")
            out.writelines(heapq.merge(before, new, key=_step_of))
        part.replace(self._path)


def _lock_of(path: Path) -> str:
    return os.fspath(path.with_name(f".{path.name}.lock"))


def _free(path: Path) -> Path:
    """The file, or the next one that no other process writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    others = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in itertools.count(2))
    free = next(name for name in itertools.chain([path], others) if locks.take(_lock_of(name)))
    if free != path:
        warnings.warn(
            f"file={os.fspath(path)!r} is written by another process, so the numbers of this run "
            f"go to {os.fspath(free)!r}; give each run a file of its own to name them yourself.",
            stacklevel=2,
        )
    return free


def _step_of(line: Any) -> int:
    return int(line.split(b",", 1)[0])


class _Kept:
    """What a file holds already of other runs, and of this one up to the step it goes on from."""

    def __init__(self, path: Path, arrow, parquet, run: str, step: int):
        self._path, self._run, self._step = path, run, step
        self.rows: list[tuple] = []
        self.entries: list[tuple] = []
        if not path.exists():
            return
        try:
            if path.suffix == ".npz":
                self.entries = self._of_npz()
            elif path.suffix == ".parquet":
                found = parquet.read_table(path).to_pylist()
                rows = [tuple(row.get(name, "") for name in COLUMNS) for row in found]
                self.rows = [row for row in rows if self._stays(row[0], row[-1])]
        except Exception as error:  # whatever is wrong with a file of that name
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            warnings.warn(
                f"file={os.fspath(path)!r} could not be read ({error!r}): it is now "
                f"{os.fspath(aside)!r}, and a new file was begun.",
                stacklevel=2,
            )

    def trim_csv(self) -> None:
        """Leave the rows that stay, whole lines only, in a file of rows."""
        if not self._path.exists():
            return
        part = self._path.with_name(f".{self._path.name}.part")
        with (
            self._path.open(newline="", encoding="utf-8", errors="replace") as old,
            part.open("w", newline="", encoding="utf-8") as new,
        ):
            out = csv.writer(new)
            for number, row in enumerate(csv.reader(_whole_lines(old))):
                if number == 0:
                    out.writerow(COLUMNS)
                elif len(row) in (5, 6) and row[0].isdigit():
                    row = [*row, ""][:6]
                    if self._stays(int(row[0]), row[5]):
                        out.writerow(row)
        part.replace(self._path)

    def _stays(self, step: int, run: str) -> bool:
        return run != self._run or step <= self._step

    def _of_npz(self) -> list[tuple]:
        with np.load(self._path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        entries = []
        for name in found:
            if f"{name}/steps" not in found:
                continue
            steps, layers = found[f"{name}/steps"], found[f"{name}/layers"].tolist()
            runs = found.get(f"{name}/runs", np.full(len(steps), ""))
            key = tuple(name.rsplit("/", 1))
            for step, run, row in zip(steps.tolist(), runs.tolist(), found[name], strict=True):
                if self._stays(step, run):
                    entries.append((run, step, {key: (layers, row)}))
        return entries


def _whole_lines(file):
    for line in file:
        if line.endswith("\n"):
            yield line.replace("\0", "")


def _rows(taken):
    for run, step, tables in taken:
        for (quantity, statistic), (layers, numbers) in tables.items():
            for layer, number in zip(layers, numbers.tolist(), strict=True):
                yield step, quantity, statistic, layer, number, run


def _arrays(taken) -> dict[str, np.ndarray]:
    found: dict[tuple[str, str], list] = {}
    for run, step, tables in taken:
        for key, (layers, numbers) in tables.items():
            found.setdefault(key, []).append((run, step, layers, numbers))
    arrays = {}
    for key, parts in found.items():
        layers = list(dict.fromkeys(layer for _, _, names, _ in parts for layer in names))
        place = {layer: i for i, layer in enumerate(layers)}
        table = np.full((len(parts), len(layers)), np.nan, "float32")
        for row, (_, _, names, numbers) in zip(table, parts, strict=True):
            row[[place[name] for name in names]] = numbers
        name = "/".join(key)
        arrays[name] = table
        arrays[f"{name}/steps"] = np.array([step for _, step, _, _ in parts])
        arrays[f"{name}/runs"] = np.array([run for run, _, _, _ in parts])
        arrays[f"{name}/layers"] = np.array(layers)
    return arrays
