"""AdamP: Adam that does not lengthen weights whose length does not matter."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.adam import Adam
from tfadaopt.optimizers.arguments import boolean
from tfadaopt.optimizers.pieces.moments import first_and_second, running_mean
from tfadaopt.optimizers.pieces.projection import checked_projection, projected
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdamP(Adam):
    r"""AdamP: Adam, projected off the weights of layers that a normalization makes scale-free.

    .. math::
        p_t = \frac{m_t}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}, \qquad
        q_t = p_t - (\hat\theta \cdot p_t) \, \hat\theta
        \;\text{ and }\; \omega \lambda
        \;\text{ if }\; |\cos(\theta_{t-1}, g_t)| < \delta / \sqrt n, \;\text{ else }\; p_t
        \;\text{ and }\; \lambda

    .. math::
        \theta_t = (1 - \eta \, (\omega) \lambda) \theta_{t-1} - \frac{\eta}{1-\beta_1^t} \, q_t

    with Adam's m and v, and θ̂ = θ / (‖θ‖ + ε). Which n weights are looked at is as in ``SGDP``.
    A projected step of norm ‖η q‖ makes weights longer by the factor √(1 + ‖η q‖² / ‖θ‖²), and none
    can be shorter than that at the same angle.

    Effective learning rate: Adam's η / ((1 − β₁^t)(√v̂ + ε)), elementwise, on the direction m less
    its projection. Accumulators: ``momentum`` m and ``velocity`` v.

    ======================  ================  ====================  ==================
    implementation          ε                 one condition for     first the cosine of
    ======================  ================  ====================  ==================
    tfadaopt, authors'      beside √v̂, 1e-8   all channels at once  channels, then all
    Keras, PyTorch, Optax   —                 —                     —
    ======================  ================  ====================  ==================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root and the norms. Default 1e-8.
        cosine: δ ≥ 0, times 1 / √n, the largest cosine that counts as none. Default 0.1.
        wd_ratio: ω ≥ 0, the share of the decay that is left where a step is projected. Default 0.1.
        nesterov: Whether the step has β₁ m + (1 − β₁) g in the place of m. Default False.
        weight_decay: λ ≥ 0, or None for no decay. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or ``nesterov`` no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[1.0], [1.0]])
        >>> optimizer = tfadaopt.AdamP(learning_rate=0.5, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([[2.0], [-2.0]])], [w])
        >>> w.numpy().tolist()  # orthogonal already
        [[0.5], [1.5]]

    Source:
        B. Heo et al., "AdamP: slowing down the slowdown for momentum optimizers on scale-invariant
        weights", ICLR 2021, arXiv 2006.08217, Algorithm 2 and equation 12.
    """

    unit = "variable"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        cosine: float = 0.1,
        wd_ratio: float = 0.1,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **kwargs
        )
        owner = type(self).__name__
        self.cosine, self.wd_ratio = checked_projection(owner, cosine, wd_ratio)
        self.nesterov = boolean(owner, "nesterov", nesterov)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        new = first_and_second(state, g, self.beta_1, self.beta_2)
        m = new["momentum"]
        m = running_mean(m, g, self.beta_1) if self.nesterov else m
        p = self.scale(new, t) * m
        q, free = projected(p, g, theta, self.cosine, self.epsilon)
        omega = tf.where(free, tf.constant(self.wd_ratio, g.dtype), 1)
        return new, eta * (q + omega * decay * theta)
