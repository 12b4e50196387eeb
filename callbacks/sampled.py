"""What is measured of many layers at once: of a sample of their coordinates, or of small ones.

A snapshot of hundreds of layers costs as much as its operations, not as their numbers: of each
layer a few coordinates are gathered, and the layers are rows of one matrix from then on.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfadaopt.callbacks.measure import ETA, ROWS, Series, Together
from tfadaopt.callbacks.sources import Before, MakeRows, Reading, Rows
from tfadaopt.callbacks.summaries import SMALL_SAMPLE
from tfadaopt.compat import Variable
from tfadaopt.readers import reader_of

# Up to this size, all coordinates of a layer make a row.
SMALL = 2048
# First part of the keys of the weights in a row, before its size and the path of one layer.
WEIGHTS = "sampled weights"


def size_of_row(variable: Variable, sampled: bool) -> int | None:
    """How many of its coordinates are a row; None: it is not sampled, and large."""
    size = math.prod(variable.shape)
    if sampled:
        return min(size, SMALL_SAMPLE)
    return size if size <= SMALL else None


@dataclass(frozen=True)
class RateRows(Together):
    """Effective rates of variables whose state is alike.

    Attributes:
        optimizer: What holds their state.
        size: How many coordinates of each.
        alike: What their state has in common (see ``Reader.alike``).
    """

    optimizer: keras.optimizers.Optimizer
    size: int
    alike: Hashable

    def read(self, series: Sequence[Series], before: Before, rows: MakeRows) -> tf.Tensor:
        variables = [s.variable for s in series]
        eta = before.get((ETA, id(self.optimizer)))
        rates = reader_of(self.optimizer).rates(variables, lambda kept: rows(kept, self.size), eta)
        return tf.broadcast_to(rates, [len(series), self.size])


@dataclass(frozen=True)
class StateRows(Together):
    """Magnitudes of the state of small variables.

    Attributes:
        quantity: What it is logged as.
        size: How many coordinates there are of each.
        dtype: Their dtype.
    """

    quantity: str
    size: int
    dtype: str

    def read(self, series: Sequence[Series], before: Before, rows: MakeRows) -> tf.Tensor:
        return tf.abs(rows([s.state for s in series], self.size))


@dataclass(frozen=True)
class UpdateRows(Together):
    """Ratios ‖Δθ‖/‖θ‖ of a step, or norms ‖Δθ‖, estimated from sampled weights.

    Attributes:
        quantity: ``update_ratio``, ``update_norm`` or ``angular_update``.
        size: How many coordinates of each variable are sampled.
        dtype: Their dtype.
    """

    quantity: str
    size: int
    dtype: str

    def before(self, series: Sequence[Series]) -> Mapping[tuple, Reading]:
        return {self._key(series): Rows([s.variable for s in series], self.size)}

    def read(self, series: Sequence[Series], before: Before, rows: MakeRows) -> tf.Tensor:
        dtype = "float64" if self.dtype == "float64" else "float32"
        old = tf.cast(before[self._key(series)], dtype)
        new = tf.cast(rows([s.variable for s in series], self.size), dtype)
        if self.quantity == "angular_update":
            return angle_of(sums_of_angle(new, old))
        moved = _norms(new - old)
        if self.quantity == "update_norm":
            return moved
        size = _norms(old)
        return tf.math.divide_no_nan(moved, tf.where(tf.equal(size, 0), _norms(new), size))

    def _key(self, series: Sequence[Series]) -> tuple:
        return ROWS, (WEIGHTS, self.size), tuple(s.layer for s in series)


@dataclass(frozen=True)
class Skips(Together):
    """Updates that left out each of some variables.

    Attributes:
        optimizer: What counts them.
    """

    optimizer: keras.optimizers.Optimizer

    def read(self, series: Sequence[Series], before: Before, rows: MakeRows) -> tf.Tensor:
        found = reader_of(self.optimizer).skipped([s.variable for s in series])
        assert found is not None  # or there would be no series of it
        return found


def sums_of_angle(new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """What the angle between two vectors follows from, of each row [n, 4]; of pieces they add up.

    Squares of both and of their difference, and the difference of the squares: from differences of
    coordinates, as an angle of 1e-4 is lost in the rounding of a cosine.
    """
    moved = new - old
    pairs = ((new, new), (old, old), (moved, moved), (moved, new + old))
    return tf.stack([tf.reduce_sum(x * y, axis=1) for x, y in pairs], axis=1)


def angle_of(sums: tf.Tensor) -> tf.Tensor:
    """Angle in degrees from these sums: 4 ‖a‖ ‖b‖ sin²(φ/2) = ‖a − b‖² − (‖a‖ − ‖b‖)²."""
    new, old, moved, grown = tf.unstack(sums, axis=-1)
    new, old = tf.sqrt(new), tf.sqrt(old)
    radial = tf.math.divide_no_nan(grown, new + old)
    squared = tf.math.divide_no_nan(tf.maximum(moved - radial**2, 0), 4 * new * old)
    return 2 * tf.asin(tf.minimum(tf.sqrt(squared), 1)) * (180 / math.pi)


def _norms(matrix: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(tf.square(matrix), axis=1))
