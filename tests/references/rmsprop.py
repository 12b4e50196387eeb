"""RMSProp: plain, centred, with momentum."""

import numpy as np


class RMSprop:
    """Each coordinate is divided by the root of a running mean of its squared gradients.

    s_t = rho s_{t-1} + (1 - rho) g_t^2,  m_t = rho m_{t-1} + (1 - rho) g_t,  s_0 = m_0 = 0
    root = sqrt(s_t + epsilon), or centred sqrt(max(s_t - m_t^2, 0) + epsilon)
    b_t = mu b_{t-1} + g_t / root,  b_0 = 0
    theta_t = theta_{t-1} - eta b_t

    T. Tieleman and G. Hinton, "Neural networks for machine learning", lecture 6e (2012); centred
    and with momentum: A. Graves, arXiv 1308.0850 (2013), eq. 38-45 (eta in the buffer there).
    Where root = 0 the rate is 0: g_t adds nothing.
    """

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
        self.learning_rate = learning_rate
        self.rho = rho
        self.mu = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.t = 0
        self.s = np.float64(0.0)
        self.m = np.float64(0.0)
        self.b = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.s = self.rho * self.s + (1 - self.rho) * g * g
        self.m = self.rho * self.m + (1 - self.rho) * g
        if self.centered:
            root = np.sqrt(np.maximum(self.s - self.m * self.m, 0) + self.epsilon)
        else:
            root = np.sqrt(self.s + self.epsilon)
        self.b = self.mu * self.b + np.divide(g, root, out=np.zeros(g.shape), where=root != 0)

        self.effective_learning_rate = np.divide(
            eta, root, out=np.zeros(theta.shape), where=root != 0
        )
        self.direction = self.b * root if self.mu > 0 else g
        return theta - eta * self.b

    @property
    def accumulators(self):
        slots = {"velocity": self.s}
        if self.centered:
            slots["average_gradient"] = self.m
        if self.mu > 0:
            slots["momentum"] = self.b
        return slots
