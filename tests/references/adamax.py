"""Adam with the infinity norm."""

import numpy as np


class Adamax:
    """u_t = max(beta_2 u_{t-1}, |g_t|); theta_t = theta_{t-1} - eta / (1 - beta_1^t) m_t / u_t

    D. P. Kingma and J. Ba, arXiv 1412.6980, Algorithm 2. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=0.0):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.t = 0
        self.m = np.float64(0.0)
        self.u = np.float64(0.0)
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
        self.u = np.maximum(self.beta_2 * self.u, np.abs(g))
        root = self.u + self.epsilon
        self.effective_learning_rate = np.divide(
            eta / (1 - self.beta_1**self.t), root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.m
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"momentum": self.m, "norm": self.u}
