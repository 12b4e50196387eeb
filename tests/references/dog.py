"""DoG: distance over gradients."""

import numpy as np

from .joint import Joint, divide, squares


class DoG(Joint):
    """One learning rate for all arrays: the farthest distance from the start over the gradients.

    r_1 = initial_distance (1 + ||theta_0||),  r_t = max(r_{t-1}, ||theta_{t-1} - theta_0||)
    G_t = G_{t-1} + ||g_t||^2,  G_0 = 0
    theta_t = theta_{t-1} - eta r_t / sqrt(G_t + epsilon) g_t
    average_t = (1 - w) average_{t-1} + w theta_t,  w = (1 + averaging) / (t + averaging)

    M. Ivgi, O. Hinder and Y. Carmon, arXiv 2302.12022, eq. 1, with the polynomial average of
    its section on iterate averaging. Norms are those of all arrays together. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=1.0, initial_distance=1e-6, epsilon=1e-8, averaging=8.0):
        self.initial_distance = initial_distance
        self.epsilon = epsilon
        self.averaging = averaging
        self.starts = None
        self.averages = None
        self.r = np.float64(0.0)
        self.sum = np.float64(0.0)
        names = ("start", "average", "max_distance", "gradient_sum")
        super().__init__(learning_rate, {**dict.fromkeys(names, np.float64(0.0)), "updates": 0})

    def step_all(self, thetas, gs):
        thetas, gs, eta = self.begin(thetas, gs)
        if self.t == 1:
            self.starts = thetas
            self.averages = [np.zeros(theta.shape) for theta in thetas]
            self.r = self.initial_distance * (1 + np.sqrt(squares(thetas)))
        moved = [theta - start for theta, start in zip(thetas, self.starts, strict=True)]
        self.r = max(self.r, np.sqrt(squares(moved)))
        self.sum = self.sum + squares(gs)
        rate = divide(eta * self.r, np.sqrt(self.sum + self.epsilon))
        new = [theta - rate * g for theta, g in zip(thetas, gs, strict=True)]
        if self.averaging is not None:
            w = (1 + self.averaging) / (self.t + self.averaging)
            pairs = zip(self.averages, new, strict=True)
            self.averages = [(1 - w) * average + w * theta for average, theta in pairs]

        self.effective_learning_rates = [np.full(theta.shape, rate) for theta in thetas]
        self.directions = gs
        self.all_accumulators = [
            {
                "start": start,
                "average": average,
                "max_distance": self.r,
                "gradient_sum": self.sum,
                "updates": self.t,
            }
            for start, average in zip(self.starts, self.averages, strict=True)
        ]
        if self.averaging is None:
            for slots in self.all_accumulators:
                del slots["average"]
        return new
