"""Polyak's momentum, the heavy ball."""

import numpy as np


class Momentum:
    """A step along a decaying sum of all gradients so far.

    b_t = mu b_{t-1} + g_t,  b_0 = 0
    theta_t = theta_{t-1} - eta b_t

    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Comp. Math. and Math. Phys. 4(5) (1964). I. Sutskever, J. Martens, G. Dahl and G. Hinton,
    ICML 2013, eq. 1-2, write v = -eta b: the same steps as long as eta is constant.
    """

    def __init__(self, learning_rate=0.01, momentum=0.9):
        self.learning_rate = learning_rate
        self.mu = momentum
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

        self.effective_learning_rate = np.full(theta.shape, eta, dtype=np.float64)
        self.direction = self.b
        return theta - eta * self.b

    @property
    def accumulators(self):
        return {"momentum": self.b}
