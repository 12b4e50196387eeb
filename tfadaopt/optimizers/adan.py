"""Adan: Adam on a gradient that looks ahead by its own change."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.first import UPDATES, is_first
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class Adan(Optimizer):
    r"""Adan: means of gradients and of their differences, which look ahead without a second pass.

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1-\beta_2)(g_t - g_{t-1})

    .. math::
        n_t = \beta_3 n_{t-1} + (1-\beta_3)\,[g_t + \beta_2 (g_t - g_{t-1})]^2, \qquad
        \theta_t = \left(\theta_{t-1} - \eta \, \frac{\hat m_t + \beta_2 \hat v_t}
        {\sqrt{\hat n_t} + \varepsilon}\right) / (1 + \lambda \eta)

    with m̂ = m / (1 − β₁^t) and so on, and g₀ = g₁: the first difference is 0.

    Effective learning rate: η / (√n̂ + ε), elementwise, on the direction m̂ + β₂ v̂. Accumulators:
    ``momentum`` m, ``difference`` v, ``velocity`` n, ``previous_gradient``, and the number
    ``updates``.

    ==================  =====================  ===============  ==============
    implementation      β (shares kept)        weight of v      decay
    ==================  =====================  ===============  ==============
    tfadaopt, authors   0.98, 0.92, 0.99       β₂ = 0.92        / (1 + λ η)
    Optax               0.98, 0.92, 0.99       1 − β₂ = 0.08    in the step
    Keras, PyTorch      —                      —                —
    ==================  =====================  ===============  ==============

    The paper writes 1 − β for our β (0.02, 0.08, 0.01) and starts from m = g instead of correcting.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable; 5 to 10 times AdamW's does well.
            Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.98.
        beta_2: β₂ in [0, 1), the share of v that is kept, and the weight of v. Default 0.92.
        beta_3: β₃ in [0, 1), the share of n that is kept per step. Default 0.99.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        weight_decay: λ ≥ 0 or None: weights are divided by 1 + λ η after the step. Default None.
        bias_correction: Whether to correct m, v and n for their start at 0. Default True.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``bias_correction`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Adan(0.5, beta_1=0.0, beta_2=0.0, beta_3=0.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([4.0])], [w])
        >>> w.numpy().tolist()
        [-0.5]

    Source:
        X. Xie, P. Zhou, H. Li, Z. Lin and S. Yan, "Adan: adaptive Nesterov momentum algorithm for
        faster optimizing deep models", TPAMI 2024, arXiv 2208.06677, Algorithm 1.
    """

    unit = "coordinate"
    gradient_in = GradientIn("previous_gradient")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        bias_correction: bool = True,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.98")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of differences, such as 0.92")
        self.beta_3 = share(owner, "beta_3", beta_3, "the mean of squares, such as 0.99")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.bias_correction = boolean(owner, "bias_correction", bias_correction)

    def slots(self, shape):
        means = {"momentum": 0.0, "difference": 0.0, "velocity": 0.0}
        return {**means, "previous_gradient": 0.0, **UPDATES}

    def advance(self, state, g, t):
        difference = tf.where(is_first(state), tf.zeros_like(g), g - state["previous_gradient"])
        ahead = g + self.beta_2 * difference
        return {
            "momentum": running_mean(state["momentum"], g, self.beta_1),
            "difference": running_mean(state["difference"], difference, self.beta_2),
            "velocity": running_mean(state["velocity"], tf.square(ahead), self.beta_3),
            "previous_gradient": g,
            "updates": state["updates"] + 1,
        }

    def corrected(self, mean, beta, t):
        """A running mean, divided by what its weights sum to."""
        return mean / weight_so_far(beta, t) if self.bias_correction else mean

    def scale(self, state, t):
        return reciprocal(tf.sqrt(self.corrected(state["velocity"], self.beta_3, t)) + self.epsilon)

    def direction(self, state, g, t):
        m = self.corrected(state["momentum"], self.beta_1, t)
        return m + self.beta_2 * self.corrected(state["difference"], self.beta_2, t)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        state, step = self.update(theta, state, g, t, eta)
        return state, (step + decay * eta * theta) / (1 + decay * eta)
