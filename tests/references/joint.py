"""What the methods share that look at all parameter arrays at once."""

import numpy as np


class Joint:
    """A twin whose step needs all arrays: `step_all(thetas, gs)` gives the new thetas.

    step_all sets `effective_learning_rates`, `directions` and `all_accumulators`, lists with one
    entry per array; a number that all arrays share stands in each entry of the last one.
    `step(theta, g)` is step_all for a model of one array.
    """

    joint = True

    def __init__(self, learning_rate, initial):
        self.learning_rate = learning_rate
        self.t = 0
        self.effective_learning_rates = None
        self.directions = None
        self.all_accumulators = [initial]
        self.effective_learning_rate = None
        self.direction = None

    def begin(self, thetas, gs):
        """Counts the step: the arrays in float64 and the step's learning rate."""
        thetas = [np.array(theta, dtype=np.float64) for theta in thetas]
        gs = [np.array(g, dtype=np.float64) for g in gs]
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))
        return thetas, gs, eta

    def step_all(self, thetas, gs):
        raise NotImplementedError

    def step(self, theta, g):
        (new,) = self.step_all([theta], [g])
        (self.effective_learning_rate,) = self.effective_learning_rates
        (self.direction,) = self.directions
        return new

    @property
    def accumulators(self):
        return self.all_accumulators[0]


def squares(arrays):
    """The squared Euclidean norm of all arrays together."""
    return sum((np.sum(a * a) for a in arrays), np.float64(0.0))


def divide(a, b):
    """a / b, and 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, "float64"), np.asarray(b, "float64"))
    return np.divide(a, b, out=np.zeros(a.shape), where=b != 0)
