"""Stochastic gradient descent."""

import numpy as np


class SGD:
    """A step against the gradient, the same rate for every coordinate.

    theta_t = theta_{t-1} - eta g_t

    H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical
    Statistics 22 (1951).
    """

    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate
        self.t = 0
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.effective_learning_rate = np.full(theta.shape, eta, dtype=np.float64)
        self.direction = g
        return theta - eta * g

    @property
    def accumulators(self):
        return {}
