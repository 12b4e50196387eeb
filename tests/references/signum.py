"""Signum: the sign of the running mean of gradients."""

import numpy as np


class Signum:
    """Every coordinate moves by eta, against the mean gradient.

    m_t = beta m_{t-1} + (1 - beta) g_t
    theta_t = theta_{t-1} - eta (sign(m_t) + lambda theta_{t-1})

    J. Bernstein, Y.-X. Wang, K. Azizzadenesheli and A. Anandkumar, arXiv 1802.04434,
    Algorithm 2; beta is momentum here. sign(0) = 0.
    """

    def __init__(self, learning_rate=0.0001, momentum=0.9, weight_decay=None):
        self.learning_rate = learning_rate
        self.beta = momentum
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.m = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.m = self.beta * self.m + (1 - self.beta) * g

        self.effective_learning_rate = np.full(theta.shape, eta, dtype=np.float64)
        self.direction = np.sign(self.m)
        return theta - eta * self.direction - eta * self.decay * theta

    @property
    def accumulators(self):
        return {"momentum": self.m}
