"""``results.csv``: every number of every run of a comparison, a row each."""

import contextlib
import csv
import io
from collections.abc import Iterator, Mapping
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
        text = io.TextIOWrapper(file, "utf-8", newline="")
        rows = csv.writer(text)
        rows.writerow(_HEAD)

        def visit(run: Cell, result: Mapping[str, Any]) -> None:
            cell: dict[str, Any] = dict(run)
            cell["schedule"] = schedules[Arm(cell["method"], cell.get("schedule", CONSTANT))]
            begin = [cell["kind"], *(cell.get(name, "") for name in _OF_RUN[1:])]
            rows.writerows(_rows([*begin, bool(result["diverged"])], result))

        try:
            yield visit
        finally:
            text.detach()


def _rows(begin: list[Any], result: Mapping[str, Any]) -> Iterator[list[Any]]:
    for epoch in result["epochs"]:
        at = [*begin, epoch["epoch"], epoch["step"]]
        for name, value in epoch.items():
            if name in ("epoch", "step"):
                continue
            part = "validation" if name.startswith("val_") else "train"
            yield [*at, part, name.removeprefix("val_"), value]
    for part in ("validation", "test"):
        for name, value in (result[part] or {}).items():
            yield [*begin, "end", "end", part, name, value]
