"""LAMB: Adam's step, scaled to each array's norm."""

import numpy as np


class LAMB:
    """Every array moves by eta times its norm, in the direction of Adam with weight decay.

    m_t, v_t, m_hat, v_hat as in Adam
    r_t = m_hat / (sqrt(v_hat) + epsilon) + lambda theta_{t-1}
    ratio = ||theta_{t-1}|| / ||r_t||, 1 where either norm is 0
    theta_t = theta_{t-1} - eta ratio r_t

    Y. You et al., arXiv 1904.00962, Algorithm 2 with phi the identity. 0 / 0 is no step.
    With skip_vectors the ratio of scalars and vectors is 1.
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        weight_decay=None,
        skip_vectors=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.skip_vectors = skip_vectors
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.ratio = np.float64(1.0)
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
        m_hat = self.m / (1 - self.beta_1**self.t)
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        r = np.divide(m_hat, root, out=np.zeros(theta.shape), where=root != 0)
        r = r + self.decay * theta

        theta_norm = np.sqrt(np.sum(theta * theta))
        r_norm = np.sqrt(np.sum(r * r))
        self.ratio = np.float64(1.0)
        skipped = self.skip_vectors and theta.ndim < 2
        if not skipped and theta_norm != 0 and r_norm != 0:
            self.ratio = theta_norm / r_norm
        delta = eta * self.ratio * r

        rate = np.divide(
            eta * self.ratio / (1 - self.beta_1**self.t),
            root,
            out=np.zeros(theta.shape),
            where=root != 0,
        )
        self.effective_learning_rate = rate
        self.direction = np.divide(delta, rate, out=np.zeros(theta.shape), where=rate != 0)
        return theta - delta

    @property
    def accumulators(self):
        return {"momentum": self.m, "velocity": self.v, "trust_ratio": self.ratio}
