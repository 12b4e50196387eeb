"""Cautious steps: none where the direction disagrees with the gradient."""

import numpy as np


def cautious_factor(u, g, first_version=False):
    """What the direction u is multiplied with, coordinate by coordinate.

    k = [u g > 0],  factor = k / max(mean(k), 0.001); in the paper's first version k n / (sum k + 1)

    K. Liang et al., arXiv 2411.16085, Algorithm 1, one array at a time, in the authors' code.
    """
    agrees = np.where(np.sign(u) * np.sign(g) > 0, 1.0, 0.0)
    if agrees.size == 0:
        return agrees
    if first_version:
        return agrees * agrees.size / (np.sum(agrees) + 1)
    return agrees / max(np.mean(agrees), 1e-3)


def cautious_step(twin, theta, g, first_version=False):
    """The twin's step with its rate times the factor; decay apart from the direction stays.

    Returns the new theta and the effective learning rate.
    """
    new = twin.step(theta, g)
    rate = twin.effective_learning_rate
    factor = cautious_factor(twin.direction, g, first_version)
    return new + rate * twin.direction - rate * factor * twin.direction, rate * factor


def cautious_decay(theta, u, amount):
    """theta (1 - amount), only where the direction u shrinks theta too, or one of them is 0."""
    theta = np.array(theta, dtype=np.float64)
    return np.where(np.sign(u) * np.sign(theta) >= 0, theta * (1 - amount), theta)
