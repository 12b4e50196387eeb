"""Adan: Nesterov's look-ahead as a mean of gradient differences."""

import numpy as np


class Adan:
    """Running means of g, of its change and of the look-ahead's square; proximal weight decay.

    d_t = g_t - g_{t-1}, d_1 = 0; the betas are the shares kept (1 - beta in the paper):
    m_t = beta_1 m_{t-1} + (1 - beta_1) g_t,  v_t = beta_2 v_{t-1} + (1 - beta_2) d_t
    n_t = beta_3 n_{t-1} + (1 - beta_3) (g_t + beta_2 d_t)^2
    theta_t = (theta_{t-1} - eta (m_t + beta_2 v_t) / (sqrt(n_t) + epsilon)) / (1 + lambda eta)
    With bias_correction m_t, v_t, n_t are divided by 1 - beta_i^t in the last line.

    X. Xie et al., arXiv 2208.06677, Algorithm 1; the correction is in the authors' code.
    0 / 0 is no step.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.98,
        beta_2=0.92,
        beta_3=0.99,
        epsilon=1e-8,
        weight_decay=None,
        bias_correction=True,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.bias_correction = bias_correction
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.n = np.float64(0.0)
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

        difference = g - self.previous if self.t > 1 else np.zeros(g.shape)
        ahead = g + self.beta_2 * difference
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * difference
        self.n = self.beta_3 * self.n + (1 - self.beta_3) * ahead * ahead
        self.previous = g

        m, v, n = self.m, self.v, self.n
        if self.bias_correction:
            m = m / (1 - self.beta_1**self.t)
            v = v / (1 - self.beta_2**self.t)
            n = n / (1 - self.beta_3**self.t)
        root = np.sqrt(n) + self.epsilon
        rate = np.divide(eta, root, out=np.zeros(theta.shape), where=root != 0)
        s = rate * (m + self.beta_2 * v)
        delta = (s + self.decay * eta * theta) / (1 + self.decay * eta)
        self.effective_learning_rate = rate
        self.direction = np.divide(delta, rate, out=np.zeros(theta.shape), where=rate != 0)
        return (theta - s) / (1 + self.decay * eta)

    @property
    def accumulators(self):
        return {
            "momentum": self.m,
            "difference": self.v,
            "velocity": self.n,
            "previous_gradient": self.previous,
            "updates": self.t,
        }
