"""Adagrad, as the lecture writes it."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import inverse_root
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Adagrad(Optimizer):
    r"""Adagrad: each coordinate has its own rate, which falls with the squares of its gradients.

    .. math::
        r_t = r_{t-1} + g_t^2, \qquad
        \theta_t = \theta_{t-1} - \frac{\eta}{\sqrt{\varepsilon + r_t}} \, g_t

    Effective learning rate: η / √(ε + r), elementwise, on the direction g. It never rises while η
    is constant: under gradients of a steady size σ it falls as η / (σ √t), and after large early
    gradients "the model may stop learning".

    ===================  ===========  =============  =========
    implementation       ε            default ε      default r₀
    ===================  ===========  =============  =========
    tfadaopt (lecture)   in the root  1e-7           0
    Keras                in the root  1e-7           0.1
    Optax                in the root  1e-7           0.1
    PyTorch              outside      1e-10          0
    ===================  ===========  =============  =========

    With r₀ = 0 the first step is η g / √(ε + g²), nearly η in every coordinate. With Keras' r₀ of
    0.1 it is about 3.16 η g, like SGD, until Σg² comes near 0.1.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        initial_accumulator_value: r₀ ≥ 0. Default 0.
        epsilon: ε ≥ 0, inside the root: a coordinate whose gradients stay well below √ε = 3e-4
            moves by η g / √ε at most. With ε = 0, a coordinate without any gradient so far stands
            still. Default 1e-7.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.Adagrad(learning_rate=1.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([4.0, 0.5])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["accumulator"].numpy().tolist()
        [16.0, 0.25]
        >>> tfadaopt.effective_learning_rate(optimizer, w).numpy().tolist()
        [0.25, 2.0]
        >>> w.numpy().tolist()  # a steep and a flat coordinate step alike
        [-1.0, -1.0]

    Source:
        J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
        stochastic optimization", JMLR 12 (2011), Figure 1 (diagonal form, which has its δ outside
        the root); H. B. McMahan and M. Streeter, COLT 2010, arXiv 1002.4908.
    """

    unit = "coordinate"
    follows_gradient = True
    gradient_in = GradientIn("accumulator", power=2, kept=1.0)
    still_without_gradient = True

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        initial_accumulator_value: float = 0.0,
        epsilon: float = 1e-7,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.initial_accumulator_value = number(
            owner,
            "initial_accumulator_value",
            initial_accumulator_value,
            at_least=0.0,
            hint="give the sum of squares r₀ to start from, such as 0 or 0.1",
        )
        self.epsilon = small(owner, epsilon, "1e-7")

    def slots(self, shape):
        return {"accumulator": self.initial_accumulator_value}

    def advance(self, state, g, t):
        return {"accumulator": state["accumulator"] + tf.square(g)}

    def scale(self, state, t):
        return inverse_root(self.epsilon + state["accumulator"])

    def direction(self, state, g, t):
        return g
