"""FTRL-Proximal: Adagrad's rates, and weights that are exactly zero."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number, power
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import reciprocal
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn, Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class Ftrl(Optimizer):
    r"""FTRL-Proximal: the weights that would have been best so far, near those that were, and few.

    .. math::
        n_t = n_{t-1} + g_t^2, \qquad s_t = n_t^{-p} / \eta_t, \qquad
        z_t = z_{t-1} + g_t + 2 \lambda_s \theta_{t-1} - (s_t - s_{t-1}) \theta_{t-1}

    .. math::
        \theta_t = \frac{\mathrm{clip}(z_t, -\lambda_1, \lambda_1) - z_t}
        {s_t + \beta / \eta_t + 2 \lambda_2}

    with the power p = −½. λ₁ keeps at exactly 0 what has a z of at most λ₁. Without β and λs it is
    Adagrad without ε, written from the start: θ = −z / s.

    Effective learning rate: 1 / (s + β / η + 2 λ₂), elementwise, on the direction g, or what λ₁
    leaves of it. Accumulators: ``accumulator`` n, ``linear`` z and the number ``last_rate``, the η
    in s. A step with η = 0 changes nothing.

    ==============  ==========  =======================  ==========================
    implementation  default n₀  under a changing η       start of the weights
    ==============  ==========  =======================  ==========================
    tfadaopt        0           s_{t−1} has its own η    stays (β = 0)
    Keras           0.1         s_{t−1} gets the new η   is forgotten
    paper           0           η is constant            0
    PyTorch, Optax  —           —                        —
    ==============  ==========  =======================  ==========================

    n₀ > 0 or β > 0 with z₀ = 0 say that θ₀ was 0, whatever it was: under Keras' default, a weight
    of 1 whose first gradient is 0.1 is 0.046 after one step with η = 0.001, and 0.999 here. So its
    ``Ftrl`` leaves the network of the digits at 8 % (η = 0.001 or 0.01), which gets to 93 % here in
    5 epochs. A schedule that halves η halves every weight in Keras, as z has the old η in it.

    As θ is made from z, a ``weight_decay`` (of every optimizer) pulls on what s adds alone, and so
    hardly at all; give λ₂.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        learning_rate_power: p ≤ 0: how rates fall with n; 0: not at all. Default −0.5.
        initial_accumulator_value: n₀ ≥ 0. Default 0.
        l1_regularization_strength: λ₁ ≥ 0. Default 0.
        l2_regularization_strength: λ₂ ≥ 0, half of the paper's. Default 0.
        l2_shrinkage_regularization_strength: λₛ ≥ 0, as a gradient 2 λₛ θ in z but not in n.
            Default 0.
        beta: β ≥ 0. Default 0.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.Ftrl(learning_rate=1.0, l1_regularization_strength=1.0)
        >>> optimizer.apply([keras.ops.array([4.0, 0.5])], [w])
        >>> w.numpy().tolist()  # 3 / 4 of a step, and none
        [-0.75, 0.0]

    Source:
        H. B. McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013,
        Algorithm 1.
    """

    unit = "coordinate"
    gradient_in = GradientIn("accumulator", power=2, kept=1.0)

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.0,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__

        def strength(name, value):
            return number(owner, name, value, at_least=0.0, hint="give 0 for none, or such as 0.01")

        self.learning_rate_power = power(
            owner, "learning_rate_power", learning_rate_power, "a power of n, such as −0.5"
        )
        self.initial_accumulator_value = strength(
            "initial_accumulator_value", initial_accumulator_value
        )
        self.l1_regularization_strength = strength(
            "l1_regularization_strength", l1_regularization_strength
        )
        self.l2_regularization_strength = strength(
            "l2_regularization_strength", l2_regularization_strength
        )
        self.l2_shrinkage_regularization_strength = strength(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = strength("beta", beta)

    def slots(self, shape):
        n = self.initial_accumulator_value
        return {"accumulator": n, "linear": 0.0, "last_rate": Slot(())}

    def root(self, n):
        """n^(−p)."""
        p = self.learning_rate_power
        return tf.sqrt(n) if p == -0.5 else tf.pow(n, -p)

    def scale(self, state, t):
        return reciprocal(self.root(state["accumulator"]) + self.beta)

    def rate(self, state, t, eta):
        below = self.root(state["accumulator"]) + self.beta
        return eta * reciprocal(below + 2 * self.l2_regularization_strength * eta)

    def update(self, theta, state, g, t, eta):
        moves = eta > 0
        eta = tf.where(moves, eta, 1)
        last = tf.where(state["last_rate"] > 0, state["last_rate"], eta)
        n = state["accumulator"] + tf.square(g)
        s = self.root(n) / eta
        sigma = s - self.root(state["accumulator"]) / last
        shrinkage = 2 * self.l2_shrinkage_regularization_strength * theta
        z = state["linear"] + g + shrinkage - sigma * theta
        q = s + self.beta / eta + 2 * self.l2_regularization_strength
        l1 = self.l1_regularization_strength
        best = tf.where(q > 0, (tf.clip_by_value(z, -l1, l1) - z) * reciprocal(q), theta)
        new = {"accumulator": n, "linear": z, "last_rate": eta}
        kept = {name: tf.where(moves, x, state[name]) for name, x in new.items()}
        return kept, tf.where(moves, theta - best, 0)
