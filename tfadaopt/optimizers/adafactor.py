"""Adafactor: RMSprop in the memory of rows and columns, with steps relative to the weights."""

import math

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, count, number, power, share
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine.norms import root_mean_square
from tfadaopt.optimizers.pieces.moments import inverse_root, running_mean
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import Slot


@keras.saving.register_keras_serializable(package="tfadaopt")
class Adafactor(Optimizer):
    r"""Adafactor: squares that are kept as one mean per row and per column, without momentum.

    .. math::
        \hat\beta_t = 1 - t^{-0.8}, \qquad q_t = g_t^2 + \varepsilon_1, \qquad
        R_t = \hat\beta_t R_{t-1} + (1-\hat\beta_t) \, \mathrm{mean}_j \, q_t, \; C_t \text{ of } i

    .. math::
        U_t = \frac{g_t}{\sqrt{R_t C_t / \mathrm{mean} \, R_t}}, \qquad
        \alpha_t = \rho_t \max(\varepsilon_2, \mathrm{RMS}(\theta_{t-1})), \qquad
        \theta_t = \theta_{t-1} - \alpha_t \, \frac{U_t}{\max(1, \mathrm{RMS}(U_t) / d)}

    per variable, with ρ_t = min(η, 1/√t), or η. A vector keeps a mean V of its q. A convolution is
    a matrix of height · width · inputs by outputs. β₁ > 0: θ moves by a mean of the clipped U.

    Effective learning rate: α / (max(1, RMS(U) / d) √V), elementwise, on the direction g.
    Accumulators: ``row_velocity`` R and ``column_velocity`` C, or ``velocity`` V; the mean
    ``momentum``; the numbers ``step_rms`` RMS(U) and ``parameter_scale`` max(ε₂, RMS(θ)).

    ==============  ==================  =================  ========================  ==============
    implementation  factored            default ρ_t        convolutions              floats per w
    ==============  ==================  =================  ========================  ==============
    tfadaopt        every matrix        min(0.01, 1/√t)    as one matrix             0
    Keras           last two axes       min(0.001, 1/√t)   a matrix per position     1: V is kept
    PyTorch         last two axes       min(0.01, 1/√t)    a matrix per position     0
    Optax           both sides ≥ 128    η                  the two largest axes      0
    ==============  ==================  =================  ========================  ==============

    In Keras ``relative_step=False`` does nothing: of η = 0.1, step 10,000 has 0.01, and 0.1 here.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable, relative to θ. Default 0.01.
        beta_2_decay: The power of t in 1 − β̂, ≤ 0. Default −0.8.
        epsilon_1: ε₁ ≥ 0, what is added to each square. Default 1e-30.
        epsilon_2: ε₂ ≥ 0, the least size that θ counts as. Default 0.001.
        clip_threshold: d > 0, the largest root mean square of a step. Default 1.
        relative_step: Whether ρ is at most 1/√t. Default True.
        scale_parameter: Whether steps are relative to θ, else α = ρ. Default True.
        beta_1: β₁ in [0, 1), the share of the mean of U that is kept; 0: no mean. Default 0.
        min_dim_size_to_factor: A matrix with a shorter side than this is not factored. Default 1.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or a switch no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([[2.0, 2.0], [2.0, 2.0]])
        >>> optimizer = tfadaopt.Adafactor(learning_rate=0.5)
        >>> optimizer.apply([keras.ops.array([[4.0, -8.0], [1.0, 2.0]])], [w])
        >>> w.numpy().round(5).tolist()  # by half of RMS(w), as squares of rank 1 factor exactly
        [[1.0, 3.0], [1.0, 1.0]]

    Source:
        N. Shazeer and M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost",
        ICML 2018, arXiv 1804.04235, Algorithms 4 to 6.
    """

    unit = "variable"

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        scale_parameter: bool = True,
        beta_1: float = 0.0,
        min_dim_size_to_factor: int = 1,
        **kwargs,
    ):
        super().__init__(learning_rate, **kwargs)
        owner = type(self).__name__
        self.beta_2_decay = power(owner, "beta_2_decay", beta_2_decay, "a power of t, such as −0.8")
        hint = "give ε₁, added to squares, such as 1e-30; ε₂, the least size of θ, such as 0.001"
        self.epsilon_1 = number(owner, "epsilon_1", epsilon_1, at_least=0.0, hint=hint)
        self.epsilon_2 = number(owner, "epsilon_2", epsilon_2, at_least=0.0, hint=hint)
        hint = "give the largest root mean square of a step, such as 1"
        self.clip_threshold = number(owner, "clip_threshold", clip_threshold, above=0.0, hint=hint)
        self.relative_step = boolean(owner, "relative_step", relative_step)
        self.scale_parameter = boolean(owner, "scale_parameter", scale_parameter)
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of steps, such as 0.9, or 0")
        side, name = min_dim_size_to_factor, "min_dim_size_to_factor"
        hint = "give the shortest side that is factored, such as 1 or 128"
        self.min_dim_size_to_factor = count(owner, name, side, at_least=1, hint=hint)

    def slots(self, shape):
        squares: dict[str, float | Slot] = {"velocity": 0.0}
        if len(shape) > 1 and min(math.prod(shape[:-1]), shape[-1]) >= self.min_dim_size_to_factor:
            squares = {"row_velocity": Slot(shape[:-1]), "column_velocity": Slot(shape[-1:])}
        momentum = {"momentum": 0.0} if self.beta_1 else {}
        return {**squares, **momentum, "step_rms": Slot(()), "parameter_scale": Slot((), 1.0)}

    def squares(self, state, q, t):
        """R and C, or V, after q."""
        new = t**self.beta_2_decay  # 1 − β̂
        means = {"velocity": q}
        if "row_velocity" in state:
            c = tf.reduce_mean(q, axis=list(range(q.shape.rank - 1)))
            means = {"row_velocity": tf.reduce_mean(q, axis=-1), "column_velocity": c}
        return {name: (1 - new) * state[name] + new * x for name, x in means.items()}

    def scale(self, state, t):
        return inverse_root_of(state) / tf.maximum(state["step_rms"] / self.clip_threshold, 1)

    def alpha(self, state, t, eta):
        """α."""
        rho = tf.minimum(eta, tf.math.rsqrt(t)) if self.relative_step else eta
        return rho * state["parameter_scale"]

    def rate(self, state, t, eta):
        return self.alpha(state, t, eta) * self.scale(state, t)

    def update(self, theta, state, g, t, eta):
        new = self.squares(state, tf.square(g) + self.epsilon_1, t)
        size = tf.maximum(root_mean_square(theta), self.epsilon_2)
        new["parameter_scale"] = size if self.scale_parameter else tf.ones_like(size)
        new["step_rms"] = root_mean_square(inverse_root_of(new) * g)
        u = self.scale(new, t) * g
        if self.beta_1:
            u = new["momentum"] = running_mean(state["momentum"], u, self.beta_1)
        return new, self.alpha(new, t, eta) * u


def inverse_root_of(state):
    """1 / √V, of R and C where these are kept."""
    if "velocity" in state:
        return inverse_root(state["velocity"])
    r, c = state["row_velocity"], state["column_velocity"]
    rows = inverse_root(tf.math.divide_no_nan(r, tf.reduce_mean(r)))
    return tf.expand_dims(rows, -1) * inverse_root(c)
