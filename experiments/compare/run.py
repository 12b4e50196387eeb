"""``tfadaopt compare``: the same budget for each method, on a user's own model and data."""

import contextlib
import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfadaopt.experiments.compare import comparison, problem, trials
from tfadaopt.experiments.compare.comparison import Comparison
from tfadaopt.experiments.compare.report import is_outdated, write_compare_report
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.engines import Engine, joins
from tfadaopt.experiments.runs.stages import Failures, Progress, Stages
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.sweeps.proposals import imported

OUTDATED = "is of a version that trained 'compiled' without its schedule"
TUNING, REPORTED = "Trying learning rates", "Training at the chosen rates"


def run(
    config: Comparison, folder: Path, command: str, jobs: int | Engine, progress: Progress
) -> Failures:
    """Run what is not finished yet, and write tables and report.

    Args:
        config: Settings.
        folder: Result folder; results in it are kept, and only missing ones computed. More seeds
            and trials than it holds may be asked for.
        command: Command line, for the report.
        jobs: Number of processes, or what computes the cells.
        progress: Called with the name of a stage, the runs done and the runs in all.

    Returns:
        The runs that broke off, each with its exception; the report shows them in their place.

    Raises:
        ConfigError: The folder holds results of other settings, or something is wrong with the
            problem, which is found out before anything is trained.
    """
    opened = Store(folder).open(
        comparison.EXPERIMENT, config, command, growing=("seeds", "trials"), join=joins(jobs)
    )
    with contextlib.closing(opened) as store:
        failures = _fill(config, store, jobs, progress)
        write_compare_report(folder)
    return failures


def _fill(config: Comparison, store: Store, jobs: int | Engine, progress: Progress) -> Failures:
    if config.tuner is not None:
        imported()  # Before anything is trained.
    store.forget_failures()  # What broke off is tried again.
    work = functools.partial(_compute, settings=asdict(config), folder=store.folder)

    def is_finished(cell: Cell) -> bool:
        return store.has(cell) or store.failure(cell) is not None

    def keep_failure(cell: Cell, error: Exception) -> None:
        if isinstance(error, ConfigError):
            raise error
        store.put_failure(cell, {"error": str(error)})

    with Stages(store, work, jobs, progress, is_finished, keep_failure) as stages:
        # A folder with nothing but a mistake in it would block the next try.
        stages.worth_keeping = False
        look = comparison.check_cell(config)
        if store.has(look) and is_outdated(config, store.get(look)):
            store.set_aside(look, OUTDATED)
        stages.compute("Looking at the problem", [look])
        if stages.failures:
            raise problem.ProblemError(f"{config.file}: {stages.failures[0][1]}")
        comparison.check_modules(config, store)
        stages.worth_keeping = True
        total = len(config.arms) * config.tuning_runs
        while cells := (found := trials.read(config, store)).next_trials():
            stages.compute(TUNING, cells, sum(1 for _ in found.tried()), total)
        finals = [run.cell for run in found.finals()]
        stages.compute(REPORTED, finals)
        stages.end(finals)
    return stages.failures


def _compute(cell: Cell, settings: dict[str, Any], folder: Path) -> None:
    from tfadaopt.experiments.compare import trial  # imports TensorFlow: only in the worker

    trial.compute(cell, settings, folder)
