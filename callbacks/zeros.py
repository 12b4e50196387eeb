"""Which coordinates and units of a layer get no gradient, as the state of their optimizer shows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import tensorflow as tf

from tfadaopt.callbacks.layers import View
from tfadaopt.callbacks.measure import Series
from tfadaopt.callbacks.sources import Before, Whole
from tfadaopt.callbacks.summaries import VALUE
from tfadaopt.gradients import GradientSource
from tfadaopt.reader import Kept
from tfadaopt.readers import reader_of

# Spacings of a number by which a slot may differ from what its own decay leaves of it: rounding.
_ROUNDING = 4


@dataclass(frozen=True)
class ZeroGradients:
    """Share of each layer's coordinates, or units, whose gradient was zero in the last step.

    Where the optimizer's state tells the gradient (see ``tfadaopt.gradients``), so without a second
    backward pass: zero up to the rounding of that state. A unit is an index of the last axis of a
    kernel; none of the weights into a unit that is off in all examples of a batch has a gradient.
    Not under ``steps_per_execution``, as ``GradientNorms``.

    Attributes:
        of_units: Whether units are counted, of layers with kernels, instead of coordinates.
    """

    of_units: bool = False

    def __call__(self, view: View) -> list[Series]:
        if view.steps_per_execution > 1:
            return []
        found = []
        for layer in view.layers:
            told = reader_of(layer.optimizer).gradient(layer.variable)
            if told is None or (self.of_units and len(layer.variable.shape) < 2):
                continue
            slot = dict(reader_of(layer.optimizer).slots(layer.variable))[told.slot]
            key = ("slot", layer.path, told.slot)
            value = Whole(slot)
            name = "units_without_gradient" if self.of_units else "zero_gradients"
            read = partial(self._share, told, key, value)
            found.append(Series(name, layer.path, read, VALUE, {key: value}))
        return found

    def _share(
        self, told: GradientSource, key: tuple[str, ...], value: Callable[[], Kept], before: Before
    ) -> tf.Tensor:
        new, left = (
            tf.cast(x, "float32") for x in (value(), told.kept * tf.cast(before[key], "float32"))
        )
        zero = tf.abs(new - left) <= _ROUNDING * 2.0**-23 * tf.abs(left)
        if self.of_units:
            zero = tf.reduce_all(zero, axis=list(range(zero.shape.rank - 1)))
        return tf.reduce_mean(tf.cast(zero, "float32"))
