"""Figures of paths over the contours of a function of two numbers."""

from collections.abc import Callable, Mapping

import numpy as np

from tfadaopt.experiments.reports.figures import Contours, Trajectory

_POINTS = 81
# A path's later steps lie on top of each other, and would fill the file.
_STEPS = 200


def landscape(
    title: str,
    f: Callable,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    paths: Mapping[str, np.ndarray],
    **more,
) -> Contours:
    """Return the figure of some paths [steps, 2] over the contours of f(w).

    Args:
        title: What it shows.
        f: Heights [n] of points [n, 2], as for ``walk``.
        x_range: Lowest and highest first coordinate.
        y_range: Lowest and highest second coordinate.
        paths: Points by label; those after 200 steps are left out.
        **more: Further arguments of ``Contours``.
    """
    x, y = np.linspace(*x_range, _POINTS), np.linspace(*y_range, _POINTS)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = np.asarray(f(grid)).reshape(_POINTS, _POINTS)
    drawn = []
    for label, points in paths.items():
        points = points[: _STEPS + 1]
        points = points[np.isfinite(points).all(axis=1)]
        drawn.append(Trajectory(label, points[:, 0], points[:, 1]))
    return Contours(title, "w₁", "w₂", x, y, heights, tuple(drawn), **more)
