"""The engine: how the variables of a model step, and in which order."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers import rates
from tfadaopt.optimizers.engine import at_once, compiled, step, sums
from tfadaopt.optimizers.engine.plan import Arriving, Checked, Moment, Planned, Settings
from tfadaopt.optimizers.rule import writes


class Engine:
    """Applies a rule to the variables it was planned for.

    A step is ``prepare``, in each replica; then, across replicas, ``run`` for each of ``groups``
    and ``hold_inside`` for each variable that has a constraint.

    Args:
        planned: The rule and what it is applied to.
    """

    def __init__(self, planned: Planned) -> None:
        self.planned = planned
        self.holds = writes(planned.rule, "inside")

    def takes_rows(
        self,
        settings: Settings,
        variable: Variable,
        variables: Sequence[Variable],
        learning_rate: tf.Tensor,
    ) -> bool:
        """Whether the rows of an embedding that have a gradient can step without the others."""
        return compiled.steps_by_rows(self.planned, settings, variable) and compiled.is_on(
            self.planned, settings, variables, learning_rate
        )

    def prepare(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Gradient]
    ) -> list[Arriving]:
        """Bring the shared numbers up to date, before any variable moves.

        Returns:
            The gradients, those of which it is known by then whether they fit with that.

        Raises:
            ValueError: The rate of an eager step is below 0 or not finite.
        """
        if tf.executing_eagerly() and not compat.has_gpu():  # there, a look would wait for it
            rates.usable(type(self.planned.rule).__name__, moment.learning_rate)
        if not self.planned.shared:
            return list(gradients)
        return sums.update(self.planned, moment, variables, gradients)

    def groups(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Arriving]
    ) -> list[list[int]] | None:
        """Positions of the variables that step together; None: one by one, uncompiled."""
        if at_once.is_on(self.planned, moment.settings):
            return at_once.groups(self.planned, variables)
        if compiled.is_on(self.planned, moment.settings, variables, moment.learning_rate):
            return compiled.groups(self.planned, moment.settings, variables, gradients)
        return None

    def run(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Arriving]
    ) -> tf.Tensor | bool:
        """One step of the variables of a group; whether the gradient of each was taken."""
        update = at_once.update if at_once.is_on(self.planned, moment.settings) else compiled.update
        return update(self.planned, moment, variables, gradients)

    def run_one(
        self, moment: Moment, variable: Variable, gradient: tf.Tensor | Checked
    ) -> tf.Tensor | bool:
        """One step of one variable, uncompiled; whether its gradient was taken."""
        return step.one_by_one(self.planned, moment, variable, gradient)

    def hold_inside(
        self, moment: Moment, variable: Variable, constraint: Callable[[tf.Tensor], tf.Tensor]
    ) -> None:
        """Constrain the weights that the state of a variable holds, if ``holds``."""
        step.hold_inside(self.planned, moment, variable, constraint)
