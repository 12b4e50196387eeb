"""Experiment ``lecture``: what the five methods do on toy surfaces and to a CNN."""

import contextlib
import functools
import io
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tfadaopt.experiments.configs import Lecture, settings_of
from tfadaopt.experiments.lecture.cells import compute
from tfadaopt.experiments.lecture.report import TABLES, write_report
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.engines import Engine, joins
from tfadaopt.experiments.runs.files import write_whole
from tfadaopt.experiments.runs.stages import Failures, Progress, Stages
from tfadaopt.experiments.runs.store import CELLS, Store

SURFACES = ("ravine", "rotated ravine", "saddle")
TARGET = "f − f* ≤ 1e-4 (f₀ − f*)"


def run(
    config: Lecture, folder: Path, command: str, jobs: int | Engine, progress: Progress
) -> Failures:
    """Run what is not finished yet, and write tables and report.

    Args:
        config: Settings.
        folder: Result folder; results in it are kept, and only missing ones computed.
        command: Command line, for the report.
        jobs: Number of processes, or what computes the cells.
        progress: Called with the name of a stage, the cells done and the cells in all.

    Returns:
        The cells that failed, each with its exception; the report says what is missing.

    Raises:
        ConfigError: The folder holds results of other settings.
    """
    with contextlib.closing(
        Store(folder).open("lecture", config, command, join=joins(jobs))
    ) as store:
        failures = _fill(config, store, jobs, progress)
        write_report(folder)
    return failures


def _fill(config: Lecture, store: Store, jobs: int | Engine, progress: Progress) -> Failures:
    work = functools.partial(compute, config=config, folder=store.folder)
    stages = Stages(store, work, jobs, progress)
    try:
        with stages:
            stages.compute("Paths on the surfaces", surface_cells(config))
            stages.compute("Choosing the rates", tuning_cells(config))
            finals = final_cells(config, choose(config, store))
            stages.compute("Training at the chosen rates", finals)
            stages.end([*surface_cells(config), *tuning_cells(config), *finals])
    finally:
        if not stages.ended:
            write_tables(config, store)
    return stages.failures


def rebuild(folder: Path) -> None:
    """Write tables and report of a result folder again.

    Raises:
        ConfigError: The folder holds no run of the lecture, or one that is damaged.
        FileNotFoundError: A table is missing, and there are no results to make it from.
    """
    store = Store(folder)
    run = store.describe()
    if run is not None and any((folder / CELLS).glob("*.json")):
        write_tables(settings_of(run, Lecture, folder), store)
    write_report(folder)


def surface_cells(config: Lecture) -> list[Cell]:
    """Return one cell per surface and method."""
    return [
        {
            "kind": "surface",
            "surface": surface,
            "method": method,
            "learning_rates": list(config.surface_learning_rates),
            "steps": config.surface_steps,
            "condition_number": config.condition_number,
        }
        for surface in SURFACES
        for method in config.methods
    ]


def tuning_cells(config: Lecture) -> list[Cell]:
    """Return one cell per method and rate of the grid: the same budget for each method."""
    return [
        {"kind": "tune", "method": method, "learning_rate": rate, "seed": None, **_task(config)}
        for method in config.methods
        for rate in config.learning_rates
    ]


def final_cells(config: Lecture, chosen: pd.DataFrame) -> list[Cell]:
    """Return one cell per method and seed, at the method's chosen rate."""
    return [
        {
            "kind": "final",
            "method": row.method,
            "learning_rate": float(row.learning_rate),
            "seed": seed,
            "every": config.every,
            **_task(config),
        }
        for row in chosen.itertuples()
        for seed in range(config.seeds)
    ]


def choose(config: Lecture, store: Store) -> pd.DataFrame:
    """Return each method's rate of lowest validation loss after the last epoch."""
    rows = []
    for method in config.methods:
        tried = []
        for cell in tuning_cells(config):
            if cell["method"] != method or not store.has(cell):
                continue
            result = store.get(cell)
            last = next((r for r in result["rows"] if r["split"] == "validation"), None)
            failed = result["diverged"] or "stopped" in result
            if last is not None and not failed and math.isfinite(last["loss"]):
                tried.append((last["loss"], last["accuracy"], cell["learning_rate"]))
        if tried:
            loss, accuracy, rate = min(tried)
            rows.append(
                {
                    "method": method,
                    "learning_rate": rate,
                    "validation_loss": loss,
                    "validation_accuracy": accuracy,
                    "at_edge": rate in (min(config.learning_rates), max(config.learning_rates)),
                }
            )
    return pd.DataFrame(rows, columns=list(TABLES["chosen"]))


def write_tables(config: Lecture, store: Store) -> None:
    """Write the tidy tables of all finished cells: results, choice of rates, layers and paths."""
    chosen = choose(config, store)
    training = [c for c in (*tuning_cells(config), *final_cells(config, chosen)) if store.has(c)]
    surface = [c for c in surface_cells(config) if store.has(c)]
    tables = {
        "chosen": chosen,
        "results": pd.DataFrame(
            _result_rows(training, store),
            columns=list(TABLES["results"]),
        ),
        "layers": pd.DataFrame(
            _layer_rows(training, store),
            columns=list(TABLES["layers"]),
        ),
        "trajectories": pd.DataFrame(
            _path_rows(surface, store),
            columns=list(TABLES["trajectories"]),
        ),
        "surfaces": pd.DataFrame(
            [
                {name: cell[name] for name in ("surface", "method")}
                | {k: v for k, v in store.get(cell).items() if k not in ("path", "contours")}
                | {"target": TARGET, "grid_size": len(config.surface_learning_rates)}
                for cell in surface
            ],
            columns=list(TABLES["surfaces"]),
        ),
    }
    for name, table in tables.items():
        write_whole(store.folder / f"{name}.csv", table.to_csv(index=False))
    drawn = {cell["surface"]: store.get(cell)["contours"] for cell in surface}
    arrays: dict[str, Any] = {
        f"{name.replace(' ', '_')}_{axis}": np.array(values, "float32")
        for name, axes in drawn.items()
        for axis, values in axes.items()
    }
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    write_whole(store.folder / "contours.npz", packed.getvalue())


def _task(config: Lecture) -> Cell:
    settings = asdict(config)
    names = ("epochs", "batch_size", "train_size", "validation_size", "split_seed")
    # What is not asked for is not named: results of before were made without.
    later = [name for name in ("time_limit", "strategy") if settings[name] is not None]
    return {name: settings[name] for name in (*names, *later)}


def _result_rows(cells: list[Cell], store: Store) -> Iterator[dict]:
    for cell in cells:
        result = store.get(cell)
        for row in result["rows"]:
            yield {
                "phase": cell["kind"],
                **{name: cell[name] for name in ("method", "learning_rate", "seed")},
                **row,
                "diverged": result["diverged"],
                "stopped": result.get("stopped", ""),
            }


def _layer_rows(cells: list[Cell], store: Store) -> Iterator[dict]:
    for cell in cells:
        for series in store.get(cell).get("series", ()):
            if series["tag"] == "learning_rate":
                continue
            head, _, statistic = series["tag"].rpartition("/")
            parts = head.split("/")
            quantity = 2 if parts[0] == "accumulator" else 1
            for step, value in zip(series["steps"], series["values"], strict=True):
                yield {
                    "method": cell["method"],
                    "seed": cell["seed"],
                    "step": step,
                    "quantity": "/".join(parts[:quantity]),
                    "variable": "/".join(parts[quantity:]),
                    "statistic": statistic,
                    "value": value,
                }


def _path_rows(cells: list[Cell], store: Store) -> Iterator[dict]:
    for cell in cells:
        result = store.get(cell)
        for step, (x, y, f) in enumerate(result["path"]):
            yield {
                **{name: cell[name] for name in ("surface", "method")},
                "learning_rate": result["learning_rate"],
                "step": step,
                "x": x,
                "y": y,
                "f": f,
            }
