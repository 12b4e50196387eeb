"""AdaBound: Adam whose rates are bounded ever more closely, until it is SGD."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn, Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdaBound(Optimizer):
    r"""AdaBound: Adam's rate per coordinate, clipped between bounds that meet at one rate f.

    .. math::
        l_t = f \, \frac{\eta}{\eta_0} \left(1 - \frac{1}{\gamma t + 1}\right), \qquad
        u_t = f \, \frac{\eta}{\eta_0} \left(1 + \frac{1}{\gamma t}\right)

    .. math::
        \theta_t = \theta_{t-1} - \mathrm{clip} \left(
        \eta \, \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} \, \frac{1}{\sqrt{v_t} + \varepsilon},
        \; l_t, \; u_t \right) \odot m_t

    with Adam's m and v. η₀ is the first η above 0: a schedule lowers f as it lowers η. A warm-up
    from a tiny η raises f as much, so begin it near η, or give f times η₀ / η. With γ = 0.001, the
    bounds are (0.0001, 100.1) at first, (0.05, 0.2) after 1,000 steps and (0.09, 0.11) after
    10,000: whatever η, it ends as ``Momentum`` with the rate f (1 − β₁) = 0.01. A factor of
    ``learning_rate_multipliers`` is in η and η₀, not in f.

    Effective learning rate: the clipped one, elementwise, on the direction m. Accumulators:
    ``momentum`` m, ``velocity`` v, with ``amsbound`` its maximum ``velocity_hat``, and the number
    ``first_rate`` η₀.

    =====================  ==============  =====================  ======================
    implementation         correction      in the bounds          clipped rate
    =====================  ==============  =====================  ======================
    tfadaopt, authors'     yes (ε̂ form)    γ = 0.001              as it is
    paper, Algorithm 2     no              1 − β₂ (0.001)         further by 1 / √t
    Keras, PyTorch, Optax  —               —                      —
    =====================  ==============  =====================  ======================

    As published, the rate is 32 times smaller after 1,000 steps.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        final_rate: f > 0, where the bounds meet. Default 0.1.
        gamma: γ > 0, how fast they do. Default 0.001.
        amsbound: Whether the largest v so far takes its place (AMSBound). Default False.
        as_published: Whether to leave out the correction, and to divide by √t, as the paper's
            algorithm does and its authors' code does not. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or a switch no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.AdaBound(gamma=1.0, final_rate=1.0)
        >>> optimizer.apply([keras.ops.array([1.0, 1e-6])], [w])
        >>> tfadaopt.effective_learning_rate(optimizer, w).numpy().tolist()  # of 0.01 and 7,597
        [0.5, 2.0]

    Source:
        L. Luo, Y. Xiong, Y. Liu and X. Sun, "Adaptive gradient methods with dynamic bound of
        learning rate", ICLR 2019, arXiv 1902.09843, Algorithms 2 and 3, and the authors' code.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        final_rate: float = 0.1,
        gamma: float = 0.001,
        amsbound: bool = False,
        as_published: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        hint = "give the rate f at which the bounds meet, such as 0.1"
        self.final_rate = number(owner, "final_rate", final_rate, above=0.0, hint=hint)
        hint = "give how fast the bounds meet per step, such as 0.001"
        self.gamma = number(owner, "gamma", gamma, above=0.0, hint=hint)
        self.amsbound = boolean(owner, "amsbound", amsbound)
        self.as_published = boolean(owner, "as_published", as_published)

    def slots(self, shape):
        largest = {"velocity_hat": 0.0} if self.amsbound else {}
        return {"momentum": 0.0, "velocity": 0.0, **largest, "first_rate": Slot(())}

    def advance(self, state, g, t):
        new = first_and_second(state, g, self.beta_1, self.beta_2)
        if self.amsbound:
            new["velocity_hat"] = tf.maximum(state["velocity_hat"], new["velocity"])
        return new

    def adam_scale(self, state, t):
        """Adam's rate without η."""
        root = tf.sqrt(state["velocity_hat" if self.amsbound else "velocity"]) + self.epsilon
        if self.as_published:
            return reciprocal(root)
        correction = tf.sqrt(weight_so_far(self.beta_2, t)) / weight_so_far(self.beta_1, t)
        return correction * reciprocal(root)

    def scale(self, state, t):
        f = tf.math.divide_no_nan(tf.constant(self.final_rate, t.dtype), state["first_rate"])
        # As a difference from 1, the lower bound is wrong in the fifth digit in float32.
        speed = self.gamma * t
        lower, upper = f * speed / (speed + 1), f * (speed + 1) / speed
        clipped = tf.clip_by_value(self.adam_scale(state, t), lower, upper)
        return clipped / tf.sqrt(t) if self.as_published else clipped

    def update(self, theta, state, g, t, eta):
        first = tf.where(state["first_rate"] > 0, state["first_rate"], eta)
        new = {**self.advance(state, g, t), "first_rate": first}
        return new, self.rate(new, t, eta) * new["momentum"]
