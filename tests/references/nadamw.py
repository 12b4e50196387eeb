"""Adam that looks ahead, with decoupled weight decay."""

import numpy as np


class NadamW:
    """The weights shrink by eta * lambda of themselves, then Nadam steps, at constant momentum.

    T. Dozat, ICLR 2016 workshop; I. Loshchilov and F. Hutter, arXiv 1711.05101.
    """

    def __init__(
        self,
        learning_rate=0.002,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        psi=None,
    ):
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.psi = psi
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.product = np.float64(1.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        theta = theta - eta * (self.weight_decay or 0.0) * theta
        now, ahead = self.mu(self.t), self.mu(self.t + 1)
        self.product = self.product * now
        self.m = now * self.m + (1 - now) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        look_ahead = ahead * self.m / (1 - self.product * ahead) + (1 - now) * g / (
            1 - self.product
        )
        self.effective_learning_rate = np.divide(
            eta, root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = look_ahead
        return theta - self.effective_learning_rate * self.direction

    def mu(self, t):
        if self.psi is None:
            return self.beta_1
        return self.beta_1 * (1 - 0.5 * 0.96 ** (t * self.psi))

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v, "momentum_product": self.product}
