"""Sharpness-aware minimization: the gradient from where the loss is highest nearby."""

import numpy as np

from .joint import divide, squares


def climb(thetas, gs, rho=0.05, adaptive=False, eta=0.01):
    """Where the second gradient is taken, one array for each of theta.

    SAM: e = rho g / (||g|| + 1e-12), the norm over all arrays.
    Adaptive: e = rho T^2 g / ||T g||, T = |theta| + eta for arrays of two and more axes, 1 for
    others.

    P. Foret et al., arXiv 2010.01412, eq. 2; J. Kwon et al., arXiv 2102.11600, Algorithm 1.
    0 / 0 is no climb.
    """
    thetas = [np.array(theta, dtype=np.float64) for theta in thetas]
    gs = [np.array(g, dtype=np.float64) for g in gs]
    scales = [np.ones(theta.shape) for theta in thetas]
    if adaptive:
        scales = [np.abs(theta) + eta if theta.ndim > 1 else 1.0 for theta in thetas]
    scaled = [scale * g for scale, g in zip(scales, gs, strict=True)]
    norm = np.sqrt(squares(scaled))
    if not adaptive:
        norm = norm + 1e-12
    climbs = [rho * divide(scale * g, norm) for scale, g in zip(scales, scaled, strict=True)]
    return [theta + e for theta, e in zip(thetas, climbs, strict=True)]


def sharpness_aware_step(twins, thetas, gradients, rho=0.05, adaptive=False, eta=0.01):
    """The twins' step from thetas, with the gradients at the point above.

    `gradients(thetas)` gives the list of gradients, both times of the same batch.
    """
    above = climb(thetas, gradients(thetas), rho, adaptive, eta)
    return twins.step(thetas, gradients(above))
