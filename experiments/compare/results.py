"""What a comparison found: a record per method and schedule, and their order."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfadaopt.experiments.compare.contenders import CONSTANT, OWN, Arm
from tfadaopt.experiments.compare.trials import ArmTrials, Reading, Run
from tfadaopt.experiments.reports.intervals import Interval, interval, sensitivity

Floats = npt.NDArray[np.float64]
RESAMPLES = 9_999
# A gap beside the best rate of more than this factor leaves its place uncertain.
GOOD_ENOUGH = 1.1
# Stands for infinity, of which sums and differences may be NaN.
_HUGE = 1e300


@dataclass(frozen=True)
class Contender:
    """What one method did with one schedule.

    Attributes:
        arm: Method and schedule.
        scheduled: Whether its rate changes during a run.
        decay: Weight decay that was chosen; None where none was asked for.
        rates: Rates tried with it, rising; of a schedule, the highest ones.
        values: Objective on validation at each of them, median over seeds; infinity: failed.
        lows: Lowest over the seeds.
        highs: Highest over the seeds.
        by_decay: Best objective on validation with each weight decay.
        complete: Whether no rate is left to try.
        chosen: Rate chosen on validation, None if all failed.
        at_edge: Whether it lies at an end of the rates tried.
        width: Decades of rate with a validation loss ≤ 1.1 × the best, or None.
        default: Default rate of the method, where its search began.
        at_default: Objective on validation at that rate.
        failed_trials: Tuning runs that failed, of ``tuning_runs``.
        tuning_runs: Tuning runs that are finished.
        scores: Score of each reported run, by seed; less is better, infinity for a failure.
        middle: Median objective of the reported runs, with its 95 % interval where there are three.
        failed: Reported runs that failed.
        seconds: Seconds per 1,000 steps, median; None if no run went beyond its first epoch.
    """

    arm: Arm
    scheduled: bool
    decay: float | None
    rates: tuple[float, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    by_decay: dict[float | None, float]
    complete: bool
    chosen: float | None
    at_edge: bool
    width: float | None
    default: float
    at_default: float
    failed_trials: int
    tuning_runs: int
    scores: tuple[float, ...]
    middle: Interval | None
    failed: int
    seconds: float | None

    @property
    def label(self) -> str:
        """Its name in reports."""
        return self.arm.label


def part_reported(found: Reading) -> str:
    """Return the part of the data that the reported numbers are of."""
    return "test" if found.problem["has_test"] else "validation"


def schedule_of(problem: Mapping[str, Any], arm: Arm) -> str | None:
    """Return the name of the schedule that an arm has, None for a constant rate.

    Args:
        problem: What was found when the problem was looked at.
        arm: Method and schedule.
    """
    if arm.schedule == OWN:
        name = problem.get("compiled", {}).get("schedule")
        return name if name is None else str(name)
    return None if arm.schedule == CONSTANT else arm.schedule


def contenders(found: Reading) -> list[Contender]:
    """Return a record of each method with each schedule, in the order they were named."""
    return [_contender(arm, found) for arm in found.arms]


def _contender(arm: ArmTrials, found: Reading) -> Contender:
    config, part = found.config, part_reported(found)
    sign = -1.0 if config.larger_is_better else 1.0
    chosen = arm.chosen
    tried = sorted(chosen.trials, key=lambda trial: trial.rate)
    rates = tuple(trial.rate for trial in tried)
    by_seed = [[run.score(config) for run in trial.runs] for trial in tried]
    losses = [float(np.median([_loss(run) for run in trial.runs])) for trial in tried]
    mine = [run for run in arm.finals if run.finished]
    final = tuple(run.score(config, part) for run in mine)
    tuning = [run.score(config) for run in arm.tried()]
    default = float(f"{arm.default:.3g}")
    return Contender(
        arm=arm.arm,
        scheduled=schedule_of(found.problem, arm.arm) is not None,
        decay=chosen.decay,
        rates=rates,
        values=tuple(_objective(sign, trial.score) for trial in tried),
        lows=tuple(min(_objective(sign, s) for s in seeds) for seeds in by_seed),
        highs=tuple(max(_objective(sign, s) for s in seeds) for seeds in by_seed),
        by_decay={
            search.decay: _objective(sign, min(search.scores.values(), default=math.nan))
            for search in arm.searches
        },
        complete=arm.complete,
        chosen=chosen.best,
        at_edge=len(rates) > 1 and chosen.best in (rates[0], rates[-1]),
        width=_width(rates, losses),
        default=default,
        at_default=_objective(sign, chosen.scores.get(default, math.nan)),
        failed_trials=sum(map(math.isinf, tuning)),
        tuning_runs=len(tuning),
        scores=final,
        middle=_middle(sign, final),
        failed=sum(map(math.isinf, final)),
        seconds=_seconds(mine),
    )


def ranking(found: Sequence[Contender]) -> list[Contender]:
    """Return the methods that have reported runs, the best median first."""
    ran = [c for c in found if c.scores]
    return sorted(ran, key=lambda c: float(np.median(finite(c.scores))))


def interval_of(sample: Sequence[float]) -> Interval:
    """Return the median with its 95 % interval, where there are three and the bootstrap has one."""
    if len(sample) < 3 or -math.inf in sample:  # a difference: the better method failed
        middle = float(np.median(finite(sample)))
        return Interval(middle if middle < _HUGE / 4 else math.inf, math.nan, math.nan)
    return interval(sample)


def finite(scores: Iterable[float] | Iterable[Sequence[float]]) -> Floats:
    """Return scores with a huge number for infinity: medians of infinities would be NaN."""
    return np.minimum(np.asarray(list(scores), "float64"), _HUGE)


def sureness(ranked: Sequence[Contender]) -> dict[str, float]:
    """Return in which share of resamples of the seeds each method has the best median.

    Source:
        B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).
    """
    seeds = min((len(c.scores) for c in ranked), default=0)
    if not seeds:
        return {}
    scores = finite([c.scores[:seeds] for c in ranked])
    drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    medians = np.median(scores[:, drawn], axis=2)
    best = medians == medians.min(axis=0)
    shares = (best / best.sum(axis=0)).mean(axis=1)
    return {c.label: float(share) for c, share in zip(ranked, shares, strict=True)}


def curves(arm: ArmTrials) -> dict[Any, Floats]:
    """Return loss and objective by step of the reported runs: median, lowest and highest.

    Keys are "step" and (name, "median" | "low" | "high"); epochs that not all runs reached are of
    those that did.
    """
    runs = [run.result["epochs"] for run in arm.finals if run.result is not None]
    epochs = max(map(len, runs), default=0)
    names = {name for run in runs for epoch in run for name in epoch} - {"epoch", "seconds"}
    table: dict[Any, Floats] = {}
    for name in sorted(names):
        columns = [
            [run[i].get(name, math.nan) for run in runs if i < len(run)] for i in range(epochs)
        ]
        columns = [[v for v in column if math.isfinite(v)] or [math.nan] for column in columns]
        if name == "step":
            table["step"] = np.array([max(column) for column in columns])
            continue
        for statistic, function in (("median", np.median), ("low", np.min), ("high", np.max)):
            table[name, statistic] = np.array([function(column) for column in columns])
    return table


def layer_rates(found: Reading, arm: ArmTrials) -> dict[str, tuple[list[float], list[float]]]:
    """Return steps and median effective rate of each kernel, in the first reported run."""
    paths = found.problem["variables"]
    for run in arm.finals:
        if run.result is not None:
            rates = run.result.get("rates") or {}
            return {paths[int(i)]: (line["steps"], line["values"]) for i, line in rates.items()}
    return {}


def failures(found: Reading) -> list[dict[str, Any]]:
    """Return what diverged or broke off: phase, method, decay, rate, seed, reason."""
    failed = []
    for run in (*found.tried(), *found.finals()):
        if run.failure is not None:
            reason = f"broke off: {run.failure['error']}"
        elif run.result is not None and run.result["diverged"]:
            word = "stopped" if "stopped" in run.result else "diverged"
            reason = f"{word}: {run.result['diverged']}"
        else:
            continue
        cell: Mapping[str, Any] = run.cell
        failed.append(
            {
                "phase": "trial" if cell["kind"] == "tune" else "reported run",
                "method": Arm(cell["method"], cell.get("schedule", CONSTANT)).label,
                "weight_decay": cell.get("weight_decay"),
                "learning_rate": cell["learning_rate"],
                "seed": cell["seed"],
                "reason": reason,
            }
        )
    return failed


def _loss(run: Run) -> float:
    if run.result is None or run.result["diverged"]:
        return math.inf
    return float(run.result["validation"]["loss"])


def _width(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    # A factor means nothing for losses that can be negative.
    if len(rates) < 2 or not 0 < min(losses) < math.inf:
        return None
    return sensitivity(rates, losses, GOOD_ENOUGH).width


def _objective(sign: float, score: float) -> float:
    """Return the objective as it is called, from its score; a failure stays infinity."""
    return math.inf if math.isinf(score) else sign * score


def _middle(sign: float, scores: Sequence[float]) -> Interval | None:
    if not scores:
        return None
    found = interval_of(scores)
    ends = sorted((_objective(sign, found.low), _objective(sign, found.high)))
    return Interval(_objective(sign, found.value), *ends)


def _seconds(runs: Sequence[Run]) -> float | None:
    paces = []
    for run in runs:
        epochs = run.result["epochs"] if run.result is not None else []
        for before, now in itertools.pairwise(epochs):  # the first epoch is traced
            paces.append(1_000 * now["seconds"] / (now["step"] - before["step"]))
    return float(np.median(paces)) if paces else None
