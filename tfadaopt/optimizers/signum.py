"""Signum: the sign of momentum."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import running_mean
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Signum(Optimizer):
    r"""Signum: every coordinate moves by η, along the sign of the running mean of gradients.

    .. math::
        m_t = \beta m_{t-1} + (1-\beta) g_t, \qquad
        \theta_t = \theta_{t-1} - \eta \, \mathrm{sign}(m_t)

    With β = 0 it is signSGD. It is what is left of Adam where gradients have one size, and Lion
    with β₁ = β₂.

    Effective learning rate: η, the same for all coordinates, on the direction sign(m).
    Accumulators: ``momentum`` m.

    ======================  =========  ===================
    implementation          default η  m
    ======================  =========  ===================
    tfadaopt, authors       1e-4       running mean
    Optax                   —          running mean
    Keras, PyTorch          —          —
    ======================  =========  ===================

    A buffer without the factor 1 − β, as in ``Momentum``, would have the same sign.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 1e-4.
        momentum: β in [0, 1), the share of m that is kept per step. Default 0.9.
        weight_decay: λ ≥ 0 or None. Decoupled: θ ← θ − η λ θ before each update. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Signum(learning_rate=1.0, momentum=0.5)
        >>> for g in (3.0, -1.0, -1.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> w.numpy().tolist()  # m is 1.5, 0.25 and −0.375
        [-1.0]

    Source:
        J. Bernstein, Y.-X. Wang, K. Azizzadenesheli and A. Anandkumar, "signSGD: compressed
        optimisation for non-convex problems", ICML 2018, arXiv 1802.04434, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="momentum", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 1e-4,
        momentum: float = 0.9,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.momentum = share(
            type(self).__name__, "momentum", momentum, "the mean of gradients, such as 0.9"
        )

    def slots(self, shape):
        return {"momentum": 0.0}

    def advance(self, state, g, t):
        return {"momentum": running_mean(state["momentum"], g, self.momentum)}

    def scale(self, state, t):
        return tf.ones([], t.dtype)

    def direction(self, state, g, t):
        return tf.sign(state["momentum"])
