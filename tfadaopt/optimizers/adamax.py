"""Adamax: Adam with the infinity norm."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Adamax(Optimizer):
    r"""Adamax: Adam sized by the largest gradient, which is forgotten slowly.

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad u_t = \max(\beta_2 u_{t-1}, |g_t|), \qquad
        \theta_t = \theta_{t-1} - \frac{\eta}{1-\beta_1^t} \, \frac{m_t}{u_t + \varepsilon}

    Effective learning rate: η / ((1 − β₁^t)(u + ε)), elementwise, on the direction m. The first
    step is η in each coordinate. Accumulators: ``momentum`` m and ``norm`` u.

    ==============  =======================  =========  =========
    implementation  ε                        default ε  default η
    ==============  =======================  =========  =========
    tfadaopt        beside u                 0 (paper)  0.002
    Keras           beside u                 1e-7       0.001
    PyTorch, Optax  beside abs(g), inside u  1e-8       0.002
    ==============  =======================  =========  =========

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.002.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of u that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside u. With 0, a coordinate without any gradient so far stands still.
            Default 0.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.Adamax(learning_rate=0.5, beta_1=0.0)
        >>> optimizer.apply([keras.ops.array([4.0, -0.25])], [w])
        >>> w.numpy().tolist()
        [-0.5, 0.5]

    Source:
        D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
        arXiv 1412.6980, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 0.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")

    def slots(self, shape):
        return {"momentum": 0.0, "norm": 0.0}

    def advance(self, state, g, t):
        return {
            "momentum": running_mean(state["momentum"], g, self.beta_1),
            "norm": tf.maximum(self.beta_2 * state["norm"], tf.abs(g)),
        }

    def scale(self, state, t):
        return reciprocal(weight_so_far(self.beta_1, t) * (state["norm"] + self.epsilon))

    def direction(self, state, g, t):
        return state["momentum"]
