"""AdEMAMix: Adam with a second, much slower mean of gradients."""

import math

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import count, number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.averaging import warmup
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn


@keras.saving.register_keras_serializable(package="tfadaopt")
class AdEMAMix(Optimizer):
    r"""AdEMAMix: a fast mean of gradients to react, and α times a slow one that remembers.

    .. math::
        m_{1,t} = \beta_1 m_{1,t-1} + (1-\beta_1) g_t, \qquad
        m_{2,t} = \beta_3 m_{2,t-1} + (1-\beta_3) g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2

    .. math::
        \theta_t = (1 - \eta \lambda) \theta_{t-1} - \eta \,
        \frac{m_{1,t} / (1-\beta_1^t) + \alpha \, m_{2,t}}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}

    m₂ is not corrected: it fills within 1 / (1 − β₃) = 10,000 steps. In shorter runs give
    β₃ = 0.999. A warm-up over T steps lets α grow as t / T, and the half-life of β₃ evenly:
    1 / ln β₃(t) lies between 1 / ln β₁ and 1 / ln β₃ with harmonic weights. α = 0 is AdamW.

    Effective learning rate: η / (√v̂ + ε), elementwise, on the direction m̂₁ + α m₂. Accumulators:
    ``momentum`` m₁, ``slow_momentum`` m₂ and ``velocity`` v.

    ==============  =========  ==================  =============================
    implementation  default α  warm-up at step t   β₁ in the warm-up of β₃
    ==============  =========  ==================  =============================
    tfadaopt        5          t / T               as it is
    authors' code   2          t / T               β + 1e-8
    Optax           5          (t − 1) / T         given by the user, as a schedule
    Keras, PyTorch  —          —                   —
    ==============  =========  ==================  =============================

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.001.
        beta_1: β₁ in [0, 1), the share of m₁ that is kept per step. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        beta_3: β₃ in (0, 1), the share of m₂ that is kept per step. Default 0.9999.
        alpha: α ≥ 0, the weight of m₂. Default 5.
        alpha_warmup_steps: T ≥ 1 for α, or None for no warm-up. Default None.
        beta_3_warmup_steps: T ≥ 1 for β₃, or None for no warm-up. Default None.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        weight_decay: λ ≥ 0, or None for no decay. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.AdEMAMix(0.5, beta_3=0.75, alpha=4.0, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([3.0])], [w])
        >>> round(float(w.numpy()[0]), 5)  # half of 1 + 4 · (1 − 0.75)
        -1.0

    Source:
        M. Pagliardini, P. Ablin and D. Grangier, "The AdEMAMix optimizer: better, faster, older",
        ICLR 2025, arXiv 2409.03137, Algorithm 1.
    """

    unit = "coordinate"
    gradient_in = GradientIn("momentum", kept="beta_1", mean=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        alpha: float = 5.0,
        alpha_warmup_steps: int | None = None,
        beta_3_warmup_steps: int | None = None,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of gradients, such as 0.9")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        hint = "give the share that is kept per step of the slow mean, such as 0.9999"
        self.beta_3 = number(owner, "beta_3", beta_3, above=0.0, below=1.0, hint=hint)
        hint = "give the weight α of the slow mean, such as 5"
        self.alpha = number(owner, "alpha", alpha, at_least=0.0, hint=hint)
        self.alpha_warmup_steps = steps(owner, "alpha_warmup_steps", alpha_warmup_steps)
        self.beta_3_warmup_steps = steps(owner, "beta_3_warmup_steps", beta_3_warmup_steps)
        self.epsilon = small(owner, epsilon, "1e-8")

    def slots(self, shape):
        return {"momentum": 0.0, "slow_momentum": 0.0, "velocity": 0.0}

    def log_beta_3(self, t):
        """ln β₃(t): its inverse goes linearly from that of β₁ to that of β₃."""
        s = warmup(t, self.beta_3_warmup_steps or 0)
        begin = 1 / math.log(self.beta_1) if self.beta_1 else 0.0
        return 1 / ((1 - s) * begin + s / math.log(self.beta_3))

    def advance(self, state, g, t):
        log_beta = self.log_beta_3(t)
        slow = tf.exp(log_beta) * state["slow_momentum"] - tf.math.expm1(log_beta) * g
        return {**first_and_second(state, g, self.beta_1, self.beta_2), "slow_momentum": slow}

    def scale(self, state, t):
        return reciprocal(tf.sqrt(state["velocity"] / weight_so_far(self.beta_2, t)) + self.epsilon)

    def direction(self, state, g, t):
        alpha = self.alpha * warmup(t, self.alpha_warmup_steps or 0)
        return state["momentum"] / weight_so_far(self.beta_1, t) + alpha * state["slow_momentum"]


def steps(owner: str, name: str, value: int | None) -> int | None:
    """Return the steps of a warm-up, or None; raise an error that says what is allowed."""
    hint = "give the number of steps, or None for no warm-up"
    return None if value is None else count(owner, name, value, at_least=1, hint=hint)
