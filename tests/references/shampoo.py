"""Shampoo: a preconditioner for each side of a matrix."""

import numpy as np


class Shampoo:
    """Rows and columns are decorrelated by roots of the summed products of the gradients.

    S_0 = sum G G^T,  S_1 = sum G^T G,  root_i = (epsilon I + S_i)^(-1/4)
    theta_t = theta_{t-1} - eta root_0 G root_1

    A vector has one side, S_0 = sum g g^T with the exponent -1/2; sides of size 1 are dropped;
    of three and more axes all but the last are one side. Of a side longer than max_dimension only
    the diagonal is kept. The roots are made anew in every refresh_every-th update, from the first.

    V. Gupta, T. Koren and Y. Singer, arXiv 1802.09568, Algorithm 1. Eigenvalues below epsilon are
    epsilon; of an eigenvalue 0 the root is 0. There is no elementwise rate.
    """

    def __init__(self, learning_rate=0.1, epsilon=1e-4, refresh_every=1, max_dimension=1024):
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self.refresh_every = refresh_every
        self.max_dimension = max_dimension
        self.t = 0
        self.statistics = [np.float64(0.0)]
        self.roots = [np.float64(0.0)]
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        updates = self.t
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        sides = matrix_sides(theta.shape)
        if theta.size == 0:
            self.statistics, self.roots = [], []
            self.direction = np.zeros(theta.shape)
            return theta
        if updates == 0:
            self.statistics = [np.float64(0.0)] * len(sides)
            self.roots = [np.float64(0.0)] * len(sides)
        matrix = g.reshape(sides)
        step = matrix
        for i in range(len(sides)):
            rows = matrix.reshape(sides[0], -1) if i == 0 else matrix.T
            if sides[i] > self.max_dimension:
                self.statistics[i] = self.statistics[i] + np.sum(rows * rows, axis=1)
            else:
                self.statistics[i] = self.statistics[i] + rows @ rows.T
            if updates % self.refresh_every == 0:
                self.roots[i] = self.root(self.statistics[i], -1 / (2 * len(sides)))
            root = self.roots[i] if self.roots[i].ndim == 2 else np.diag(self.roots[i])
            step = root @ step if i == 0 else step @ root

        delta = eta * step.reshape(theta.shape)
        self.direction = delta / eta if eta != 0 else np.zeros(theta.shape)
        return theta - delta

    def root(self, statistics, exponent):
        """(epsilon I + statistics)^exponent; a vector stands for a diagonal."""
        if statistics.ndim == 1:
            return self.power(self.epsilon + statistics, exponent)
        values, vectors = np.linalg.eigh(self.epsilon * np.eye(len(statistics)) + statistics)
        return vectors @ np.diag(self.power(values, exponent)) @ vectors.T

    def power(self, values, exponent):
        values = np.maximum(values, self.epsilon)
        return np.power(values, exponent, out=np.zeros(values.shape), where=values > 0)

    @property
    def accumulators(self):
        slots = {f"statistics_{i}": s for i, s in enumerate(self.statistics)}
        slots.update({f"root_{i}": r for i, r in enumerate(self.roots)})
        return {**slots, "updates": self.t}


def matrix_sides(shape):
    """The sides of an array seen as a matrix or, where only one is longer than 1, a vector."""
    if len(shape) > 2:
        shape = (int(np.prod(shape[:-1])), shape[-1])
    sides = [n for n in shape if n != 1]
    return sides or [1]
