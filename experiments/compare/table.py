"""``results.csv``: every number of every run of a comparison, a row each."""

import csv
import io
from pathlib import Path
from typing import Any

from tfadaopt.experiments.compare.contenders import CONSTANT, Arm
from tfadaopt.experiments.compare.results import schedule_of
from tfadaopt.experiments.compare.trials import Reading
from tfadaopt.experiments.runs.files import write_whole

_OF_RUN = ("phase", "method", "learning_rate", "seed", "schedule", "weight_decay")


def write_table(folder: Path, reading: Reading) -> None:
    """Write ``results.csv`` into a folder."""
    runs = [run for run in (*reading.tried(), *reading.finals()) if run.result is not None]
    with io.StringIO(newline="") as file:
        table = csv.writer(file)
        table.writerow([*_OF_RUN, "diverged", "epoch", "step", "part", "name", "value"])
        for run in runs:
            cell: dict[str, Any] = dict(run.cell)
            result: Any = run.result
            arm = Arm(cell["method"], cell.get("schedule", CONSTANT))
            cell["schedule"] = schedule_of(reading, arm) or CONSTANT
            begin = [cell["kind"], *(cell.get(name, "") for name in _OF_RUN[1:])]
            begin.append(bool(result["diverged"]))
            for epoch in result["epochs"]:
                at = [epoch["epoch"], epoch["step"]]
                for name, value in epoch.items():
                    if name in ("epoch", "step"):
                        continue
                    part = "validation" if name.startswith("val_") else "train"
                    table.writerow([*begin, *at, part, name.removeprefix("val_"), value])
            for part in ("validation", "test"):
                for name, value in (result[part] or {}).items():
                    table.writerow([*begin, "end", "end", part, name, value])
        write_whole(folder / "results.csv", file.getvalue())
