"""Compute the cells of a run stage by stage, and keep count: one loop for all experiments."""

import functools
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.claims import ClaimedError, Claims, claimed
from tfadaopt.experiments.runs.engines import RAY, Engine, Executor
from tfadaopt.experiments.runs.executor import LocalExecutor, Work, default_jobs
from tfadaopt.experiments.runs.files import is_about_the_place
from tfadaopt.experiments.runs.store import LOG, Store, file_in

# Called with the name of a stage, the cells done and the cells in all.
Progress = Callable[[str, int, int], None]
Failures = list[tuple[Cell, Exception]]
# Seconds between two looks at cells that another run computes.
_LOOK_AGAIN = 1.0


class Stages:
    """Workers that fill a store; to be used in ``with``, which ends them and notes the time.

    Args:
        store: An open store.
        work: Computes a cell, in a worker, and puts its result into the store.
        jobs: Number of processes, or what computes the cells.
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
        jobs: int | Engine,
        progress: Progress,
        is_finished: Callable[[Cell], bool] | None = None,
        keep_failure: Callable[[Cell, Exception], None] | None = None,
    ):
        self.failures: Failures = []
        self.worth_keeping = True
        self._store, self._progress = store, progress
        self._claims = Claims()
        self._claimed = functools.partial(
            claimed, work=work, result=functools.partial(file_in, store.folder)
        )
        self._is_finished = is_finished or store.has
        self._keep_failure = keep_failure
        engine = Engine(jobs=jobs) if isinstance(jobs, int) else jobs
        self._executor = _executor(engine, store.folder / LOG)
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

        What another run in the same folder computes is waited for.

        Args:
            name: Name of the stage.
            cells: Its cells; of many, a sequence that makes each when it is asked for takes no
                memory.
            before: Cells of the stage that were done before these.
            total: Cells of the stage in all; default: these.

        Raises:
            OSError: Nothing can be kept in the folder: no cell after this one could be.
        """
        # Their places: eight bytes for each, however large a cell is.
        places = array("Q", (i for i, c in enumerate(cells) if not self._is_finished(c)))
        missing: Iterable[Cell] = (cells[i] for i in places)
        left = len(places)
        total = total or len(cells)
        done = before + len(cells) - left
        self._progress(name, done, total)
        while left:
            elsewhere: list[Cell] = []
            for cell, error in self._executor.map_unordered(
                self._claimed, self._free(missing, elsewhere)
            ):
                if isinstance(error, ClaimedError):
                    elsewhere.append(cell)
                    continue
                if is_about_the_place(error, self._store.folder):
                    raise error
                if error is not None:
                    if self._keep_failure is not None:
                        self._keep_failure(cell, error)
                    self.failures.append((cell, error))
                done += 1
                self._progress(name, done, total)
            missing = [cell for cell in elsewhere if not self._is_finished(cell)]
            left = len(missing)
            done += len(elsewhere) - left
            self._progress(name, done, total)
            if left:
                time.sleep(_LOOK_AGAIN)

    def _free(self, cells: Iterable[Cell], elsewhere: list[Cell]) -> Iterator[Cell]:
        """Yield the cells that nobody computes, each when there is a process for it."""
        for cell in cells:
            # In a folder that others share, what was missing may be there by now.
            path = self._store.file_of(cell)
            if self._claims.is_free(path) and not path.exists():
                yield cell
            else:
                elsewhere.append(cell)

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


def _executor(engine: Engine, log: Path) -> Executor:
    """Return what computes the cells; ``log`` receives what their processes print."""
    if engine.engine == RAY:
        from tfadaopt.experiments.runs.ray_executor import RayExecutor

        return RayExecutor(
            engine.address, engine.jobs, engine.gpus_per_run, log, fresh=engine.fresh
        )
    jobs = engine.jobs or default_jobs()
    return LocalExecutor(jobs, log=log, fresh=True) if engine.fresh else LocalExecutor(jobs, log)
