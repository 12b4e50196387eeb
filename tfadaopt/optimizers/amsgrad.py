"""AMSGrad: Adam whose rate cannot rise."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class AMSGrad(Optimizer):
    r"""AMSGrad: the largest v so far instead of v, so that no rate rises again.

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2,
        \qquad \hat v_t = \max(\hat v_{t-1}, v_t)

    .. math::
        \theta_t = \theta_{t-1} - \eta \, \frac{m_t}{\sqrt{\hat v_t} + \varepsilon}

    Effective learning rate: η / (√v̂ + ε), elementwise, on the direction m; it never rises while η
    is constant. Accumulators: ``momentum`` m, ``velocity`` v and ``velocity_hat`` v̂.

    =====================  =================================  =========
    implementation         correction for the start at zero   maximum of
    =====================  =================================  =========
    tfadaopt, the paper    none (``bias_correction=False``)   v
    tfadaopt, option       of m and of the maximum            v
    PyTorch                of m and of the maximum            v
    Keras                  the same, ε beside √v              v
    Optax                  of m and of v                      v / (1 − β₂^t)
    =====================  =================================  =========

    Uncorrected, the first step is (1 − β₁) / √(1 − β₂) = 3.2 η with the defaults.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable; theory wants η / √t. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root (the paper has none). Default 1e-8.
        bias_correction: Whether to divide m by 1 − β₁^t and v̂ by 1 − β₂^t. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``bias_correction`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.AMSGrad(learning_rate=1.0, beta_1=0.0, beta_2=0.0, epsilon=0.0)
        >>> for g in (4.0, 1.0):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> w.numpy().tolist()  # the second step is 1/4: the gradient of 4 is not forgotten
        [-1.25]

    Source:
        S. J. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018,
        arXiv 1904.09237, Algorithm 2 (without its projection).
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        bias_correction: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.bias_correction = boolean(owner, "bias_correction", bias_correction)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "velocity_hat": 0.0}

    def advance(self, state, g, t):
        new = first_and_second(state, g, self.beta_1, self.beta_2)
        return {**new, "velocity_hat": tf.maximum(state["velocity_hat"], new["velocity"])}

    def scale(self, state, t):
        if not self.bias_correction:
            return reciprocal(tf.sqrt(state["velocity_hat"]) + self.epsilon)
        v_hat = state["velocity_hat"] / weight_so_far(self.beta_2, t)
        return reciprocal(weight_so_far(self.beta_1, t) * (tf.sqrt(v_hat) + self.epsilon))

    def direction(self, state, g, t):
        return state["momentum"]
