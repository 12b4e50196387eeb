"""AdaGrad-Norm: Adagrad with one number for the whole model."""

import numpy as np

from .joint import Joint, divide, squares


class AdaGradNorm(Joint):
    """One learning rate for all arrays, from the squared norms of all gradients so far.

    b_t^2 = b_{t-1}^2 + ||g_t||^2,  b_0^2 = initial_accumulator_value
    theta_t = theta_{t-1} - eta / b_t g_t

    R. Ward, X. Wu and L. Bottou, arXiv 1806.01811, Algorithm 1. 0 / 0 is no step.
    """

    def __init__(self, learning_rate=1.0, initial_accumulator_value=0.01):
        self.b2 = np.float64(initial_accumulator_value)
        super().__init__(learning_rate, {"accumulator": self.b2})

    def step_all(self, thetas, gs):
        thetas, gs, eta = self.begin(thetas, gs)
        self.b2 = self.b2 + squares(gs)
        rate = divide(eta, np.sqrt(self.b2))
        self.effective_learning_rates = [np.full(theta.shape, rate) for theta in thetas]
        self.directions = gs
        self.all_accumulators = [{"accumulator": self.b2} for _ in thetas]
        return [theta - rate * g for theta, g in zip(thetas, gs, strict=True)]
