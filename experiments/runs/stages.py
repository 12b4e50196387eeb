"""Compute the cells of a run stage by stage, and keep count: one loop for all experiments."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.executor import LocalExecutor, Work
from tfadaopt.experiments.runs.files import is_about_the_place
from tfadaopt.experiments.runs.store import LOG, Store

# Called with the name of a stage, the cells done and the cells in all.
Progress = Callable[[str, int, int], None]
Failures = list[tuple[Cell, Exception]]


class Stages:
    """Workers that fill a store; to be used in ``with``, which ends them and notes the time.

    Args:
        store: An open store.
        work: Computes a cell, in a worker, and puts its result into the store.
        jobs: Number of processes.
        progress: Called with the name of a stage, the cells done and the cells in all.
        is_finished: Whether a cell needs no work; default: it has a result.
        keep_failure: Called with a cell and what ended it.

    Attributes:
        failures: The cells that failed so far, each with its exception.
        worth_keeping: Whether a folder without results stays; else it is taken back on an error.
    """

    def __init__(
        self,
        store: Store,
        work: Work,
        jobs: int,
        progress: Progress,
        is_finished: Callable[[Cell], bool] | None = None,
        keep_failure: Callable[[Cell, Exception], None] | None = None,
    ):
        self.failures: Failures = []
        self.worth_keeping = True
        self._store, self._work, self._progress = store, work, progress
        self._is_finished = is_finished or store.has
        self._keep_failure = keep_failure
        self._executor = LocalExecutor(jobs, log=store.folder / LOG)
        self._complete = False
        self._began = time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether a second Ctrl-C asked that nothing follows which takes time."""
        return self._executor.ended

    def compute(
        self, name: str, cells: Sequence[Cell], before: int = 0, total: int | None = None
    ) -> None:
        """Compute those of ``cells`` that are not finished yet.

        Args:
            name: Name of the stage.
            cells: Its cells.
            before: Cells of the stage that were done before these.
            total: Cells of the stage in all; default: these.

        Raises:
            OSError: Nothing can be kept in the folder: no cell after this one could be.
        """
        missing = [cell for cell in cells if not self._is_finished(cell)]
        total = total or len(cells)
        done = before + len(cells) - len(missing)
        self._progress(name, done, total)
        for cell, error in self._executor.map_unordered(self._work, missing):
            if is_about_the_place(error, self._store.folder):
                raise error
            if error is not None:
                if self._keep_failure is not None:
                    self._keep_failure(cell, error)
                self.failures.append((cell, error))
            done += 1
            self._progress(name, done, total)

    def end(self, cells: Sequence[Cell]) -> None:
        """Note that the run is at its end, and count what is gone of all its cells as failed."""
        self.failures += self._store.vanished(cells, self.failures)
        self._complete = not self.failures

    def __enter__(self) -> "Stages":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.close()
        if self.worth_keeping:
            self._store.finish(time.monotonic() - self._began, self._complete)
        else:
            self._store.abandon()
