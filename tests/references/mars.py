"""MARS-AdamW: AdamW on gradients whose variance is reduced by their last change."""

import numpy as np

from .joint import divide


class MARS:
    """The gradient plus gamma beta_1 / (1 - beta_1) of its change, of norm at most one.

    c_t = g_t + gamma beta_1 / (1 - beta_1) (g_t - g_{t-1}),  c_t = c_t / max(1, ||c_t||)
    m_t, v_t, m_hat, v_hat as in Adam, of c_t
    theta_t = theta_{t-1} - eta (m_hat / (sqrt(v_hat) + epsilon) + lambda theta_{t-1})

    g_0 = g_1, so the first change is 0 (the paper begins with x_0 = x_1); with first_difference
    g_0 = 0, as in the authors' code. With skip_vectors arrays of fewer than two axes take AdamW's
    steps with the betas 0.9 and 0.95, as in the authors' code.

    H. Yuan et al., arXiv 2411.10438, Algorithms 1 and 2, in the approximate form: g_{t-1} is
    the last batch's. The norm is that of each array. 0 / 0 is no step.
    """

    def __init__(
        self,
        learning_rate=0.003,
        beta_1=0.95,
        beta_2=0.99,
        gamma=0.025,
        epsilon=1e-8,
        weight_decay=None,
        first_difference=False,
        skip_vectors=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.gamma = gamma
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.first_difference = first_difference
        self.skip_vectors = skip_vectors
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.previous = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        beta_1, beta_2 = self.beta_1, self.beta_2
        if self.skip_vectors and theta.ndim < 2:
            beta_1, beta_2 = 0.9, 0.95
            c = g
        else:
            change = g - self.previous
            if self.t == 1 and not self.first_difference:
                change = np.zeros(g.shape)
            c = g + self.gamma * beta_1 / (1 - beta_1) * change
            norm = np.sqrt(np.sum(c * c))
            if norm > 1:
                c = c / norm
        self.previous = g

        self.m = beta_1 * self.m + (1 - beta_1) * c
        self.v = beta_2 * self.v + (1 - beta_2) * c * c
        root = np.sqrt(self.v / (1 - beta_2**self.t)) + self.epsilon
        self.effective_learning_rate = divide(eta / (1 - beta_1**self.t), root)
        self.direction = self.m
        step = self.effective_learning_rate * self.direction
        return theta - step - eta * self.decay * theta

    @property
    def accumulators(self):
        return {
            "momentum": self.m,
            "velocity": self.v,
            "previous_gradient": self.previous,
            "updates": self.t,
        }
