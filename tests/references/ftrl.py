"""FTRL-Proximal: follow the regularized leader, coordinate by coordinate."""

import numpy as np

from .joint import divide


class Ftrl:
    """The weights that were best so far for the linearized losses, with an exact l1 penalty.

    n_t = n_{t-1} + g_t^2,  s_t = n_t^(-p) / eta_t,  p = learning_rate_power
    z_t = z_{t-1} + g_t + 2 l2_shrinkage theta_{t-1} - (s_t - s_{t-1}) theta_{t-1}
    theta_t = (clip(z_t, -l1, l1) - z_t) / (s_t + beta / eta_t + 2 l2)

    H. B. McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, Algorithm 1,
    where lambda_1 = l1 and lambda_2 = 2 l2, p = -1/2 and no shrinkage (which Keras and TensorFlow
    add). sigma_t = s_t - s_{t-1} also where the rate changes, as the paper has
    sigma_1 + ... + sigma_t = 1 / eta_t. n_0 = initial_accumulator_value, s_0 with eta_1.
    0 / 0 is no step; an update with eta = 0 changes nothing.
    """

    def __init__(
        self,
        learning_rate=0.01,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.0,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
    ):
        self.learning_rate = learning_rate
        self.power = learning_rate_power
        self.l1 = l1_regularization_strength
        self.l2 = l2_regularization_strength
        self.shrinkage = l2_shrinkage_regularization_strength
        self.beta = beta
        self.t = 0
        self.n = np.float64(initial_accumulator_value)
        self.z = np.float64(0.0)
        self.last_rate = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))
        if eta == 0:
            self.effective_learning_rate = np.zeros(theta.shape)
            self.direction = np.zeros(theta.shape)
            return theta

        last = eta if self.last_rate == 0 else self.last_rate
        s_before = self.n ** (-self.power) / last
        self.n = self.n + g * g
        s = self.n ** (-self.power) / eta
        sigma = s - s_before
        self.z = self.z + g + 2 * self.shrinkage * theta - sigma * theta
        self.last_rate = np.float64(eta)

        q = s + self.beta / eta + 2 * self.l2
        clipped = np.clip(self.z, -self.l1, self.l1)
        new = np.where(q == 0, theta, divide(clipped - self.z, q))
        self.effective_learning_rate = divide(1.0, q)
        self.direction = (theta - new) * q
        return new

    @property
    def accumulators(self):
        return {"accumulator": self.n, "linear": self.z, "last_rate": self.last_rate}
