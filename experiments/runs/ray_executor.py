"""Ray Core as what computes the cells: on one machine, or on all nodes of a cluster.

Ray finds a place for each cell, gives it a clean process, and tries again where a node is lost.
What is finished is for the store to say, never for Ray: what is done twice changes nothing.
"""

import contextlib
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import claims, records, worker
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.executor import Work, WorkerError

# Tries after the first, where a process or its node is lost.
_RETRIES = 3
# Seconds after which the nodes are counted again.
_LOOK_AGAIN = 5.0
_MEMORY_OF_OBJECTS = 100 * 2**20


class RayExecutor:
    """Runs cells as tasks of Ray, each in a fresh process with one processor.

    The folder of results has to be the same on all nodes, and so has the installation: a node with
    other versions of what decides computes nothing.

    Args:
        address: "local" starts Ray on this machine until ``close``; "auto" and HOST:PORT join a
            cluster.
        jobs: Cells at a time; default: one per processor of the cluster.
        gpus: GPUs of each cell.
        log: File that receives what the processes print.
        prepare: Called in each process before its cell.

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
    ):
        self.ended = False
        self._jobs, self._log, self._prepare = jobs, log.absolute(), prepare
        self._pending: dict[Any, Cell] = {}
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
            self._connect(address, jobs, gpus)
        # The process of a task ends with it: what TensorFlow holds goes, and nothing is left over.
        self._task = ray.remote(
            num_cpus=1, num_gpus=gpus, max_calls=1, max_retries=_RETRIES, retry_exceptions=False
        )(_compute)

    def map_unordered(
        self, work: Work, cells: Iterable[Cell]
    ) -> Iterator[tuple[Cell, Exception | None]]:
        """Yield each cell once it is done, with the exception that ended it, if any.

        Args:
            work: Computes a cell.
            cells: The cells; so many are asked for that each process finds the next one waiting.
        """
        waiting, left = iter(cells), True
        about = {"cwd": str(Path.cwd()), "log": str(self._log), "versions": records.versions()}
        shared = self._ray.put((work, self._prepare, about))
        try:
            while left or self._pending:
                room = self._room()
                while left and len(self._pending) < room:
                    cell = next(waiting, None)
                    if cell is None:
                        left = False
                        break
                    reference = self._task.remote(shared, cell, secrets.token_hex(8))
                    self._pending[reference] = cell
                if self._pending:
                    done, _ = self._ray.wait([*self._pending], num_returns=1, timeout=_LOOK_AGAIN)
                    for reference in done:
                        yield self._pending.pop(reference), self._answer(reference)
        except KeyboardInterrupt:
            self.ended = True
            raise

    def close(self) -> None:
        """End what is left; a cluster that was joined goes on."""
        for reference in self._pending:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._pending.clear()
        if self._is_mine and self._ray.is_initialized():
            self._ray.shutdown()

    def _connect(self, address: str, jobs: int | None, gpus: float) -> None:
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
        if gpus > self._ray.cluster_resources().get("GPU", 0.0):
            self._ray.shutdown()
            raise ConfigError(
                f"--gpus-per-run {gpus:g}: the cluster at {address} has fewer GPUs, so no cell "
                "could ever begin. Add nodes, or ask for less."
            )

    def _room(self) -> int:
        """Return how many tasks may wait and run: the nodes come and go."""
        if self._jobs is not None:
            return self._jobs
        return max(1, 2 * int(self._ray.cluster_resources().get("CPU", 1)))

    def _answer(self, reference: Any) -> Exception | None:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            words = " ".join(str(error).split())[:300]
            return WorkerError(
                f"Its process or node was lost, and after {_RETRIES} more tries there is no result "
                f"({type(error).__name__}: {words})."
            )


def _compute(shared: tuple[Work, Callable[[], None], dict], cell: Cell, token: str) -> Any:
    """Compute a cell, in a process that Ray has started for it; return its exception or None."""
    work, prepare, about = shared
    worker.print_to(Path(about["log"]))
    with contextlib.suppress(OSError):
        os.chdir(about["cwd"])  # Where the driver is: names of files may be relative.
    try:
        if wrong := records.other_versions(about["versions"]):
            raise RuntimeError(f"The node {os.uname().nodename} has {wrong}.")
        prepare()
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
