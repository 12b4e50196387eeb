"""DoWG: distance over weighted gradients."""

import numpy as np

from .joint import Joint, divide, squares


class DoWG(Joint):
    """One learning rate for all arrays; each gradient counts by the distance then reached.

    R_t = max(R_{t-1}, ||theta_{t-1} - theta_0||^2),  R_0 = initial_distance^2
    V_t = V_{t-1} + R_t ||g_t||^2,  V_0 = 0
    theta_t = theta_{t-1} - eta R_t / (sqrt(V_t) + epsilon) g_t

    A. Khaled, K. Mishchenko and C. Jin, arXiv 2305.16284, Algorithm 1; epsilon is in the authors'
    code. Norms are those of all arrays together. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=1.0, initial_distance=0.01, epsilon=1e-4):
        self.epsilon = epsilon
        self.starts = None
        self.r2 = np.float64(initial_distance) ** 2
        self.sum = np.float64(0.0)
        initial = {
            "start": np.float64(0.0),
            "squared_distance": self.r2,
            "gradient_sum": self.sum,
            "updates": 0,
        }
        super().__init__(learning_rate, initial)

    def step_all(self, thetas, gs):
        thetas, gs, eta = self.begin(thetas, gs)
        if self.t == 1:
            self.starts = thetas
        moved = [theta - start for theta, start in zip(thetas, self.starts, strict=True)]
        self.r2 = max(self.r2, squares(moved))
        self.sum = self.sum + self.r2 * squares(gs)
        rate = divide(eta * self.r2, np.sqrt(self.sum) + self.epsilon)

        self.effective_learning_rates = [np.full(theta.shape, rate) for theta in thetas]
        self.directions = gs
        self.all_accumulators = [
            {
                "start": start,
                "squared_distance": self.r2,
                "gradient_sum": self.sum,
                "updates": self.t,
            }
            for start in self.starts
        ]
        return [theta - rate * g for theta, g in zip(thetas, gs, strict=True)]
