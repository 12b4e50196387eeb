"""Schedule-Free SGD: averaging in place of a schedule."""

import numpy as np


class ScheduleFreeSGD:
    """theta is y, where the gradient is taken; x, the average of z, is what to evaluate.

    gamma_t = eta min(1, t / warmup_steps), or eta without a warm-up
    x_t = (y_t - (1 - beta) z_t) / beta,  z_1 = y_1
    z_{t+1} = z_t - gamma_t (g_t + lambda y_t)
    x_{t+1} = (1 - c_t) x_t + c_t z_{t+1},  c_t = gamma_t^2 / sum_{i <= t} gamma_i^2
    y_{t+1} = (1 - beta) z_{t+1} + beta x_{t+1}

    A. Defazio et al., arXiv 2405.15682, eq. 3-5; the weights are Algorithm 1's. Needs beta > 0.
    While the sum is 0, c_t is 0. The rate is gamma_t. `average` is x after the last step.
    """

    def __init__(self, learning_rate=1.0, beta=0.9, warmup_steps=0, weight_decay=None):
        self.learning_rate = learning_rate
        self.beta = beta
        self.warmup_steps = warmup_steps
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.z = np.float64(0.0)
        self.weight_sum = np.float64(0.0)
        self.average = None
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        y = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        if self.t == 1:
            self.z = y
        gamma = eta
        if self.warmup_steps > 0:
            gamma = eta * min(1.0, self.t / self.warmup_steps)
        x = (y - (1 - self.beta) * self.z) / self.beta
        self.z = self.z - gamma * (g + self.decay * y)
        self.weight_sum = self.weight_sum + gamma * gamma
        c = gamma * gamma / self.weight_sum if self.weight_sum != 0 else 0.0
        self.average = (1 - c) * x + c * self.z
        new = (1 - self.beta) * self.z + self.beta * self.average

        rate = np.full(y.shape, np.float64(gamma))
        self.effective_learning_rate = rate
        self.direction = np.divide(y - new, rate, out=np.zeros(y.shape), where=rate != 0)
        return new

    @property
    def accumulators(self):
        return {"z": self.z, "weight_sum": self.weight_sum, "updates": self.t}
