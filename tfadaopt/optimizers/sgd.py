"""Mini-batch gradient descent."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine import kernels
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class SGD(Optimizer):
    r"""Mini-batch gradient descent: every coordinate steps by the same rate.

    .. math::
        g_t = \frac{1}{n} \sum_{i=1}^{n} \nabla L(\theta_{t-1}; x_i), \qquad
        \theta_t = \theta_{t-1} - \eta g_t

    Effective learning rate: η, the same for all coordinates, on the direction g. No accumulators.

    Unlike ``keras.optimizers.SGD``, momentum is not an argument here: it is the method of its own,
    ``tfadaopt.Momentum`` or ``tfadaopt.Nesterov``.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: The rate is not a number, schedule or callable.
        ValueError: The rate is negative or not finite.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0, 2.0])
        >>> tfadaopt.SGD(learning_rate=0.5).apply([keras.ops.array([1.0, -2.0])], [w])
        >>> w.numpy().tolist()
        [0.5, 3.0]

    Source:
        H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical
        Statistics 22 (1951).
    """

    unit = "coordinate"
    follows_gradient = True
    kernel = kernels.sgd
    still_without_gradient = True

    def __init__(self, learning_rate: Rate = 0.01, **kwargs):
        super().__init__(learning_rate, **kwargs)

    def slots(self, shape):
        return {}

    def advance(self, state, g, t):
        return state

    def scale(self, state, t):
        return tf.ones([], t.dtype)

    def direction(self, state, g, t):
        return g
