"""Adagrad with a diagonal matrix."""

import numpy as np


class Adagrad:
    """Each coordinate is divided by the root of the sum of its squared gradients.

    r_t = r_{t-1} + g_t^2,  r_0 = initial_accumulator_value
    theta_t = theta_{t-1} - eta g_t / sqrt(epsilon + r_t)

    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12 (2011), Fig. 1, where delta stands outside the root; here
    epsilon stands inside. Where epsilon + r_t = 0 the rate is 0: 0/0 is a step of 0.
    """

    def __init__(self, learning_rate=0.01, initial_accumulator_value=0.0, epsilon=1e-7):
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self.t = 0
        self.r = np.float64(initial_accumulator_value)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.r = self.r + g * g
        root = np.sqrt(self.epsilon + self.r)
        rate = np.divide(eta, root, out=np.zeros(theta.shape), where=root != 0)

        self.effective_learning_rate = rate
        self.direction = g
        return theta - rate * g

    @property
    def accumulators(self):
        return {"accumulator": self.r}
