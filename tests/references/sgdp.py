"""SGDP: momentum that does not grow the weights that a normalization makes scale-free."""

import numpy as np

from .joint import divide


class SGDP:
    """Momentum; where the gradient is at right angles to the weights, so is the step.

    b_t = mu b_{t-1} + g_t,  p = b_t, or g_t + mu b_t with nesterov
    if |cos(theta, g)| < cosine / sqrt(n) in every row: p loses its part along each row of theta
    theta_t = theta_{t-1} (1 - eta lambda omega / (1 - mu)) - eta p

    B. Heo et al., arXiv 2006.08217, Algorithm 1; the decay and the two views are in the authors'
    code: rows are the output channels (the last axis) or else the whole array, n is the length of
    a row, omega is wd_ratio where p was projected and 1 elsewhere. Vectors are never projected.
    """

    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.9,
        nesterov=False,
        cosine=0.1,
        wd_ratio=0.1,
        epsilon=1e-8,
        weight_decay=None,
    ):
        self.learning_rate = learning_rate
        self.mu = momentum
        self.nesterov = nesterov
        self.cosine = cosine
        self.wd_ratio = wd_ratio
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.b = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.b = self.mu * self.b + g
        p = g + self.mu * self.b if self.nesterov else self.b
        p, projected = project(p, theta, g, self.cosine, self.epsilon)
        omega = self.wd_ratio if projected else 1.0
        shrink = eta * self.decay * omega / (1 - self.mu)

        self.effective_learning_rate = np.full(theta.shape, eta, dtype=np.float64)
        self.direction = p
        return theta - shrink * theta - eta * p

    @property
    def accumulators(self):
        return {"momentum": self.b}


def project(p, theta, g, cosine, epsilon):
    """p without its part along theta where g has none, and whether that was done."""
    if theta.ndim < 2 or theta.size == 0:
        return p, False
    channels = theta.shape[-1]
    for rows in (channels, 1):
        # One row for each output channel, then the whole array as one row.
        w = theta.reshape(-1, rows).T
        gradient = g.reshape(-1, rows).T
        step = p.reshape(-1, rows).T
        w_norm = np.sqrt(np.sum(w * w, axis=1))
        gradient_norm = np.sqrt(np.sum(gradient * gradient, axis=1))
        product = np.abs(np.sum(w * gradient, axis=1))
        floor = np.maximum(w_norm, epsilon) * np.maximum(gradient_norm, epsilon)
        if np.max(divide(product, floor)) < cosine / np.sqrt(w.shape[1]):
            unit = divide(w, w_norm[:, None] + epsilon)
            step = step - unit * np.sum(unit * step, axis=1)[:, None]
            return step.T.reshape(p.shape), True
    return p, False
