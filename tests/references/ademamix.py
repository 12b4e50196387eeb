"""AdEMAMix: Adam with a second, much slower mean of the gradients."""

import math

import numpy as np

from .joint import divide


class AdEMAMix:
    """A fast mean, corrected for its start, plus alpha times a slow one that is not.

    m1_t = beta_1 m1_{t-1} + (1 - beta_1) g_t,  m2_t = beta_3(t) m2_{t-1} + (1 - beta_3(t)) g_t
    v_t as in Adam,  theta_t = theta_{t-1} - eta ((m1_hat + alpha(t) m2_t)
                                 / (sqrt(v_hat) + epsilon) + lambda theta_{t-1})
    alpha(t) = alpha min(t / T, 1)
    beta_3(t) = min(beta_3, exp(ln beta_1 ln beta_3
                                / ((1 - t / T) ln beta_3 + (t / T) ln beta_1)))

    T is alpha_warmup_steps and beta_3_warmup_steps; None is no warm-up.

    M. Pagliardini, P. Ablin and D. Grangier, arXiv 2409.03137, Algorithm 1 and its schedulers.
    0 / 0 is no step.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        beta_3=0.9999,
        alpha=5.0,
        alpha_warmup_steps=None,
        beta_3_warmup_steps=None,
        epsilon=1e-8,
        weight_decay=None,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.alpha = alpha
        self.alpha_warmup_steps = alpha_warmup_steps
        self.beta_3_warmup_steps = beta_3_warmup_steps
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.fast = np.float64(0.0)
        self.slow = np.float64(0.0)
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

        alpha, beta_3 = self.alpha_now(), self.beta_3_now()
        self.fast = self.beta_1 * self.fast + (1 - self.beta_1) * g
        self.slow = beta_3 * self.slow + (1 - beta_3) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon

        self.effective_learning_rate = divide(eta, root)
        self.direction = self.fast / (1 - self.beta_1**self.t) + alpha * self.slow
        step = self.effective_learning_rate * self.direction
        return theta - step - eta * self.decay * theta

    def alpha_now(self):
        if self.alpha_warmup_steps is None:
            return self.alpha
        return self.alpha * min(self.t / self.alpha_warmup_steps, 1.0)

    def beta_3_now(self):
        if self.beta_3_warmup_steps is None or self.t >= self.beta_3_warmup_steps:
            return self.beta_3
        share = self.t / self.beta_3_warmup_steps
        if self.beta_3 == 0:
            return 0.0
        if self.beta_1 == 0:  # the limit of the formula
            return min(self.beta_3, self.beta_3 ** (1 / share))
        start, end = math.log(self.beta_1), math.log(self.beta_3)
        return min(self.beta_3, math.exp(start * end / ((1 - share) * end + share * start)))

    @property
    def accumulators(self):
        return {"momentum": self.fast, "slow_momentum": self.slow, "velocity": self.v}
