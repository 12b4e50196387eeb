"""Lion: the sign of a mean of gradients."""

import numpy as np


class Lion:
    """Every coordinate moves by eta; the sign is that of a mean with more weight on now.

    c_t = beta_1 m_{t-1} + (1 - beta_1) g_t
    theta_t = theta_{t-1} - eta (sign(c_t) + lambda theta_{t-1})
    m_t = beta_2 m_{t-1} + (1 - beta_2) g_t

    X. Chen et al., arXiv 2302.06675, Algorithm 2. sign(0) = 0.
    """

    def __init__(self, learning_rate=0.0001, beta_1=0.9, beta_2=0.99, weight_decay=None):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
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

        c = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.m = self.beta_2 * self.m + (1 - self.beta_2) * g

        self.effective_learning_rate = np.full(theta.shape, eta, dtype=np.float64)
        self.direction = np.sign(c)
        return theta - eta * self.direction - eta * self.decay * theta

    @property
    def accumulators(self):
        return {"momentum": self.m}
