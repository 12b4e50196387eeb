"""The gradient of the last update, found from what the update did to the optimizer's state.

No second backward pass and nothing in the training step: a slot that becomes ``kept · old + weight
· g`` (or g²) gives g when one knows it before and after. It is the gradient that the rule saw:
clipped, and averaged where gradients accumulate. The state of other methods does not show it: see
``Reader.gradient``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class GradientSource:
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
