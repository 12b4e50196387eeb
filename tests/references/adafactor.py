"""Adafactor: second moments of a matrix from those of its rows and columns."""

import numpy as np

from .joint import divide


class Adafactor:
    """The size of a step follows the size of the weights; the second moments have rank one.

    beta_t = 1 - t^beta_2_decay,  q = g_t^2 + epsilon_1
    R_t = beta_t R_{t-1} + (1 - beta_t) mean of q over columns, C_t likewise over rows
    V_t = R_t C_t^T / mean(R_t);  not factored: V_t = beta_t V_{t-1} + (1 - beta_t) q
    U = g_t / sqrt(V_t),  U_hat = U / max(1, RMS(U) / clip_threshold)
    alpha_t = rho_t max(epsilon_2, RMS(theta_{t-1})), rho_t alone without scale_parameter
    rho_t = min(eta, 1 / sqrt(t)), eta alone without relative_step
    theta_t = theta_{t-1} - alpha_t U_hat

    An array is a matrix (all axes but the last, the last), factored where both sides have at least
    min_dim_size_to_factor. With beta_1 the step takes m_t = beta_1 m_{t-1} + (1 - beta_1) U_hat.

    N. Shazeer and M. Stern, arXiv 1804.04235, Algorithms 4-6, where eta is 0.01.
    """

    def __init__(
        self,
        learning_rate=0.01,
        beta_2_decay=-0.8,
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
        scale_parameter=True,
        beta_1=0.0,
        min_dim_size_to_factor=1,
    ):
        self.learning_rate = learning_rate
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step
        self.scale_parameter = scale_parameter
        self.beta_1 = beta_1
        self.least = min_dim_size_to_factor
        self.t = 0
        self.factored = None
        self.rows = np.float64(0.0)
        self.columns = np.float64(0.0)
        self.v = np.float64(0.0)
        self.m = np.float64(0.0)
        self.shape = ()
        self.step_rms = np.float64(0.0)
        self.parameter_scale = np.float64(1.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        rho = self.learning_rate
        if callable(rho):
            rho = float(rho(self.t - 1))
        if self.relative_step:
            rho = min(rho, 1 / np.sqrt(self.t))

        beta = 1 - float(self.t) ** self.beta_2_decay
        q = g * g + self.epsilon_1
        self.shape = theta.shape
        sides = (theta.size // max(theta.shape[-1], 1), theta.shape[-1]) if theta.ndim > 1 else ()
        self.factored = bool(sides) and min(sides) >= max(self.least, 1)
        if self.factored:
            q = q.reshape(sides)
            self.rows = beta * self.rows + (1 - beta) * np.mean(q, axis=1)
            self.columns = beta * self.columns + (1 - beta) * np.mean(q, axis=0)
            v = divide(np.outer(self.rows, self.columns), np.mean(self.rows)).reshape(theta.shape)
        else:
            self.v = beta * self.v + (1 - beta) * q
            v = self.v

        root = np.sqrt(v)
        self.step_rms = rms(divide(g, root))
        clip = max(1.0, self.step_rms / self.clip_threshold)
        u = divide(g, root) / clip
        if self.scale_parameter:
            self.parameter_scale = np.maximum(self.epsilon_2, rms(theta))
        alpha = rho * self.parameter_scale

        self.effective_learning_rate = divide(alpha / clip, root)
        self.direction = g
        if self.beta_1 == 0:
            return theta - alpha * u
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * u
        self.direction = self.m * root * clip
        return theta - alpha * self.m

    @property
    def accumulators(self):
        slots = {"step_rms": self.step_rms, "parameter_scale": self.parameter_scale}
        if self.beta_1 != 0:
            slots["momentum"] = self.m
        if self.factored is None:
            return slots
        if not self.factored:
            return {"velocity": self.v, **slots}
        rows = self.rows.reshape(self.shape[:-1])
        return {"row_velocity": rows, "column_velocity": self.columns, **slots}


def rms(a):
    """The root of the mean of the squares; 0 of nothing."""
    return np.sqrt(np.sum(a * a) / max(a.size, 1))
