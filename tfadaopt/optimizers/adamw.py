"""AdamW: Adam with decoupled weight decay."""

import keras

from tfadaopt.optimizers.adam import Adam
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdamW(Adam):
    r"""AdamW: Adam whose weights decay apart from the gradient, unscaled by gradients.

    .. math::
        \theta_t = (1 - \eta \lambda) \theta_{t-1} - \eta \,
        \frac{m_t / (1-\beta_1^t)}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}

    Effective learning rate: η / ((1 − β₁^t)(√v̂ + ε)), elementwise, on the direction m; the decay is
    apart from it. Accumulators: ``momentum`` m and ``velocity`` v.

    ==============  =========  =================
    implementation  default λ  decay per step
    ==============  =========  =================
    tfadaopt        0.004      η λ θ
    Keras           0.004      η λ θ
    PyTorch         0.01       η λ θ
    Optax           1e-4       η λ θ
    paper           0.025–.05  λ θ times the schedule, without α
    ==============  =========  =================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        weight_decay: λ ≥ 0, or None for no decay. Default 0.004.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([8.0])
        >>> optimizer = tfadaopt.AdamW(learning_rate=0.5, weight_decay=0.25)
        >>> optimizer.apply([keras.ops.array([0.0])], [w])
        >>> w.numpy().tolist()  # 8 − 0.5 · 0.25 · 8
        [7.0]

    Source:
        I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
        arXiv 1711.05101, Algorithm 2.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs,
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **kwargs
        )
