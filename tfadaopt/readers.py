"""Reading an optimizer's state: whose it is, ours, Keras' or another's, is asked here and once.

An optimizer of any other kind can be read by methods of its own:

``effective_learning_rate(variable)``
    Rate of the update just done, as a tensor that broadcasts to the variable.
``accumulators(variable)``
    Its state for the variable: tensors or variables by name.

They are called while a graph is traced: they return tensors and read nothing to the host. For a
variable that has no rate, raise an ``UnsupportedOptimizerError``.
"""

from collections.abc import Hashable, Sequence

import keras
import tensorflow as tf

from tfadaopt import compat, keras_readers
from tfadaopt.catalog import METHODS
from tfadaopt.compat import Variable
from tfadaopt.gradients import GradientSource
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine.plan import precision_of
from tfadaopt.optimizers.pieces.matrices import no_rate
from tfadaopt.optimizers.rule import UnsupportedOptimizerError as UnsupportedOptimizerError
from tfadaopt.reader import (
    ACCUMULATORS,
    RATE,
    Kept,
    Pick,
    Reader,
    Rows,
    alike,
    picked,
    values_of_one,
    values_of_several,
)


class OursReader(Reader):
    """Reads an optimizer of tfadaopt: its update used the same ``rate``."""

    optimizer: Optimizer

    def check(self, what: str | None = None) -> None:
        rateless = (m.cls for m in METHODS if not m.has_rate)
        if what == RATE and not self.varies() and type(self.optimizer) in rateless:
            raise no_rate(type(self.optimizer).__name__)

    def rate(
        self, variable: Variable, pick: Pick | None = None, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        self.check(RATE)
        values = values_of_one(self, variable, precision_of(variable), eta)
        values.eta = self._scaled(values.eta, [variable])
        if self.optimizer.rule().unit == "coordinate":
            pick = values.picked_early(variable, pick)
        return picked(
            self.optimizer.rule().rate(values.state, values.t, values.eta), variable, pick
        )

    def alike(self, variable: Variable) -> Hashable | None:
        if self.optimizer.rule().unit != "coordinate":
            return None
        return alike(self.slots(variable), self.shared_names(), variable)

    def rates(
        self, variables: Sequence[Variable], rows: Rows, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        values = values_of_several(self, variables, rows, precision_of(variables[0]), eta)
        values.eta = self._scaled(values.eta, variables)
        return self.optimizer.rule().rate(values.state, values.t, values.eta)

    def _scaled(self, eta: tf.Tensor, variables: Sequence[Variable]) -> tf.Tensor:
        """η of each variable; of several, as a column."""
        factors = [self.optimizer.engine.planned.of(v).multiplier for v in variables]
        if set(factors) == {1.0}:
            return eta
        if len(factors) == 1:
            return eta * factors[0]
        return eta * tf.constant(factors, eta.dtype)[:, tf.newaxis]

    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        return list(self.optimizer.held.of(variable).items())

    def gradient(self, variable: Variable) -> GradientSource | None:
        known = self.optimizer.gradient_in
        # A subclass of a user's may have another rule.
        if known is None or not type(self.optimizer).__module__.startswith("tfadaopt."):
            return None
        if self.optimizer.engine.planned.of(variable).lazy:
            return None  # Rows without a gradient keep their old state undecayed.
        kept = getattr(self.optimizer, known.kept) if isinstance(known.kept, str) else known.kept
        return GradientSource(known.slot, known.power, kept, 1 - kept if known.mean else 1.0)

    def skipped(self, variables: Sequence[Variable]) -> tf.Tensor | None:
        return self.optimizer.held.skipped(variables)

    def shared_names(self) -> frozenset[str]:
        return frozenset(self.optimizer.shared())

    def varies(self) -> bool:
        return self.optimizer.some_rates


class KerasReader(Reader):
    """Reads one of Keras' own optimizers by the record of its class."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, kind: type) -> None:
        super().__init__(optimizer)
        self.kind, self.record = kind, keras_readers.BUILT_INS[kind]

    def check(self, what: str | None = None) -> None:
        if what == RATE:
            self._formula()

    def _formula(self) -> keras_readers.Rate:
        if self.record.rate is None:
            raise keras_readers.no_rate(self.kind)
        return self.record.rate

    def rate(
        self, variable: Variable, pick: Pick | None = None, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        formula = self._formula()
        dtype = keras.backend.standardize_dtype(variable.dtype)
        values = values_of_one(self, variable, dtype, eta)
        if self.record.elementwise:
            pick = values.picked_early(variable, pick)
        found = formula(self.optimizer, values.state, values.t, values.eta, values.theta)
        return picked(found, variable, pick)

    def alike(self, variable: Variable) -> Hashable | None:
        if not self.record.elementwise or self.record.rate is None:
            return None
        return alike(self.slots(variable), self.shared_names(), variable)

    def rates(
        self, variables: Sequence[Variable], rows: Rows, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        dtype = keras.backend.standardize_dtype(variables[0].dtype)
        values = values_of_several(self, variables, rows, dtype, eta)
        return self._formula()(self.optimizer, values.state, values.t, values.eta, values.theta)

    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        index = compat.index_of(self.optimizer, variable)
        if index is None:
            raise ValueError(
                f"{self.optimizer.name} was not built for the variable "
                f"{compat.path_of(variable)!r}."
            )
        return list(compat.builtin_slots(self.optimizer, self.kind, index).items())

    def gradient(self, variable: Variable) -> GradientSource | None:
        if self.record.gradient is None:
            return None
        return self.record.gradient(self.optimizer, set(dict(self.slots(variable))))

    def varies(self) -> bool:
        return self.kind is compat.Muon


class ProtocolReader(Reader):
    """Reads an optimizer by its own methods, and what it has none for as ``otherwise``."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, otherwise: Reader) -> None:
        super().__init__(optimizer)
        self.otherwise = otherwise
        self.own = {name for name in (RATE, ACCUMULATORS) if _has(optimizer, name)}

    def check(self, what: str | None = None) -> None:
        if what is not None and what not in self.own:
            self.otherwise.check(what)

    def rate(
        self, variable: Variable, pick: Pick | None = None, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        if RATE not in self.own:
            return self.otherwise.rate(variable, pick, eta)
        own = tf.convert_to_tensor(self.optimizer.effective_learning_rate(variable))
        return picked(own, variable, pick)

    def alike(self, variable: Variable) -> Hashable | None:
        return None if RATE in self.own else self.otherwise.alike(variable)

    def rates(
        self, variables: Sequence[Variable], rows: Rows, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        return self.otherwise.rates(variables, rows, eta)

    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        if ACCUMULATORS not in self.own:
            return self.otherwise.slots(variable)
        return list(self.optimizer.accumulators(variable).items())

    def gradient(self, variable: Variable) -> GradientSource | None:
        return self.otherwise.gradient(variable)

    def skipped(self, variables: Sequence[Variable]) -> tf.Tensor | None:
        return self.otherwise.skipped(variables)

    def shared_names(self) -> frozenset[str]:
        return self.otherwise.shared_names()

    def varies(self) -> bool:
        return RATE in self.own or self.otherwise.varies()


class Unreadable(Reader):
    """Stands for an optimizer of no kind that can be read, and says so."""

    def check(self, what: str | None = None) -> None:
        raise self.error(what or RATE)

    def rate(
        self, variable: Variable, pick: Pick | None = None, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        raise self.error(RATE)

    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        raise self.error(ACCUMULATORS)

    def error(self, what: str) -> UnsupportedOptimizerError:
        """The error that names what can be read, and the method ``what`` to write."""
        ours = ", ".join(f"tfadaopt.{method.name}" for method in METHODS)
        theirs = ", ".join(kind.__name__ for kind in keras_readers.kinds())
        kind = type(self.optimizer)
        return UnsupportedOptimizerError(
            f"The state of {kind.__module__}.{kind.__qualname__} cannot be read. Supported are "
            f"{ours}, and of keras.optimizers {theirs}, also inside a LossScaleOptimizer or "
            "MultiOptimizer: compile the model with one of these, or give a class of your own the "
            f"method {what}(variable); tfadaopt.readers says what it returns."
        )


def reader_of(optimizer: keras.optimizers.Optimizer) -> Reader:
    """The reader of an optimizer without wrappers; of any other kind, one that says so if used."""
    found: Reader
    if isinstance(optimizer, Optimizer):
        found = OursReader(optimizer)
    elif (kind := keras_readers.kind_of(optimizer)) is not None:
        found = KerasReader(optimizer, kind)
    else:
        found = Unreadable(optimizer)
    if _has(optimizer, RATE) or _has(optimizer, ACCUMULATORS):
        return ProtocolReader(optimizer, found)
    return found


def _has(optimizer: keras.optimizers.Optimizer, name: str) -> bool:
    return callable(getattr(optimizer, name, None))
