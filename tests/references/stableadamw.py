"""StableAdamW: AdamW that slows down when the second moments lag behind the gradients."""

import numpy as np

from .joint import divide


class StableAdamW:
    """AdamW with Adafactor's clipping of the step, one number for each array.

    m_hat, v_hat as in Adam
    RMS_t = sqrt(mean(g_t^2 / max(v_hat, epsilon^2))),  eta_t = eta / max(1, RMS_t)
    theta_t = theta_{t-1} - eta_t (m_hat / (sqrt(v_hat) + epsilon) + lambda theta_{t-1})

    M. Wortsman et al., arXiv 2304.13013, Algorithm 2. 0 / 0 is no step.
    """

    def __init__(
        self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, epsilon=1e-6, weight_decay=0.01
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.rms = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        # The paper keeps m_hat and v_hat themselves, by means whose betas grow with t.
        beta_1 = self.beta_1 * (1 - self.beta_1 ** (self.t - 1)) / (1 - self.beta_1**self.t)
        beta_2 = self.beta_2 * (1 - self.beta_2 ** (self.t - 1)) / (1 - self.beta_2**self.t)
        self.m = beta_1 * self.m + (1 - beta_1) * g
        self.v = beta_2 * self.v + (1 - beta_2) * g * g
        ratio = divide(g * g, np.maximum(self.v, self.epsilon**2))
        self.rms = np.sqrt(np.sum(ratio) / max(ratio.size, 1))
        eta = eta / max(1.0, self.rms)

        correction = 1 - self.beta_1**self.t
        root = np.sqrt(self.v) + self.epsilon
        self.effective_learning_rate = divide(eta / correction, root)
        self.direction = correction * self.m
        step = self.effective_learning_rate * self.direction
        return theta - step - eta * self.decay * theta

    @property
    def accumulators(self):
        return {
            "momentum": self.m * (1 - self.beta_1**self.t),
            "velocity": self.v * (1 - self.beta_2**self.t),
            "step_rms": self.rms,
        }
