"""The same in NumPy and float64, as slow and plain as can be: what the method is held to."""

import numpy as np


class SettlingTwin:
    """b ← μ b + g, θ ← θ − η b / √t, of one array."""

    def __init__(self, learning_rate=0.1, momentum=0.9):
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.t = 0
        self.b = np.float64(0.0)

    def step(self, theta, g):
        self.t = self.t + 1
        self.b = self.momentum * self.b + np.asarray(g, "float64")
        self.effective_learning_rate = np.full(np.shape(g), self.learning_rate / np.sqrt(self.t))
        self.direction = self.b
        return np.asarray(theta, "float64") - self.effective_learning_rate * self.b

    @property
    def accumulators(self):
        return {"momentum": self.b}
