"""Rprop: a step size for each coordinate from the signs of its gradients."""

import numpy as np


class Rprop:
    """A step size grows while the gradient's sign stays and shrinks when it turns.

    s = g_t g_{t-1}
    Delta_t = min(increase Delta_{t-1}, largest) where s > 0
    Delta_t = max(decrease Delta_{t-1}, smallest) where s < 0, and g_t = 0 there
    theta_t = theta_{t-1} - eta Delta_t sign(g_t)

    Delta_0 is initial_step. The paper has no eta: the learning rate is a factor, 1 by default.

    C. Igel and M. Huesken, "Empirical evaluation of the improved Rprop learning algorithms",
    Neurocomputing 50 (2003), iRprop-.
    """

    def __init__(
        self,
        initial_step=0.01,
        increase=1.2,
        decrease=0.5,
        smallest=1e-6,
        largest=50.0,
        learning_rate=1.0,
    ):
        self.increase = increase
        self.decrease = decrease
        self.smallest = smallest
        self.largest = largest
        self.learning_rate = learning_rate
        self.t = 0
        self.delta = np.float64(initial_step)
        self.previous = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        # Signs, as the product of two small gradients may be 0.
        s = np.sign(g) * np.sign(self.previous)
        grown = np.minimum(self.increase * self.delta, self.largest)
        shrunk = np.maximum(self.decrease * self.delta, self.smallest)
        self.delta = np.where(s > 0, grown, np.where(s < 0, shrunk, self.delta))
        self.previous = np.where(s < 0, 0.0, g)

        self.effective_learning_rate = eta * self.delta
        self.direction = np.sign(self.previous)
        return theta - self.effective_learning_rate * self.direction

    @property
    def accumulators(self):
        return {"step_size": self.delta, "previous_gradient": self.previous}
