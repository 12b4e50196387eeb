"""Prodigy: D-Adaptation that weights late gradients by the distance then known."""

import numpy as np

from .joint import Joint, divide


class Prodigy(Joint):
    """Adam whose learning rate is a lower bound d of the distance to the solution.

    q = sqrt(beta_2), gamma_t = eta bc, bc = sqrt(1 - beta_2^t) / (1 - beta_1^t) or 1:
    r_t = q r_{t-1} + (1 - q) gamma_t d_t^2 sum <g_t, theta_0 - theta_{t-1}>
    s_t = q s_{t-1} + (1 - q) gamma_t d_t^2 g_t (with safeguard_warmup without gamma_t)
    m_t = beta_1 m_{t-1} + (1 - beta_1) d_t g_t
    v_t = beta_2 v_{t-1} + (1 - beta_2) d_t^2 g_t^2
    d_hat = coefficient r_t / sum ||s_t||_1,  d_{t+1} = max(d_t, min(d_hat, growth_rate d_t))
    theta_t = theta_{t-1} - gamma_t d_t (lambda theta_{t-1} + m_t / (sqrt(v_t) + d_t epsilon))

    K. Mishchenko and A. Defazio, arXiv 2306.06101, Algorithm 4; the options are in the authors'
    code. Sums run over all arrays. 0 / 0 is no step.
    The rate is gamma_t d_t^2 / (sqrt(v_t) + d_t epsilon).
    """

    def __init__(
        self,
        learning_rate=1.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        initial_distance=1e-6,
        distance_coefficient=1.0,
        growth_rate=None,
        bias_correction=False,
        safeguard_warmup=False,
        weight_decay=None,
    ):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.coefficient = distance_coefficient
        self.growth_rate = growth_rate
        self.bias_correction = bias_correction
        self.safeguard_warmup = safeguard_warmup
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.d = np.float64(initial_distance)
        self.previous_d = self.d
        self.r = np.float64(0.0)
        self.m = self.v = self.s = self.starts = None
        super().__init__(learning_rate, {**self.slots(*[np.float64(0.0)] * 4), "updates": 0})

    def slots(self, m, v, s, start):
        return {
            "momentum": m,
            "velocity": v,
            "gradient_sum": s,
            "start": start,
            "distance": self.d,
            "previous_distance": self.previous_d,
            "numerator": self.r,
        }

    def step_all(self, thetas, gs):
        thetas, gs, eta = self.begin(thetas, gs)
        every = range(len(thetas))
        if self.t == 1:
            self.starts = thetas
            self.m, self.v, self.s = ([np.zeros(g.shape) for g in gs] for _ in range(3))
        q = np.sqrt(self.beta_2)
        gamma = eta
        if self.bias_correction:
            gamma = eta * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        d = self.d
        weight = d**2 if self.safeguard_warmup else gamma * d**2

        product = np.float64(0.0)
        norm = np.float64(0.0)
        for i in every:
            product = product + np.sum(gs[i] * (self.starts[i] - thetas[i]))
            self.s[i] = q * self.s[i] + (1 - q) * weight * gs[i]
            self.m[i] = self.beta_1 * self.m[i] + (1 - self.beta_1) * d * gs[i]
            self.v[i] = self.beta_2 * self.v[i] + (1 - self.beta_2) * d**2 * gs[i] * gs[i]
            norm = norm + np.sum(np.abs(self.s[i]))
        self.r = q * self.r + (1 - q) * gamma * d**2 * product
        estimate = divide(self.coefficient * self.r, norm)
        if self.growth_rate is not None:
            estimate = min(estimate, d * self.growth_rate)
        self.previous_d = d
        self.d = np.float64(max(d, estimate))

        roots = [np.sqrt(self.v[i]) + d * self.epsilon for i in every]
        deltas = [gamma * d * (self.decay * thetas[i] + divide(self.m[i], roots[i])) for i in every]
        self.effective_learning_rates = [divide(gamma * d**2, root) for root in roots]
        self.directions = [divide(deltas[i], self.effective_learning_rates[i]) for i in every]
        self.all_accumulators = [
            {**self.slots(self.m[i], self.v[i], self.s[i], self.starts[i]), "updates": self.t}
            for i in every
        ]
        return [thetas[i] - deltas[i] for i in every]
