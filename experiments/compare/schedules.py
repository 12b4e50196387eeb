"""Learning rates that change during a run, and that a search can scale as a whole."""

import math
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.experiments.compare.contenders import WARM_UP

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
# A schedule is looked at in no more than so many steps, evenly spread.
_LOOKS = 1_000


@keras.saving.register_keras_serializable(package="tfadaopt")
class Scaled(Schedule):
    """A schedule that is multiplied with a factor: ηₜ = factor · schedule(t).

    The factor is a variable: another one needs no new trace.

    Args:
        schedule: Any schedule of Keras, or one's own.
        factor: What it is multiplied with, a number > 0.

    Example:
        >>> from tfadaopt.experiments.compare.schedules import Scaled
        >>> half = keras.optimizers.schedules.PiecewiseConstantDecay([10], [1.0, 0.1])
        >>> round(float(Scaled(half, 0.5)(20)), 3)
        0.05
    """

    def __init__(self, schedule: Schedule, factor: float = 1.0):
        self.schedule = schedule
        self._factor = tf.Variable(factor, trainable=False, dtype="float32")

    @property
    def factor(self) -> float:
        """What the schedule is multiplied with; another number can be assigned."""
        return float(self._factor)

    @factor.setter
    def factor(self, value: float) -> None:
        self._factor.assign(value)

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate of a step, counted from 0."""
        return self._factor * tf.cast(self.schedule(step), "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the schedule and the factor."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "factor": self.factor,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Scaled":
        """Return the schedule that such a configuration describes."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])


def cosine(steps: int) -> Schedule:
    """Return a schedule that rises to 1 and falls to 0 as half a cosine does.

    With w steps of warm-up, 5 % of all T: (t + 1)/(w + 1) while t < w, then
    (1 + cos(π(t − w)/(T − w)))/2.

    Args:
        steps: Steps of the run, T.

    Example:
        >>> from tfadaopt.experiments.compare.schedules import cosine
        >>> [round(float(cosine(100)(t)), 3) for t in (0, 4, 5, 52, 99)]
        [0.167, 0.833, 1.0, 0.508, 0.0]

    Source:
        I. Loshchilov and F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR
        2017, equation 5, without restarts; warm-up: P. Goyal et al., "Accurate, large minibatch
        SGD: training ImageNet in 1 hour", 2017, section 2.2.
    """
    rising = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        1 / (rising + 1), max(1, steps - rising), warmup_target=1.0, warmup_steps=rising
    )


def own_schedule(optimizer: keras.optimizers.Optimizer) -> object:
    """Return the schedule or callable that an optimizer was made with, None for a number."""
    given = compat.rate_of(innermost(optimizer))
    return given if callable(given) and not isinstance(given, keras.Variable) else None


def highest_rate(optimizer: keras.optimizers.Optimizer, steps: int) -> float:
    """Return the highest rate of an optimizer in a run, to three digits.

    Of a schedule, in up to 1,001 steps of the run, evenly spread from the first to the last.
    """
    schedule: Any = own_schedule(optimizer)
    if schedule is None:
        rates = [float(keras.ops.convert_to_numpy(innermost(optimizer).learning_rate))]
    else:
        looks = min(steps - 1, _LOOKS)
        at = {round(i * (steps - 1) / looks) for i in range(looks + 1)} if looks else {0}
        rates = [float(schedule(step)) for step in sorted(at)]
    highest = max(rates)
    return float(f"{highest:.3g}") if math.isfinite(highest) else highest


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer inside those that scale the loss."""
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer
