"""Adam with additive changes of v."""

import numpy as np


class Yogi:
    """v_t = v_{t-1} - (1 - beta_2) sign(v_{t-1} - g_t^2) g_t^2

    M. Zaheer et al., NeurIPS 2018, Algorithm 2. 0 / 0 is no step.
    """

    def __init__(
        self,
        learning_rate=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-3,
        initial_accumulator_value=1e-6,
        bias_correction=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.initial_accumulator_value = initial_accumulator_value
        self.bias_correction = bias_correction
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(initial_accumulator_value)
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
        self.v = self.v - (1 - self.beta_2) * np.sign(self.v - g * g) * g * g
        if self.bias_correction:
            root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
            eta = eta / (1 - self.beta_1**self.t)
        else:
            root = np.sqrt(self.v) + self.epsilon
        self.effective_learning_rate = np.divide(
            eta, root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.m
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v}
