"""MARS: AdamW on gradients that are corrected by how much they change."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import boolean, number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine.norms import norm
from tfadaopt.optimizers.pieces.first import UPDATES, is_first
from tfadaopt.optimizers.pieces.moments import first_and_second, reciprocal, weight_so_far
from tfadaopt.optimizers.rates import Rate
from tfadaopt.optimizers.rule import GradientIn

# AdamW's shares for vectors, as the authors' code has them.
OF_VECTORS = (0.9, 0.95)


@keras.saving.register_keras_serializable(package="tfadaopt")
class MARS(Optimizer):
    r"""MARS-AdamW (approximate): AdamW on c, the gradient and some of its change since the last.

    .. math::
        c_t = g_t + \gamma \frac{\beta_1}{1-\beta_1} (g_t - g_{t-1}), \qquad
        \tilde c_t = \frac{c_t}{\max(1, \|c_t\|)}

    .. math::
        m_t = \beta_1 m_{t-1} + (1-\beta_1) \tilde c_t, \qquad
        v_t = \beta_2 v_{t-1} + (1-\beta_2) \tilde c_t^2

    .. math::
        \theta_t = (1 - \eta \lambda) \theta_{t-1} - \eta \,
        \frac{m_t / (1-\beta_1^t)}{\sqrt{v_t / (1-\beta_2^t)} + \varepsilon}

    per variable. γ = 0 is AdamW on gradients clipped to norm 1. g_{t−1} is of the last batch, not
    of the last weights on this one, which would take a second gradient per step.

    Effective learning rate: η / ((1 − β₁^t)(√v̂ + ε)), elementwise, on the direction m.
    Accumulators: ``momentum`` m, ``velocity`` v, ``previous_gradient``, the number ``updates``.

    ======================  ==================  ===================  =======================
    implementation          g₀                  biases, gains        convolutions
    ======================  ==================  ===================  =======================
    tfadaopt, paper         g₁: c₁ = g₁         MARS (option)        MARS
    authors' code           0: c₁ = 1.475 g₁    AdamW, β 0.9, 0.95   AdamW, β 0.9, 0.95
    Keras, PyTorch, Optax   —                   —                    —
    ======================  ==================  ===================  =======================

    The code gives its AdamW for what is no matrix a λ of 0.1, too; ``exclude_from_weight_decay``
    and λ are the same for all here.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.003.
        beta_1: β₁ in [0, 1), the share of m that is kept per step. Default 0.95.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.99.
        gamma: γ ≥ 0, how much of the change counts. Default 0.025.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        weight_decay: λ ≥ 0, or None for no decay. Default None.
        first_difference: Whether the first gradient counts as a change from 0. Default False.
        skip_vectors: Whether variables of less than two dimensions (biases, normalizations) are
            stepped by AdamW with β₁ = 0.9 and β₂ = 0.95. Default False.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number, or a switch no boolean.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.MARS(beta_1=0.5, gamma=1.0)
        >>> for g in (0.25, 0.5):
        ...     optimizer.apply([keras.ops.array([g])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["momentum"].numpy().tolist()  # of 0.25 and 0.75
        [0.4375]

    Source:
        H. Yuan, Y. Liu, S. Wu, X. Zhou and Q. Gu, "MARS: unleashing the power of variance
        reduction for training large models", ICML 2025, arXiv 2411.10438, Algorithm 2 with
        equation 8.
    """

    unit = "variable"
    gradient_in = GradientIn("previous_gradient")

    def __init__(
        self,
        learning_rate: Rate = 0.003,
        beta_1: float = 0.95,
        beta_2: float = 0.99,
        gamma: float = 0.025,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        first_difference: bool = False,
        skip_vectors: bool = False,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta_1 = share(owner, "beta_1", beta_1, "the mean of c, such as 0.95")
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.99")
        hint = "give how much of a gradient's change counts, such as 0.025"
        self.gamma = number(owner, "gamma", gamma, at_least=0.0, hint=hint)
        self.epsilon = small(owner, epsilon, "1e-8")
        self.first_difference = boolean(owner, "first_difference", first_difference)
        self.skip_vectors = boolean(owner, "skip_vectors", skip_vectors)

    def slots(self, shape):
        return {"momentum": 0.0, "velocity": 0.0, "previous_gradient": 0.0, **UPDATES}

    def skips(self, x):
        """Whether a variable is stepped by AdamW."""
        return self.skip_vectors and x.shape.rank < 2

    def betas(self, x):
        """β₁ and β₂ of a variable."""
        return OF_VECTORS if self.skips(x) else (self.beta_1, self.beta_2)

    def corrected(self, state, g):
        """c̃."""
        previous = state["previous_gradient"]
        if not self.first_difference:
            previous = tf.where(is_first(state), g, previous)
        c = g + self.gamma * self.beta_1 / (1 - self.beta_1) * (g - previous)
        return c / tf.maximum(norm(c), 1)

    def advance(self, state, g, t):
        c = g if self.skips(g) else self.corrected(state, g)
        new = first_and_second(state, c, *self.betas(g))
        return {**new, "previous_gradient": g, "updates": state["updates"] + 1}

    def scale(self, state, t):
        beta_1, beta_2 = self.betas(state["momentum"])
        v_hat = state["velocity"] / weight_so_far(beta_2, t)
        return reciprocal(weight_so_far(beta_1, t) * (tf.sqrt(v_hat) + self.epsilon))

    def direction(self, state, g, t):
        return state["momentum"]
