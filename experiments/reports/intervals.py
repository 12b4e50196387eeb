"""Medians with intervals, and how sensitive a method is to its learning rate.

A run that diverged counts as an infinite loss: it is never dropped.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

# Stands for infinity inside the bootstrap, whose interpolation would make NaN of infinities.
_HUGE = 1e150


@dataclass(frozen=True)
class Interval:
    """A statistic of a sample, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def ends(self) -> dict[str, Any]:
        """Both ends, as ``Number`` takes them."""
        return {"low": self.low, "high": self.high}


def intervals(samples: ArrayLike) -> Array:
    """Return median, low and high end [3, n] of each column of samples [seeds, n].

    Example:
        >>> from tfadaopt.experiments.reports.intervals import intervals
        >>> intervals([[1.0, 4.0], [2.0, 4.0], [3.0, 4.0]]).tolist()
        [[2.0, 4.0], [1.0, 4.0], [3.0, 4.0]]
    """
    columns = [interval(column) for column in np.asarray(samples).T]
    return np.array([(c.value, c.low, c.high) for c in columns]).T


def interval(sample: ArrayLike, statistic: Callable[..., Any] = np.median) -> Interval:
    """Return a statistic of a sample and its 95 % interval, by the bootstrap of SciPy.

    The percentile interval of 9,999 resamples of a fixed seed: it is always defined, also where
    some values are infinite, which is what failed runs count as.

    Args:
        sample: At least three values; NaN counts as infinity.
        statistic: Function of an array and an axis: the median, or the mean.

    Raises:
        ValueError: There are fewer than three values.

    Example:
        >>> from tfadaopt.experiments.reports.intervals import interval
        >>> interval([1.0, 2.0, 3.0, 4.0, float("inf")])
        Interval(value=3.0, low=1.0, high=inf)

    Source:
        B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).
    """
    values = failures_as_infinity(sample)
    if len(values) < 3:
        raise ValueError(f"An interval needs at least 3 values, not {len(values)}: use more seeds.")
    values = np.minimum(values, _HUGE)
    value = low = high = statistic(values, axis=0)
    if np.ptp(values):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            ends = stats.bootstrap((values,), statistic, method="percentile", rng=0)
        low, high = ends.confidence_interval
    return Interval(*(float(x) if x < _HUGE / 1e9 else np.inf for x in (value, low, high)))


def failures_as_infinity(losses: ArrayLike) -> Array:
    """Return losses with infinity in place of NaN: a run that failed is worse than any other."""
    losses = np.asarray(losses, "float64")
    return np.where(np.isnan(losses), np.inf, losses)


@dataclass(frozen=True)
class Sensitivity:
    """How a method's result depends on its learning rate, on one problem.

    Attributes:
        best_rate: Rate of the lowest loss.
        best_loss: That loss.
        at_edge: Whether it lies at an end of the grid, so that a better one may lie outside.
        width: Decades of learning rate whose loss is good enough.
        good: Number of rates whose loss is.
        failed: Number of rates with which it diverged.
        tried: Number of rates: the budget.
        ends: The lowest and the highest good rate, to mark in a figure; empty if there is none.
    """

    best_rate: float
    best_loss: float
    at_edge: bool
    width: float
    good: int
    failed: int
    tried: int
    ends: tuple[float, ...] = ()


def sensitivity(rates: ArrayLike, losses: ArrayLike, factor: float = 1.1) -> Sensitivity:
    """Return how wide the range of good rates is: loss ≤ factor · best loss.

    Each rate of the grid stands for its surroundings, half way to its neighbours on the logarithmic
    axis: the width is a sum of those, and a single good rate has the width of the grid's spacing.

    Args:
        rates: Grid of rates, rising, at least two.
        losses: Loss for each of them [rates]; infinite or NaN where it diverged.
        factor: How much worse than the best is still good.

    Raises:
        ValueError: The grid has fewer than two rates, or they do not rise.

    Example:
        >>> from tfadaopt.experiments.reports.intervals import sensitivity
        >>> sensitivity([0.01, 0.1, 1.0, 10.0], [5.0, 1.0, 1.05, float("nan")]).width
        2.0

    Source:
        Counting rates: Schneider, Balles and Hennig, "DeepOBS", ICLR 2019, arXiv 1903.05499.
    """
    given = np.asarray(rates, "float64")
    x = np.log10(given)
    losses = failures_as_infinity(losses)
    if len(x) < 2 or not np.all(np.diff(x) > 0):
        raise ValueError(f"rates={given.tolist()!r} must be at least two, rising.")
    ends = np.concatenate([[x[0]], (x[1:] + x[:-1]) / 2, [x[-1]]])
    # The first and the last stand for as much outside the grid as inside.
    ends[0], ends[-1] = 2 * x[0] - ends[1], 2 * x[-1] - ends[-2]
    best = int(np.argmin(losses))
    good = np.isfinite(losses) & (losses <= factor * losses[best])
    return Sensitivity(
        best_rate=float(given[best]),
        best_loss=float(losses[best]),
        at_edge=best in (0, len(x) - 1),
        width=float(np.round(np.diff(ends)[good].sum(), 9)),
        good=int(good.sum()),
        failed=int(np.isinf(losses).sum()),
        tried=len(x),
        ends=tuple(float(given[good][i]) for i in (0, -1)) if good.any() else (),
    )


def transfer(rates: ArrayLike, losses_here: ArrayLike, losses_there: ArrayLike) -> float:
    """Return how much worse than its best a method is there, with the rate that is best here.

    Args:
        rates: Grid of rates, the same for both problems.
        losses_here: Loss on the problem the rate is chosen on [rates].
        losses_there: Loss on the other problem [rates].

    Returns:
        The ratio of losses, 1 for a rate that is best on both; infinity where it diverges.

    Example:
        >>> from tfadaopt.experiments.reports.intervals import transfer
        >>> transfer([0.1, 1.0], [1.0, 2.0], [3.0, 2.0])
        1.5
    """
    here, there = failures_as_infinity(losses_here), failures_as_infinity(losses_there)
    tried = np.size(rates)
    if len(here) != tried or len(there) != tried:
        raise ValueError(f"{tried} rates, but {len(here)} and {len(there)} losses.")
    chosen, lowest = there[int(np.argmin(here))], there.min()
    if not np.isfinite(chosen):
        return float("inf")
    return float(chosen / lowest) if lowest else float(1.0 if chosen == lowest else "inf")
