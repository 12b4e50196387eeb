"""SM3-II: Adagrad with one number per row and column in place of one per coordinate."""

import numpy as np


class SM3:
    """Each coordinate takes the smallest accumulator of the slices it is in.

    One accumulator mu_k of shape (n_k,) per axis k, one scalar where theta is a scalar:
    nu_t = min_k mu_k + g_t^2
    m_t = mu m_{t-1} + (1 - mu) g_t / sqrt(nu_t + epsilon),  m_0 = 0
    theta_t = theta_{t-1} - eta m_t
    mu_k = max of nu_t over all other axes

    R. Anil, V. Gupta, T. Koren and Y. Singer, arXiv 1901.11150, SM3-II; momentum as in the paper's
    experiments. The rate is read after the step: eta / sqrt(min_k mu_k + epsilon).
    Where a root is 0 the quotient is 0.
    """

    def __init__(self, learning_rate=0.1, momentum=0.9, epsilon=0.0):
        self.learning_rate = learning_rate
        self.mu = momentum
        self.epsilon = epsilon
        self.t = 0
        self.slices = [np.float64(0.0)]
        self.m = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        if self.t == 1 and theta.ndim > 0:
            self.slices = [np.zeros(n) for n in theta.shape]
        nu = self.smallest(theta.shape) + g * g
        root = np.sqrt(nu + self.epsilon)
        u = np.divide(g, root, out=np.zeros(theta.shape), where=root != 0)
        self.m = self.mu * self.m + (1 - self.mu) * u
        delta = eta * self.m
        if theta.ndim == 0:
            self.slices = [nu]
        else:
            for k in range(theta.ndim):
                others = tuple(axis for axis in range(theta.ndim) if axis != k)
                self.slices[k] = np.max(nu, axis=others, initial=0.0)

        root = np.sqrt(self.smallest(theta.shape) + self.epsilon)
        rate = np.divide(eta, root, out=np.zeros(theta.shape), where=root != 0)
        self.effective_learning_rate = rate
        self.direction = np.divide(delta, rate, out=np.zeros(theta.shape), where=rate != 0)
        return theta - delta

    def smallest(self, shape):
        """The smallest accumulator of each coordinate."""
        if len(shape) == 0:
            return self.slices[0]
        smallest = np.full(shape, np.inf)
        for k, values in enumerate(self.slices):
            along = [1] * len(shape)
            along[k] = shape[k]
            smallest = np.minimum(smallest, values.reshape(along))
        return smallest

    @property
    def accumulators(self):
        slots = {f"accumulator_{k}": values for k, values in enumerate(self.slices)}
        return {**slots, "momentum": self.m}
