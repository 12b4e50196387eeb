"""NovoGrad: momentum of gradients that are normalized per variable."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine.norms import total
from tfadaopt.optimizers.pieces.first import UPDATES, is_first
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class NovoGrad(Optimizer):
    r"""NovoGrad: one second moment per variable, inside the momentum, with the decay beside it.

    .. math::
        v_t = \beta_2 v_{t-1} + (1-\beta_2) \|g_t\|^2, \qquad v_1 = \|g_1\|^2

    .. math::
        m_t = \beta_1 m_{t-1} + \frac{g_t}{\sqrt{v_t} + \varepsilon} + \lambda \theta_{t-1}, \qquad
        \theta_t = \theta_{t-1} - \eta \, m_t

    per variable. It keeps half of Adam's state, and a variable moves by about η / (1 − β₁) in norm
    under gradients of one direction, whatever their size.

    Effective learning rate: η / (√v + ε), one number per variable: that with which the step's
    gradient enters. Accumulators: ``momentum`` m and the numbers ``velocity`` v and ``updates``.

    ==============  ======  =========  ==============  ===================
    implementation  β₁      β₂         default λ       v starts
    ==============  ======  =========  ==============  ===================
    tfadaopt        0.95    0.98       0.001           at t = 1
    Optax           0.9     0.25       0               at t = 1
    Addons          0.9     0.999      0               at t = 1
    timm            0.95    0.98       0               wherever v is 0
    Keras, PyTorch  —       —          —               —
    ==============  ======  =========  ==============  ===================

    Of the size of a gradient, v has forgotten half after 34 steps here, after half a step in Optax
    and after 693 in Addons. λ acts through m, so its pull is η λ / (1 − β₁) = 20 η λ per step.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.95.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.98.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        weight_decay: λ ≥ 0, or None for no decay, inside m. Default 0.001.
        grad_averaging: Whether what enters m has the weight 1 − β₁. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``grad_averaging`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0, 0.0])
        >>> optimizer = tfadaopt.NovoGrad(learning_rate=1.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([3.0, -4.0])], [w])
        >>> [round(x, 5) for x in w.numpy().tolist()]  # a first step of norm η
        [-0.6, 0.8]

    Source:
        B. Ginsburg et al., "Training deep networks with stochastic gradient normalized by
        layerwise adaptive second moments", arXiv 1905.11286 (2019), Algorithm 1.
    """

    unit = "variable"

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        beta_1: float = 0.95,
        beta_2: float = 0.98,
        epsilon: float = 1e-8,
        weight_decay: float | None = 0.001,
        grad_averaging: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "m, such as 0.95")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squared norms, such as 0.98")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.grad_averaging = boolean(owner, "grad_averaging", grad_averaging)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": Slot(()), **UPDATES}

    def scale(self, state, t):
        return reciprocal(tf.sqrt(state["velocity"]) + self.epsilon)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        n = total(tf.square(g))
        v = tf.where(is_first(state), n, running_mean(state["velocity"], n, self.beta_2))
        new = {"velocity": v, "updates": state["updates"] + 1}
        d = self.scale(new, t) * g + decay * theta
        weight = 1 - self.beta_1 if self.grad_averaging else 1.0
        m = self.beta_1 * state["momentum"] + weight * d
        return {**new, "momentum": m}, eta * m
