"""What of a figure's data is drawn: limits, ticks and levels, and points that can be told apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from tfadaopt.experiments.reports.figures import Contours, Series, Trajectory
from tfadaopt.experiments.reports.pages import exact

Array = npt.NDArray[Any]

# A path's later steps lie on top of each other, and would fill the file.
STEPS_DRAWN = 400
# A logarithmic axis of more decades shows nothing but how far something diverged or vanished; it is
# cut to what lies around the values that the lines begin with.
_MOST_DECADES = 24
_DECADES_ABOVE, _DECADES_BELOW = 4, 18
_MOST_POINTS = 500


def seen(path: Trajectory, data: Contours) -> tuple[Array, Array]:
    """Return the part of a path that is drawn: up to where it leaves for good, or ends."""
    points = np.column_stack([path.x, path.y])
    middle = np.array([np.mean(data.x), np.mean(data.y)])
    span = np.array([np.ptp(data.x), np.ptp(data.y)])
    # Far outside, the line that leads there is enough; NaN is no nearer.
    gone = np.flatnonzero(~(np.abs(points - middle) < 50 * span).all(axis=1))
    end = len(points)
    if len(gone):
        end = int(gone[0]) + bool(np.isfinite(points[gone[0]]).all())
    x, y = points[: min(end, STEPS_DRAWN)].T
    return x, y


def thinned(series: Series, x_log: bool) -> tuple[Array, ...]:
    """Return x, y, low and high at no more points than can be told apart."""
    columns = [np.asarray(v) for v in (series.x, series.y, series.low, series.high)]
    n = len(columns[0])
    if n <= _MOST_POINTS:
        return tuple(columns)
    spaced = np.geomspace(1, n, _MOST_POINTS) - 1 if x_log else np.linspace(0, n - 1, _MOST_POINTS)
    keep = np.unique(spaced.round().astype(int))
    return tuple(column[keep] if len(column) else column for column in columns)


def levels(f: Array, by_ratio: bool) -> Array:
    """Return the heights of contour lines, spaced by ratio above the lowest or ever wider."""
    finite = f[np.isfinite(f)]
    lowest, span = finite.min(), np.ptp(finite) or 1.0
    return lowest + span * (
        np.geomspace(1e-5, 1, 16) if by_ratio else np.linspace(0.02, 1, 14) ** 2
    )


def cut(axes: Axes, lines: Sequence[Sequence[float]]) -> None:
    """Fix the limits of a logarithmic axis whose lines go far beyond what they begin with."""
    positive = [y[np.isfinite(y) & (y > 0)] for y in map(np.asarray, lines)]
    logs = [np.log10(y) for y in positive if len(y)]
    if logs and np.ptp(np.concatenate(logs)) > _MOST_DECADES:
        begin = np.median([y[0] for y in logs])
        low, high = np.min(np.concatenate(logs)) - 0.5, np.max(np.concatenate(logs)) + 0.5
        low, high = max(low, begin - _DECADES_BELOW), min(high, begin + _DECADES_ABOVE)
        axes.set_ylim(10**low, 10**high)


def label_ratios(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers where it spans few decades, and sparsely."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    if decades < 4:
        subs = (1, 1.5, 2, 3, 5, 7) if decades < 0.6 else (1, 2, 5) if decades < 2 else (1,)
        axis.set_major_locator(ticker.LogLocator(subs=subs))
        axis.set_major_formatter(lambda value, _: exact(value, 3))
    axis.set_minor_formatter(ticker.NullFormatter())
