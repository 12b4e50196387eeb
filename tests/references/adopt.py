"""ADOPT: the normalizer does not know the current gradient."""

import numpy as np


class ADOPT:
    """The gradient is normalized by the past, then averaged.

    First update: v_0 = g_0^2, m_0 = 0, theta stays. Afterwards, k = 1, 2, ...:
    u_k = clip(g_k / max(sqrt(v_{k-1}), epsilon), -k^(1/4), k^(1/4))
    m_k = beta_1 m_{k-1} + (1 - beta_1) u_k,  theta_k = theta_{k-1} - eta m_k
    v_k = beta_2 v_{k-1} + (1 - beta_2) g_k^2

    S. Taniguchi et al., arXiv 2411.02853, Algorithm 2 (Algorithm 1 without clip).
    The rate is read after the step: eta / max(sqrt(v_k), epsilon). Where the divisor is 0,
    u and the rate are 0.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.9999, epsilon=1e-6, clip=True):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.clip = clip
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        k = self.t
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        if k == 0:
            self.m = np.zeros(theta.shape)
            self.v = g * g
            delta = np.zeros(theta.shape)
        else:
            root = np.maximum(np.sqrt(self.v), self.epsilon)
            u = np.divide(g, root, out=np.zeros(theta.shape), where=root != 0)
            if self.clip:
                u = np.clip(u, -(k**0.25), k**0.25)
            self.m = self.beta_1 * self.m + (1 - self.beta_1) * u
            delta = eta * self.m
            self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g

        root = np.maximum(np.sqrt(self.v), self.epsilon)
        rate = np.divide(eta, root, out=np.zeros(theta.shape), where=root != 0)
        self.effective_learning_rate = rate
        self.direction = np.divide(delta, rate, out=np.zeros(theta.shape), where=rate != 0)
        return theta - delta

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v, "updates": self.t}
