"""DAdaptAdam: Adam that estimates its own rate."""

import math

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.distances import (
    adam_correction,
    checked_distance,
    grown,
    numbers_shared,
    reached,
)
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class DAdaptAdam(Optimizer):
    r"""D-Adaptation for Adam: d, a lower bound on the distance to the solution, is the rate.

    With q = √β₂ and the present d, over all variables together:

    .. math::
        r \leftarrow q r + (1-q) d \eta \left\langle g, \frac{s}{\sqrt v + \varepsilon}\right\rangle
        , \qquad s \leftarrow q s + (1-q) \, d \eta \, g

    .. math::
        m \leftarrow \beta_1 m + (1-\beta_1) \, d \eta \, g, \qquad
        v \leftarrow \beta_2 v + (1-\beta_2) g^2, \qquad
        \theta \leftarrow \theta - \frac{m}{\sqrt v + \varepsilon}

    .. math::
        d \leftarrow \max\left(d, \frac{r}{(1-q) \|s\|_1}\right)

    Effective learning rate: d η / (√v + ε), elementwise, with the d of the step. As the rate is
    inside m, weights go on moving for a while when η falls to 0. Accumulators: ``momentum`` m,
    ``velocity`` v, ``gradient_sum`` s, and the shared numbers ``distance`` d,
    ``previous_distance`` (that of the last step) and ``numerator`` r.

    =======================  ===============
    implementation           bias correction
    =======================  ===============
    tfadaopt, authors' code  no (option)
    Optax (contrib)          yes, always
    Keras, PyTorch           —
    =======================  ===============

    Args:
        learning_rate: η ≥ 0, a factor; the method is meant for 1, with any schedule. Default 1.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        initial_distance: d₀ > 0; too small costs a few steps, too large may diverge. Default 1e-6.
        growth_rate: Largest factor > 1 by which d grows per step, or None for no limit. Default
            None.
        bias_correction: Whether to multiply η by √(1 − β₂^t) / (1 − β₁^t). Default False.
        weight_decay: λ ≥ 0 or None: θ shrinks by d η λ θ. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``bias_correction`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0])
        >>> optimizer = tfadaopt.DAdaptAdam()
        >>> for _ in range(100):
        ...     optimizer.apply([w.value], [w])
        >>> float(tfadaopt.accumulators(optimizer, w)["distance"]) > 1e-3  # from 1e-6
        True

    Source:
        A. Defazio and K. Mishchenko, "Learning-rate-free learning by D-Adaptation", ICML 2023,
        arXiv 2301.07733, Algorithm 5.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        initial_distance: float = 1e-6,
        growth_rate: float | None = None,
        bias_correction: bool = False,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.initial_distance, self.growth_rate = checked_distance(
            owner, initial_distance, growth_rate
        )
        self.bias_correction = boolean(owner, "bias_correction", bias_correction)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "gradient_sum": 0.0}

    def shared(self):
        return numbers_shared(self.initial_distance)

    def correction(self, t):
        """√(1 − β₂^t) / (1 − β₁^t), or 1."""
        on = self.bias_correction
        return adam_correction(self.beta_1, self.beta_2, t) if on else tf.ones_like(t)

    def terms(self, shared, theta, state, g, t, eta):
        d = reached(shared, self.initial_distance)
        s, rate = state["gradient_sum"], d * eta * self.correction(t)
        scaled = s * reciprocal(tf.sqrt(state["velocity"]) + self.epsilon)
        new = running_mean(s, rate * g, math.sqrt(self.beta_2))
        return {"product": g * scaled, "norm": tf.abs(new)}

    def combine(self, shared, sums, t, eta):
        d, q = reached(shared, self.initial_distance), math.sqrt(self.beta_2)
        product = d * eta * self.correction(t) * sums["product"]
        r = running_mean(shared["numerator"], product, q)
        estimate = tf.math.divide_no_nan(r, (1 - q) * sums["norm"])
        new = grown(d, estimate, self.growth_rate)
        return {"distance": new, "previous_distance": d, "numerator": r}

    def scale(self, state, t):
        rate = state["previous_distance"] * self.correction(t)
        return rate * reciprocal(tf.sqrt(state["velocity"]) + self.epsilon)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        rate = state["previous_distance"] * eta * self.correction(t)
        m = running_mean(state["momentum"], rate * g, self.beta_1)
        v = running_mean(state["velocity"], tf.square(g), self.beta_2)
        s = running_mean(state["gradient_sum"], rate * g, math.sqrt(self.beta_2))
        step = m * reciprocal(tf.sqrt(v) + self.epsilon)
        return {"momentum": m, "velocity": v, "gradient_sum": s}, step + rate * decay * theta
