"""Toy surfaces in two dimensions, and the paths that optimizers take on them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems import walks

ANGLE = math.pi / 6
PRECISION = 1e-4


@dataclass(frozen=True)
class Surface:
    """A function of x and y, where to start on it, its lowest value, and what to draw of it."""

    f: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    start: tuple[float, float]
    lowest: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]


def surfaces(condition_number: float) -> dict[str, Surface]:
    """Return the surfaces by name; the ravine is steeper across than along it by that number."""

    def ravine(x, y):
        return 0.5 * (x**2 + condition_number * y**2)

    def rotated_ravine(x, y):
        along = math.cos(ANGLE) * x + math.sin(ANGLE) * y
        across = math.cos(ANGLE) * y - math.sin(ANGLE) * x
        return ravine(along, across)

    def saddle(x, y):
        return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4

    start = (-2.0, 0.5)
    turned = (
        math.cos(ANGLE) * start[0] - math.sin(ANGLE) * start[1],
        math.sin(ANGLE) * start[0] + math.cos(ANGLE) * start[1],
    )
    return {
        "ravine": Surface(ravine, start, 0.0, (-2.4, 0.8), (-0.8, 0.8)),
        "rotated ravine": Surface(rotated_ravine, turned, 0.0, (-2.4, 0.8), (-1.4, 0.8)),
        # Start a hair beside the line y = 0, on which every method would walk into the saddle.
        "saddle": Surface(saddle, (1.0, 1e-6), -0.25, (-0.7, 1.2), (-0.4, 1.4)),
    }


def rosenbrock(w: tf.Tensor) -> tf.Tensor:
    """Rosenbrock's valley (1 − x)² + 100 (y − x²)² at points [n, 2]; lowest at (1, 1)."""
    x, y = w[:, 0], w[:, 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(w: tf.Tensor) -> tf.Tensor:
    """Beale's function at points [n, 2]: flat far out; lowest at (3, 0.5)."""
    x, y = w[:, 0], w[:, 1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def walk(
    surface: Surface, method: str, learning_rates: Sequence[float], steps: int
) -> dict[str, Any]:
    """Let one method walk on a surface, with all rates of a grid at once.

    Returns:
        For the rate that reaches the target in the fewest steps and stays there (or, where none
        does, ends lowest): ``learning_rate``, ``steps_to_target`` (or None) and the ``path``, a
        list of [x, y, f]; and ``sensible_rates``, how many rates do so. The target is
        f − f* ≤ 1e-4 (f₀ − f*).
    """
    seen = walks.walk(
        method,
        learning_rates,
        surface.start,
        steps,
        loss=lambda w: surface.f(w[:, 0], w[:, 1]),
        record=("point", "loss"),
    )
    visited = np.concatenate([seen["point"], seen["loss"][..., np.newaxis]], axis=-1)
    excess = visited[..., 2] - surface.lowest
    # A walker that leaves for infinity is last, not an error.
    excess = np.where(np.isfinite(excess), excess, np.inf)
    first = walks.arrivals(excess, PRECISION * excess[0])
    solved = np.isfinite(first)
    best = int(np.lexsort((excess[-1], first))[0])
    return {
        "learning_rate": learning_rates[best],
        "steps_to_target": int(first[best]) if solved[best] else None,
        "sensible_rates": int(solved.sum()),
        "path": visited[:, best].tolist(),
    }


def contours(surface: Surface, points: int = 121) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x [points], y [points] and heights [points, points] for a contour plot."""
    x = np.linspace(*surface.x_range, points)
    y = np.linspace(*surface.y_range, points)
    return x, y, np.asarray(surface.f(x[np.newaxis, :], y[:, np.newaxis]))
