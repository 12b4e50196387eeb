"""Nesterov's accelerated gradient, stored at the look-ahead point."""

import numpy as np


class Nesterov:
    """A momentum step that counts the newest gradient once more.

    b_t = mu b_{t-1} + g_t,  b_0 = 0,  g_t taken at theta_{t-1}
    theta_t = theta_{t-1} - eta (g_t + mu b_t)

    Y. Nesterov, Soviet Math. Dokl. 27 (1983). I. Sutskever, J. Martens, G. Dahl and G. Hinton,
    ICML 2013, eq. 3-4, iterate w with velocity v; theta = w + mu v is the rewriting of
    Y. Bengio, N. Boulanger-Lewandowski and R. Pascanu, ICASSP 2013, section 3.5.
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
        self.direction = g + self.mu * self.b
        return theta - eta * (g + self.mu * self.b)

    @property
    def accumulators(self):
        return {"momentum": self.b}
