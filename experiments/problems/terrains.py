"""Trajectories over a surface with hills, saddles and bowls, and what they pass through."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk

STARTS, STEPS, HALF_SIDE = 200, 1000, 5.0
RATES = {"SGD": 0.002, "Momentum": 0.0005, "Nesterov": 0.0005, "Adagrad": 0.5, "RMSprop": 0.02}
KINDS = ("bowl", "saddle", "hill")  # by the number of directions that curve downwards


def himmelblau(w: tf.Tensor) -> tf.Tensor:
    """Himmelblau's function (x² + y − 11)² + (x + y² − 7)² at points [n, 2]: four minima."""
    x, y = w[:, 0], w[:, 1]
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def downward_directions(points: np.ndarray) -> np.ndarray:
    """Return the number of negative eigenvalues of Himmelblau's Hessian at points [..., 2].

    Example:
        >>> from tfadaopt.experiments.problems.terrains import downward_directions
        >>> downward_directions(np.array([[3.0, 2.0], [0.1, 2.9], [-0.3, -0.9]])).tolist()
        [0, 1, 2]
    """
    x, y = points[..., 0], points[..., 1]
    across, along, mixed = 12 * x**2 + 4 * y - 42, 12 * y**2 + 4 * x - 26, 4 * (x + y)
    determinant, trace = across * along - mixed**2, across + along
    return np.where(determinant < 0, 1, np.where(trace < 0, 2, 0))


def trajectories(seed: int) -> dict[str, np.ndarray]:
    """Return the points of each method [1 + steps, starts, 2] from the same random starts."""
    side = (-HALF_SIDE, HALF_SIDE)
    starts = np.random.default_rng(seed).uniform(*side, (STARTS, 2))
    return {
        method: walk(method, rate, starts, STEPS, loss=himmelblau, record=["point"])["point"]
        for method, rate in RATES.items()
    }
