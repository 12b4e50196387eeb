"""``tfadaopt compare``: the same budget for each method, on a user's own model and data."""

import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tfadaopt.experiments.compare import comparison, problem
from tfadaopt.experiments.compare.report import write_compare_report
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.executor import LocalExecutor
from tfadaopt.experiments.runs.files import is_about_the_place
from tfadaopt.experiments.runs.store import LOG, Store

Progress = Callable[[str, int, int], None]
Failures = list[tuple[Cell, Exception]]


def run(
    config: comparison.Comparison, folder: Path, command: str, jobs: int, progress: Progress
) -> Failures:
    """Run what is not finished yet, and write tables and report.

    Args:
        config: Settings.
        folder: Result folder; results in it are kept, and only missing ones computed.
        command: Command line, for the report.
        jobs: Number of processes.
        progress: Called with the name of a stage, the runs done and the runs in all.

    Returns:
        The runs that broke off, each with its exception; the report shows them in their place.

    Raises:
        ConfigError: The folder holds results of other settings, or something is wrong with the
            problem, which is found out before anything is trained.
    """
    with contextlib.closing(Store(folder).open(comparison.EXPERIMENT, config, command)) as store:
        failures = _fill(config, store, jobs, progress)
        write_compare_report(folder)
    return failures


def _fill(config: comparison.Comparison, store: Store, jobs: int, progress: Progress) -> Failures:
    began, folder = time.monotonic(), store.folder
    store.forget_failures()  # What broke off is tried again.
    failures: Failures = []
    executor = LocalExecutor(jobs, log=folder / LOG)
    work = functools.partial(_compute, settings=asdict(config), folder=folder)

    def stage(name: str, cells: list[Cell], before: int = 0, total: int | None = None) -> None:
        missing = [cell for cell in cells if not comparison.finished(store, cell)]
        total, done = total or len(cells), before + len(cells) - len(missing)
        progress(name, done, total)
        for cell, error in executor.map_unordered(work, missing):
            if error is not None:
                if isinstance(error, ConfigError) or is_about_the_place(error, store.folder):
                    raise error
                failures.append((cell, error))
                comparison.note_failure(folder, cell, error)
            done += 1
            progress(name, done, total)

    complete, looked_at = False, False
    try:
        stage("Looking at the problem", [comparison.check_cell(config)])
        if failures:
            raise problem.ProblemError(f"{config.file}: {failures[0][1]}")
        comparison.check_modules(config, store)
        looked_at = True
        total = len(config.methods) * config.trials * config.tuning_seeds
        while missing := comparison.next_trials(config, store):
            before = sum(len(cells) for cells in comparison.tried_cells(config, store).values())
            stage("Trying learning rates", missing, before, total)
        finals = comparison.final_cells(config, store)
        stage("Training at the chosen rates", finals)
        failures += store.vanished(finals, failures)
        complete = not failures
    finally:
        executor.close()
        if looked_at:
            store.finish(time.monotonic() - began, complete)
        else:
            # A folder with nothing but a mistake in it would stand in the way of the next try.
            store.abandon()
    return failures


def _compute(cell: Cell, settings: dict, folder: Path) -> None:
    from tfadaopt.experiments.compare import trial  # imports TensorFlow: only in the worker

    trial.compute(cell, settings, folder)
