"""Rectified Adam."""

import numpy as np


class RAdam:
    """Adam times r_t once rho_t exceeds the threshold, momentum alone before.

    L. Liu et al., arXiv 1908.03265, Algorithm 2. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8, threshold=4.0):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.threshold = threshold
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

        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        longest = 2 / (1 - self.beta_2) - 1
        length = longest - 2 * self.t * self.beta_2**self.t / (1 - self.beta_2**self.t)
        if length > self.threshold:
            upper = (length - 4) * (length - 2) * longest
            lower = (longest - 4) * (longest - 2) * length
            eta = eta * np.sqrt(upper / lower)
            root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        else:
            root = np.ones(theta.shape)
        self.effective_learning_rate = np.divide(
            eta / (1 - self.beta_1**self.t), root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.m
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v}
