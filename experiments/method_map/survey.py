"""The map as cells of a run: one for each method of the catalog, kept with its numbers."""

import functools
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pydantic

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.method_map import rows
from tfadaopt.experiments.reports.figures import record
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.store import Store

KIND = "map"
Numbers = Mapping[str, Mapping[str, float]]


@record
class Kept:
    """What a cell of the map holds.

    Attributes:
        numbers: The number of each case of each row.
        error: Why there are none, or empty.
        seconds: Seconds of a processor that it took.
    """

    numbers: dict[str, dict[str, float]]
    error: str
    seconds: float


@dataclass(frozen=True)
class Surveyed:
    """What is known of a method.

    Attributes:
        method: Its name.
        numbers: The number of each case of each row; empty where there are none.
        error: Why there are none, or empty.
        file: Where the numbers are kept, in the folder of the run.
    """

    method: str
    numbers: Numbers
    error: str = ""
    file: str = ""

    def verdict(self, row: rows.Row) -> str:
        """Return the verdict of a row, or "not tried"."""
        return row.verdict(self.numbers.get(row.name, {}))


def cells() -> list[Cell]:
    """Return a cell for each method; another course, or another measure, is another cell."""
    return [{"kind": KIND, "method": m.name, "course": _digest()} for m in METHODS]


@functools.cache
def _digest() -> str:
    # Read, not imported: that takes TensorFlow's seconds.
    names = ("course.py", "measures.py", "rows.py", "walking.py")
    sources = b"".join((Path(__file__).parent / name).read_bytes() for name in names)
    return hashlib.sha256(sources).hexdigest()[:12]


def compute(cell: Cell, folder: Path) -> None:
    """Walk the course with the method of a cell, and keep its numbers or why there are none."""
    from tfadaopt.experiments.method_map import course, walking

    began, error, numbers = time.process_time(), "", {}
    method = next(record for record in METHODS if record.name == cell["method"])
    try:
        paths = walking.walk_course(method, course.legs())
        paths["bfloat16"] = walking.walk_in_bfloat16(method)
        numbers = rows.measure(paths)
    except (TypeError, ValueError, KeyError, NotImplementedError) as raised:
        # A method that cannot walk alone, such as one that wraps another, is a gap in the map.
        error = f"{type(raised).__name__}: {str(raised).splitlines()[0] if str(raised) else ''}"
    seconds = time.process_time() - began
    Store(folder).put(cell, {"numbers": numbers, "error": error, "seconds": seconds})


def kept(store: Store, cell: Cell) -> Kept | None:
    """Return what a cell holds, or None where it holds nothing of the map; that is set aside."""
    if not store.has(cell):
        return None
    try:
        return pydantic.TypeAdapter(Kept).validate_python(store.get(cell))
    except pydantic.ValidationError as error:
        store.set_aside(cell, f"holds no part of the map ({error.error_count()} mistakes)")
        return None


def read(folder: Path) -> tuple[Surveyed, ...]:
    """Return what is known of each method, in the order of the catalog."""
    store, found = Store(folder), []
    for cell in cells():
        name, there = str(cell["method"]), kept(store, cell)
        if there is None:
            found.append(Surveyed(name, {}, "not run yet"))
            continue
        file = store.file_of(cell).relative_to(folder).as_posix()
        found.append(Surveyed(name, there.numbers, there.error, file))
    return tuple(found)
