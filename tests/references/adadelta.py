"""Steps in the units of the parameters."""

import numpy as np


class Adadelta:
    """E_g and E_x are running means of g^2 and of the squared unscaled steps.

    step = sqrt(E_x + epsilon) / sqrt(E_g + epsilon) g,  with E_x from before the step
    M. D. Zeiler, arXiv 1212.5701, Algorithm 1. What is read afterwards has the new E_x.
    """

    def __init__(self, learning_rate=1.0, rho=0.95, epsilon=1e-6):
        self.learning_rate = learning_rate
        self.rho = rho
        self.epsilon = epsilon
        self.t = 0
        self.e_g = np.float64(0.0)
        self.e_x = np.float64(0.0)
        self.effective_learning_rate = None
        self.direction = None

    def step(self, theta, g):
        theta = np.array(theta, dtype=np.float64)
        g = np.array(g, dtype=np.float64)
        self.t = self.t + 1
        eta = self.learning_rate
        if callable(eta):
            eta = float(eta(self.t - 1))

        self.e_g = self.rho * self.e_g + (1 - self.rho) * g * g
        root = np.sqrt(self.e_g + self.epsilon)
        step = np.divide(
            np.sqrt(self.e_x + self.epsilon) * g, root, out=np.zeros(theta.shape), where=root != 0
        )
        self.e_x = self.rho * self.e_x + (1 - self.rho) * step * step
        self.effective_learning_rate = np.divide(
            eta * np.sqrt(self.e_x + self.epsilon), root, out=np.zeros(theta.shape), where=root != 0
        )
        rate = self.effective_learning_rate
        self.direction = np.divide(eta * step, rate, out=np.zeros(theta.shape), where=rate != 0)
        return theta - eta * step

    @property
    def accumulators(self):
        return {"accumulated_grad": self.e_g, "accumulated_delta_var": self.e_x}
