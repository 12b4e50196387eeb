"""AdamP: Adam that does not grow the weights that a normalization makes scale-free."""

import numpy as np

from .joint import divide
from .sgdp import project


class AdamP:
    """Adam; where the gradient is at right angles to the weights, so is the step.

    m_t, v_t, v_hat as in Adam,  p = m_t / (sqrt(v_hat) + epsilon), with nesterov
    p = (beta_1 m_t + (1 - beta_1) g_t) / (sqrt(v_hat) + epsilon);  p is projected as in SGDP
    theta_t = theta_{t-1} (1 - eta lambda omega) - eta p / (1 - beta_1^t)

    B. Heo et al., arXiv 2006.08217, Algorithm 2; the decay, nesterov and the rows are in the
    authors' code. 0 / 0 is no step.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        cosine=0.1,
        wd_ratio=0.1,
        nesterov=False,
        weight_decay=None,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.cosine = cosine
        self.wd_ratio = wd_ratio
        self.nesterov = nesterov
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
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
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        numerator = self.m
        if self.nesterov:
            numerator = self.beta_1 * self.m + (1 - self.beta_1) * g
        p = divide(numerator, root)
        p, projected = project(p, theta, g, self.cosine, self.epsilon)
        omega = self.wd_ratio if projected else 1.0
        size = eta / (1 - self.beta_1**self.t)

        self.effective_learning_rate = divide(size, root)
        self.direction = p * root
        return theta - eta * self.decay * omega * theta - size * p

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v}
