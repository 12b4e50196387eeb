"""Ray Core as what computes the cells: on one machine, or on all nodes of a cluster.

Each process is an actor of Ray, which finds a place for it. It computes one cell after the other,
as a process of ``LocalExecutor`` does; a cell whose process or node is lost is handed to another.
What is finished is for the store to say, never for Ray: what is done twice changes nothing.
"""

import contextlib
import os
import secrets
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import claims, records, worker
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.executor import Work, WorkerError
from tfadaopt.experiments.runs.files import said

# Tries after the first, where a process or its node is lost.
_RETRIES = 3
# Seconds after which the nodes are counted again.
_LOOK_AGAIN = 5.0
_MEMORY_OF_OBJECTS = 100 * 2**20


class RayExecutor:
    """Runs cells in processes of Ray, each with one processor and its GPUs for as long as it lives.

    The folder of results has to be the same on all nodes, and so has the installation: a node with
    other versions of what decides computes nothing.

    Args:
        address: "local" starts Ray on this machine until ``close``; "auto" and HOST:PORT join a
            cluster.
        jobs: Cells at a time; default: as many as the cluster has processors and GPUs for.
        gpus: GPUs of each process.
        log: File that receives what the processes print.
        prepare: Called once in each process, before its first cell.
        fresh: Whether each cell gets a process of its own, instead of one that has computed others.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(
        self,
        address: str,
        jobs: int | None,
        gpus: float,
        log: Path,
        prepare: Callable[[], None] = worker.prepare_tensorflow,
        fresh: bool = False,
    ):
        self.ended = False
        self._jobs, self._gpus, self._prepare, self._fresh = jobs, gpus, prepare, fresh
        self._log = log.absolute()
        self._workers: list[_Worker] = []
        # On nodes with other versions: each keeps its place, so that no other is started there.
        self._refused: list[_Worker] = []
        self._false_starts = 0
        self._places, self._counted_at = 0, -_LOOK_AGAIN
        _choose_authentication(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise ConfigError(
                "--engine ray needs Ray, which is not installed. Install it with: pip install "
                "'tfadaopt[ray]'"
            ) from None
        self._ray: Any = ray
        self._is_mine = not ray.is_initialized()
        if self._is_mine:
            self._connect(address, jobs)
        if gpus > ray.cluster_resources().get("GPU", 0.0):
            self.close()
            raise ConfigError(
                f"--gpus-per-run {gpus:g}: the cluster at {address} has fewer GPUs, so no cell "
                "could ever begin. Add nodes, or ask for less."
            )
        # Where nodes may join, there are more processes asked for than there is room for.
        self._ahead = 1 if self._is_mine and address == "local" else 2
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": 0}
        if not self._is_mine:
            # No process that has computed something else for who has started Ray.
            options["runtime_env"] = {"env_vars": {"TFADAOPT_RUN": secrets.token_hex(8)}}
        self._process = self._ray.remote(**options)(_Process)

    def map_unordered(
        self, work: Work, cells: Iterable[Cell]
    ) -> Iterator[tuple[Cell, Exception | None]]:
        """Yield each cell once it is done, with the exception that ended it, if any.

        A cell whose process or node was lost is tried again after those that wait, up to three
        times.

        Args:
            work: Computes a cell.
            cells: The cells; so many are asked for that each process finds the next one waiting.

        Raises:
            WorkerError: No process can be started, or all nodes have other versions.
        """
        waiting, left = iter(cells), True
        tasks: deque[_Task] = deque()
        shared = self._ray.put(work)
        try:
            while True:
                room = self._jobs or self._ahead * self._count()
                running = sum(each.task is not None for each in self._workers)
                while left and running + len(tasks) < room:
                    cell = next(waiting, None)
                    left = cell is not None
                    if cell is not None:
                        tasks.append(_Task(cell, secrets.token_hex(8)))
                if not (running or tasks):
                    return
                while len(self._workers) < min(room, running + len(tasks)):
                    self._workers.append(self._started())
                for each in self._workers:
                    if tasks and each.reference is None:
                        each.give(shared, tasks.popleft())
                for task, error in self._done():
                    if isinstance(error, WorkerError) and task.losses <= _RETRIES:
                        tasks.append(task)
                    else:
                        yield task.cell, error
        except KeyboardInterrupt:
            self.ended = True
            raise

    def close(self) -> None:
        """End what is left; a cluster that was joined goes on."""
        for each in (*self._workers, *self._refused):
            self._end(each)
        self._workers.clear()
        self._refused.clear()
        if self._is_mine and self._ray.is_initialized():
            self._ray.shutdown()

    def _connect(self, address: str, jobs: int | None) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error"}
        try:
            if address == "local":
                own: dict[str, Any] = {"include_dashboard": False, "num_cpus": jobs}
                own["object_store_memory"] = _MEMORY_OF_OBJECTS
                self._ray.init(address="local", **quiet, **own)
            else:
                self._ray.init(address=address, **quiet)
        except Exception as error:  # Ray has no class of its own for each of these.
            raise ConfigError(
                f"--address {address}: no Ray can be reached there ({str(error).strip()[:200]}). "
                "Start one with 'ray start --head', or use --address local."
            ) from None

    def _count(self) -> int:
        """Return how many processes there is room for: the nodes come and go."""
        if time.monotonic() - self._counted_at > _LOOK_AGAIN:
            has = self._ray.cluster_resources()
            places = int(has.get("CPU", 1))
            if self._gpus:
                places = min(places, int(has.get("GPU", 0) / self._gpus))
            self._places, self._counted_at = max(1, places), time.monotonic()
        return self._places

    def _started(self) -> "_Worker":
        about = {"cwd": str(Path.cwd()), "log": str(self._log), "versions": records.versions()}
        actor = self._process.remote(self._prepare, about)
        return _Worker(actor, actor.ready.remote())

    def _done(self) -> list[tuple["_Task", Exception | None]]:
        """Wait until something is done or lost, or a process ready; return what is done or lost."""
        by_reference = {w.reference: w for w in self._workers if w.reference is not None}
        references = [*by_reference]
        done, _ = self._ray.wait(references, num_returns=1, timeout=_LOOK_AGAIN)
        if done:  # There may be more by now.
            done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        found = []
        for each in map(by_reference.__getitem__, done):
            answer, task = self._answer(each.reference), each.task
            each.reference, each.task = None, None
            is_lost = isinstance(answer, WorkerError)
            if task is not None:
                task.losses += is_lost
                found.append((task, answer))
            if is_lost or (self._fresh and task is not None):
                self._workers.remove(each)
                self._end(each)
            if task is None:
                self._has_started(each, answer)
        return found

    def _has_started(self, each: "_Worker", answer: Any) -> None:
        """Note that a process is ready, or is not to compute, or could not be started.

        Raises:
            WorkerError: There are too many that are not.
        """
        if answer is None:
            each.is_ready, self._false_starts = True, 0
        elif isinstance(answer, str):
            said.warning("%s, and computes nothing.", answer)
            self._workers.remove(each)
            self._refused.append(each)
            if len(self._refused) >= self._count() and not any(w.is_ready for w in self._workers):
                raise WorkerError(f"No node has the versions of this one: {answer}.")
        else:
            self._false_starts += 1
            if self._false_starts > _RETRIES + self._count():
                raise answer

    def _answer(self, reference: Any) -> Any:
        """Return what a process has answered, or a WorkerError where it was lost."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayError as error:
            words = " ".join(str(error).split())[:300]
            return WorkerError(
                f"Its process or node was lost ({type(error).__name__}: {words}); {self._log} may "
                "say more."
            )

    def _end(self, each: "_Worker") -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(each.actor)


@dataclass(eq=False)
class _Task:
    """A cell, the name that it is claimed with wherever it is begun, and how often it was lost."""

    cell: Cell
    token: str
    losses: int = 0


@dataclass(eq=False)
class _Worker:
    """A process, what it is to answer next, and the cell that it computes."""

    actor: Any
    reference: Any
    task: _Task | None = None
    is_ready: bool = False

    def give(self, work: Any, task: _Task) -> None:
        self.task = task
        self.reference = self.actor.compute.remote(work, task.cell, task.token)


class _Process:
    """What computes in a process of Ray, on whatever node that is."""

    def __init__(self, prepare: Callable[[], None], about: dict[str, Any]):
        worker.print_to(Path(about["log"]))
        with contextlib.suppress(OSError):
            os.chdir(about["cwd"])  # Where the driver is: names of files may be relative.
        self._wrong = records.other_versions(about["versions"])
        if not self._wrong:
            prepare()

    def ready(self) -> str | None:
        """Return None, or why nothing is to be computed here."""
        return f"The node {os.uname().nodename} has {self._wrong}" if self._wrong else None

    def compute(self, work: Work, cell: Cell, token: str) -> Exception | None:
        """Compute a cell; return its exception or None."""
        try:
            with claims.as_task(token):
                work(cell)
        except Exception as error:
            return worker.portable(error)
        return None


def _choose_authentication(address: str) -> None:
    """Say explicitly whether Ray wants a token, where nobody else has: its default differs."""
    if os.environ.get("RAY_AUTH_MODE") or "ray" in sys.modules:
        return  # Who has imported Ray has made it read what there is to read.
    has_token = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    has_token |= (Path.home() / ".ray" / "auth_token").exists()
    if address == "local" and not has_token:
        # For this run alone: nobody else on the machine or in the network can join it.
        os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex
        has_token = True
    os.environ["RAY_AUTH_MODE"] = "token" if has_token else "disabled"
