"""Prodigy: D-Adaptation with weights that let the estimate grow faster."""

import math

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces import distances
from tfadaopt.optimizers.pieces.first import UPDATES, start_of
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class Prodigy(Optimizer):
    r"""Prodigy: Adam whose rate d is an estimate of the distance to the solution.

    With q = √β₂, γ = η and the present d, over all variables together:

    .. math::
        r \leftarrow q r + (1-q) \gamma d^2 \langle g, \theta_0 - \theta \rangle, \qquad
        s \leftarrow q s + (1-q) \gamma d^2 g

    .. math::
        m \leftarrow \beta_1 m + (1-\beta_1) d g, \qquad
        v \leftarrow \beta_2 v + (1-\beta_2) d^2 g^2, \qquad
        \theta \leftarrow \theta - \gamma d \, \frac{m}{\sqrt v + d \varepsilon}

    .. math::
        d \leftarrow \max(d, c \, r / \|s\|_1)

    Effective learning rate: γ d² / (√v + d ε), elementwise, with the d of the step, on the
    direction m / d. Accumulators: ``momentum`` m, ``velocity`` v, ``gradient_sum`` s, ``start`` θ₀,
    the numbers ``distance`` d, ``previous_distance``, ``numerator`` r, and ``updates``.

    =======================  ===============  =============
    implementation           bias correction  beside √v
    =======================  ===============  =============
    tfadaopt, paper          no (option)      d ε of before
    authors' code            no (option)      new d ε
    Optax (contrib)          yes, always      new d ε
    Keras, PyTorch           —                —
    =======================  ===============  =============

    Args:
        learning_rate: η ≥ 0, a factor, meant to be 1 or a schedule from 1 to 0. Default 1.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        initial_distance: d₀ > 0, better too small than too large. Default 1e-6.
        distance_coefficient: c > 0, a factor on the estimate. Default 1.
        growth_rate: Largest factor > 1 by which d grows per step, or None. Default None. The
            authors' code remembers the largest estimate and grows on towards it; this does not.
        bias_correction: Whether to multiply η by √(1 − β₂^t) / (1 − β₁^t). Default False.
        safeguard_warmup: Whether to leave γ out of s, for warm-up. Default False.
        weight_decay: λ ≥ 0 or None: θ shrinks by γ d λ θ. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or a switch no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0])
        >>> optimizer = tfadaopt.Prodigy()
        >>> for _ in range(100):
        ...     optimizer.apply([w.value], [w])
        >>> float(tfadaopt.accumulators(optimizer, w)["distance"]) > 1e-3  # from 1e-6
        True

    Source:
        K. Mishchenko and A. Defazio, "Prodigy: an expeditiously adaptive parameter-free learner",
        ICML 2024, arXiv 2306.06101, Algorithm 4.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        initial_distance: float = 1e-6,
        distance_coefficient: float = 1.0,
        growth_rate: float | None = None,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.initial_distance, self.growth_rate = distances.checked_distance(
            owner, initial_distance, growth_rate
        )
        self.distance_coefficient = number(
            owner,
            "distance_coefficient",
            distance_coefficient,
            above=0.0,
            hint="give a factor on the estimate, such as 1",
        )
        self.bias_correction = boolean(owner, "bias_correction", bias_correction)
        self.safeguard_warmup = boolean(owner, "safeguard_warmup", safeguard_warmup)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "gradient_sum": 0.0, "start": 0.0, **UPDATES}

    def shared(self):
        return distances.numbers_shared(self.initial_distance)

    def gamma(self, t, eta):
        """η, with bias correction where that is on."""
        on = self.bias_correction
        return eta * distances.adam_correction(self.beta_1, self.beta_2, t) if on else eta

    def next_gradient_sum(self, s, g, d, t, eta):
        """s after g."""
        gamma = tf.ones_like(d) if self.safeguard_warmup else self.gamma(t, eta)
        return running_mean(s, gamma * tf.square(d) * g, math.sqrt(self.beta_2))

    def terms(self, shared, theta, state, g, t, eta):
        d = distances.reached(shared, self.initial_distance)
        s = self.next_gradient_sum(state["gradient_sum"], g, d, t, eta)
        return {"product": g * (start_of(theta, state) - theta), "norm": tf.abs(s)}

    def combine(self, shared, sums, t, eta):
        d = distances.reached(shared, self.initial_distance)
        product = sums["product"] * self.gamma(t, eta) * tf.square(d)
        r = running_mean(shared["numerator"], product, math.sqrt(self.beta_2))
        estimate = self.distance_coefficient * tf.math.divide_no_nan(r, sums["norm"])
        new = distances.grown(d, estimate, self.growth_rate)
        return {"distance": new, "previous_distance": d, "numerator": r}

    def scale(self, state, t):
        d = state["previous_distance"]
        root = tf.sqrt(state["velocity"]) + d * self.epsilon
        return self.gamma(t, tf.square(d)) * reciprocal(root)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        d = state["previous_distance"]
        new = {
            "momentum": running_mean(state["momentum"], d * g, self.beta_1),
            "velocity": running_mean(state["velocity"], tf.square(d * g), self.beta_2),
            "gradient_sum": self.next_gradient_sum(state["gradient_sum"], g, d, t, eta),
            "start": start_of(theta, state),
            "updates": state["updates"] + 1,
        }
        step = self.rate({**state, **new}, t, eta) * new["momentum"] / d
        return new, step + self.gamma(t, eta) * d * decay * theta
