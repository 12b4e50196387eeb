"""Muon: momentum made orthogonal; AdamW for what is no matrix."""

import numpy as np

from .joint import divide

# The coefficients of the blog's quintic, chosen for a steep start and not for convergence to 1.
QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon:
    """Every singular value of a matrix's step is about the same.

    m_t = mu m_{t-1} + (1 - mu) g_t,  u = (1 - mu) g_t + mu m_t with nesterov, else m_t
    X = orthogonalize(u),  theta_t = theta_{t-1} (1 - eta lambda) - eta s X

    u is the matrix (fan_in, out) = (all axes but the last, the last). s: "original"
    sqrt(max(1, out / fan_in)), "match_rms" 0.2 sqrt(max(out, fan_in)), "spectral"
    sqrt(out / fan_in). A matrix has at least 4 rows and columns, and at most 128 times as many of
    one as of the other; all else takes AdamW's steps with adamw_beta_1, adamw_beta_2,
    adamw_epsilon and the rate eta adamw_ratio.

    normalize="neurons", before s, for each column j: v_j = beta_2 v_j + (1 - beta_2) mean_i X_ij^2,
    X_ij = X_ij / (sqrt(v_j) + 1e-10), then X is scaled to the norm that it had.
    With muon_weight c_m, and sgd_weight c_s > 0 (MuSGD):
    theta_t = theta_{t-1} - eta (c_m s X + c_s d) with SGD's d of h = g_t + lambda theta_{t-1},
    b_t = mu b_{t-1} + h, d = h + mu b_t with nesterov, else b_t; all else takes the step eta d.

    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), and its
    code; J. Liu et al., arXiv 2502.16982 (match_rms); T. Pethick et al., arXiv 2502.07529
    (spectral); Z. Li et al., arXiv 2510.05491, Algorithm 1 (neurons); Ultralytics' MuSGD.
    A matrix has no elementwise rate. A twin knows no paths, so it heeds no only_adamw, only_muon.
    """

    def __init__(
        self,
        learning_rate=0.02,
        momentum=0.95,
        nesterov=True,
        steps=5,
        scale="original",
        normalize=None,
        beta_2=0.95,
        muon_weight=1.0,
        sgd_weight=0.0,
        adamw_ratio=0.015,
        adamw_beta_1=0.9,
        adamw_beta_2=0.95,
        adamw_epsilon=1e-10,
        weight_decay=None,
        only_adamw=None,
        only_muon=None,
    ):
        self.learning_rate = learning_rate
        self.mu = momentum
        self.nesterov = nesterov
        self.steps = steps
        self.scale = scale
        self.normalize = normalize
        self.beta_2 = beta_2
        self.muon_weight = muon_weight
        self.sgd_weight = sgd_weight
        self.adamw_ratio = adamw_ratio
        self.adamw_beta_1 = adamw_beta_1
        self.adamw_beta_2 = adamw_beta_2
        self.adamw_epsilon = adamw_epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.t = 0
        self.orthogonal = None
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.b = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.orthogonal = is_matrix(theta.shape)
        if self.orthogonal:
            rate = eta
            self.direction = self.muon_weight * self.muon(g)
            if self.sgd_weight > 0:
                self.direction = self.direction + self.sgd_weight * self.sgd(theta, g)
        elif self.sgd_weight > 0:
            rate = np.full(theta.shape, eta, dtype=np.float64)
            self.direction = self.sgd(theta, g)
            self.effective_learning_rate = rate
        else:
            eta = eta * self.adamw_ratio
            rate = self.adam_rate(g, eta)
            self.direction = self.m
            self.effective_learning_rate = rate
        # SGD has its decay inside.
        shrink = 0.0 if self.sgd_weight > 0 else eta * self.decay
        return theta - shrink * theta - rate * self.direction

    def adam_rate(self, g, eta):
        """Adam's means go on; what m is multiplied with."""
        self.m = self.adamw_beta_1 * self.m + (1 - self.adamw_beta_1) * g
        self.v = self.adamw_beta_2 * self.v + (1 - self.adamw_beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.adamw_beta_2**self.t)) + self.adamw_epsilon
        return divide(eta / (1 - self.adamw_beta_1**self.t), root)

    def muon(self, g):
        """s X, in the shape of g."""
        self.m = self.mu * self.m + (1 - self.mu) * g
        u = (1 - self.mu) * g + self.mu * self.m if self.nesterov else self.m
        x = orthogonalize(u.reshape(-1, g.shape[-1]), self.steps)
        if self.normalize == "neurons":
            norm = np.linalg.norm(x)
            squares = np.mean(x * x, axis=0)
            self.v = self.beta_2 * self.v + (1 - self.beta_2) * squares
            x = x / (np.sqrt(self.v) + 1e-10)
            x = divide(norm * x, np.linalg.norm(x))
        return (self.factor(*x.shape) * x).reshape(g.shape)

    def sgd(self, theta, g):
        """SGD's direction, decay inside."""
        h = g + self.decay * theta
        self.b = self.mu * self.b + h
        return h + self.mu * self.b if self.nesterov else self.b

    def factor(self, fan_in, out):
        if self.scale == "original":
            return np.sqrt(max(1.0, out / fan_in))
        if self.scale == "match_rms":
            return 0.2 * np.sqrt(max(out, fan_in))
        if self.scale == "spectral":
            return np.sqrt(out / fan_in)
        raise ValueError(f"there is no scale {self.scale!r}")

    @property
    def accumulators(self):
        if self.orthogonal is None:
            return {}
        if not self.orthogonal:
            if self.sgd_weight > 0:
                return {"sgd_momentum": self.b}
            return {"momentum": self.m, "velocity": self.v}
        slots = {"momentum": self.m}
        if self.normalize == "neurons":
            slots["neurons"] = self.v
        if self.sgd_weight > 0:
            slots["sgd_momentum"] = self.b
        return slots


def is_matrix(shape):
    """Whether the array is stepped as a matrix; a model's first and last layers never are."""
    if len(shape) < 2 or 0 in shape:
        return False
    sides = (int(np.prod(shape[:-1])), shape[-1])
    return min(sides) >= 4 and max(sides) <= 128 * min(sides)


def orthogonalize(u, steps=5):
    """The quintic of u / ||u||: the same singular vectors, singular values near 1."""
    a, b, c = QUINTIC
    x = u / (np.linalg.norm(u) + 1e-7)
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.T
