"""Adam, Algorithm 1."""

import numpy as np


class Adam:
    """Running means of g and g^2, both corrected for their start at zero.

    m_t = beta_1 m_{t-1} + (1 - beta_1) g_t,  v_t = beta_2 v_{t-1} + (1 - beta_2) g_t^2
    theta_t = theta_{t-1} - eta m_hat / (sqrt(v_hat) + epsilon)

    D. P. Kingma and J. Ba, arXiv 1412.6980, Algorithm 1. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.learning_rate = learning_rate
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
