"""Reading an optimizer's state: whose it is, ours, Keras' or another's, is asked here and once.

An optimizer of any other kind can be read by methods of its own:

``effective_learning_rate(variable)``
    Rate of the update just done, as a tensor that broadcasts to the variable.
``accumulators(variable)``
    Its state for the variable: tensors or variables by name.

They are called while a graph is traced: they return tensors and read nothing to the host. For a
variable that has no rate, raise an ``UnsupportedOptimizerError``.
"""

import abc
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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

RATE = "effective_learning_rate"
ACCUMULATORS = "accumulators"
# Takes some coordinates of a tensor of a variable's shape.
Pick = Callable[[tf.Tensor], tf.Tensor]
# A piece of state: as it stands, or as a tensor that a reader made.
Kept: TypeAlias = Variable | tf.Tensor
# Takes some coordinates of several of them, as rows of a matrix.
Rows = Callable[[Sequence[Kept]], tf.Tensor]


class Reader(abc.ABC):
    """Reads the state of one optimizer without wrappers.

    Args:
        optimizer: The optimizer that holds the state.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        self.optimizer = optimizer

    @abc.abstractmethod
    def check(self, what: str | None = None) -> None:
        """Raise if the optimizer cannot be read.

        Args:
            what: ``RATE`` or ``ACCUMULATORS``, or None if either will do.

        Raises:
            UnsupportedOptimizerError: It is of no kind that can be read, or has no rates.
        """

    @abc.abstractmethod
    def rate(
        self, variable: Variable, pick: Pick | None = None, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Effective rate in its natural shape: a scalar where one rate serves all coordinates.

        Args:
            variable: A variable that the optimizer was built for.
            pick: Takes some coordinates of each tensor of the variable's shape, so that their
                rates alone are computed. Where that cannot be, it is applied to the rates.
            eta: The rate η of the step, where it was kept from before it; or None.

        Raises:
            UnsupportedOptimizerError: The variable has no such rate.
        """

    def alike(self, variable: Variable) -> Hashable | None:
        """What variables have in common whose rates ``rates`` computes at once.

        None: the rate of this one is not that of each coordinate by itself.
        """
        return None

    def rates(
        self, variables: Sequence[Variable], rows: Rows, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Effective rates of some coordinates of variables that are alike, a row for each.

        Args:
            variables: The variables.
            rows: Takes the coordinates of tensors of their shapes, as rows of a matrix.
            eta: As of ``rate``.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        """State of a variable by name, as it stands: variables, not copies of them."""

    def gradient(self, variable: Variable) -> GradientSource | None:
        """Where the gradient of a variable is to be had, or None: the state does not show it.

        Momentum and Nesterov have it in the buffer, Adam and its family, Adamax and LAMB in the
        first moment, Adan in the gradient that it keeps, Adagrad, RMSprop, Adadelta and NAdam in
        the mean or sum of squares. Of Keras' own, all but SGD without momentum and Adafactor.
        """
        return None

    def skipped(self, variables: Sequence[Variable]) -> tf.Tensor | None:
        """Updates that left out each variable, as its gradient did not fit; None: not counted."""
        return None

    def shared_names(self) -> frozenset[str]:
        """Names of the numbers that all variables share, such as Prodigy's ``distance``."""
        return frozenset()

    def varies(self) -> bool:
        """Whether some variables may have an effective rate, and others none."""
        return False


class OursReader(Reader):
    """Reads an optimizer of tfadaopt: its update used the same ``rate``."""

    optimizer: Optimizer

    def check(self, what: str | None = None) -> None:
        if what == RATE and type(self.optimizer) in (m.cls for m in METHODS if not m.has_rate):
            raise no_rate(type(self.optimizer).__name__)

    def rate(
        self, variable: Variable, pick: Pick | None = None, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        self.check(RATE)
        values = _values_of_one(self, variable, precision_of(variable), eta)
        if self.optimizer.unit == "coordinate":
            pick = values.picked_early(variable, pick)
        return _picked(self.optimizer.rate(values.state, values.t, values.eta), variable, pick)

    def alike(self, variable: Variable) -> Hashable | None:
        if self.optimizer.unit != "coordinate":
            return None
        return _alike(self.slots(variable), self.shared_names(), variable)

    def rates(
        self, variables: Sequence[Variable], rows: Rows, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        values = _values_of_several(self, variables, rows, precision_of(variables[0]), eta)
        return self.optimizer.rate(values.state, values.t, values.eta)

    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        return list(self.optimizer.slots_of(variable).items())

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
        return self.optimizer.skipped_of(variables)

    def shared_names(self) -> frozenset[str]:
        return frozenset(self.optimizer.shared())


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
        values = _values_of_one(self, variable, dtype, eta)
        if self.record.elementwise:
            pick = values.picked_early(variable, pick)
        found = formula(self.optimizer, values.state, values.t, values.eta, values.theta)
        return _picked(found, variable, pick)

    def alike(self, variable: Variable) -> Hashable | None:
        if not self.record.elementwise or self.record.rate is None:
            return None
        return _alike(self.slots(variable), self.shared_names(), variable)

    def rates(
        self, variables: Sequence[Variable], rows: Rows, eta: tf.Tensor | None = None
    ) -> tf.Tensor:
        dtype = keras.backend.standardize_dtype(variables[0].dtype)
        values = _values_of_several(self, variables, rows, dtype, eta)
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
        return _picked(own, variable, pick)

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


@dataclass
class _Values:
    """What a formula of a rate is given, in one dtype."""

    state: dict[str, tf.Tensor]
    t: tf.Tensor
    eta: tf.Tensor
    theta: tf.Tensor

    def picked_early(self, variable: Variable, pick: Pick | None) -> Pick | None:
        """Pick from all that the formula is given, where it works on single coordinates.

        Returns:
            What is still to be picked from the result.
        """
        # The shape of a variable may be () as well: then there is nothing to pick from.
        shapes = ((), tuple(variable.shape))
        if pick is None or any(tuple(x.shape) not in shapes for x in self.state.values()):
            return pick
        self.state = {k: _picked(x, variable, pick) for k, x in self.state.items()}
        self.theta = _picked(self.theta, variable, pick)
        return None


def _values(
    reader: Reader, state: dict[str, tf.Tensor], theta: tf.Tensor, dtype: str, eta: tf.Tensor | None
) -> _Values:
    t = tf.cast(tf.maximum(tf.convert_to_tensor(reader.optimizer.iterations), 1), dtype)
    eta = compat.applied_learning_rate(reader.optimizer) if eta is None else eta
    return _Values(state, t, tf.cast(eta, dtype), theta)


def _values_of_one(
    reader: Reader, variable: Variable, dtype: str, eta: tf.Tensor | None
) -> _Values:
    state = {
        name: tf.cast(tf.convert_to_tensor(slot), dtype) for name, slot in reader.slots(variable)
    }
    return _values(reader, state, tf.convert_to_tensor(variable), dtype, eta)


def _values_of_several(
    reader: Reader, variables: Sequence[Variable], rows: Rows, dtype: str, eta: tf.Tensor | None
) -> _Values:
    slots = [dict(reader.slots(v)) for v in variables]
    state = {}
    for name, first in slots[0].items():
        if name in reader.shared_names():
            state[name] = tf.cast(tf.convert_to_tensor(first), dtype)
        elif tuple(first.shape) == tuple(variables[0].shape):
            state[name] = tf.cast(rows([own[name] for own in slots]), dtype)
        else:  # a number of each
            numbers = [tf.convert_to_tensor(own[name]) for own in slots]
            state[name] = tf.cast(tf.stack(numbers), dtype)[:, tf.newaxis]
    return _values(reader, state, tf.cast(rows(variables), dtype), dtype, eta)


def _alike(
    slots: Iterable[tuple[str, Kept]], shared: frozenset[str], variable: Variable
) -> Hashable | None:
    shape = tuple(variable.shape)
    names = []
    for name, slot in slots:
        if tuple(slot.shape) not in ((), shape):
            return None
        names.append((name, name not in shared and tuple(slot.shape) == shape))
    return keras.backend.standardize_dtype(variable.dtype), tuple(names)


def _picked(x: tf.Tensor, variable: Variable, pick: Pick | None) -> tf.Tensor:
    return x if pick is None or tuple(x.shape) != tuple(variable.shape) else pick(x)


def _has(optimizer: keras.optimizers.Optimizer, name: str) -> bool:
    return callable(getattr(optimizer, name, None))
