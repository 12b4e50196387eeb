"""The gradient of the last update, told by what the update did to the optimizer's state.

No second backward pass and nothing in the training step: a slot that becomes ``kept · old + weight
· g`` (or g²) tells g when one knows it before and after. It is the gradient that the rule saw:
clipped, and averaged where gradients accumulate. The other methods do not tell; see ``source``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfadaopt import builtins, compat
from tfadaopt.optimizers.base import Optimizer

_keras = keras.optimizers


@dataclass(frozen=True)
class Source:
    """A slot that becomes ``kept · old + weight · g ** power`` in an update.

    Attributes:
        slot: Its name.
        power: 1, or 2: then the sum of g² is a difference of sums, which in float32 is only good
            to 1e-7 / (1 − kept) of the size of the slot.
        kept: Share of the old value.
        weight: Factor of what is new, or None: it is the rate η of the update.
    """

    slot: str
    power: int
    kept: float
    weight: float | None

    def norm(self, old: tf.Tensor, new: tf.Tensor, eta: Callable[[], tf.Tensor]) -> tf.Tensor:
        """‖g‖ from the slot before and after."""
        change = tf.cast(new, "float32") - self.kept * tf.cast(old, "float32")
        weight = tf.cast(eta() if self.weight is None else self.weight, "float32")
        if self.power == 1:
            return tf.norm(change) / weight
        return tf.sqrt(tf.maximum(tf.reduce_sum(change) / weight, 0))


def source(optimizer: keras.optimizers.Optimizer, variable) -> Source | None:
    """Where the gradient of a variable is to be had, or None: this method does not tell.

    By method: Momentum and Nesterov from the buffer, Adam and its family, Adamax and LAMB from the
    first moment, Adan from the gradient that it keeps, Adagrad, RMSprop, Adadelta and NAdam from
    the mean or sum of squares. Of Keras' own, all but SGD without momentum and Adafactor.
    """
    if isinstance(optimizer, Optimizer):
        if optimizer.engine.planned.of(variable).lazy:
            return None  # Rows without a gradient keep their old state undecayed.
        told = optimizer.gradient_in
        # A subclass of a user's may have another rule.
        if told is None or not type(optimizer).__module__.startswith("tfadaopt."):
            return None
        kept = getattr(optimizer, told.kept) if isinstance(told.kept, str) else told.kept
        return Source(told.slot, told.power, kept, 1 - kept if told.mean else 1.0)
    kind = builtins.kind_of(optimizer)
    make = _THEIRS.get(kind)
    if kind is compat.Muon:
        slots = compat.builtin_slots(optimizer, kind, compat.index_of(optimizer, variable))
        make = _adam_of_muon if "velocity" in slots else _sum_of_muon
    if kind is _keras.SGD and not optimizer.momentum:
        return None
    return make(optimizer) if make else None


def _mean(slot: str, beta: str, power: int = 1) -> Callable[[object], Source]:
    def make(o):
        kept = getattr(o, beta)
        return Source(slot, power, kept, 1 - kept)

    return make


def _sum(slot: str, power: int = 1) -> Callable[[object], Source]:
    return lambda o: Source(slot, power, o.momentum if power == 1 else 1.0, 1.0)


_first_moment = _mean("momentum", "beta_1")
_adam_of_muon = _mean("momentum", "adam_beta_1")
_sum_of_muon = _sum("momentum")
_THEIRS = {
    # η is inside the buffer.
    _keras.SGD: lambda o: Source("momentum", 1, o.momentum, None),
    _keras.Adagrad: _sum("accumulator", power=2),
    _keras.Ftrl: _sum("accumulator", power=2),
    _keras.RMSprop: _mean("velocity", "rho", power=2),
    _keras.Adadelta: _mean("accumulated_grad", "rho", power=2),
    _keras.Lion: _mean("momentum", "beta_2"),
    compat.ScheduleFreeAdamW: _mean("velocity", "beta_2", power=2),
    **dict.fromkeys(
        (_keras.Adam, _keras.AdamW, _keras.Adamax, _keras.Nadam, _keras.Lamb), _first_moment
    ),
}
