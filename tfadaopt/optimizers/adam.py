"""Adam, as Algorithm 1 of its paper."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Adam(Optimizer):
    r"""Adam: momentum over a running mean of squares, both corrected for their start at zero.

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2

    .. math::
        \theta_t = \theta_{t-1} - \frac{\eta}{1-\beta_1^t} \,
        \frac{m_t}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}

    Effective learning rate: η / ((1 − β₁^t)(√v̂ + ε)), elementwise, on the direction m.
    Accumulators: ``momentum`` m and ``velocity`` v.

    ==============  ========================  =========
    implementation  ε                         default ε
    ==============  ========================  =========
    tfadaopt        beside √v̂                 1e-8
    PyTorch, Optax  beside √v̂                 1e-8
    Keras           beside √v: ε̂ = ε√(1−β₂ᵗ)  1e-7
    ==============  ========================  =========

    With a gradient of 1e-6, the first step is 0.990 η here and 0.240 η in Keras.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. With ε = 0, a coordinate without any gradient so far
            stands still. Default 1e-8.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.Adam(learning_rate=0.5, beta_1=0.0, beta_2=0.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([4.0, -0.5])], [w])
        >>> w.numpy().tolist()  # without memory, the sign alone counts
        [-0.5, 0.5]

    Source:
        D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
        arXiv 1412.6980, Algorithm 1.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0}

    def advance(self, state, g, t):
        return first_and_second(state, g, self.beta_1, self.beta_2)

    def scale(self, state, t):
        v_hat = state["velocity"] / weight_so_far(self.beta_2, t)
        return reciprocal(weight_so_far(self.beta_1, t) * (tf.sqrt(v_hat) + self.epsilon))

    def direction(self, state, g, t):
        return state["momentum"]
