"""StableAdamW: AdamW whose rate falls for a variable that is suddenly steep."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.adam import Adam
from tfadaopt.optimizers.engine.norms import root_mean_square
from tfadaopt.optimizers.pieces.moments import first_and_second, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class StableAdamW(Adam):
    r"""StableAdamW: AdamW with Adafactor's clip of the whole step, in place of clipped gradients.

    .. math::
        \mathrm{RMS}_t = \sqrt{\mathrm{mean} \frac{g_t^2}{\max(\hat v_t, \varepsilon^2)}}, \qquad
        \eta_t = \frac{\eta}{\max(1, \mathrm{RMS}_t)}

    .. math::
        \theta_t = (1 - \eta_t \lambda) \theta_{t-1} - \eta_t \,
        \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}

    per variable, with Adam's m̂ and v̂. Where gradients are as large as they were, RMS is about 1;
    after a jump by a factor of 100 it is at most 1 / √(1 − β₂) = 10, and so is the reduction.

    Effective learning rate: η_t / ((1 − β₁^t)(√v̂ + ε)), elementwise, on the direction m; the decay
    is apart from it. Accumulators: ``momentum`` m, ``velocity`` v and the number ``step_rms``.

    ======================  =============  ==============  ======================
    implementation          default λ      decay per step  β₁, β₂
    ======================  =============  ==============  ======================
    tfadaopt                0.01           η_t λ θ         0.9, 0.99; v̂ corrected
    optimi (PyTorch)        0.01           η_t λ θ         the same, by debiased β
    Keras, PyTorch, Optax   —              —               —
    ======================  =============  ==============  ======================

    The debiased β̂ of the paper, β (1 − β^(t−1)) / (1 − β^t), make its means what m̂ and v̂ are here.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.99.
        epsilon: ε ≥ 0, beside the root; in RMS, √v̂ counts as no less. Default 1e-6.
        weight_decay: λ ≥ 0, or None for no decay. Default 0.01.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.StableAdamW(beta_1=0.0, beta_2=0.99)
        >>> for g in [1.0] * 500 + [100.0]:
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> round(float(tfadaopt.accumulators(optimizer, w)["step_rms"]), 2)  # 100 / √v̂
        9.92

    Source:
        M. Wortsman et al., "Stable and low-precision training for large-scale vision-language
        models", NeurIPS 2023, arXiv 2304.13013, Algorithm 2.
    """

    unit = "variable"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        epsilon: float = 1e-6,
        weight_decay: float | None = 0.01,
        **kwargs,
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **kwargs
        )

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "step_rms": Slot(())}

    def scale(self, state, t):
        return super().scale(state, t) / tf.maximum(state["step_rms"], 1)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        new = first_and_second(state, g, self.beta_1, self.beta_2)
        v_hat = new["velocity"] / weight_so_far(self.beta_2, t)
        root = tf.maximum(tf.sqrt(v_hat), self.epsilon)
        new["step_rms"] = root_mean_square(tf.math.divide_no_nan(g, root))
        shrink = eta / tf.maximum(new["step_rms"], 1) * decay * theta
        return new, self.delta(new, g, t, eta) + shrink
