"""AdaGrad-Norm: Adagrad with one rate for everything."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import inverse_root
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdaGradNorm(Optimizer):
    r"""AdaGrad-Norm: η over the root of the sum of all squared gradient norms, of all variables.

    .. math::
        b_t^2 = b_{t-1}^2 + \|g_t\|^2, \qquad \theta_t = \theta_{t-1} - \frac{\eta}{b_t} \, g_t

    It shows what Adagrad's rate *per coordinate* adds: take that away, and the rate still finds
    its size by itself, whatever η and b₀.

    Effective learning rate: η / b, one for all variables, on the direction g. Accumulators: the
    number ``accumulator`` b², the same for each variable.

    ====================  ===================
    implementation        has it
    ====================  ===================
    tfadaopt              yes
    Keras, PyTorch        no
    Optax                 no
    ====================  ===================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable: about how far the whole model is to
            move in its first steps, as a norm. Default 1.
        initial_accumulator_value: b₀² ≥ 0. Default 0.01, b₀ = 0.1.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> a, b = keras.Variable([0.0]), keras.Variable([0.0])
        >>> optimizer = tfadaopt.AdaGradNorm(initial_accumulator_value=0.0)
        >>> optimizer.apply([keras.ops.array([3.0]), keras.ops.array([4.0])], [a, b])
        >>> tfadaopt.effective_learning_rate(optimizer, b).numpy().tolist()
        [0.20000000298023224]

    Source:
        R. Ward, X. Wu and L. Bottou, "AdaGrad stepsizes: sharp convergence over nonconvex
        landscapes", JMLR 21 (2020), arXiv 1806.01811, Algorithm 1.
    """

    unit = "coordinate"
    follows_gradient = True
    still_without_gradient = True

    def __init__(
        self, learning_rate: Rate = 1.0, initial_accumulator_value: float = 0.01, **kwargs
    ):
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = number(
            type(self).__name__,
            "initial_accumulator_value",
            initial_accumulator_value,
            at_least=0.0,
            hint="give what the sum of squares b² starts from, such as 0.01",
        )

    def slots(self, shape):
        return {}

    def shared(self):
        return {"accumulator": self.initial_accumulator_value}

    def terms(self, shared, theta, state, g, t, eta):
        return {"squares": tf.square(g)}

    def combine(self, shared, sums, t, eta):
        return {"accumulator": shared["accumulator"] + sums["squares"]}

    def advance(self, state, g, t):
        return {}

    def scale(self, state, t):
        return inverse_root(state["accumulator"])

    def direction(self, state, g, t):
        return g
