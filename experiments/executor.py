"""Who computes the cells: worker processes on this machine."""

import concurrent.futures
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tfadaopt.experiments.cells import Cell


class LocalExecutor:
    """Runs cells in fresh processes of one thread each: two of them outrun one of two threads.

    Args:
        jobs: Number of processes.
        log: File that receives what the processes print, such as TensorFlow's start-up notes.
    """

    def __init__(self, jobs: int, log: Path):
        self._pool = concurrent.futures.ProcessPoolExecutor(
            max_workers=jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin_worker,
            initargs=(log,),
        )

    def map_unordered(
        self, work: Callable[[Cell], None], cells: Sequence[Cell]
    ) -> Iterator[tuple[Cell, Exception | None]]:
        """Yield each cell once it is done, with the exception that ended it, if any."""
        futures = {self._pool.submit(work, cell): cell for cell in cells}
        for future in concurrent.futures.as_completed(futures):
            error = future.exception()
            if isinstance(error, concurrent.futures.process.BrokenProcessPool):
                raise error
            yield futures[future], error if isinstance(error, Exception) else None

    def close(self) -> None:
        """Let the cells that are under way finish, and drop those that have not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def default_jobs() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin_worker(log: Path) -> None:
    # Ctrl-C reaches the whole process group: the parent decides, a worker finishes its cell.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
