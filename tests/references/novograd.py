"""NovoGrad: momentum over gradients of norm about one."""

import numpy as np

from .joint import divide


class NovoGrad:
    """The gradient over a running root of its squared norm, one number for each array.

    v_1 = ||g_1||^2,  v_t = beta_2 v_{t-1} + (1 - beta_2) ||g_t||^2
    m_t = beta_1 m_{t-1} + (g_t / (sqrt(v_t) + epsilon) + lambda theta_{t-1}),  m_0 = 0
    theta_t = theta_{t-1} - eta m_t

    With grad_averaging what is added to m is multiplied by 1 - beta_1, from the first step on.

    B. Ginsburg et al., arXiv 1905.11286, Algorithm 1. 0 / 0 is no step.
    """

    def __init__(
        self,
        learning_rate=0.01,
        beta_1=0.95,
        beta_2=0.98,
        epsilon=1e-8,
        weight_decay=0.001,
        grad_averaging=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.grad_averaging = grad_averaging
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

        norm = np.sum(g * g)
        if self.t == 1:
            self.v = norm
        else:
            self.v = self.beta_2 * self.v + (1 - self.beta_2) * norm
        root = np.sqrt(self.v) + self.epsilon
        d = divide(g, root) + self.decay * theta
        if self.grad_averaging:
            d = (1 - self.beta_1) * d
        self.m = self.beta_1 * self.m + d

        self.effective_learning_rate = np.full(theta.shape, divide(eta, root))
        self.direction = self.m * root
        return theta - eta * self.m

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v, "updates": self.t}
