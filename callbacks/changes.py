"""How large the weights of each layer are, and what a step did to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

from tfadaopt.callbacks.layers import View
from tfadaopt.callbacks.measure import Series
from tfadaopt.callbacks.sampled import (
    WEIGHTS,
    UpdateRows,
    angle_of,
    size_of_row,
    sums_of_angle,
)
from tfadaopt.callbacks.sources import Before, Whole, row
from tfadaopt.callbacks.summaries import VALUE
from tfadaopt.compat import Variable

# Coordinates of a difference that are in memory at once: 16 MB.
PIECE = 1 << 22


@dataclass(frozen=True)
class Updates:
    """What a step did to the weights of each layer, from copies of them before it and after it.

    Under ``steps_per_execution``, what all steps of one execution did. Weight decay is in it.

    Attributes:
        quantity: ``update_ratio``, ‖Δθ‖/‖θ‖ with θ from before the step, or from after it where it
            was 0; ``update_norm``, ‖Δθ‖; or ``angular_update``, the angle between θ before and
            after, in degrees, 0 where either is 0.
        sampled: Whether an estimate from a sample of the coordinates does.
    """

    quantity: str
    sampled: bool = False

    def __call__(self, view: View) -> list[Series]:
        found = []
        for layer in view.layers:
            variable = layer.variable
            together, size = None, size_of_row(variable, self.sampled)
            if size is not None:
                dtype = keras.backend.standardize_dtype(variable.dtype)
                together = UpdateRows(self.quantity, size, dtype)
            key = ("weights", layer.path)
            found.append(
                Series(
                    quantity=self.quantity,
                    layer=layer.path,
                    read=partial(self._read, key, variable),
                    statistics=VALUE,
                    before={key: Whole(variable)},
                    sampled=self.sampled,
                    variable=variable,
                    together=together,
                )
            )
        return found

    def _read(self, key: tuple, variable: Variable, before: Before) -> tf.Tensor:
        moved = ("distance", *key)
        new = tf.convert_to_tensor(variable)
        if self.quantity == "angular_update":
            return _angle(new, before[key])
        if moved not in before:  # of ratio and norm, one measures it for both
            before[moved] = _distance(new, before[key])
        if self.quantity == "update_norm":
            return before[moved]
        size = _norm(_wide(before[key]))
        size = tf.where(tf.equal(size, 0), _norm(_wide(new)), size)
        return tf.math.divide_no_nan(before[moved], size)


def weights_before(
    variables: Sequence, names: Sequence[str], wanted: Iterable
) -> dict[tuple, tf.Tensor]:
    """What ``Updates`` among the wanted quantities need from before a step that will build the
    optimizer: whole copies only where a sample does not do."""
    sampled = {quantity.sampled for quantity in wanted if isinstance(quantity, Updates)}
    kept: dict[tuple, tf.Tensor] = {}
    for path, variable in zip(names, variables, strict=True) if sampled else ():
        sizes = {size_of_row(variable, one) for one in sampled}
        if None in sizes:
            kept["weights", path] = tf.identity(tf.convert_to_tensor(variable))
        kept |= {(WEIGHTS, size, path): row(variable, size) for size in sizes if size}
    return kept


@dataclass(frozen=True)
class WeightNorms:
    """Euclidean norm of each layer's weights."""

    def __call__(self, view: View) -> list[Series]:
        return [
            Series(
                "weight_norm",
                layer.path,
                partial(_size, layer.variable),
                VALUE,
            )
            for layer in view.layers
        ]


def _wide(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, "float32") if x.dtype.size < 4 else x


def _size(variable: Variable, before: Before) -> tf.Tensor:
    return _norm(_wide(tf.convert_to_tensor(variable)))


def _distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """‖a − b‖; of large tensors piece by piece, as their difference would be another of them."""
    size = a.shape.num_elements()
    if size <= PIECE:
        return _norm(_wide(a) - _wide(b))
    a, b = (tf.reshape(x, [-1]) for x in (a, b))

    def add(start, total):
        pieces = (_wide(x[start : start + PIECE]) for x in (a, b))
        return start + PIECE, total + tf.nn.l2_loss(tf.subtract(*pieces))

    start, total = tf.constant(0, tf.int64), tf.zeros([], _wide(a[:0]).dtype)
    _, total = tf.while_loop(lambda i, _: i < size, add, (start, total), parallel_iterations=1)
    return tf.sqrt(2 * total)


def _angle(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Angle in degrees, of large tensors piece by piece."""
    size = a.shape.num_elements()
    a, b = (tf.reshape(x, [-1]) for x in (a, b))
    dtype = _wide(a[:0]).dtype

    def add(start, sums):
        x, y = (_wide(z[start : start + PIECE]) for z in (a, b))
        return start + PIECE, sums + sums_of_angle(x[tf.newaxis], y[tf.newaxis])[0]

    state = tf.constant(0, tf.int64), tf.zeros([4], dtype)
    _, sums = tf.while_loop(lambda i, _: i < size, add, state, parallel_iterations=1)
    return angle_of(sums)


def _norm(x: tf.Tensor) -> tf.Tensor:
    # One pass through memory; a square and its sum would be three.
    return tf.sqrt(2 * tf.nn.l2_loss(x))
