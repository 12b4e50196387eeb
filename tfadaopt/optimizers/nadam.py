"""Nadam: Adam that looks ahead."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn, Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class Nadam(Optimizer):
    r"""Nadam: Adam with Nesterov's look-ahead, and a momentum that warms up.

    .. math::
        \mu_t = \beta_1 (1 - \tfrac12 \, 0.96^{t \psi}), \qquad
        m_t = \mu_t m_{t-1} + (1-\mu_t) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2

    .. math::
        \bar m_t = \frac{\mu_{t+1} m_t}{1 - \prod_{i \le t+1} \mu_i}
        + \frac{(1-\mu_t) g_t}{1 - \prod_{i \le t} \mu_i}, \qquad
        \theta_t = \theta_{t-1}
        - \eta \, \frac{\bar m_t}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}

    Effective learning rate: η / (√v̂ + ε), elementwise, on the direction m̄. Accumulators:
    ``momentum`` m, ``velocity`` v, and the number ``momentum_product`` Π μ.

    ==============  =======================  ============  =========
    implementation  ψ                        m uses        default η
    ==============  =======================  ============  =========
    tfadaopt        0.004, None: μ = β₁      μ             0.002
    PyTorch         0.004                    β₁            0.002
    Keras           1: warm in 100 steps     β₁            0.001
    Optax           none: μ = β₁             β₁            required
    ==============  =======================  ============  =========

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.002.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        psi: ψ ≥ 0, speed at which μ rises from β₁/2 to β₁; None for μ = β₁ always. Default 0.004.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.Nadam(learning_rate=0.5, beta_1=0.0, beta_2=0.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([4.0])], [w])
        >>> w.numpy().tolist()
        [-0.5]

    Source:
        T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR 2016 workshop, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("velocity", power=2, kept="beta_2", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        psi: float | None = 0.004,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        if psi is not None:
            psi = number(
                owner, "psi", psi, at_least=0.0, hint="give the speed ψ, such as 0.004, or None"
            )
        self.psi = psi

    def mu(self, t):
        """Momentum of step t."""
        if self.psi is None:
            return tf.constant(self.beta_1, t.dtype)
        return self.beta_1 * (1 - 0.5 * tf.pow(tf.constant(0.96, t.dtype), t * self.psi))

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "momentum_product": Slot((), 1.0)}

    def advance(self, state, g, t):
        return {
            "momentum": running_mean(state["momentum"], g, self.mu(t)),
            "velocity": running_mean(state["velocity"], tf.square(g), self.beta_2),
            "momentum_product": state["momentum_product"] * self.mu(t),
        }

    def scale(self, state, t):
        v_hat = state["velocity"] / weight_so_far(self.beta_2, t)
        return reciprocal(tf.sqrt(v_hat) + self.epsilon)

    def direction(self, state, g, t):
        product, ahead = state["momentum_product"], self.mu(t + 1)
        return ahead * state["momentum"] / (1 - product * ahead) + (1 - self.mu(t)) * g / (
            1 - product
        )
