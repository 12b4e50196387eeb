"""What reads the state of one optimizer, whatever its kind; ``readers`` has the kinds."""

import abc
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.gradients import GradientSource

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


@dataclass
class Values:
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
        self.state = {k: picked(x, variable, pick) for k, x in self.state.items()}
        self.theta = picked(self.theta, variable, pick)
        return None


def _values(
    reader: Reader, state: dict[str, tf.Tensor], theta: tf.Tensor, dtype: str, eta: tf.Tensor | None
) -> Values:
    t = tf.cast(tf.maximum(tf.convert_to_tensor(reader.optimizer.iterations), 1), dtype)
    eta = compat.applied_learning_rate(reader.optimizer) if eta is None else eta
    return Values(state, t, tf.cast(eta, dtype), theta)


def values_of_one(reader: Reader, variable: Variable, dtype: str, eta: tf.Tensor | None) -> Values:
    state = {
        name: tf.cast(tf.convert_to_tensor(slot), dtype) for name, slot in reader.slots(variable)
    }
    return _values(reader, state, tf.convert_to_tensor(variable), dtype, eta)


def values_of_several(
    reader: Reader, variables: Sequence[Variable], rows: Rows, dtype: str, eta: tf.Tensor | None
) -> Values:
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


def alike(
    slots: Iterable[tuple[str, Kept]], shared: frozenset[str], variable: Variable
) -> Hashable | None:
    shape = tuple(variable.shape)
    names = []
    for name, slot in slots:
        if tuple(slot.shape) not in ((), shape):
            return None
        names.append((name, name not in shared and tuple(slot.shape) == shape))
    return keras.backend.standardize_dtype(variable.dtype), tuple(names)


def picked(x: tf.Tensor, variable: Variable, pick: Pick | None) -> tf.Tensor:
    return x if pick is None or tuple(x.shape) != tuple(variable.shape) else pick(x)
