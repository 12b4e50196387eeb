"""ScheduleFreeSGD: gradient descent whose mean needs no schedule."""

import keras

from tfadaopt.optimizers.arguments import count, number
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.pieces.averaging import (
    SLOTS,
    average,
    schedule_free_inside,
    schedule_free_step,
    warmup,
)
from tfadaopt.optimizers.rates import Rate


@keras.saving.register_keras_serializable(package="tfadaopt")
class ScheduleFreeSGD(Optimizer):
    r"""Schedule-free SGD: gradients at y, between the fast z and x, the mean of all z.

    .. math::
        y_t = (1-\beta) z_t + \beta x_t, \qquad
        z_{t+1} = z_t - \gamma_t (\nabla f(y_t) + \lambda y_t), \qquad
        x_{t+1} = (1 - c_{t+1}) x_t + c_{t+1} z_{t+1}

    .. math::
        c_{t+1} = \gamma_t^2 / \sum_{i \le t} \gamma_i^2, \qquad
        \gamma_t = \eta \min(1, t / T_{\mathrm{warmup}})

    **The weights of the model are y; the result is x.** Evaluate, save and export inside
    ``with tfadaopt.averaged_weights(model):``, and give ``fit`` the callback
    ``tfadaopt.callbacks.AveragedWeights`` so that validation sees x.

    Effective learning rate: γ, that of z. Accumulators: ``z``, and the numbers ``weight_sum`` Σ γ²
    and ``updates``.

    ====================  =========================
    implementation        difference
    ====================  =========================
    tfadaopt, paper       c from γ_t² of each step
    authors' code         c from (max γ so far)²
    Optax (contrib)       c from (max γ so far)²
    Keras, PyTorch        —
    ====================  =========================

    With a constant η and no warm-up, they agree.

    Args:
        learning_rate: η ≥ 0, a number, schedule or callable; about 10 to 50 times that of SGD with
            momentum does well. Default 1.
        beta: β in (0, 1), the weight of x in y. Default 0.9.
        warmup_steps: Steps in which γ rises to η; 0 for none. Default 0.
        weight_decay: λ ≥ 0 or None: λ y is added to the gradient. Default None.
        **kwargs: What every optimizer takes; see ``tfadaopt.optimizers.base.Optimizer``.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([0.0])
        >>> optimizer = tfadaopt.ScheduleFreeSGD(learning_rate=1.0, beta=0.5)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.array([1.0])], [w])
        >>> optimizer.averaged(w).numpy().tolist()  # the mean of z = −1 and z = −2
        [-1.5]

    Source:
        A. Defazio et al., "The road less scheduled", NeurIPS 2024, arXiv 2405.15682, equations
        3 to 5.
    """

    unit = "coordinate"

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        beta: float = 0.9,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        owner = type(self).__name__
        self.beta = number(
            owner, "beta", beta, above=0.0, below=1.0, hint="give the weight of x in y, such as 0.9"
        )
        self.warmup_steps = count(
            owner, "warmup_steps", warmup_steps, at_least=0, hint="give a number of steps, or 0"
        )

    def slots(self, shape):
        return dict(SLOTS)

    def scale(self, state, t):
        return warmup(t, self.warmup_steps)

    def decay_and_update(self, theta, state, g, t, eta, decay):
        gamma = eta * warmup(t, self.warmup_steps)
        return schedule_free_step(theta, state, gamma * (g + decay * theta), gamma, self.beta)

    def inside(self, theta, state, t, eta, constraint):
        gamma = eta * warmup(t, self.warmup_steps)
        return schedule_free_inside(theta, state, gamma, self.beta, constraint)

    def averaged(self, variable):
        """x of a variable of the model: what to evaluate and keep."""
        return average(*self.now(variable), self.beta)
