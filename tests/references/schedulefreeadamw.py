"""Schedule-Free AdamW: averaging in place of a schedule, and of Adam's first moment."""

import numpy as np


class ScheduleFreeAdamW:
    """theta is y, where the gradient is taken; x, the average of z, is what to evaluate.

    gamma_t = eta min(1, t / warmup_steps), or eta without a warm-up
    v_t = beta_2 v_{t-1} + (1 - beta_2) g_t^2,  v_hat = v_t / (1 - beta_2^t)
    x_t = (y_t - (1 - beta_1) z_t) / beta_1,  z_1 = y_1
    z_{t+1} = z_t - gamma_t (g_t / (sqrt(v_hat) + epsilon) + lambda y_t)
    x_{t+1} = (1 - c_t) x_t + c_t z_{t+1},  c_t = gamma_t^2 / sum_{i <= t} gamma_i^2
    y_{t+1} = (1 - beta_1) z_{t+1} + beta_1 x_{t+1}

    A. Defazio et al., arXiv 2405.15682, Algorithm 1, with the correction of v beside gamma's
    warm-up as in the authors' code. Needs beta_1 > 0. 0 / 0 is no step, c_t is 0 while the sum is
    0. The rate is gamma_t / (sqrt(v_hat) + epsilon). `average` is x after the last step.
    """

    def __init__(
        self,
        learning_rate=0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        weight_decay=None,
        warmup_steps=0,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.warmup_steps = warmup_steps
        self.t = 0
        self.z = np.float64(0.0)
        self.v = np.float64(0.0)
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
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        u = np.divide(g, root, out=np.zeros(y.shape), where=root != 0)

        x = (y - (1 - self.beta_1) * self.z) / self.beta_1
        self.z = self.z - gamma * (u + self.decay * y)
        self.weight_sum = self.weight_sum + gamma * gamma
        c = gamma * gamma / self.weight_sum if self.weight_sum != 0 else 0.0
        self.average = (1 - c) * x + c * self.z
        new = (1 - self.beta_1) * self.z + self.beta_1 * self.average

        rate = np.divide(gamma, root, out=np.zeros(y.shape), where=root != 0)
        self.effective_learning_rate = rate
        self.direction = np.divide(y - new, rate, out=np.zeros(y.shape), where=rate != 0)
        return new

    @property
    def accumulators(self):
        return {
            "z": self.z,
            "velocity": self.v,
            "weight_sum": self.weight_sum,
            "updates": self.t,
        }
