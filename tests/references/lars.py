"""LARS: momentum with one learning rate per array, in proportion to the array's norm."""

import numpy as np


class LARS:
    """Every array moves by about the same share of its norm.

    ratio = trust ||theta|| / (||g|| + lambda ||theta||), 1 where ||theta|| = 0 or ||g|| = 0
    b_t = mu b_{t-1} + ratio (g_t + lambda theta_{t-1}),  b_0 = 0
    theta_t = theta_{t-1} - eta b_t

    Y. You, I. Gitman and B. Ginsburg, arXiv 1708.03888, Algorithm 1 (eta in the buffer there).
    With skip_vectors the ratio of scalars and vectors is 1.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        trust_coefficient=0.001,
        weight_decay=None,
        skip_vectors=False,
    ):
        self.learning_rate = learning_rate
        self.mu = momentum
        self.trust = trust_coefficient
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.skip_vectors = skip_vectors
        self.t = 0
        self.b = np.float64(0.0)
        self.ratio = np.float64(1.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        theta_norm = np.sqrt(np.sum(theta * theta))
        g_norm = np.sqrt(np.sum(g * g))
        self.ratio = np.float64(1.0)
        skipped = self.skip_vectors and theta.ndim < 2
        if not skipped and theta_norm != 0 and g_norm != 0:
            self.ratio = self.trust * theta_norm / (g_norm + self.decay * theta_norm)
        self.b = self.mu * self.b + self.ratio * (g + self.decay * theta)
        delta = eta * self.b

        rate = np.full(theta.shape, eta * self.ratio)
        self.effective_learning_rate = rate
        self.direction = np.divide(delta, rate, out=np.zeros(theta.shape), where=rate != 0)
        return theta - delta

    @property
    def accumulators(self):
        return {"momentum": self.b, "trust_ratio": self.ratio}
