"""D-Adaptation of Adam: the distance to the solution, estimated on the way."""

import numpy as np

from .joint import Joint, divide


class DAdaptAdam(Joint):
    """Adam whose learning rate is a lower bound d of the distance to the solution.

    q = sqrt(beta_2), a_t = d_t eta bc, bc = sqrt(1 - beta_2^t) / (1 - beta_1^t) or 1:
    r_t = q r_{t-1} + (1 - q) a_t sum <g_t, s_{t-1} / (sqrt(v_{t-1}) + epsilon)>
    m_t = beta_1 m_{t-1} + (1 - beta_1) a_t g_t,  v_t = beta_2 v_{t-1} + (1 - beta_2) g_t^2
    s_t = q s_{t-1} + (1 - q) a_t g_t
    d_hat = r_t / ((1 - q) sum ||s_t||_1),  d_{t+1} = max(d_t, min(d_hat, growth_rate d_t))
    theta_t = theta_{t-1} - a_t lambda theta_{t-1} - m_t / (sqrt(v_t) + epsilon)

    A. Defazio and K. Mishchenko, arXiv 2301.07733, Algorithm 5, with the authors' order. Sums
    run over all arrays. 0 / 0 is no step. The rate is a_t / (sqrt(v_t) + epsilon).
    """

    def __init__(
        self,
        learning_rate=1.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        initial_distance=1e-6,
        growth_rate=None,
        bias_correction=False,
        weight_decay=None,
    ):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.growth_rate = growth_rate
        self.bias_correction = bias_correction
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.d = np.float64(initial_distance)
        self.previous_d = self.d
        self.r = np.float64(0.0)
        self.m = self.v = self.s = None
        super().__init__(learning_rate, self.slots(*[np.float64(0.0)] * 3))

    def slots(self, m, v, s):
        return {
            "momentum": m,
            "velocity": v,
            "gradient_sum": s,
            "distance": self.d,
            "previous_distance": self.previous_d,
            "numerator": self.r,
        }

    def step_all(self, thetas, gs):
        thetas, gs, eta = self.begin(thetas, gs)
        every = range(len(thetas))
        if self.t == 1:
            self.m, self.v, self.s = ([np.zeros(g.shape) for g in gs] for _ in range(3))
        q = np.sqrt(self.beta_2)
        a = self.d * eta
        if self.bias_correction:
            a = a * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)

        product = np.float64(0.0)
        norm = np.float64(0.0)
        for i in every:
            old = np.sqrt(self.v[i]) + self.epsilon
            product = product + a * np.sum(gs[i] * divide(self.s[i], old))
            self.m[i] = self.beta_1 * self.m[i] + (1 - self.beta_1) * a * gs[i]
            self.v[i] = self.beta_2 * self.v[i] + (1 - self.beta_2) * gs[i] * gs[i]
            self.s[i] = q * self.s[i] + (1 - q) * a * gs[i]
            norm = norm + np.sum(np.abs(self.s[i]))
        self.r = q * self.r + (1 - q) * product
        estimate = divide(self.r, (1 - q) * norm)
        if self.growth_rate is not None:
            estimate = min(estimate, self.d * self.growth_rate)
        self.previous_d = self.d
        self.d = np.float64(max(self.d, estimate))

        roots = [np.sqrt(self.v[i]) + self.epsilon for i in every]
        deltas = [a * self.decay * thetas[i] + divide(self.m[i], roots[i]) for i in every]
        self.effective_learning_rates = [divide(a, root) for root in roots]
        self.directions = [divide(deltas[i], self.effective_learning_rates[i]) for i in every]
        self.all_accumulators = [self.slots(self.m[i], self.v[i], self.s[i]) for i in every]
        return [thetas[i] - deltas[i] for i in every]
