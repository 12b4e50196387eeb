"""NadamW: Nadam with decoupled weight decay."""

import keras

from tfadaopt.optimizers.nadam import Nadam
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class NadamW(Nadam):
    r"""NadamW: Adam with Nesterov's look-ahead at constant β₁, and decoupled weight decay.

    .. math::
        \bar m_t = \frac{\beta_1 m_t}{1 - \beta_1^{t+1} + \frac{(1-\beta_1) g_t}{1 - \beta_1^t},
        \qquad \theta_t = (1 - \eta \lambda) \theta_{t-1}
        - \eta \, \frac{\bar m_t}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}

    Effective learning rate: η / (√v̂ + ε), elementwise, on the direction m̄; the decay is apart from
    it. Accumulators: those of ``tfadaopt.Nadam``.

    ==============  =========  ==================
    implementation  default λ  momentum
    ==============  =========  ==================
    tfadaopt        0.004      β₁ (or ψ as Nadam)
    Optax           1e-4       β₁
    PyTorch         0          scheduled, ψ 0.004
    Keras           none       scheduled, ψ = 1
    ==============  =========  ==================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.002.
        weight_decay: λ ≥ 0, or None for no decay. Default 0.004.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        psi: None for constant momentum β₁, or the speed ψ ≥ 0 of Nadam's schedule. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([8.0])
        >>> optimizer = tfadaopt.NadamW(learning_rate=0.5, weight_decay=0.25)
        >>> optimizer.apply([keras.ops.array([0.0])], [w])
        >>> w.numpy().tolist()  # 8 − 0.5 · 0.25 · 8
        [7.0]

    Source:
        T. Dozat, ICLR 2016 workshop, Algorithm 2, with the decay of I. Loshchilov and F. Hutter,
        ICLR 2019, arXiv 1711.05101; in this form the baseline of G. E. Dahl et al.,
        "Benchmarking neural network training algorithms", arXiv 2306.07179 (2023).
    """

    def __init__(
        self,
        learning_rate: Rate = 0.002,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        psi: float | None = None,
        **kwargs,
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, psi, weight_decay=weight_decay, **kwargs
        )
