"""What a comparison consists of: its settings, its runs, and what each trial of a rate came to."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import Field

from tfadaopt.experiments.compare import contenders, local_modules, problem
from tfadaopt.experiments.compare.rate_search import best_rate, next_rate
from tfadaopt.experiments.configs import ConfigError, Count
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

    Attributes:
        file: Python file of the problem.
        file_sha256: Digest of it and of the modules beside it that it imports: results of another
            version are not mixed in.
        methods: Names of the methods, canonical.
        trials: Learning rates tried for each method.
        tuning_seeds: Runs at each of them; their median counts.
        seeds: Runs at the chosen rate that are reported.
        epochs: Passes over the training data in each run.
        steps: Optimizer steps in each run, instead of epochs; or None.
        batch_size: Examples per step, where the data are arrays.
        objective: What is compared on validation: "loss", or a metric of the model.
        larger_is_better: Whether more of it is better.
    """

    file: str
    file_sha256: str
    methods: tuple[str, ...]
    trials: Count = 5
    tuning_seeds: Count = 3
    seeds: Annotated[int, Field(ge=1, lt=FIRST_TUNING_SEED)] = 5
    epochs: Count = 3
    steps: Count | None = None
    batch_size: Count = 32
    objective: str = "loss"
    larger_is_better: bool = False

    def score(self, values: Mapping[str, float]) -> float:
        """Return the objective as a number of which less is better; NaN is infinity."""
        value = float(values[self.objective])
        return float(failures_as_infinity([-value if self.larger_is_better else value])[0])


def settings(file: Path, methods: Sequence[str], objective: str = "loss", **more) -> Comparison:
    """Return the settings of a comparison.

    Args:
        file: Python file of the problem.
        methods: Names of the methods, as they were given.
        objective: "loss", a metric whose name says which way is better, or "max:NAME", "min:NAME".
        **more: The other settings.

    Raises:
        ConfigError: The file is missing, a method unknown, or it is not plain which way is better.
    """
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
    return Comparison(
        file=str(file),
        file_sha256=problem.digest(file),
        methods=contenders.canonical(methods),
        objective=name,
        larger_is_better=direction == "max",
        **more,
    )


def check_cell(config: Comparison) -> Cell:
    """Return the cell that looks at the problem before anything is trained."""
    return {"kind": "check", "method": "problem", **_task(config)}


def tuning_cells(config: Comparison, method: str, rate: float) -> list[Cell]:
    """Return the runs of one trial: a rate, several seeds."""
    return [
        {"kind": "tune", "method": method, "learning_rate": rate, "seed": seed, **_task(config)}
        for seed in range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + config.tuning_seeds)
    ]


def final_cells(config: Comparison, store: Store) -> list[Cell]:
    """Return the runs that are reported: each method at its chosen rate, all seeds."""
    cells = []
    for method, scores in trials(config, store).items():
        rate = best_rate(scores)
        if rate is None:
            continue
        cells += [
            {
                "kind": "final",
                "method": method,
                "learning_rate": rate,
                "seed": seed,
                **_task(config),
            }
            for seed in range(config.seeds)
        ]
    return cells


def trials(config: Comparison, store: Store) -> dict[str, dict[float, float]]:
    """Return the score of each rate that was tried, by method: the median over seeds.

    What diverged or broke off counts as infinity. The rates are proposed anew from the results
    there are, so that an interrupted comparison goes on exactly where it was.
    """
    found = {}
    for method in config.methods:
        scores: dict[float, float] = {}
        for rate in iter(lambda m=method, s=scores: propose(config, store, m, s), None):
            cells = tuning_cells(config, method, rate)
            if not all(finished(store, cell) for cell in cells):
                break
            scores[rate] = _median([score(config, store, cell) for cell in cells])
        found[method] = scores
    return found


def tried_cells(config: Comparison, store: Store) -> dict[str, list[Cell]]:
    """Return the finished runs of the trials, by method."""
    return {
        method: [c for rate in scores for c in tuning_cells(config, method, rate)]
        for method, scores in trials(config, store).items()
    }


def next_trials(config: Comparison, store: Store) -> list[Cell]:
    """Return the runs of the next trial of each method, none when all budgets are used up."""
    cells = []
    for method, scores in trials(config, store).items():
        ahead = dict(scores)
        # The first three rates are known at once; after them, each depends on those before.
        while len(ahead) < config.trials and (len(ahead) == len(scores) or len(ahead) < 3):
            rate = propose(config, store, method, ahead)
            if rate is None:
                break
            cells += tuning_cells(config, method, rate)
            ahead[rate] = math.inf
    return cells


def propose(
    config: Comparison, store: Store, method: str, scores: Mapping[float, float]
) -> float | None:
    """Return the next rate to try of a method, or None if its budget is used up."""
    if len(scores) >= config.trials:
        return None
    default = store.get(check_cell(config))["default_rates"][method]
    return next_rate(scores, default, decades_first=min(config.trials, 3))


def score(config: Comparison, store: Store, cell: Cell, part: str = "validation") -> float:
    """Return the score of a finished run on a part of the data; infinity if it failed."""
    if not store.has(cell):
        return math.inf
    result = store.get(cell)
    if result["diverged"] or result[part] is None:
        return math.inf
    return config.score(result[part])


def finished(store: Store, cell: Cell) -> bool:
    """Whether a run has a result, or broke off since the command was last given."""
    return store.has(cell) or store.failure(cell) is not None


def note_failure(folder: Path, cell: Cell, error: Exception) -> None:
    """Keep the reason for which a run broke off."""
    Store(folder).put_failure(cell, {"error": str(error)})


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
    return {name: getattr(config, name) for name in names}


def _median(scores: Sequence[float]) -> float:
    # As np.median, but infinities of both signs make no NaN.
    ranked = sorted(scores)
    middle = len(ranked) // 2
    if len(ranked) % 2 or ranked[middle] == ranked[middle - 1]:
        return ranked[middle]
    return (ranked[middle - 1] + ranked[middle]) / 2
