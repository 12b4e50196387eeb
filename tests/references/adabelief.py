"""Adam sized by how far g strays from its mean."""

import numpy as np


class AdaBelief:
    """s_t = beta_2 s_{t-1} + (1 - beta_2) (g_t - m_t)^2 + epsilon, with m_t the new mean.

    J. Zhuang et al., arXiv 2010.07468, Algorithm 2. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-16):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.t = 0
        self.m = np.float64(0.0)
        self.s = np.float64(0.0)
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
        self.s = self.beta_2 * self.s + (1 - self.beta_2) * (g - self.m) ** 2 + self.epsilon
        root = np.sqrt(self.s / (1 - self.beta_2**self.t)) + self.epsilon
        self.effective_learning_rate = np.divide(
            eta / (1 - self.beta_1**self.t), root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.m
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"momentum": self.m, "belief": self.s}
