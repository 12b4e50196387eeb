"""What a comparison is of: its settings, the user's problem, and what determines a run."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from tfadaopt.experiments.compare import contenders, local_modules, problem
from tfadaopt.experiments.compare.contenders import Arm
from tfadaopt.experiments.configs import ConfigError, Count, Strategy, TimeLimit
from tfadaopt.experiments.reports.intervals import failures_as_infinity
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.store import Store

EXPERIMENT = "compare"
# Seeds of the tuning runs: none of them is a seed of the runs that are reported.
FIRST_TUNING_SEED = 1_000
_UP = ("accuracy", "acc", "auc", "precision", "recall", "f1", "r2", "iou", "similarity")
_DOWN = ("loss", "error", "mse", "mae", "crossentropy", "divergence", "perplexity")


@pydantic.dataclasses.dataclass(frozen=True, config={"extra": "forbid"})
class Comparison:
    """Settings of a comparison.

    What is None is as in comparisons that were made before there was such a setting, so that they
    can be gone on with.

    Attributes:
        file: Python file of the problem.
        file_sha256: Digest of it and of the modules beside it that it imports: results of another
            version are not mixed in.
        methods: Names of the methods, canonical.
        trials: Learning rates tried for each method, with each schedule and weight decay.
        tuning_seeds: Runs at each of them; their median counts.
        seeds: Runs at the chosen rate that are reported.
        epochs: Passes over the training data in each run.
        steps: Optimizer steps in each run, instead of epochs; or None.
        batch_size: Examples per step, where the data are arrays.
        objective: What is compared on validation: "loss", or a metric of the model.
        larger_is_better: Whether more of it is better.
        schedules: Schedules that each method is tried with; None: a constant rate.
        weight_decays: Weight decays λ that are tried, rising; None: what each method has by itself.
        target: Objective on validation that is to be reached; None: what half of the methods reach.
        time_limit: Seconds after which a run ends, and counts as failed; or None.
        strategy: "mirrored": train on all devices of this machine at once; None: on one.
        tuner: Who proposes rates: None for the search between neighbours, or "optuna".
    """

    file: str
    file_sha256: str
    methods: tuple[str, ...]
    trials: Count = 5
    tuning_seeds: Count = 3
    seeds: Annotated[int, Field(ge=1, lt=FIRST_TUNING_SEED)] = 10
    epochs: Count = 3
    steps: Count | None = None
    batch_size: Count = 32
    objective: str = "loss"
    larger_is_better: bool = False
    schedules: tuple[str, ...] | None = None
    weight_decays: tuple[Annotated[float, Field(ge=0, le=1e6)], ...] | None = None
    target: Annotated[float, Field(allow_inf_nan=False)] | None = None
    time_limit: TimeLimit | None = None
    strategy: Strategy | None = None
    tuner: Literal["optuna"] | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What is compared: each method with each schedule."""
        return contenders.arms(self.methods, self.schedules or (contenders.CONSTANT,))

    @property
    def decays(self) -> tuple[float | None, ...]:
        """The weight decays that each of them is tuned with."""
        return self.weight_decays or (None,)

    @property
    def tuning_runs(self) -> int:
        """Runs that choose a rate, of each arm."""
        return len(self.decays) * self.trials * self.tuning_seeds

    @property
    def runs(self) -> int:
        """Runs in all."""
        return len(self.arms) * (self.tuning_runs + self.seeds)

    def score(self, values: Mapping[str, float]) -> float:
        """Return the objective as a number of which less is better; NaN is infinity."""
        return self.score_of(float(values[self.objective]))

    def score_of(self, value: float) -> float:
        """Return a value of the objective as a number of which less is better."""
        return float(failures_as_infinity([-value if self.larger_is_better else value])[0])


def settings(
    file: Path,
    methods: Sequence[str],
    objective: str = "loss",
    schedules: Sequence[str] = (contenders.CONSTANT,),
    weight_decays: Sequence[str] = (),
    target: float | None = None,
    **more: Any,
) -> Comparison:
    """Return the settings of a comparison.

    Args:
        file: Python file of the problem.
        methods: Names of the methods, as they were given.
        objective: "loss", a metric whose name says which way is better, or "max:NAME", "min:NAME".
        schedules: Names of the schedules, as they were given.
        weight_decays: Weight decays to try, as text; empty: what each method has by itself.
        target: Objective on validation that is to be reached, or None.
        **more: The other settings.

    Raises:
        ConfigError: The file is missing, a name is unknown, a number is not allowed, or the name of
            the objective does not say which way is better.
    """
    larger_is_better, name = _direction(objective)
    named = contenders.schedules(schedules)
    if target is not None and not math.isfinite(target):
        raise ConfigError(f"--target {target}: give a number that can be reached, such as 0.95.")
    return Comparison(
        file=str(file),
        file_sha256=problem.digest(file),
        methods=contenders.canonical(methods),
        objective=name,
        larger_is_better=larger_is_better,
        schedules=None if named == (contenders.CONSTANT,) else named,
        weight_decays=_decays(weight_decays) if weight_decays else None,
        target=target,
        **more,
    )


def tuner(name: str) -> str | None:
    """Return who proposes rates, as settings have it.

    Raises:
        ConfigError: There is nobody of that name.
    """
    if name not in ("search", "optuna"):
        raise ConfigError(f"--tuner {name!r}: choose search or optuna.")
    return None if name == "search" else name


def check_cell(config: Comparison) -> Cell:
    """Return the cell that looks at the problem before anything is trained."""
    return {"kind": "check", "method": "problem", **_task(config)}


def cell_of(
    config: Comparison, kind: str, arm: Arm, decay: float | None, rate: float, seed: int
) -> Cell:
    """Return a run: "tune" for one that chooses the rate, "final" for one that is reported."""
    cell: Cell = {"kind": kind, "method": arm.method, "learning_rate": rate, "seed": seed}
    # What is not asked for is not named: results of before are those of a constant rate.
    if arm.schedule != contenders.CONSTANT:
        cell["schedule"] = arm.schedule
    if decay is not None:
        cell["weight_decay"] = decay
    return {**cell, **_task(config)}


def check_modules(config: Comparison, store: Store) -> None:
    """Check that the modules that the problem imported when it was looked at are as they were.

    Those that can be found by reading the file are part of ``file_sha256``; here are the others.

    Raises:
        ProblemError: One has changed: its results are of another problem.
    """
    known = store.get(check_cell(config)).get("modules", {})
    for name, digest in known.items():
        path = Path(config.file).resolve().parent / name
        if not path.is_file() or local_modules.digest_of(path) != digest:
            raise problem.ProblemError(
                f"{path}, which {config.file} imports, has changed since the results in "
                f"{store.folder} were made. Choose another folder with --out."
            )


def _task(config: Comparison) -> Cell:
    names = ("file_sha256", "epochs", "steps", "batch_size")
    later = [name for name in ("time_limit", "strategy") if getattr(config, name) is not None]
    return {name: getattr(config, name) for name in (*names, *later)}


def _direction(objective: str) -> tuple[bool, str]:
    direction, colon, name = objective.rpartition(":")
    if not colon:
        words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
        up = any(word in _UP or word.endswith("accuracy") for word in words)
        down = any(key in word for word in words for key in _DOWN)
        if not up and not down:
            raise ConfigError(
                f"--objective {objective!r}: say whether more of it is better: max:{name} or "
                f"min:{name}."
            )
        direction = "max" if up else "min"
    if direction not in ("max", "min") or not name:
        raise ConfigError(f"--objective {objective!r} is not NAME, max:NAME or min:NAME.")
    return direction == "max", name


def _decays(texts: Sequence[str]) -> tuple[float, ...]:
    found = []
    for text in texts:
        try:
            found.append(float(text))
        except ValueError:
            found.append(-1.0)
        if not 0 <= found[-1] <= 1e6:
            raise ConfigError(
                f"--weight-decays: {text.strip()!r} is no weight decay; give numbers from 0 on, "
                "such as 0,0.0001,0.001."
            )
    contenders.check_once("--weight-decays", found, "0,0.0001,0.001")
    return tuple(sorted(found))
