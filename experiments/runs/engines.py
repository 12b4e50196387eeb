"""Who computes the cells: what any of them does, and the choice between those there are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.executor import Work

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)


class Executor(Protocol):
    """Computes cells in processes of their own; what they come to is in the store alone."""

    @property
    def ended(self) -> bool:
        """Whether nothing that takes time is to follow, since somebody asked for the end twice."""

    def map_unordered(
        self, work: Work, cells: Iterable[Cell]
    ) -> Iterator[tuple[Cell, Exception | None]]:
        """Yield each cell once it is done, with the exception that ended it, if any."""

    def close(self) -> None:
        """End what is left."""


@dataclass(frozen=True)
class Engine:
    """How the cells of a run are computed.

    Attributes:
        engine: "local" for processes on this machine, or "ray".
        jobs: Cells at a time; default: one per processor, of Ray's nodes together.
        address: Of a Ray cluster: "auto" for the one of this machine, HOST:PORT, or "local" for one
            that is started here and ends with the run.
        gpus_per_run: GPUs of each cell, such as 1 or 0.5; Ray hands them out.
        join: Whether to share the folder, and the work, with a run that has it.
        fresh: Whether each cell has a process of its own, instead of one that has computed others
            of the run.
    """

    engine: str = LOCAL
    jobs: int | None = None
    address: str = "local"
    gpus_per_run: float = 0.0
    join: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ConfigError(f"--engine {self.engine!r}: choose one of {', '.join(ENGINES)}.")
        if self.engine == LOCAL and self.gpus_per_run:
            raise ConfigError(
                "--gpus-per-run is for --engine ray, which hands GPUs out; processes of this "
                "machine all see what CUDA_VISIBLE_DEVICES names."
            )
        whole = float(self.gpus_per_run).is_integer()
        if not 0 <= self.gpus_per_run <= 1_024 or (self.gpus_per_run > 1 and not whole):
            raise ConfigError(
                f"--gpus-per-run {self.gpus_per_run}: give a part of one GPU, such as 0.5, or a "
                "whole number."
            )


def joins(jobs: int | Engine) -> bool:
    """Whether a run shares its folder with others."""
    return isinstance(jobs, Engine) and jobs.join
