"""A file of all snapshots for notebooks: CSV, Parquet or NumPy."""

import csv
import importlib
import os
from pathlib import Path

import numpy as np

from tfadaopt.callbacks.where import Tables

COLUMNS = ("step", "quantity", "statistic", "layer", "value")
_KINDS = (".csv", ".parquet", ".npz")


class NotebookFile:
    """Collects the numbers of each snapshot in a file; a file of that name is written anew.

    Rows of CSV and Parquet are one number each: step, quantity, statistic, layer, value. An ``npz``
    has an array [steps, layers] under ``<quantity>/<statistic>``, and its steps and layers under
    ``<quantity>/<statistic>/steps`` and ``/layers``; where the layers change in between, NaN fills
    what was not there. CSV grows with each snapshot; the others are written at each end of an
    epoch, so their numbers stay in memory until then (``.npz``: until the end).

    Args:
        path: Name of the file; its ending says which kind.

    Raises:
        TypeError: It is no path.
        ValueError: Another ending.
        ImportError: Parquet needs pyarrow.
    """

    def __init__(self, path: str | os.PathLike):
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"file must be a path, but {path!r} was received; give 'run.csv'.")
        self._path = Path(path)
        if self._path.suffix not in _KINDS:
            raise ValueError(
                f"file={os.fspath(path)!r} is not allowed; its name must end in one of "
                f"{', '.join(_KINDS)}."
            )
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
        self._taken: list[tuple[int, Tables]] = []
        self._out = None

    def add(self, step: int, tables: Tables) -> None:
        """Take the numbers of a snapshot."""
        self._taken.append((step, tables))
        if self._path.suffix == ".csv":
            self.save()

    def save(self) -> None:
        """Write what was taken since."""
        if not self._taken:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.suffix == ".npz":
            np.savez_compressed(self._path, **_arrays(self._taken))
            return
        taken, self._taken = self._taken, []
        if self._path.suffix == ".csv":
            if self._out is None:
                self._out = self._path.open("w", newline="", encoding="utf-8")
                csv.writer(self._out).writerow(COLUMNS)
            csv.writer(self._out).writerows(_rows(taken))
            return
        columns = dict(zip(COLUMNS, map(list, zip(*_rows(taken), strict=True)), strict=True))
        table = self._arrow.table(columns)
        if self._out is None:
            self._out = self._parquet.ParquetWriter(self._path, table.schema)
        self._out.write_table(table)

    def close(self) -> None:
        """Write what is left; a later ``add`` begins the file anew, but for ``.npz``."""
        self.save()
        if self._out is not None and self._path.suffix == ".csv":
            self._out.flush()
        elif self._out is not None:
            self._out.close()
            self._out = None


def _rows(taken):
    for step, tables in taken:
        for (quantity, statistic), (layers, numbers) in tables.items():
            for layer, number in zip(layers, numbers.tolist(), strict=True):
                yield step, quantity, statistic, layer, number


def _arrays(taken) -> dict[str, np.ndarray]:
    found: dict[tuple[str, str], list] = {}
    for step, tables in taken:
        for key, (layers, numbers) in tables.items():
            found.setdefault(key, []).append((step, layers, numbers))
    arrays = {}
    for key, parts in found.items():
        layers = list(dict.fromkeys(layer for _, names, _ in parts for layer in names))
        place = {layer: i for i, layer in enumerate(layers)}
        table = np.full((len(parts), len(layers)), np.nan, "float32")
        for row, (_, names, numbers) in zip(table, parts, strict=True):
            row[[place[name] for name in names]] = numbers
        name = "/".join(key)
        arrays[name] = table
        arrays[f"{name}/steps"] = np.array([step for step, _, _ in parts])
        arrays[f"{name}/layers"] = np.array(layers)
    return arrays
