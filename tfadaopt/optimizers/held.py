"""The state that an optimizer keeps for the variables that it was built for."""

from collections.abc import Sequence
from typing import Protocol

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers import incoming
from tfadaopt.optimizers.engine.plan import precision_of
from tfadaopt.optimizers.rule import Rule, Slot


class Keeping(Protocol):
    """An optimizer of tfadaopt, as far as its state goes."""

    name: str
    built: bool
    gradient_accumulation_steps: int | None
    skipped_updates: keras.Variable | None
    held: "Held"

    def rule(self) -> Rule: ...
    @property
    def variables(self) -> list[keras.Variable]: ...


class Held:
    """State of an optimizer: of each variable by itself, and of all together.

    Attributes:
        own: State of each variable, by name, in the order of the variables.
        shared: Numbers that all variables share, by name.
        shares: What gradient transforms find out about each variable, by name.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: Keeping) -> None:
        self.optimizer = optimizer
        self.own: list[dict[str, keras.Variable]] = []
        self.shared: dict[str, keras.Variable] = {}
        self.shares: list[dict[str, keras.Variable]] = []

    def make(self, variables: Sequence[Variable], shares: Sequence[str]) -> None:
        """Make the state for variables, as the rule's ``slots`` and ``shared`` say.

        Args:
            variables: The variables.
            shares: Names of what gradient transforms find out about each of them.
        """
        self.own = [self._made(v, i) for i, v in enumerate(variables)]
        dtype = "float64" if "float64" in map(precision_of, variables) else "float32"
        self.shared = {
            name: compat.add_shared(self.optimizer, name, initial_value, dtype)
            for name, initial_value in self.optimizer.rule().shared().items()
        }
        paths = [compat.path_of(v).replace("/", "_") for v in variables]
        self.shares = [
            {x: compat.add_shared(self.optimizer, f"{path}_{x}", 0.0, "float32") for x in shares}
            for path in paths
        ]

    def _made(self, variable: Variable, index: int) -> dict[str, keras.Variable]:
        if not incoming.is_float(variable) or compat.is_overwritten_by_gradient(variable):
            return {}
        made = {}
        slots = self.optimizer.rule().slots_at(index, tuple(variable.shape))
        for name, slot in slots.items():
            shape, initial_value = slot if isinstance(slot, Slot) else (None, slot)
            made[name] = compat.add_slot(
                self.optimizer, variable, name, initial_value, precision_of(variable), shape
            )
        return made

    def of(self, variable: Variable) -> dict[str, keras.Variable]:
        """State of one variable by name; what is not the rule's own for it comes last.

        Raises:
            ValueError: The optimizer is not built yet, or was not built for this variable.
        """
        if not self.optimizer.built:
            raise ValueError(
                f"{self.optimizer.name} has no state yet. Train one step first, or call "
                "optimizer.build(model.trainable_variables)."
            )
        index = self.index_of(variable)
        return {**self.own[index], **self.shared, **self.shares[index]}

    def skipped(self, variables: Sequence[Variable]) -> tf.Tensor | None:
        """Updates that left out each of some variables; None with ``nonfinite="ignore"``."""
        if self.optimizer.skipped_updates is None:
            return None
        counts = tf.convert_to_tensor(self.optimizer.skipped_updates)
        return tf.gather(counts, [self.index_of(v) for v in variables])

    def index_of(self, variable: Variable) -> int:
        """Position of a variable among those that the optimizer was built for.

        Raises:
            ValueError: It was not built for this one.
        """
        index = compat.index_of(self.optimizer, variable)
        if index is None:
            known = ", ".join(compat.path_of(v) for v in compat.variables_of(self.optimizer))
            raise ValueError(
                f"{self.optimizer.name} was not built for the variable "
                f"{compat.path_of(variable)!r}. It knows: {known}. If the variable was frozen when "
                "training began, compile the model with a new optimizer after unfreezing it."
            )
        return index
