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
from collections.abc import Callable, Iterable
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

    def skipped(self, variable: Variable) -> tf.Tensor | None:
        """Updates that left the variable out, as its gradient did not fit; None: not counted."""
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
        slots, dtype = self.slots(variable), precision_of(variable)
        values = _Values(self.optimizer, variable, slots, dtype, eta)
        if self.optimizer.unit == "coordinate":
            pick = values.picked_early(pick)
        return _picked(self.optimizer.rate(values.state, values.t, values.eta), variable, pick)

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

    def skipped(self, variable: Variable) -> tf.Tensor | None:
        return self.optimizer.skipped_of(variable)

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
        values = _Values(self.optimizer, variable, self.slots(variable), dtype, eta)
        if self.record.elementwise:
            pick = values.picked_early(pick)
        found = formula(self.optimizer, values.state, values.t, values.eta, values.theta)
        return _picked(found, variable, pick)

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

    def slots(self, variable: Variable) -> list[tuple[str, Kept]]:
        if ACCUMULATORS not in self.own:
            return self.otherwise.slots(variable)
        return list(self.optimizer.accumulators(variable).items())

    def gradient(self, variable: Variable) -> GradientSource | None:
        return self.otherwise.gradient(variable)

    def skipped(self, variable: Variable) -> tf.Tensor | None:
        return self.otherwise.skipped(variable)

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


class _Values:
    """What a formula of a rate is given, in one dtype."""

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variable: Variable,
        slots: Iterable[tuple[str, Kept]],
        dtype: str,
        eta: tf.Tensor | None,
    ) -> None:
        self.variable = variable
        self.state = {name: tf.cast(tf.convert_to_tensor(slot), dtype) for name, slot in slots}
        self.theta = tf.convert_to_tensor(variable)
        self.t = tf.cast(tf.maximum(tf.convert_to_tensor(optimizer.iterations), 1), dtype)
        self.eta = tf.cast(compat.applied_learning_rate(optimizer) if eta is None else eta, dtype)

    def picked_early(self, pick: Pick | None) -> Pick | None:
        """Pick from all that the formula is given, where it works on single coordinates.

        Returns:
            What is still to be picked from the result.
        """
        # The shape of a variable may be () as well: then there is nothing to pick from.
        shapes = ((), tuple(self.variable.shape))
        if pick is None or any(tuple(x.shape) not in shapes for x in self.state.values()):
            return pick
        self.state = {k: _picked(x, self.variable, pick) for k, x in self.state.items()}
        self.theta = _picked(self.theta, self.variable, pick)
        return None


def _picked(x: tf.Tensor, variable: Variable, pick: Pick | None) -> tf.Tensor:
    return x if pick is None or tuple(x.shape) != tuple(variable.shape) else pick(x)


def _has(optimizer: keras.optimizers.Optimizer, name: str) -> bool:
    return callable(getattr(optimizer, name, None))
