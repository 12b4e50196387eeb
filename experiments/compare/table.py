"""``results.csv``: every number of every run of a comparison, a row each."""

import contextlib
import csv
import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfadaopt.experiments.compare.comparison import Comparison, check_cell
from tfadaopt.experiments.compare.contenders import CONSTANT, Arm
from tfadaopt.experiments.compare.results import schedule_of
from tfadaopt.experiments.compare.trials import Visit
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.files import writing
from tfadaopt.experiments.runs.store import Store

_OF_RUN = ("phase", "method", "learning_rate", "seed", "schedule", "weight_decay")
_HEAD = [*_OF_RUN, "diverged", "epoch", "step", "part", "name", "value"]


@contextlib.contextmanager
def table(folder: Path, config: Comparison, store: Store) -> Iterator[Visit]:
    """Write ``results.csv`` into a folder: yield what is to be called with each run of it."""
    problem = store.get(check_cell(config))
    schedules = {arm: schedule_of(problem, arm) or CONSTANT for arm in config.arms}
    with writing(folder / "results.csv") as file:
        file.write(_row(_HEAD))

        def visit(run: Cell, result: Mapping[str, Any]) -> None:
            cell: dict[str, Any] = dict(run)
            cell["schedule"] = schedules[Arm(cell["method"], cell.get("schedule", CONSTANT))]
            begin = [cell["kind"], *(cell.get(name, "") for name in _OF_RUN[1:])]
            file.write(_rows([*begin, bool(result["diverged"])], result))

        yield visit


def _rows(begin: list[Any], result: Mapping[str, Any]) -> bytes:
    """Return the rows of a run; what they share is put into words once."""
    shared, rows = _line(begin), []
    for epoch in result["epochs"]:
        at = f"{shared},{epoch['epoch']},{epoch['step']}"
        for name, value in epoch.items():
            if name not in ("epoch", "step"):
                rows.append(f"{at},{_of_epoch(name)},{value!r}")
    for part in ("validation", "test"):
        for name, value in (result[part] or {}).items():
            rows.append(f"{shared},end,end,{part},{_line([name])},{value!r}")
    return "".join(f"{row}\r\n" for row in rows).encode("utf-8", "backslashreplace")


@functools.cache
def _of_epoch(name: str) -> str:
    part = "validation" if name.startswith("val_") else "train"
    return _line([part, name.removeprefix("val_")])


def _row(values: Sequence[Any]) -> bytes:
    return f"{_line(values)}\r\n".encode("utf-8", "backslashreplace")


def _line(values: Sequence[Any]) -> str:
    with io.StringIO(newline="") as text:
        csv.writer(text, lineterminator="").writerow(values)
        return text.getvalue()
