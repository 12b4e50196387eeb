"""RAdam: Adam that waits until its variance can be trusted."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class RAdam(Optimizer):
    r"""RAdam: Adam rectified for how few gradients v has seen; momentum while too few.

    .. math::
        \rho_\infty = \frac{2}{1-\beta_2} - 1, \qquad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1-\beta_2^t}, \qquad
        r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
        {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}

    .. math::
        \theta_t = \theta_{t-1} - \frac{\eta}{1-\beta_1^t} \begin{cases}
        r_t \, m_t / (\sqrt{v_t / (1-\beta_2^t)} + \varepsilon) & \rho_t > 4 \\ m_t & \text{else}
        \end{cases}

    Effective learning rate: η r / ((1 − β₁^t)(√v̂ + ε)), elementwise, or η / (1 − β₁^t) while ρ is
    small, on the direction m. The first four steps (β₂ = 0.999) are not scaled: with large
    gradients they go far. Accumulators: ``momentum`` m and ``velocity`` v.

    ================  =========  ================
    implementation    threshold  first rectified
    ================  =========  ================
    tfadaopt (paper)  ρ > 4      step 5
    PyTorch           ρ > 5      step 6
    Optax             ρ ≥ 5      step 6
    Keras             —          —
    ================  =========  ================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        threshold: What ρ must exceed, ≥ 4. Default 4.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.RAdam(learning_rate=0.5, beta_1=0.0)
        >>> optimizer.apply([keras.ops.array([4.0])], [w])
        >>> w.numpy().tolist()  # the first step is plain momentum
        [-2.0]

    Source:
        L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020,
        arXiv 1908.03265, Algorithm 2.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        threshold: float = 4.0,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.threshold = number(
            owner, "threshold", threshold, at_least=4.0, hint="give the least ρ, such as 4 or 5"
        )

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0}

    def advance(self, state, g, t):
        return first_and_second(state, g, self.beta_1, self.beta_2)

    def rectification(self, t):
        """r_t, or 0 while ρ_t is at most the threshold."""
        # In float64: ρ_t is a small difference of numbers near ρ∞.
        t = tf.cast(t, "float64")
        rho_inf = 2 / (1 - self.beta_2) - 1
        forgotten = weight_so_far(self.beta_2, t)
        rho = rho_inf - 2 * t * (1 - forgotten) / forgotten
        square = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        trusted = rho > max(self.threshold, 4.0)
        return tf.where(trusted, tf.sqrt(tf.where(trusted, square, 1.0)), 0.0)

    def scale(self, state, t):
        r = tf.cast(self.rectification(t), t.dtype)
        v_hat = state["velocity"] / weight_so_far(self.beta_2, t)
        adapted = r * reciprocal(tf.sqrt(v_hat) + self.epsilon)
        return tf.where(r > 0, adapted, 1.0) / weight_so_far(self.beta_1, t)

    def direction(self, state, g, t):
        return state["momentum"]
