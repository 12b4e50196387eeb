"""The optimizer of an arm, whose rate is set anew for each run."""

import keras

from tfadaopt.experiments.compare import contenders
from tfadaopt.experiments.compare.schedules import (
    Scaled,
    Schedule,
    cosine,
    highest_rate,
    innermost,
    own_schedule,
)


class Paced:
    """An optimizer whose highest rate is set from run to run, be it constant or scheduled.

    Args:
        optimizer: The optimizer, not built yet.
        schedule: What its rate follows, or None for a constant rate.
        highest: Highest rate of that schedule, as ``highest_rate`` finds it.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        schedule: Schedule | None = None,
        highest: float = 1.0,
    ):
        self.optimizer = optimizer
        self._highest, self._rate = highest, highest
        self._scaled = None if schedule is None else Scaled(schedule)
        if self._scaled is not None:
            innermost(optimizer).learning_rate = self._scaled

    @property
    def learning_rate(self) -> float:
        """The highest rate η of a run."""
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._rate = value
        if self._scaled is None:
            self.optimizer.learning_rate = value
        else:
            self._scaled.factor = value / self._highest

    @property
    def built(self) -> bool:
        """Whether its state exists."""
        return bool(self.optimizer.built)

    def build(self, variables: list[keras.Variable]) -> None:
        """Make its state."""
        self.optimizer.build(variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """Its state."""
        return list(self.optimizer.variables)


def paced(arm: contenders.Arm, decay: float | None, model: keras.Model, steps: int) -> Paced:
    """Return the optimizer of an arm, for a model that was just made.

    The optimizer that the model is compiled with is taken as it is, with its schedule, clipping
    and what it does to single variables. The others are made with their defaults; where the loss
    of the model is scaled, theirs is too.

    Args:
        arm: Method and schedule.
        decay: Decoupled weight decay λ, or None for what the method has by itself.
        model: The model, compiled.
        steps: Steps of a run.
    """
    own = model.optimizer
    if arm.method == contenders.COMPILED:
        if decay is not None:
            innermost(own).weight_decay = decay
        return Paced(own, own_schedule(own), highest_rate(own, steps))
    make, default = contenders.maker(arm.method)
    optimizer = make(default) if decay is None else make(default, weight_decay=decay)
    if isinstance(own, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return Paced(optimizer, cosine(steps) if arm.schedule == contenders.COSINE else None)
