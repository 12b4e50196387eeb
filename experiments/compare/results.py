"""What a comparison found: a record per method, how they differ, and how sure that is."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.compare.comparison import Comparison
from tfadaopt.experiments.compare.trials import MethodTrials, Reading, Run
from tfadaopt.experiments.reports.intervals import Interval, interval, sensitivity

RESAMPLES = 9_999
# A gap beside the best rate of more than this factor leaves its place uncertain.
GOOD_ENOUGH = 1.1


@dataclass(frozen=True)
class Contender:
    """What one method did.

    Attributes:
        method: Its name.
        rates: Rates tried, rising.
        values: Objective on validation at each of them, median over seeds; infinity: failed.
        lows: Lowest over the seeds.
        highs: Highest over the seeds.
        complete: Whether no rate is left to try.
        chosen: Rate chosen on validation, None if all failed.
        at_edge: Whether it lies at an end of the rates tried.
        width: Decades of rate with a validation loss ≤ 1.1 × the best, or None.
        default: Default rate of the method.
        at_default: Objective on validation at that rate.
        failed_trials: Tuning runs that failed, of ``tuning_runs``.
        scores: Score of each reported run, by seed; less is better, infinity for a failure.
        middle: Median objective of the reported runs, with its 95 % interval where there are three.
        failed: Reported runs that failed.
        seconds: Seconds per 1,000 steps, median; None if no run went beyond its first epoch.
    """

    method: str
    rates: tuple[float, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
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


@dataclass(frozen=True)
class Difference:
    """How much worse a method is than the best, seed by seed.

    Attributes:
        method: Its name.
        gap: Median over seeds of the difference in the objective, in the direction of worse, with
            its 95 % interval where there are three seeds.
        clear: Whether the interval lies above 0.
    """

    method: str
    gap: Interval
    clear: bool


def part_reported(found: Reading) -> str:
    """Return the part of the data that the reported numbers are of."""
    return "test" if found.problem["has_test"] else "validation"


def contenders(found: Reading) -> list[Contender]:
    """Return a record of each method, in the order they were named."""
    return [_contender(method, found.config, part_reported(found)) for method in found.methods]


def _contender(method: MethodTrials, config: Comparison, part: str) -> Contender:
    sign = -1.0 if config.larger_is_better else 1.0
    tried = sorted(method.trials, key=lambda trial: trial.rate)
    rates = tuple(trial.rate for trial in tried)
    by_seed = [[run.score(config) for run in trial.runs] for trial in tried]
    losses = [float(np.median([_loss(run) for run in trial.runs])) for trial in tried]
    mine = [run for run in method.finals if run.finished]
    final = tuple(run.score(config, part) for run in mine)
    default = float(f"{method.default:.3g}")
    return Contender(
        method=method.method,
        rates=rates,
        values=tuple(_objective(sign, trial.score) for trial in tried),
        lows=tuple(min(_objective(sign, s) for s in seeds) for seeds in by_seed),
        highs=tuple(max(_objective(sign, s) for s in seeds) for seeds in by_seed),
        complete=method.complete,
        chosen=method.chosen,
        at_edge=len(rates) > 1 and method.chosen in (rates[0], rates[-1]),
        width=_width(rates, losses),
        default=default,
        at_default=_objective(sign, method.scores.get(default, math.nan)),
        failed_trials=sum(math.isinf(s) for seeds in by_seed for s in seeds),
        tuning_runs=sum(map(len, by_seed)),
        scores=final,
        middle=_middle(sign, final),
        failed=sum(map(math.isinf, final)),
        seconds=_seconds(mine),
    )


def ranking(found: Sequence[Contender]) -> list[Contender]:
    """Return the methods that have reported runs, the best median first."""
    ran = [c for c in found if c.scores]
    return sorted(ran, key=lambda c: float(np.median(_finite(c.scores))))


def differences(ranked: Sequence[Contender]) -> list[Difference]:
    """Return how much worse than the first each other method is, paired by seed."""
    found = []
    for other in ranked[1:]:
        best = ranked[0].scores[: len(other.scores)]
        pairs = list(zip(other.scores, best, strict=False))
        gaps = [0.0 if a == b else a - b for a, b in pairs]  # two failures are equally bad
        if len(gaps) < 3:
            middle = float(np.median(gaps)) if gaps else math.nan
            found.append(Difference(other.method, Interval(middle, math.nan, math.nan), False))
            continue
        gap = _interval(gaps)
        found.append(Difference(other.method, gap, gap.low > 0))
    return found


def sureness(ranked: Sequence[Contender]) -> dict[str, float]:
    """Return in which share of resamples of the seeds each method has the best median.

    Source:
        B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).
    """
    seeds = min((len(c.scores) for c in ranked), default=0)
    if not seeds:
        return {}
    scores = _finite([c.scores[:seeds] for c in ranked])
    drawn = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    medians = np.median(scores[:, drawn], axis=2)
    best = medians == medians.min(axis=0)
    shares = (best / best.sum(axis=0)).mean(axis=1)
    return {c.method: float(share) for c, share in zip(ranked, shares, strict=True)}


def curves(method: MethodTrials) -> dict[str, np.ndarray]:
    """Return loss and objective by step of the reported runs: median, lowest and highest.

    Keys are "step" and (name, "median" | "low" | "high"); epochs that not all runs reached are of
    those that did.
    """
    runs = [run.result["epochs"] for run in method.finals if run.result is not None]
    epochs = max(map(len, runs), default=0)
    names = {name for run in runs for epoch in run for name in epoch} - {"epoch", "seconds"}
    table: dict = {}
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


def layer_rates(found: Reading, method: MethodTrials) -> dict[str, tuple]:
    """Return steps and median effective rate of each kernel, in the first reported run."""
    paths = found.problem["variables"]
    for run in method.finals:
        if run.result is not None:
            rates = run.result.get("rates") or {}
            return {paths[int(i)]: (line["steps"], line["values"]) for i, line in rates.items()}
    return {}


def failures(found: Reading) -> list[dict]:
    """Return what diverged or broke off: phase, method, rate, seed and reason, in order."""
    failed = []
    for run in (*found.tried(), *found.finals()):
        if run.failure is not None:
            reason = f"broke off: {run.failure['error']}"
        elif run.result is not None and run.result["diverged"]:
            reason = f"diverged: {run.result['diverged']}"
        else:
            continue
        phase = "trial" if run.cell["kind"] == "tune" else "reported run"
        names = ("method", "learning_rate", "seed")
        failed.append({"phase": phase, **{n: run.cell[n] for n in names}, "reason": reason})
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
    if len(scores) < 3:
        return Interval(_objective(sign, float(np.median(_finite(scores)))), math.nan, math.nan)
    found = _interval(scores)
    ends = sorted((_objective(sign, found.low), _objective(sign, found.high)))
    return Interval(_objective(sign, found.value), *ends)


def _interval(sample: Sequence[float]) -> Interval:
    lowest = min(sample)
    if not math.isfinite(lowest):
        return Interval(*[float(np.median(_finite(sample)))] * 3)
    return interval(sample)


def _finite(scores) -> np.ndarray:
    # Medians of infinities would be NaN.
    return np.minimum(np.asarray(scores, "float64"), 1e300)


def _seconds(runs: Sequence[Run]) -> float | None:
    paces = []
    for run in runs:
        epochs = run.result["epochs"] if run.result is not None else []
        for before, now in itertools.pairwise(epochs):  # the first epoch is traced
            paces.append(1_000 * now["seconds"] / (now["step"] - before["step"]))
    return float(np.median(paces)) if paces else None
