"""What it takes to get there: epochs and time to a target, and what the tuning costs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.compare.comparison import Comparison
from tfadaopt.experiments.compare.results import Contender
from tfadaopt.experiments.compare.trials import ArmTrials, Reading, Run


@dataclass(frozen=True)
class Spent:
    """What some runs cost.

    Attributes:
        runs: Runs that have a result.
        epochs: Their epochs.
        steps: Their steps.
        seconds: Their time of training, without validation.
    """

    runs: int
    epochs: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Way:
    """What it takes one method to reach the target.

    Attributes:
        label: Name of method and schedule.
        reached: Reported runs that reach it, of ``runs``.
        runs: Reported runs that are finished.
        epochs: Median of the first epoch at whose end it is reached; infinity: never.
        steps: Median of the steps until then.
        pace: Seconds per 1,000 steps, None where that is not known.
        tuning: What the search of its rate cost.
        attempts: Trials until one of them is at the target.
    """

    label: str
    reached: int
    runs: int
    epochs: float
    steps: float
    pace: float | None
    tuning: Spent
    attempts: "Attempts"

    @property
    def seconds(self) -> float | None:
        """Seconds of training to the target, None where the pace is not known."""
        return None if self.pace is None else self.steps * self.pace / 1_000

    @property
    def with_tuning(self) -> float | None:
        """Seconds of the search and of one run to the target."""
        return None if self.seconds is None else self.tuning.seconds + self.seconds


@dataclass(frozen=True)
class Attempts:
    """How easily a method is tuned: trials until one of them is good.

    Good is a trial whose median over its tuning seeds is at the target at the end.

    Attributes:
        good: Trials that are.
        tried: Trials.
        first: Place of the first good one, in the order in which they were tried: 1 if the default
            rate is good; infinity if none is.
        at_random: Trials that it takes on average if the same rates are tried in random order:
            (tried + 1)/(good + 1).
    """

    good: int
    tried: int
    first: float
    at_random: float


def attempts(arm: ArmTrials, config: Comparison, goal: float) -> Attempts:
    """Return how many trials of a method it takes until one is at the target."""
    level = config.score_of(goal)
    good = [trial.score <= level for search in arm.searches for trial in search.trials]
    if not any(good):
        return Attempts(0, len(good), math.inf, math.inf)
    at_random = (len(good) + 1) / (sum(good) + 1)
    return Attempts(sum(good), len(good), 1.0 + good.index(True), at_random)


def target(found: Reading) -> float | None:
    """Return the objective on validation that is to be reached, None where nothing is finished.

    It is the one that was asked for, or what at least half of the methods reach: the median over
    the methods, and if they are even the worse of the middle two, of their medians at the end.
    """
    config = found.config
    if config.target is not None:
        return config.target
    ends = sorted(
        float(np.median(scores))
        for arm in found.arms
        if (scores := [run.score(config) for run in arm.finals if run.finished])
    )
    there = [score for score in ends if math.isfinite(score)]
    if not there:
        return None
    score = there[min(len(ends) // 2, len(there) - 1)]
    return -score if config.larger_is_better else score


def ways(found: Reading, contenders: Sequence[Contender], goal: float) -> list[Way]:
    """Return what it takes each method that has reported runs to reach the target."""
    return [
        _way(arm, contender, found.config, goal)
        for arm, contender in zip(found.arms, contenders, strict=True)
        if contender.scores
    ]


def spent(runs: Iterable[Run]) -> Spent:
    """Return what runs cost; what broke off has no result, and is not counted."""
    epochs = [run.result["epochs"] for run in runs if run.result is not None]
    return Spent(
        runs=len(epochs),
        epochs=sum(int(run[-1]["epoch"]) for run in epochs if run),
        steps=sum(int(run[-1]["step"]) for run in epochs if run),
        seconds=sum(float(epoch["seconds"]) for run in epochs for epoch in run),
    )


def reached_at(run: Run, config: Comparison, goal: float) -> tuple[float, float]:
    """Return epoch and step at which a run reached the target first; infinity: never."""
    if run.result is None or run.result["diverged"]:
        return math.inf, math.inf  # What failed has reached nothing, whatever it was before.
    for epoch in run.result["epochs"]:
        value = epoch.get(f"val_{config.objective}", math.nan)
        if config.score_of(value) <= config.score_of(goal):
            return float(epoch["epoch"]), float(epoch["step"])
    return math.inf, math.inf


def _way(arm: ArmTrials, contender: Contender, config: Comparison, goal: float) -> Way:
    runs = [run for run in arm.finals if run.finished]
    reached = [reached_at(run, config, goal) for run in runs]
    epochs, steps = (_median([pair[i] for pair in reached]) for i in (0, 1))
    return Way(
        label=contender.label,
        reached=sum(math.isfinite(epoch) for epoch, _ in reached),
        runs=len(runs),
        epochs=epochs,
        steps=steps,
        pace=contender.seconds,
        tuning=spent(arm.tried()),
        attempts=attempts(arm, config, goal),
    )


def _median(values: Sequence[float]) -> float:
    # The lower of the middle two: a mean of an epoch and never would be never.
    return sorted(values)[(len(values) - 1) // 2]
