"""The engine: how the variables of a model step, and in which order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers import rates
from tfadaopt.optimizers.engine import at_once, compiled, packed, step, sums
from tfadaopt.optimizers.engine.fitting import each_fits
from tfadaopt.optimizers.engine.plan import Arriving, Checked, Moment, Planned, Settings
from tfadaopt.optimizers.pieces.once import one_step
from tfadaopt.optimizers.rule import writes


class Engine:
    """Applies a rule to the variables it was planned for.

    A step is ``prepare``, in each replica; then, across replicas, ``run`` for each of ``groups``
    and ``hold_inside`` for each variable that has a constraint.

    Args:
        planned: The rule and what it is applied to.
        alone: Whether nothing but this engine takes gradients: a subclass of a user's may step a
            variable in its own way, and knows of no ``Checked`` ones.
        transform: What changes the gradient of a variable first, or None.
    """

    def __init__(
        self,
        planned: Planned,
        alone: bool = True,
        transform: Callable[[Gradient, Variable], Gradient] | None = None,
    ) -> None:
        self.planned = planned
        self.alone = alone
        self.transform = transform
        self.holds = writes(planned.rule, "inside")

    def takes_rows(
        self,
        settings: Settings,
        variable: Variable,
        slices: tf.IndexedSlices,
        learning_rate: tf.Tensor,
    ) -> bool:
        """Whether the rows of an embedding that have a gradient step without the others."""
        if not compiled.steps_by_rows(self.planned, settings, variable):
            return False
        if compat.under_xla():
            return self.alone and compiled.rows_are_few(slices, self.planned.of(variable).shape)
        return compiled.compiles(self.planned, settings, variable, learning_rate)

    def one_step(self) -> AbstractContextManager[None]:
        """Within it, what is the same for all variables is found once."""
        return one_step()

    def prepare(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Gradient]
    ) -> list[Arriving]:
        """Transform the gradients and bring the shared numbers up to date, before a variable moves.

        Returns:
            The gradients, those of which it is known by then whether they fit with that.

        Raises:
            ValueError: The rate of an eager step is below 0 or not finite.
        """
        if tf.executing_eagerly() and not compat.has_gpu():  # there, a look would wait for it
            rates.usable(self.planned.rule.method.__name__, moment.learning_rate)
        if self.transform is not None:
            pairs = zip(gradients, variables, strict=True)
            gradients = [self.transform(g, v) for g, v in pairs]
        if self.planned.shared:
            arriving = sums.update(self.planned, moment, variables, gradients)
            return arriving if self.alone else list(gradients)
        if not self.alone or moment.settings.nonfinite == "ignore":
            return list(gradients)
        if at_once.is_on(self.planned, moment.settings):
            return list(gradients)
        return self._checked(moment, variables, gradients)

    def _checked(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Gradient]
    ) -> list[Arriving]:
        """The gradients, those of variables that step alone, uncompiled, with whether they fit."""
        arriving: list[Arriving] = list(gradients)
        groups = packed.groups(self.planned, moment, variables, gradients)
        elsewhere = {i for group in groups for i in group}
        alike: dict[str, list[int]] = {}
        for i, (variable, g) in enumerate(zip(variables, gradients, strict=True)):
            if i in elsewhere or isinstance(g, tf.IndexedSlices):
                continue
            if not self._compiles(moment, variable):
                alike.setdefault(self.planned.of(variable).precision, []).append(i)
        for dtype, members in alike.items():
            wide = [tf.cast(gradients[i], dtype) for i in members]
            for i, g, finite in zip(members, wide, each_fits(wide), strict=True):
                arriving[i] = Checked(g, finite)
        return arriving

    def groups(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Arriving]
    ) -> list[list[int]] | None:
        """Positions of the variables that step together; None: each alone, uncompiled."""
        if at_once.is_on(self.planned, moment.settings):
            return at_once.groups(self.planned, variables)
        together = packed.groups(self.planned, moment, variables, gradients)
        grouped = {i for members in together for i in members}
        alone = [i for i in range(len(variables)) if i not in grouped]
        if not together and not any(
            self._has_function(moment, variables[i], gradients[i]) for i in alone
        ):
            return None
        return together + [[i] for i in alone]

    def run(
        self, moment: Moment, variables: Sequence[Variable], gradients: Sequence[Arriving]
    ) -> tf.Tensor | bool:
        """One step of the variables of a group; whether the gradient of each was taken."""
        if at_once.is_on(self.planned, moment.settings):
            return at_once.update(self.planned, moment, variables, gradients)
        if len(variables) > 1:
            return packed.update(self.planned, moment, variables, gradients)
        variable, gradient = variables[0], gradients[0]
        has_function = self._has_function(moment, variable, gradient)
        update = compiled.update if has_function else step.one_by_one
        return update(self.planned, moment, variable, gradient)

    def _has_function(self, moment: Moment, variable: Variable, gradient: Arriving) -> bool:
        return isinstance(gradient, tf.IndexedSlices) or self._compiles(moment, variable)

    def _compiles(self, moment: Moment, variable: Variable) -> bool:
        return compiled.compiles(self.planned, moment.settings, variable, moment.learning_rate)

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
