"""MADGRAD: dual averaging with the cube root of the summed squares."""

import numpy as np


class MADGRAD:
    """Steps from the start, not from the last point; theta follows them at a distance.

    lambda_t = eta sqrt(t),  s_t = s_{t-1} + lambda_t g_t,  nu_t = nu_{t-1} + lambda_t g_t^2
    z_t = theta_0 - s_t / (nu_t^(1/3) + epsilon)
    theta_t = (1 - c) theta_{t-1} + c z_t,  c = 1 - momentum

    A. Defazio and S. Jelassi, arXiv 2101.11075, Algorithm 1. 0 / 0 is no step.
    The rate is c lambda_t / (nu_t^(1/3) + epsilon).
    """

    def __init__(self, learning_rate=0.01, momentum=0.9, epsilon=1e-6):
        self.learning_rate = learning_rate
        self.mu = momentum
        self.epsilon = epsilon
        self.t = 0
        self.s = np.float64(0.0)
        self.nu = np.float64(0.0)
        self.start = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        if self.t == 1:
            self.start = theta
        weight = eta * np.sqrt(self.t)
        self.s = self.s + weight * g
        self.nu = self.nu + weight * g * g
        root = np.cbrt(self.nu) + self.epsilon
        z = self.start - np.divide(self.s, root, out=np.zeros(theta.shape), where=root != 0)
        c = 1 - self.mu
        delta = c * (theta - z)

        rate = np.divide(c * weight, root, out=np.zeros(theta.shape), where=root != 0)
        self.effective_learning_rate = rate
        self.direction = np.divide(delta, rate, out=np.zeros(theta.shape), where=rate != 0)
        return theta - delta

    @property
    def accumulators(self):
        return {
            "gradient_sum": self.s,
            "velocity": self.nu,
            "start": self.start,
            "updates": self.t,
        }
