"""Gradient descent with Polyak's momentum."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine import kernels
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Momentum(Optimizer):
    r"""Gradient descent with momentum (heavy ball): past gradients keep pushing.

    .. math::
        b_t = \mu b_{t-1} + g_t, \qquad \theta_t = \theta_{t-1} - \eta b_t, \qquad b_0 = 0

    Effective learning rate: η, the same for all coordinates, on the direction b. Under a constant
    gradient b grows to g / (1 − μ): with μ = 0.9 the steps become ten times as long.

    The rate stays outside the buffer, as in PyTorch and Optax. Keras keeps it inside
    (v ← μ v − η g), which is the same while η is constant; under a schedule, a lower η takes
    effect here at once, and only for the new gradients there.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        momentum: μ in [0, 1), the share of the buffer that is kept per step. Default 0.9.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Momentum(learning_rate=1.0, momentum=0.5)
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.array([1.0])], [w])
        >>> w.numpy().tolist()  # steps of 1, 1.5 and 1.75
        [-4.25]

    Source:
        B. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
        Computational Mathematics and Mathematical Physics 4(5) (1964); I. Sutskever, J. Martens,
        G. Dahl and G. Hinton, "On the importance of initialization and momentum in deep learning",
        ICML 2013, equations 1–2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="momentum")
    kernel = kernels.momentum

    def __init__(self, learning_rate: Rate = 0.01, momentum: float = 0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = share(type(self).__name__, "momentum", momentum, "the buffer, such as 0.9")

    def slots(self, shape):
        return {"momentum": 0.0}

    def advance(self, state, g, t):
        return {"momentum": self.momentum * state["momentum"] + g}

    def scale(self, state, t):
        return tf.ones([], t.dtype)

    def direction(self, state, g, t):
        return state["momentum"]
