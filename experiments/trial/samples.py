"""Numbers and lines of several seeds: the median, with its 95 % interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfadaopt.experiments.reports.figures import Series
from tfadaopt.experiments.reports.intervals import interval
from tfadaopt.experiments.trial.claim import Number


def number(
    label: str,
    sample: npt.ArrayLike,
    allowed: tuple[float, float] | None = None,
    whole: bool = False,
    **more: Any,
) -> Number:
    """Return the median of a sample as a number, with its interval.

    Args:
        label: What was measured.
        sample: A value for each seed.
        allowed: Lowest and highest median that agrees; infinite where there is no bound; or None.
        whole: Whether all of the interval must lie there, not only the median.
        **more: Other fields of ``Number``.

    Example:
        >>> number("slope", [-0.4, -0.3, -0.45], (-0.55, 0.0), whole=True).agrees
        True
    """
    found = interval(sample)
    if allowed is not None:
        lowest, highest = allowed
        values = (found.low, found.high) if whole else (found.value,)
        more["agrees"] = all(lowest <= value <= highest for value in values)
        ends = [f"≥ {lowest:g}"] * bool(np.isfinite(lowest))
        ends += [f"≤ {highest:g}"] * bool(np.isfinite(highest))
        more["allowed"] = f"{'interval' if whole else 'median'} {' and '.join(ends)}"
    return Number(label, found.value, low=found.low, high=found.high, **more)


def line(label: str, x: npt.ArrayLike, samples: npt.ArrayLike) -> Series:
    """Return the medians of samples [seeds, positions] as a line with its band."""
    found = [interval(column) for column in np.transpose(samples)]
    values, lows, highs = zip(*((f.value, f.low, f.high) for f in found), strict=True)
    return Series(label, x, values, lows, highs)


@dataclass(frozen=True)
class OneRate:
    """The rate that serves several problems best, and how much worse than the lowest it is there.

    Attributes:
        rate: That rate.
        worst: Its loss over the lowest, on the problem where that is largest.
    """

    rate: float
    worst: float


def one_rate_for_all(rates: npt.ArrayLike, losses: npt.ArrayLike, lowest: npt.ArrayLike) -> OneRate:
    """Return the one rate whose worst quotient of loss and lowest loss is smallest.

    Args:
        rates: Grid of rates [n].
        losses: Losses [problems, n]; infinite or NaN where it diverged.
        lowest: What each problem allows [problems].

    Example:
        >>> one_rate_for_all([0.1, 1.0], [[1.0, 2.0], [9.0, 3.0]], [1.0, 2.0])
        OneRate(rate=1.0, worst=2.0)
    """
    quotients = np.asarray(losses) / np.asarray(lowest)[:, np.newaxis]
    worst = np.where(np.isnan(quotients), np.inf, quotients).max(axis=0)
    best = int(worst.argmin())
    return OneRate(float(np.asarray(rates)[best]), float(worst[best]))


def worst_at(
    rate: float, rates: npt.ArrayLike, losses: npt.ArrayLike, lowest: npt.ArrayLike
) -> float:
    """Return the largest quotient of loss and lowest loss at the rate of the grid nearest to one.

    Example:
        >>> worst_at(0.9, [0.1, 1.0], [[1.0, 2.0], [9.0, 3.0]], [1.0, 2.0])
        2.0
    """
    nearest = int(np.argmin(np.abs(np.log(np.asarray(rates) / rate))))
    chosen = np.asarray(losses)[:, nearest : nearest + 1]
    return one_rate_for_all([rate], chosen, lowest).worst
