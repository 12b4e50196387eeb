"""A sweep: a user's function at each point of a grid, kept cell by cell."""

import contextlib
import functools
import itertools
import json
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pandas as pd

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.engines import Engine, joins
from tfadaopt.experiments.runs.stages import Progress, Stages
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.sweeps.code import digest

EXPERIMENT, KIND = "sweep", "sweep"
Function = Callable[..., Any]


@dataclass(frozen=True)
class Sweep:
    """Settings of a sweep.

    Attributes:
        function: Name of the function.
        code: Digest of what it does.
    """

    function: str
    code: str


def settings(function: Function) -> Sweep:
    """Return what a sweep of a function is of."""
    name = getattr(function, "__name__", type(function).__name__).strip("<>")
    return Sweep(name, digest(function))


@dataclass(frozen=True)
class Cells(Sequence[Cell]):
    """The cells of a sweep, each made when it is asked for: points take less memory.

    Attributes:
        of: What the sweep is of.
        at: The points.
    """

    of: Sweep
    at: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, i: Any) -> Any:
        return cell_of(self.of, self.at[i])


def points(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each point of a grid, the last name changing fastest.

    Raises:
        ConfigError: A name has no values, or one that cannot be kept as JSON.

    Example:
        >>> points({"rate": [0.1, 0.2], "seed": 0})
        [{'rate': 0.1, 'seed': 0}, {'rate': 0.2, 'seed': 0}]
    """
    lists = {}
    for name, values in grid.items():
        is_list = hasattr(values, "__iter__") and not isinstance(values, str | bytes | Mapping)
        lists[name] = [plain(name, value) for value in (values if is_list else [values])]
        if not lists[name]:
            raise ConfigError(f"grid: {name!r} has no values; give it at least one.")
    return [dict(zip(lists, each, strict=True)) for each in itertools.product(*lists.values())]


def plain(name: str, value: Any) -> Any:
    """Return a value of a grid as JSON has it: numbers of NumPy become Python's.

    Raises:
        ConfigError: There is no such.
    """
    if isinstance(value, numbers.Number) and hasattr(value, "item"):
        value = value.item()
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        raise ConfigError(
            f"grid: {name!r} has a value of {type(value).__name__}, which no file can hold. Give "
            "numbers, texts or lists, and make what you need of them inside the function."
        ) from None


def cell_of(of: Sweep, point: Mapping[str, Any]) -> Cell:
    """Return what determines the result at a point."""
    return {"kind": KIND, "method": of.function, "code": of.code, "settings": dict(point)}


def run(
    function: Function,
    at: Sequence[Mapping[str, Any]],
    folder: Path,
    jobs: int | Engine,
    progress: Progress,
) -> pd.DataFrame:
    """Call a function at each point that has no result yet, and return all results.

    Args:
        function: Called in a worker with the names and values of a point.
        at: The points.
        folder: Result folder; results in it are kept.
        jobs: Number of processes, or what computes the cells.
        progress: Called with the name of a stage, the cells done and the cells in all.

    Returns:
        A row for each point: its values, what the function returned, and ``error`` where it raised.
    """
    of = settings(function)
    with opened(of, folder, jobs) as store:
        cells = Cells(of, at)
        with stages(function, store, jobs, progress) as filling:
            filling.compute(of.function, cells)
            filling.end(cells)
        return frame(store, cells)


@contextlib.contextmanager
def opened(of: Sweep, folder: Path, jobs: int | Engine) -> Iterator[Store]:
    """Yield the store of a sweep, open."""
    command = f"tfadaopt.experiments.sweep({of.function}, …)"
    store = Store(folder).open(EXPERIMENT, of, command, join=joins(jobs))
    with contextlib.closing(store):
        yield store


def stages(function: Function, store: Store, jobs: int | Engine, progress: Progress) -> Stages:
    """Return what fills a store with what a function returns."""
    store.forget_failures()
    # By value: what a notebook defines can be imported nowhere.
    work = functools.partial(
        _compute, function=cloudpickle.dumps(function), folder=store.folder.absolute()
    )

    def keep_failure(cell: Cell, error: Exception) -> None:
        store.put_failure(cell, {"error": f"{type(error).__name__}: {error}"})

    def is_finished(cell: Cell) -> bool:
        return store.has(cell) or store.failure(cell) is not None

    return Stages(store, work, jobs, progress, is_finished, keep_failure)


def frame(store: Store, cells: Sequence[Cell]) -> pd.DataFrame:
    """Return a row for each cell: its settings and its result, or why there is none."""
    rows = []
    for cell in cells:
        result = store.find(cell)
        failed = store.failure(cell) if result is None else None
        came_to = result if result is not None else {"error": (failed or {}).get("error")}
        rows.append({**dict(cell["settings"]), **came_to})
    return pd.DataFrame(rows)


def _compute(cell: Cell, function: bytes, folder: Path) -> None:
    found = cloudpickle.loads(function)(**cell["settings"])
    result = found if isinstance(found, Mapping) else {"value": found}
    try:
        kept = json.loads(json.dumps(dict(result), default=_number))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"The function returned what no file can hold ({error}). Return a number, or a "
            "dictionary of numbers, texts and lists."
        ) from None
    Store(folder).put(cell, kept)


def _number(value: Any) -> Any:
    """Return what NumPy, TensorFlow and Keras have as numbers and lists of Python."""
    if hasattr(value, "numpy"):
        value = value.numpy()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")
