"""ScheduleFreeAdamW: AdamW whose mean needs no schedule."""

import keras
import tensorflow as tf

from tfadaopt.optimizers.arguments import count, number, share, small
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.averaging import (
    SLOTS,
    average,
    schedule_free_inside,
    schedule_free_step,
    warmup,
)
from tfadaopt.optimizers.pieces.moments import reciprocal, running_mean, weight_so_far
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class ScheduleFreeAdamW(Optimizer):
    r"""Schedule-free AdamW: z steps as RMSprop would, and the mean of all z replaces momentum.

    .. math::
        y_t = (1-\beta_1) z_t + \beta_1 x_t, \qquad
        v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2, \qquad
        z_{t+1} = z_t -
        \gamma_t \left(\frac{g_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda y_t\right)

    .. math::
        x_{t+1} = (1 - c_{t+1}) x_t + c_{t+1} z_{t+1}, \qquad
        c_{t+1} = \gamma_t^2 / \sum_{i \le t} \gamma_i^2, \qquad
        \gamma_t = \eta \min(1, t / T_{\mathrm{warmup}})

    **The weights of the model are y; the result is x.** Evaluate, save and export inside
    ``with tfadaopt.averaged_weights(model):``, and give ``fit`` the callback
    ``tfadaopt.callbacks.AveragedWeights`` so that validation sees x.

    Effective learning rate: γ / (√v̂ + ε), elementwise: that of z. Accumulators: ``z``,
    ``velocity`` v, and the numbers ``weight_sum`` Σ γ² and ``updates``.

    =====================  ==============================  ==============  ==========
    implementation         c                               decay acts on   gives x
    =====================  ==============================  ==============  ==========
    tfadaopt               γ_t² / Σ γ²                     z               yes
    paper, Algorithm 1     the same, with √(1 − β₂ᵗ) in γ  z               yes
    authors' code, Optax   (max γ)² / Σ (max γ)²           z               yes
    Keras                  1 / t, warm-up or not           y, so x alone   no
    PyTorch                —                               —               —
    =====================  ==============================  ==============  ==========

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable. Default 0.0025.
        beta_1: β₁ in (0, 1), the weight of x in y. Default 0.9.
        beta_2: β₂ in [0, 1), the share of v that is kept per step. Default 0.999.
        epsilon: ε ≥ 0, beside the root. Default 1e-8.
        weight_decay: λ ≥ 0 or None. Default None.
        warmup_steps: Steps in which γ rises to η; 0 for none. Default 0.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.ScheduleFreeAdamW(1.0, beta_1=0.5, beta_2=0.0, epsilon=0.0)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([4.0])], [w])
        >>> optimizer.averaged(w).numpy().tolist()  # the mean of z = −1 and z = −2
        [-1.5]

    Source:
        A. Defazio et al., "The road less scheduled", NeurIPS 2024, arXiv 2405.15682, Algorithm 1.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        warmup_steps: int = 0,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        hint = "give the weight of x in y, such as 0.9"
        self.beta_1 = number(owner, "beta_1", beta_1, above=0.0, below=1.0, hint=hint)
        self.beta_2 = share(owner, "beta_2", beta_2, "the mean of squares, such as 0.999")
        self.epsilon = small(owner, epsilon, "1e-8")
        self.warmup_steps = count(
            owner, "warmup_steps", warmup_steps, at_least=0, hint="give a number of steps, or 0"
        )

    def slots(self, shape):
        return {**SLOTS, "velocity": 0.0}

    def scale(self, state, t):
        root = tf.sqrt(state["velocity"] / weight_so_far(self.beta_2, t))
        return warmup(t, self.warmup_steps) * reciprocal(root + self.epsilon)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        v = running_mean(state["velocity"], tf.square(g), self.beta_2)
        gamma = eta * warmup(t, self.warmup_steps)
        step = eta * self.scale({"velocity": v}, t) * g + gamma * decay * theta
        new, delta = schedule_free_step(theta, state, step, gamma, self.beta_1)
        return {**new, "velocity": v}, delta

    def inside(self, theta, state, t, eta, constraint):
        gamma = eta * warmup(t, self.warmup_steps)
        return schedule_free_inside(theta, state, gamma, self.beta_1, constraint)

    def averaged(self, variable):
        """x of a variable of the model: what to evaluate and keep."""
        return average(*self.now(variable), self.beta_1)
