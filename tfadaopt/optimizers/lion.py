"""Lion: steps of one size, along the sign of a mean of gradients."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import running_mean
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Lion(Optimizer):
    r"""Lion: every coordinate moves by η, along the sign of m with more of the new gradient in it.

    .. math::
        c_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad
        \theta_t = (1 - \eta \lambda) \theta_{t-1} - \eta \, \mathrm{sign}(c_t), \qquad
        m_t = \beta_2 m_{t-1} + (1-\beta_2) g_t

    The sign is of a mean that remembers the last 1 / (1 − β₁) = 10 gradients or so, what is kept
    of 1 / (1 − β₂) = 100. As no step shrinks with the gradient, η must fall for θ to settle; the
    authors take a third to a tenth of Adam's η, and as many times its λ.

    Effective learning rate: η, the same for all coordinates, on the direction sign(c).
    Accumulators: ``momentum`` m.

    ======================  =========  =========
    implementation          default η  default λ
    ======================  =========  =========
    tfadaopt, authors       1e-4       0
    Keras                   1e-3       0
    Optax                   —          1e-3
    PyTorch                 —          —
    ======================  =========  =========

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 1e-4.
        beta_1: β₁ in [0, 1), the share of m in the direction. Default 0.9.
        beta_2: β₂ in [0, 1), the share of m that is kept per step. Default 0.99.
        weight_decay: λ ≥ 0, or None for no decay. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0, 0.0])
        >>> optimizer = tfadaopt.Lion(learning_rate=0.5)
        >>> optimizer.apply([keras.ops.array([4.0, -1e-6, 0.0])], [w])
        >>> w.numpy().tolist()  # the size of a gradient does not count
        [-0.5, 0.5, 0.0]

    Source:
        X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
        arXiv 2302.06675, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_2", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 1e-4,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "m in the direction, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of gradients, such as 0.99")

    def slots(self, shape):
        return {"momentum": 0.0}

    def scale(self, state, t):
        return tf.ones([], t.dtype)

    def update(self, theta, state, g, t, eta):
        c = running_mean(state["momentum"], g, self.beta_1)
        m = running_mean(state["momentum"], g, self.beta_2)
        return {"momentum": m}, eta * tf.sign(c)
