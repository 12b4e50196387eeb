"""Nesterov's accelerated gradient."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine import kernels
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Nesterov(Optimizer):
    r"""Nesterov's accelerated gradient (NAG): momentum that looks one step ahead.

    .. math::
        b_t = \mu b_{t-1} + g_t, \qquad \theta_t = \theta_{t-1} - \eta (g_t + \mu b_t),
        \qquad b_0 = 0

    The θ of the model *is* the look-ahead point: with w and v of Sutskever's form
    v ← μ v − η ∇L(w + μ v), w ← w + v, it is θ = w + μ v = w − η μ b after every step, as long as η
    and μ are constant.

    Effective learning rate: η, the same for all coordinates, on the direction g + μ b.

    The rate stays outside the buffer, as in PyTorch and Optax; Keras keeps it inside. Both are the
    same while η is constant; see ``tfadaopt.Momentum``.

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
        >>> optimizer = tfadaopt.Nesterov(learning_rate=1.0, momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([1.0])], [w])
        >>> w.numpy().tolist()  # steps of 1 + 0.5 · 1 and 1 + 0.5 · 1.5
        [-3.25]

    Source:
        Y. Nesterov, Soviet Mathematics Doklady 27 (1983); the form with one evaluation at θ:
        Y. Bengio, N. Boulanger-Lewandowski and R. Pascanu, "Advances in optimizing recurrent
        networks", ICASSP 2013, arXiv 1212.0901, section 3.5; I. Sutskever, J. Martens, G. Dahl and
        G. Hinton, ICML 2013, equations 3–4.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="momentum")
    kernel = kernels.nesterov

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
        return g + self.momentum * state["momentum"]
