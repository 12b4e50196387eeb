"""Which methods differ by more than the seeds explain, and how small a difference can be seen."""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tfadaopt.experiments.compare.results import Contender, Floats, interval_of
from tfadaopt.experiments.reports.intervals import Interval

LEVEL = 0.05
POWER = 0.8
# All 2ⁿ signs of n differences are tried where they are no more than this, else as many drawn ones.
_PERMUTATIONS = 19_999
# Up to so many seeds the test itself is simulated; beyond, Student's t is as good.
_SIMULATED_SEEDS = 12
_SIMULATIONS = 1_000


@dataclass(frozen=True)
class Pair:
    """Two methods, compared seed by seed.

    Attributes:
        better: Label of the one that is ranked higher.
        worse: Label of the other.
        seeds: Seeds that both have.
        gap: Median over the seeds of how much worse the other is in the objective, with its 95 %
            interval where there are three seeds.
        p: Of the two-sided permutation test; 1 where there are fewer than two seeds.
        adjusted: The same after Holm's correction for all pairs.
        clear: Whether the difference is more than the seeds explain: adjusted ≤ 0.05, and its mean
            on the side of the ranking.
        visible: Mean difference that the test finds four times out of five, NaN if unknown,
            infinity if none is large enough.
    """

    better: str
    worse: str
    seeds: int
    gap: Interval
    p: float
    adjusted: float
    clear: bool
    visible: float


def pairs(ranked: Sequence[Contender]) -> list[Pair]:
    """Return all pairs of methods that have reported runs, in the order of the ranking.

    Source:
        Holm's correction: S. Holm, "A simple sequentially rejective multiple test procedure",
        Scandinavian Journal of Statistics 6 (1979).
    """
    both = list(itertools.combinations(ranked, 2))
    gaps = [_gaps(better.scores, worse.scores) for better, worse in both]
    found = [permutation_test(gap) for gap in gaps]
    corrected = holm(found)
    level = LEVEL / max(1, len(both))
    return [
        Pair(
            better.label,
            worse.label,
            len(gap),
            interval_of(gap),
            p,
            adjusted,
            adjusted <= LEVEL and float(np.mean(bounded(gap))) > 0,
            _visible(gap, level),
        )
        for (better, worse), gap, p, adjusted in zip(both, gaps, found, corrected, strict=True)
    ]


def permutation_test(gaps: Sequence[float]) -> float:
    """Return the two-sided p of a paired permutation test of the mean difference.

    If two methods did not differ, each difference could as well have the other sign: p is the share
    of all 2ⁿ signs whose mean is as far from 0 as the measured one. No p is below 2¹⁻ⁿ.

    Args:
        gaps: Differences, seed by seed; one that is infinite, because a run failed, counts as twice
            the largest of the others.

    Example:
        >>> from tfadaopt.experiments.compare.significance import permutation_test
        >>> permutation_test([1.0, 2.0, 1.5, 0.5, 1.0, 3.0]), permutation_test([1.0, -1.0, 0.5])
        (0.03125, 1.0)

    Source:
        R. A. Fisher, "The Design of Experiments", 1935, section 21; computed by
        ``scipy.stats.permutation_test``.
    """
    values = bounded(gaps)
    if len(values) < 2 or not values.any():
        return 1.0
    test = stats.permutation_test(
        (values,),
        lambda sample, axis: np.mean(sample, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_PERMUTATIONS,
        rng=0,
    )
    return float(min(1.0, test.pvalue))


def holm(found: Sequence[float]) -> list[float]:
    """Return p values that are corrected for being several, by Holm's procedure.

    The smallest of m is multiplied with m, the next one with m − 1, and so on; none is less than
    the one before it, and none more than 1.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    corrected, so_far = [1.0] * len(found), 0.0
    for place, i in enumerate(sorted(range(len(found)), key=lambda i: found[i])):
        so_far = max(so_far, min(1.0, (len(found) - place) * found[i]))
        corrected[i] = so_far
    return corrected


def fewest_seeds(count: int) -> int:
    """Return how many seeds it takes that any difference of one of ``count`` pairs can be clear.

    Example:
        >>> fewest_seeds(1), fewest_seeds(10)
        (6, 9)
    """
    return 1 + math.ceil(math.log2(max(1, count) / LEVEL))


@functools.cache
def smallest_visible(seeds: int, level: float) -> float:
    """Return the smallest mean difference that the test finds, in standard deviations.

    Found is what has p ≤ ``level`` in 80 % of comparisons whose differences are normal. Up to 12
    seeds the test is simulated, 1,000 times for each size; beyond, its power is taken from
    Student's t, which it approaches: (t(1 − level/2) + t(0.8))/√n, with n − 1 degrees of freedom.

    Args:
        seeds: Number of seeds n.
        level: Largest p that counts as clear.

    Example:
        >>> from tfadaopt.experiments.compare.significance import smallest_visible
        >>> smallest_visible(5, 0.05), round(smallest_visible(20, 0.05), 2)
        (inf, 0.66)

    Source:
        Minimal detectable difference: J. H. Zar, "Biostatistical Analysis", 5th edition, 2010,
        chapter 7; that the test approaches Student's: W. Hoeffding, "The large-sample power of
        tests based on permutations of observations", Annals of Mathematical Statistics 23 (1952).
    """
    if seeds < 2 or 2.0 ** (1 - seeds) > level:
        return math.inf
    if seeds > _SIMULATED_SEEDS:
        quantiles = stats.t.ppf([1 - level / 2, POWER], seeds - 1)
        return float(quantiles.sum() / math.sqrt(seeds))
    noise = np.random.default_rng(0).standard_normal((_SIMULATIONS, seeds))
    low, high = 0.0, 16.0
    while high - low > 0.01:
        middle = (low + high) / 2
        if _power(noise + middle, level) < POWER:
            low = middle
        else:
            high = middle
    return high


def bounded(gaps: Sequence[float]) -> Floats:
    """Return differences with twice the largest of the others for infinite ones."""
    values = np.asarray(gaps, "float64")
    there = np.abs(values[np.isfinite(values)])
    most = 2 * there.max(initial=0.0) or 1.0
    return np.clip(values, -most, most)


def _power(samples: Floats, level: float) -> float:
    """Return the share of samples [simulations, n] whose p is at most ``level``."""
    n = samples.shape[1]
    # Turning all signs changes nothing: the first one stays.
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=n - 1)))
    sums = np.abs(samples[:, :1] + samples[:, 1:] @ signs.T)
    p = np.mean(sums >= sums[:, :1] * (1 - 1e-12), axis=1)
    return float(np.mean(p <= level))


def _gaps(better: Sequence[float], worse: Sequence[float]) -> list[float]:
    # Two failures are equally bad.
    return [0.0 if a == b else b - a for a, b in zip(better, worse, strict=False)]


def _visible(gaps: Sequence[float], level: float) -> float:
    factor = smallest_visible(len(gaps), level)
    if math.isinf(factor):
        return math.inf
    spread = float(np.std(gaps, ddof=1)) if all(map(math.isfinite, gaps)) else math.nan
    return factor * spread if spread > 0 else math.nan
