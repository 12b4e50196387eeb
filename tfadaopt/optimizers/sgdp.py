"""SGDP: momentum that does not lengthen weights whose length does not matter."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.projection import checked_projection, projected
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class SGDP(Optimizer):
    r"""SGDP: momentum, projected off the weights of layers that a normalization makes scale-free.

    .. math::
        b_t = \mu b_{t-1} + g_t, \qquad p_t = b_t \;\text{ or, with Nesterov, }\; g_t + \mu b_t

    .. math::
        q_t = p_t - (\hat\theta \cdot p_t) \, \hat\theta \;\text{ and }\; \omega \lambda
        \;\text{ if }\; |\cos(\theta_{t-1}, g_t)| < \delta / \sqrt n, \;\text{ else }\; p_t
        \;\text{ and }\; \lambda

    .. math::
        \theta_t = \left(1 - \frac{\eta \, (\omega) \lambda}{1-\mu}\right) \theta_{t-1}
        - \eta \, q_t

    where θ̂ = θ / (‖θ‖ + ε). Before a batch normalization, the gradient is orthogonal to the n
    weights of an output channel, but old gradients in b are not to those of now: they make the
    weights longer, and the steps shorter by as much squared. The test looks at all output channels
    of a variable (the last axis of a kernel) and, if one fails, at the variable as a whole. Vectors
    are never projected. The channels of a ``Conv2DTranspose`` lie along its last axis but one: of
    such a kernel, the rows that are looked at are those of the inputs.

    Effective learning rate: η, the same for all coordinates, on the direction q. Accumulators:
    ``momentum`` b.

    ======================  =========  ==================  ============================
    implementation          default μ  decay per step      what is projected
    ======================  =========  ==================  ============================
    tfadaopt, paper         0.9        η ω λ θ / (1 − μ)   the step
    authors' code           0          η ω λ θ / (1 − μ)   b itself, unless ``nesterov``
    Keras, PyTorch, Optax   —          —                   —
    ======================  =========  ==================  ============================

    The authors' code takes b for p without a copy, so that what was projected once is forgotten.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        momentum: μ in [0, 1), the share of the buffer that is kept per step. Default 0.9.
        nesterov: Whether to look ahead by another μ b. Default False.
        cosine: δ ≥ 0, times 1 / √n, the largest cosine that counts as none. Default 0.1.
        wd_ratio: ω ≥ 0, the share of the decay that is left where a step is projected. Default 0.1.
        epsilon: ε ≥ 0, beside the norms. Default 1e-8.
        weight_decay: λ ≥ 0, or None for no decay. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``nesterov`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[3.0], [4.0]])
        >>> optimizer = tfadaopt.SGDP(learning_rate=1.0, momentum=0.5)
        >>> for g in ([[1.0], [1.0]], [[-3.0], [2.0]]):
        ...     optimizer.apply([keras.ops.array(g)], [w])
        >>> [round(float(x), 3) for x in w.numpy()[:, 0]]  # [2, 3] − [−2.5, 2.5], projected
        [4.885, 1.077]

    Source:
        B. Heo et al., "AdamP: slowing down the slowdown for momentum optimizers on scale-invariant
        weights", ICLR 2021, arXiv 2006.08217, Algorithm 1 and equation 12.
    """

    unit = "variable"
    gradient_in = GradientIn("momentum", kept="momentum")

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.9,
        nesterov: bool = False,
        cosine: float = 0.1,
        wd_ratio: float = 0.1,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.momentum = share(owner, "momentum", momentum, "the buffer, such as 0.9")
        self.nesterov = boolean(owner, "nesterov", nesterov)
        self.cosine, self.wd_ratio = checked_projection(owner, cosine, wd_ratio)
        self.epsilon = small(owner, epsilon, "1e-8")

    def slots(self, shape):
        return {"momentum": 0.0}

    def scale(self, state, t):
        return tf.ones([], t.dtype)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        b = self.momentum * state["momentum"] + g
        p = g + self.momentum * b if self.nesterov else b
        q, free = projected(p, g, theta, self.cosine, self.epsilon)
        omega = tf.where(free, tf.constant(self.wd_ratio, g.dtype), 1)
        return {"momentum": b}, eta * (q + omega * decay / (1 - self.momentum) * theta)
