"""AdaBound: Adam whose rates are squeezed between two bounds that meet."""

import numpy as np


class AdaBound:
    """Each rate is clipped to a band that narrows to one rate for all coordinates.

    m_t, v_t as in Adam,  f = final_rate eta / eta_0
    lower = f (1 - 1 / (gamma t + 1)),  upper = f (1 + 1 / (gamma t))
    rate = clip(eta sqrt(1 - beta_2^t) / (1 - beta_1^t) / (sqrt(v_t) + epsilon), lower, upper)
    theta_t = theta_{t-1} - rate m_t

    eta_0 is the first learning rate that is not 0. With amsbound the largest v_t so far takes v_t's
    place. as_published: no bias correction, and the clipped rate is divided by sqrt(t).

    L. Luo, Y. Xiong, Y. Liu and X. Sun, arXiv 1902.09843: the authors' code, which their
    experiments ran; as_published: Algorithms 2 and 3. Where the root is 0, so is m.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        final_rate=0.1,
        gamma=0.001,
        amsbound=False,
        as_published=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.final_rate = final_rate
        self.gamma = gamma
        self.amsbound = amsbound
        self.as_published = as_published
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.largest = np.float64(0.0)
        self.first_rate = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))
        if self.first_rate == 0:
            self.first_rate = np.float64(eta)

        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        self.largest = np.maximum(self.largest, self.v)
        root = np.sqrt(self.largest if self.amsbound else self.v) + self.epsilon

        f = self.final_rate * eta / self.first_rate if self.first_rate != 0 else 0.0
        lower = f * (1 - 1 / (self.gamma * self.t + 1))
        upper = f * (1 + 1 / (self.gamma * self.t))
        size = eta
        if not self.as_published:
            size = eta * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        rate = np.divide(size, root, out=np.full(theta.shape, np.inf), where=root != 0)
        rate = np.clip(rate, lower, upper)
        if self.as_published:
            rate = rate / np.sqrt(self.t)

        self.effective_learning_rate = rate
        self.direction = self.m
        return theta - rate * self.m

    @property
    def accumulators(self):
        slots = {"momentum": self.m, "velocity": self.v}
        if self.amsbound:
            slots["velocity_hat"] = self.largest
        return {**slots, "first_rate": self.first_rate}
