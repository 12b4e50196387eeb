"""What is measured of a sample of the coordinates, of all layers at once.

A snapshot of hundreds of layers costs as much as its operations, not as their numbers: of each
layer a few coordinates are gathered, and the layers are rows of one matrix from then on.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from tfadaopt.callbacks.measure import (
    ETA,
    ROWS,
    SMALL_SAMPLE,
    Before,
    Reading,
    Series,
    Together,
    sampled_places,
)
from tfadaopt.compat import Variable
from tfadaopt.readers import Kept, reader_of

# First part of the keys of sampled weights, before the path of one layer.
WEIGHTS = "sampled weights"


def sample_size(variable: Variable) -> int:
    """How many of its coordinates are sampled."""
    return min(math.prod(variable.shape), SMALL_SAMPLE)


def row(kept: Kept) -> tf.Tensor:
    """The sampled coordinates of a variable, or of a tensor of state, as a vector."""
    shape = tuple(kept.shape)
    if math.prod(shape) <= SMALL_SAMPLE:
        return tf.reshape(tf.convert_to_tensor(kept), [-1])
    places = sampled_places(math.prod(shape), SMALL_SAMPLE)
    native = kept.value if isinstance(kept, keras.Variable) else kept
    if isinstance(native, tf.Variable) and not isinstance(native, tf.distribute.DistributedValues):
        # From where it lies: one operation instead of three.
        indices = np.stack(np.unravel_index(places, shape), axis=1)
        return tf.raw_ops.ResourceGatherNd(
            resource=native.handle, indices=indices, dtype=native.dtype
        )
    return tf.gather(tf.reshape(tf.convert_to_tensor(kept), [-1]), places)


def rows(kept: Sequence[Kept]) -> tf.Tensor:
    """A matrix of samples of one size."""
    return tf.stack([row(x) for x in kept])


@dataclass(frozen=True)
class RateRows(Together):
    """Sampled effective rates of variables whose state is alike.

    Attributes:
        optimizer: What holds their state.
        size: How many coordinates of each are sampled.
        alike: What their state has in common (see ``Reader.alike``).
    """

    optimizer: keras.optimizers.Optimizer
    size: int
    alike: Hashable

    def read(self, series: Sequence[Series], before: Before) -> tf.Tensor:
        variables = [s.variable for s in series]
        eta = before.get((ETA, id(self.optimizer)))
        rates = reader_of(self.optimizer).rates(variables, rows, eta)
        return tf.broadcast_to(rates, [len(series), self.size])


@dataclass(frozen=True)
class UpdateRows(Together):
    """Ratios ‖Δθ‖/‖θ‖ of a step, or norms ‖Δθ‖, estimated from sampled weights.

    Attributes:
        quantity: ``update_ratio`` or ``update_norm``.
        size: How many coordinates of each variable are sampled.
        dtype: Their dtype.
    """

    quantity: str
    size: int
    dtype: str

    def before(self, series: Sequence[Series]) -> Mapping[tuple, Reading]:
        return {self._key(series): partial(rows, [s.variable for s in series])}

    def read(self, series: Sequence[Series], before: Before) -> tf.Tensor:
        dtype = "float64" if self.dtype == "float64" else "float32"
        old = tf.cast(before[self._key(series)], dtype)
        new = tf.cast(rows([s.variable for s in series]), dtype)
        moved = _norms(new - old)
        if self.quantity == "update_norm":
            return moved
        size = _norms(old)
        return tf.math.divide_no_nan(moved, tf.where(tf.equal(size, 0), _norms(new), size))

    def _key(self, series: Sequence[Series]) -> tuple:
        return ROWS, WEIGHTS, tuple(s.layer for s in series)


@dataclass(frozen=True)
class Skips(Together):
    """Updates that left out each of some variables.

    Attributes:
        optimizer: What counts them.
    """

    optimizer: keras.optimizers.Optimizer

    def read(self, series: Sequence[Series], before: Before) -> tf.Tensor:
        found = reader_of(self.optimizer).skipped([s.variable for s in series])
        assert found is not None  # or there would be no series of it
        return found


def _norms(matrix: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(tf.square(matrix), axis=1))
