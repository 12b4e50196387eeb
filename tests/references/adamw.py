"""Adam with decoupled weight decay."""

import numpy as np


class AdamW:
    """The weights shrink by eta * lambda of themselves, then Adam steps.

    I. Loshchilov and F. Hutter, arXiv 1711.05101, Algorithm 2, with the decay times eta.
    """

    def __init__(
        self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-8
    ):
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
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
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        self.effective_learning_rate = np.divide(
            eta / (1 - self.beta_1**self.t), root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.m
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v}
