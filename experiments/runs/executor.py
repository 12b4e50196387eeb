"""Worker processes on this machine, which compute the cells."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from tfadaopt.experiments.runs import worker
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.files import said

Work = Callable[[Cell], None]
# A process that ended is found at once by its pipe, or by this time if it left children that
# hold the pipe open.
_PATIENCE = 1.0
# So many processes that end by themselves in a row before they are ready: it is no accident. What
# kills them from outside, or once any was ready, may pass.
_MOST_FALSE_STARTS, _MOST_KILLED = 3, 30
# Tries after the first, where the process of a cell died.
_RETRIES = 3


class WorkerError(RuntimeError):
    """A worker process ended before it had computed its cell.

    Attributes:
        began: Whether it had begun to.
    """

    began = True


class LocalExecutor:
    """Runs cells in fresh processes of one thread each: two of them outrun one of two threads.

    Ctrl-C lets the running cells finish, and says so at once; a second one ends them. The
    processes end when this one does, however it ends, and take their own children along.

    Args:
        jobs: Number of processes.
        log: File that receives what the processes print, such as TensorFlow's start-up notes.
        prepare: Called once in each process, before its first cell.
        fresh: Whether each cell gets a process of its own, instead of one that has computed others.
    """

    def __init__(
        self,
        jobs: int,
        log: Path,
        prepare: Callable[[], None] = worker.prepare_tensorflow,
        fresh: bool = False,
    ):
        self._jobs, self._log, self._prepare, self._fresh = jobs, log, prepare, fresh
        self._workers: list[_Worker] = []
        self._false_starts, self._any_was_ready = 0, False
        self._stopping = False
        self.ended = False  # by a second Ctrl-C: nothing that takes time is to follow
        self._before = None
        # Who ignores Ctrl-C (a job in the background) goes on ignoring it.
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._on_interrupt)

    @property
    def running(self) -> int:
        """Number of cells that are being computed."""
        return sum(worker.cell is not None for worker in self._workers)

    def map_unordered(
        self, work: Work, cells: Iterable[Cell]
    ) -> Iterator[tuple[Cell, Exception | None]]:
        """Yield each cell once it is done, with the exception that ended it, if any.

        A cell whose process died is tried again when no other is left, alone, since memory may have
        been short, and up to three times.

        Args:
            work: Computes a cell.
            cells: The cells; each is asked for when there is a process for it.

        Raises:
            WorkerError: No process can be started.
            KeyboardInterrupt: After Ctrl-C, when the running cells have been yielded.
        """
        waiting, left = iter(cells), True
        again: deque[Cell] = deque()
        died: list[Cell] = []  # as often as they did
        while left or again or self.running:
            if self._stopping and not self.running:
                raise KeyboardInterrupt
            if not self._stopping:
                left = left and self._hand_out(work, waiting)
                if again and not left and not self.running:
                    self._hand_out(work, iter([again.popleft()]))
            for cell, error in self._done():
                if isinstance(error, WorkerError) and not error.began:
                    waiting, left = itertools.chain([cell], waiting), True
                elif isinstance(error, WorkerError) and died.count(cell) < _RETRIES:
                    died.append(cell)
                    again.append(cell)
                else:
                    yield cell, error

    def close(self) -> None:
        """End the processes, with what they compute, and give Ctrl-C back."""
        self._end()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _hand_out(self, work: Work, waiting: Iterator[Cell]) -> bool:
        """Give each process that has nothing to do a cell; return whether any may be left."""
        while True:
            free = next((w for w in self._workers if w.cell is None), None)
            if free is None and len(self._workers) >= self._jobs:
                return True
            cell = next(waiting, None)
            if cell is None:
                return False
            if free is None:
                free = _Worker(self._log, self._prepare)
                self._workers.append(free)
            free.give(work, cell)

    def _done(self) -> list[tuple[Cell, Exception | None]]:
        """Wait until something is done or has died, and return it."""
        by_pipe: dict[Any, _Worker] = {w.connection: w for w in self._workers}
        by_pipe |= {w.process.sentinel: w for w in self._workers}
        ready = {by_pipe[pipe] for pipe in wait(by_pipe, _PATIENCE)} if by_pipe else set()
        found = []
        for each in [w for w in self._workers if w in ready or w.process.exitcode is not None]:
            answer = each.answer()
            if isinstance(answer, WorkerError):
                is_killed = each.process.exitcode == -signal.SIGKILL
                self._workers.remove(each)
                each.end()
                if not each.is_ready:
                    self._false_starts += 1
                    answer.began = False
                    may_pass = self._any_was_ready or is_killed
                    if self._false_starts >= (_MOST_KILLED if may_pass else _MOST_FALSE_STARTS):
                        raise answer
            elif each.is_ready:
                self._false_starts, self._any_was_ready = 0, True
            if answer is not _NOTHING and each.cell is not None:
                found.append((each.cell, answer))
                each.cell = None
                if self._fresh and each in self._workers:
                    self._workers.remove(each)
                    each.end()
        return found

    def _on_interrupt(self, *_) -> None:
        if self._stopping or not self.running:
            self.ended = self._stopping
            self._end()
            raise KeyboardInterrupt
        self._stopping = True
        n = self.running
        cells = f"{n} running cell{'s' if n > 1 else ''}"
        # Where the signal came in the middle of writing, there is nothing to write with.
        with contextlib.suppress(RuntimeError):
            said.warning("Finishing %s; Ctrl-C again to end at once.", cells)

    def _end(self) -> None:
        for each in self._workers:
            each.end()
        self._workers.clear()


_NOTHING = object()


class _Worker:
    """A process, and the cell that it computes."""

    def __init__(self, log: Path, prepare: Callable[[], None]):
        self._log = log
        self.cell: Cell | None = None
        self.is_ready = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=worker.serve, args=(theirs, log, prepare))
        # Ctrl-C reaches the whole process group: a process that is starting must not see it. What
        # the first start of a process begins would let it through again.
        if hasattr(signal, "pthread_sigmask"):
            resource_tracker.ensure_running()
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()

    def give(self, work: Work, cell: Cell) -> None:
        """Hand it a cell."""
        self.cell = cell
        with contextlib.suppress(OSError):  # It has died: `answer` says so.
            self.connection.send((work, cell))

    def answer(self) -> Any:
        """Return the error of its cell or None, a WorkerError if it died, or _NOTHING yet."""
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if message != worker.READY:
                    return message[0]
                self.is_ready = True
        except (EOFError, OSError):
            self.process.join(_PATIENCE)
        if self.process.is_alive():
            return _NOTHING
        code = self.process.exitcode
        how = f"killed by {_signal(-code)}" if code and code < 0 else f"exit code {code}"
        return WorkerError(
            f"Its process died ({how}); {self._log} may say more. Was there enough memory?"
        )

    def end(self) -> None:
        """End the process and what it has started."""
        assert self.process.pid is not None  # it has been started
        worker.end_group(self.process.pid)
        self.process.kill()
        self.process.join()
        self.connection.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def default_jobs() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
