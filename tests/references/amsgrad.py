"""Adam with the largest v so far."""

import numpy as np


class AMSGrad:
    """As Adam, with max over v; uncorrected as in the paper, or corrected as in PyTorch.

    S. J. Reddi, S. Kale and S. Kumar, arXiv 1904.09237, Algorithm 2. 0 / 0 is no step.
    """

    def __init__(
        self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8, bias_correction=False
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.largest = np.float64(0.0)
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
        self.largest = np.maximum(self.largest, self.v)
        if self.bias_correction:
            root = np.sqrt(self.largest / (1 - self.beta_2**self.t)) + self.epsilon
            eta = eta / (1 - self.beta_1**self.t)
        else:
            root = np.sqrt(self.largest) + self.epsilon
        self.effective_learning_rate = np.divide(
            eta, root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.m
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v, "velocity_hat": self.largest}
