"""Yogi: Adam whose v changes by steps of limited size."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Yogi(Optimizer):
    r"""Yogi: Adam whose v moves towards g² by (1 − β₂) g², never faster: rates rise slowly.

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad
        v_t = v_{t-1} - (1-\beta_2) \, \mathrm{sign}(v_{t-1} - g_t^2) \, g_t^2

    .. math::
        \theta_t = \theta_{t-1} - \eta \, \frac{m_t}{\sqrt{v_t} + \varepsilon}

    Effective learning rate: η / (√v + ε), elementwise, on the direction m; with bias correction
    η / ((1 − β₁^t)(√v̂ + ε)). Accumulators: ``momentum`` m and ``velocity`` v.

    ====================  ===============  =====  =====
    implementation        bias correction  m₀     v₀
    ====================  ===============  =====  =====
    tfadaopt, the paper   no (option)      0      1e-6
    Optax                 yes              1e-6   1e-6
    TensorFlow Addons     yes              0      1e-6
    Keras, PyTorch        —                —      —
    ====================  ===============  =====  =====

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-3.
        initial_accumulator_value: v₀ ≥ 0; the paper takes a mean of squares of one large batch.
            Default 1e-6.
        bias_correction: Whether to divide m by 1 − β₁^t and v by 1 − β₂^t. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``bias_correction`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Yogi(
        ...     1.0, beta_1=0.0, beta_2=0.75, epsilon=1.0, initial_accumulator_value=0.0
        ... )
        >>> optimizer.apply([keras.ops.array([4.0])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["velocity"].numpy().tolist(), w.numpy().tolist()
        ([4.0], [-1.3333333730697632])

    Source:
        M. Zaheer, S. Reddi, D. Sachan, S. Kale and S. Kumar, "Adaptive methods for nonconvex
        optimization", NeurIPS 2018, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-3,
        initial_accumulator_value: float = 1e-6,
        bias_correction: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-3")
        self.initial_accumulator_value = number(
            owner,
            "initial_accumulator_value",
            initial_accumulator_value,
            at_least=0.0,
            hint="give the mean of squares v₀ to start from, such as 1e-6",
        )
        self.bias_correction = boolean(owner, "bias_correction", bias_correction)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": self.initial_accumulator_value}

    def advance(self, state, g, t):
        v, square = state["velocity"], tf.square(g)
        return {
            "momentum": running_mean(state["momentum"], g, self.beta_1),
            "velocity": v - (1 - self.beta_2) * tf.sign(v - square) * square,
        }

    def scale(self, state, t):
        if not self.bias_correction:
            return reciprocal(tf.sqrt(state["velocity"]) + self.epsilon)
        v_hat = state["velocity"] / weight_so_far(self.beta_2, t)
        return reciprocal(weight_so_far(self.beta_1, t) * (tf.sqrt(v_hat) + self.epsilon))

    def direction(self, state, g, t):
        return state["momentum"]
