"""AdaBelief: steps sized by surprise."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdaBelief(Optimizer):
    r"""AdaBelief: Adam sized by how far gradients stray from their mean, not by how large they are.

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad
        s_t = \beta_2 s_{t-1} + (1-\beta_2) (g_t - m_t)^2 + \varepsilon

    .. math::
        \theta_t = \theta_{t-1} - \frac{\eta}{1-\beta_1^t} \,
        \frac{m_t}{\sqrt{s_t / (1-\beta_2^t)} + \varepsilon}

    Effective learning rate: η / ((1 − β₁^t)(√ŝ + ε)), elementwise, on the direction m. Under a
    constant gradient s falls to ε / (1 − β₂), and the rate rises until then.
    Accumulators: ``momentum`` m and ``belief`` s.

    ===================  ============================  =========
    implementation       ε                             default ε
    ===================  ============================  =========
    tfadaopt             into s each step, beside √ŝ   1e-16
    Optax                the same                      1e-16
    adabelief-tf         the same, and rectified       1e-14
    Keras, PyTorch       —                             —
    ===================  ============================  =========

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of s that is kept per step. Default 0.999.
        epsilon: ε ≥ 0. Default 1e-16, as in the authors' final code (the paper's text has 1e-8).
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.AdaBelief(learning_rate=1.0, beta_1=0.5, beta_2=0.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([4.0])], [w])
        >>> w.numpy().tolist()  # m̂ = 4, and 4 strays by 2 from m = 2
        [-2.0]

    Source:
        J. Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed
        gradients", NeurIPS 2020, arXiv 2010.07468, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-16")

    def slots(self, shape):
        return {"momentum": 0.0, "belief": 0.0}

    def advance(self, state, g, t):
        m = running_mean(state["momentum"], g, self.beta_1)
        s = running_mean(state["belief"], tf.square(g - m), self.beta_2) + self.epsilon
        return {"momentum": m, "belief": s}

    def scale(self, state, t):
        s_hat = state["belief"] / weight_so_far(self.beta_2, t)
        return reciprocal(weight_so_far(self.beta_1, t) * (tf.sqrt(s_hat) + self.epsilon))

    def direction(self, state, g, t):
        return state["momentum"]
