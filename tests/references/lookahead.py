"""Lookahead: slow weights that follow the fast ones of another method."""

import numpy as np

from tfadaopt.testing.twins import Twins


class Lookahead:
    """After every k steps of the inner method the slow weights go a part of the way to it.

    phi_0 = theta_0;  theta_t by the inner method;  where the period k divides t:
    phi = phi + alpha (theta_t - phi),  theta_t = phi

    The inner method's state is kept at a synchronization; with reset_state it begins anew.
    `make()` gives a twin of the inner method, for `count` arrays.

    M. R. Zhang, J. Lucas, G. Hinton and J. Ba, arXiv 1907.08610, Algorithm 1.
    """

    def __init__(self, make, count=1, period=5, alpha=0.5, reset_state=False):
        self.make = make
        self.count = count
        self.inner = Twins(make, count)
        self.period = period
        self.alpha = alpha
        self.reset_state = reset_state
        self.t = 0
        self.slow = None

    def step_all(self, thetas, gs):
        thetas = [np.array(theta, dtype=np.float64) for theta in thetas]
        if self.slow is None:
            self.slow = thetas
        self.t = self.t + 1
        fast = self.inner.step(thetas, gs)
        if self.t % self.period != 0:
            return fast
        self.slow = [phi + self.alpha * (f - phi) for phi, f in zip(self.slow, fast, strict=True)]
        if self.reset_state:
            self.inner = Twins(self.make, self.count)
        return [np.copy(phi) for phi in self.slow]
