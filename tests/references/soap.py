"""SOAP: Adam in Shampoo's eigenbasis."""

import numpy as np

from .shampoo import matrix_sides


class SOAP:
    """The second moment lives in the eigenbasis of Shampoo's statistics, the first outside.

    First update: L_0 = (1 - beta_2) G G^T, R_0 = (1 - beta_2) G^T G, Q_L and Q_R their
    eigenvectors, eigenvalues descending; theta stays, as in the authors' code.
    Then, k = 1, 2, ...: m_k = beta_1 m_{k-1} + (1 - beta_1) G
    v_k = beta_2 v_{k-1} + (1 - beta_2) (Q_L^T G Q_R)^2
    N = Q_L^T m_hat Q_R / (sqrt(v_hat) + epsilon),  theta_k = theta_{k-1} - eta Q_L N Q_R^T
    L_k = beta_2 L_{k-1} + (1 - beta_2) G G^T, likewise R_k; if k % refresh_every = 0, Q's columns
    (with v) are sorted by diag(Q^T L_k Q), descending, and Q becomes the Q of qr(L_k Q).

    Before each other step theta shrinks by eta lambda theta. A side longer than max_dimension has
    Q = I; vectors, and matrices with two such sides, take Adam's steps, from the first on.

    N. Vyas et al., arXiv 2409.11321, Algorithm 3, in the order of the authors' code. Shape as in
    Shampoo. 0 / 0 is no step. There is no elementwise rate.
    """

    def __init__(
        self,
        learning_rate=0.003,
        beta_1=0.95,
        beta_2=0.95,
        epsilon=1e-8,
        weight_decay=0.01,
        refresh_every=10,
        max_dimension=1024,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.refresh_every = refresh_every
        self.max_dimension = max_dimension
        self.t = 0
        self.m = np.float64(0.0)
        self.v = np.float64(0.0)
        self.statistics = {}
        self.bases = {}
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        k = self.t
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        sides = matrix_sides(theta.shape)
        turned = [i for i, side in enumerate(sides) if side <= self.max_dimension]
        if len(sides) == 1 or not turned or theta.size == 0:
            step = self.adam(g)
        elif k == 0:
            step = self.first(g, sides, turned)
        else:
            step = self.rotated(g, sides, k)
        decay = 0.0 if k == 0 and self.bases else self.decay
        delta = eta * decay * theta + eta * step
        self.direction = delta / eta if eta != 0 else np.zeros(theta.shape)
        return theta - delta

    def adam(self, g):
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        root = np.sqrt(self.v / (1 - self.beta_2**self.t)) + self.epsilon
        m_hat = self.m / (1 - self.beta_1**self.t)
        return np.divide(m_hat, root, out=np.zeros(g.shape), where=root != 0)

    def first(self, g, sides, turned):
        self.m = np.zeros(g.shape)
        self.v = np.zeros(sides)
        for i in turned:
            self.statistics[i] = (1 - self.beta_2) * products(g.reshape(sides), i)
            self.bases[i] = np.linalg.eigh(self.statistics[i])[1][:, ::-1]
        return np.zeros(g.shape)

    def rotated(self, g, sides, k):
        left = self.bases[0] if 0 in self.bases else np.eye(sides[0])
        right = self.bases[1] if 1 in self.bases else np.eye(sides[1])
        matrix = g.reshape(sides)
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        turned = left.T @ matrix @ right
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * turned * turned
        m_hat = left.T @ self.m.reshape(sides) @ right / (1 - self.beta_1**k)
        root = np.sqrt(self.v / (1 - self.beta_2**k)) + self.epsilon
        n = np.divide(m_hat, root, out=np.zeros(m_hat.shape), where=root != 0)
        step = (left @ n @ right.T).reshape(g.shape)

        for i in self.bases:
            new = (1 - self.beta_2) * products(matrix, i)
            self.statistics[i] = self.beta_2 * self.statistics[i] + new
            if k % self.refresh_every == 0:
                q = self.bases[i]
                sizes = np.diag(q.T @ self.statistics[i] @ q)
                order = np.argsort(-sizes, kind="stable")
                self.v = np.take(self.v, order, axis=i)
                self.bases[i] = np.linalg.qr(self.statistics[i] @ q[:, order])[0]
        return step

    @property
    def accumulators(self):
        slots = {"momentum": self.m, "velocity": self.v}
        slots.update({f"statistics_{i}": s for i, s in self.statistics.items()})
        slots.update({f"basis_{i}": q for i, q in self.bases.items()})
        return {**slots, "updates": self.t}


def products(matrix, side):
    """G G^T or G^T G."""
    return matrix @ matrix.T if side == 0 else matrix.T @ matrix
