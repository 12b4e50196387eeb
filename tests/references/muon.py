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
    one as of the other; all else takes AdamW's steps with beta_1, beta_2, epsilon and
    adamw_learning_rate.

    normalize="neurons", before s, for each column j: v_j = beta v_j + (1 - beta) mean_i X_ij^2,
    X_ij = X_ij / (sqrt(v_j) + 1e-10), then X is scaled to the norm that it had;
    beta is normalize_beta_2.
    musgd = (c_m, c_s): theta_t = theta_{t-1} - eta (c_m s X + c_s d) with SGD's d of
    h = g_t + lambda theta_{t-1}, b_t = mu b_{t-1} + h, d = h + mu b_t with nesterov, else b_t.

    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), and its
    code; J. Liu et al., arXiv 2502.16982 (match_rms); T. Pethick et al., arXiv 2502.07529
    (spectral); Z. Li et al., arXiv 2510.05491, Algorithm 1 (neurons); Ultralytics' MuSGD.
    There is no elementwise rate.
    """

    def __init__(
        self,
        learning_rate=0.02,
        momentum=0.95,
        nesterov=True,
        steps=5,
        scale="original",
        weight_decay=None,
        beta_1=0.9,
        beta_2=0.95,
        epsilon=1e-10,
        adamw_learning_rate=3e-4,
        normalize=None,
        normalize_beta_2=0.95,
        musgd=None,
    ):
        self.learning_rate = learning_rate
        self.mu = momentum
        self.nesterov = nesterov
        self.steps = steps
        self.scale = scale
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.adamw_learning_rate = adamw_learning_rate
        self.normalize = normalize
        self.normalize_beta_2 = normalize_beta_2
        self.musgd = musgd
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
        own = eta  # the rate that counts for this array
        if not self.orthogonal:
            own = self.adamw_learning_rate
            if callable(own):
                own = float(own(self.t - 1))
            delta = own * self.adam(g)
        elif self.musgd is None:
            delta = own * self.muon(g)
        else:
            c_m, c_s = self.musgd
            delta = own * (c_m * self.muon(g) + c_s * self.sgd(theta, g))
        self.direction = delta / eta if eta != 0 else np.zeros(theta.shape)
        if self.orthogonal and self.musgd is not None:
            return theta - delta
        return theta - own * self.decay * theta - delta

    def adam(self, g):
        """m_hat / (sqrt(v_hat) + epsilon)."""
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        m_hat = self.m / (1 - self.beta_1**self.t)
        return divide(m_hat, root)

    def muon(self, g):
        """s X, in the shape of g."""
        self.m = self.mu * self.m + (1 - self.mu) * g
        u = (1 - self.mu) * g + self.mu * self.m if self.nesterov else self.m
        x = orthogonalize(u.reshape(-1, g.shape[-1]), self.steps)
        if self.normalize == "neurons":
            norm = np.linalg.norm(x)
            squares = np.mean(x * x, axis=0)
            self.v = self.normalize_beta_2 * self.v + (1 - self.normalize_beta_2) * squares
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
        slots = {"momentum": self.m}
        if self.orthogonal is False or (self.orthogonal and self.normalize):
            slots["velocity"] = self.v
        if self.orthogonal and self.musgd is not None:
            slots["sgd_momentum"] = self.b
        return {**slots, "updates": self.t}


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
