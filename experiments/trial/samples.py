"""Numbers and lines of several seeds: the median, with its 95 % interval."""

from collections.abc import Sequence

import numpy as np

from tfadaopt.experiments.reports.figures import Series
from tfadaopt.experiments.reports.intervals import interval
from tfadaopt.experiments.trial.claim import Number


def number(
    label: str,
    sample: Sequence[float],
    allowed: tuple[float, float] | None = None,
    whole: bool = False,
    **more,
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


def line(label: str, x: Sequence[float], samples: np.ndarray) -> Series:
    """Return the medians of samples [seeds, positions] as a line with its band."""
    found = [interval(column) for column in np.transpose(samples)]
    values, lows, highs = zip(*((f.value, f.low, f.high) for f in found), strict=True)
    return Series(label, x, values, lows, highs)
