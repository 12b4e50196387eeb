"""MADGRAD: dual averaging with the cube root of Adagrad's sum, and momentum."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.first import UPDATES, start_of
from tfadaopt.optimizers.pieces.moments import reciprocal
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class MADGRAD(Optimizer):
    r"""MADGRAD: from the start, one scaled step along the sum of all gradients; then a mean of it.

    .. math::
        \lambda_t = \eta \sqrt t, \qquad s_t = s_{t-1} + \lambda_t g_t, \qquad
        \nu_t = \nu_{t-1} + \lambda_t g_t^2

    .. math::
        z_t = \theta_0 - \frac{s_t}{\sqrt[3]{\nu_t} + \varepsilon}, \qquad
        \theta_t = \mu \, \theta_{t-1} + (1 - \mu) \, z_t

    Effective learning rate: (1 − μ) λ_t / (∛ν + ε), elementwise: that with which the step's
    gradient enters. As the sum of all gradients acts in each step, it goes on moving when η falls
    to 0. Accumulators: ``gradient_sum`` s, ``velocity`` ν, ``start`` θ₀ and the number ``updates``.

    ==================  =========================
    implementation      difference
    ==================  =========================
    tfadaopt, paper     λ = η √t
    authors' code       λ = (η + ε) √t
    Optax (contrib)     λ = (η + ε) √t
    Keras, PyTorch      —
    ==================  =========================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.01.
        momentum: μ in [0, 1), the share of θ that is kept per step. Default 0.9.
        epsilon: ε ≥ 0, beside the root. Default 1e-6.
        weight_decay: λ ≥ 0 or None. Decoupled: θ ← θ − η λ θ before each update. It must be far
            smaller than for other methods, as z starts again from θ₀.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.MADGRAD(learning_rate=1.0, momentum=0.5, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([8.0])], [w])
        >>> round(float(w.numpy()[0]), 5)  # half of 8 / ∛64
        -1.0

    Source:
        A. Defazio and S. Jelassi, "Adaptivity without compromise: a momentumized, adaptive, dual
        averaged gradient method for stochastic optimization", JMLR 23 (2022), arXiv 2101.11075,
        Algorithm 1.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.9,
        epsilon: float = 1e-6,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.momentum = share(owner, "momentum", momentum, "θ, such as 0.9")
        self.epsilon = small(owner, epsilon, "1e-6")

    def slots(self, shape):
        return {"gradient_sum": 0.0, "velocity": 0.0, "start": 0.0, **UPDATES}

    def inverse_cube_root(self, v):
        """1 / (∛ν + ε)."""
        return reciprocal(tf.pow(v, 1 / 3) + self.epsilon)

    def scale(self, state, t):
        return (1 - self.momentum) * tf.sqrt(t) * self.inverse_cube_root(state["velocity"])

    def update(self, theta, state, g, t, eta):
        weight = eta * tf.sqrt(t)
        s = state["gradient_sum"] + weight * g
        v = state["velocity"] + weight * tf.square(g)
        start = start_of(theta, state)
        z = start - s * self.inverse_cube_root(v)
        new = {"gradient_sum": s, "velocity": v, "start": start, "updates": state["updates"] + 1}
        return new, (1 - self.momentum) * (theta - z)
