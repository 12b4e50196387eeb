"""What is done to a gradient before any method sees it."""

import numpy as np

from .joint import divide


def clip_adaptively(theta, g, limit=0.01, epsilon=1e-3):
    """Units whose gradient is long against their weights get a shorter one; and which did.

    A unit is an index of the last axis; a scalar or vector is one unit. For each unit i:
    ||g_i|| > limit max(||theta_i||, epsilon): g_i = g_i limit max(||theta_i||, epsilon) / ||g_i||

    A. Brock, S. De, S. L. Smith and K. Simonyan, arXiv 2102.06171, eq. 3.
    """
    theta = np.array(theta, dtype=np.float64)
    g = np.array(g, dtype=np.float64)
    axes = tuple(range(max(theta.ndim - 1, 0))) if theta.ndim > 1 else None
    theta_norm = np.sqrt(np.sum(theta * theta, axis=axes, keepdims=True))
    g_norm = np.sqrt(np.sum(g * g, axis=axes, keepdims=True))
    allowed = limit * np.maximum(theta_norm, epsilon)
    clipped = g_norm > allowed
    # The authors' code floors ||g_i|| at 1e-6 in the division: it never counts above the limit
    # as long as limit * epsilon is above 1e-6.
    return np.where(clipped, g * divide(allowed, np.maximum(g_norm, 1e-6)), g), clipped


def centralize(g):
    """g minus its mean over all axes but the last; scalars and vectors stay.

    H. Yong, J. Huang, X. Hua and L. Zhang, arXiv 2004.01461, eq. 1.
    """
    g = np.array(g, dtype=np.float64)
    if g.ndim < 2 or g.size == 0:
        return g
    return g - np.mean(g, axis=tuple(range(g.ndim - 1)), keepdims=True)
