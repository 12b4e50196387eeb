"""Performance profiles over several problems, ranks, and what both are worth: pure numbers."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from tfadaopt.experiments.compare.results import Floats, finite
from tfadaopt.experiments.reports.intervals import Interval

# As in AlgoPerf: who takes four times as long as the fastest is as one who never gets there.
MOST = 4.0
RESAMPLES = 1_999


def ratios(times: Floats) -> Floats:
    """Return how many times as long as the fastest each takes.

    Args:
        times: Time to the target [..., problems, methods]; infinity: never.

    Returns:
        r ≥ 1 of the same shape; infinity where a target is never reached, by whomever.

    Example:
        >>> from tfadaopt.experiments.compare.profiles import ratios
        >>> ratios(np.array([[10.0, 20.0, np.inf], [np.inf] * 3])).tolist()
        [[1.0, 2.0, inf], [inf, inf, inf]]

    Source:
        E. Dolan and J. Moré, "Benchmarking optimization software with performance profiles",
        Mathematical Programming 91 (2002), equation of r in section 2.
    """
    times = np.asarray(times, "float64")
    best = times.min(axis=-1, keepdims=True)
    divisor = np.where(np.isfinite(best), best, 1.0)
    return np.where(np.isfinite(times), times / divisor, np.inf)


def profile(found: Floats) -> tuple[Floats, Floats]:
    """Return ρ(τ), the share of problems that are solved within τ times the fastest, as a stair.

    Args:
        found: Ratios r of one method [problems].

    Returns:
        τ from 1 to 4, and ρ there: both ends of each step.

    Example:
        >>> from tfadaopt.experiments.compare.profiles import profile
        >>> [x.tolist() for x in profile(np.array([1.0, 2.0]))]
        [[1.0, 2.0, 2.0, 4.0], [0.5, 0.5, 1.0, 1.0]]

    Source:
        Dolan and Moré (2002), section 2.
    """
    found = np.asarray(found, "float64")
    steps = sorted({r for r in found.tolist() if 1.0 < r <= MOST})
    x = np.array([1.0, *np.repeat(steps, 2), MOST])
    shares = [float(np.mean(found <= tau)) for tau in (1.0, *steps)]
    return x, np.repeat(shares, 2)


def scores(found: Floats) -> Floats:
    """Return the area below each profile from 1 to 4, over its width: 1 is fastest everywhere.

    (1/3) ∫₁⁴ ρ(τ) dτ, which is the mean over the problems of max(0, 4 − r)/3.

    Args:
        found: Ratios r [..., problems, methods].

    Example:
        >>> from tfadaopt.experiments.compare.profiles import scores
        >>> scores(np.array([[1.0, 2.5, np.inf], [1.0, 1.0, 1.0]])).tolist()
        [1.0, 0.75, 0.5]

    Source:
        G. Dahl et al., "Benchmarking neural network training algorithms", 2023, arXiv 2306.07179,
        section 4.1, with its r_max = 4.
    """
    return np.asarray(np.maximum(0.0, MOST - found).mean(axis=-2) / (MOST - 1))


def ranks(medians: Floats) -> Floats:
    """Return the mean over the problems of each method's place, 1 the best; equals share theirs.

    Args:
        medians: Median scores [..., problems, methods]; less is better.

    Example:
        >>> from tfadaopt.experiments.compare.profiles import ranks
        >>> ranks(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, np.inf]])).tolist()
        [1.25, 1.75, 3.0]
    """
    return np.asarray(stats.rankdata(medians, axis=-1).mean(axis=-2))


def lower_median(values: Floats) -> Floats:
    """Return the median over the last axis; of two middle ones the lower: no mean with never."""
    ranked = np.sort(values, axis=-1)
    return np.asarray(ranked[..., (values.shape[-1] - 1) // 2])


def middle(values: Floats) -> Floats:
    """Return the median over the last axis, where a failure is larger than anything else."""
    return np.asarray(np.median(finite(values), axis=-1))


def intervals(
    by_seed: Sequence[Floats],
    summary: Callable[[Floats], Floats],
    statistic: Callable[[Floats], Floats],
) -> list[Interval]:
    """Return a number of each method over all problems, with the 95 % interval of the seeds.

    In each problem the seeds are drawn anew, the same for all methods. The problems stay: the
    interval says nothing of other problems.

    Args:
        by_seed: For each problem, a number for each method and seed [methods, seeds].
        summary: Makes one of the last axis, the seeds.
        statistic: Makes numbers [..., methods] of summaries [..., problems, methods].

    Source:
        Percentile bootstrap: B. Efron, Annals of Statistics 7 (1979).
    """
    random = np.random.default_rng(0)
    here = statistic(np.stack([summary(part) for part in by_seed]))
    drawn = []
    for part in by_seed:
        seeds = part.shape[1]
        picked = part[:, random.integers(seeds, size=(RESAMPLES, seeds))]
        drawn.append(summary(picked).T)
    low, high = np.percentile(statistic(np.stack(drawn, axis=1)), [2.5, 97.5], axis=0)
    return [
        Interval(float(value), float(a), float(b))
        for value, a, b in zip(here, low, high, strict=True)
    ]
