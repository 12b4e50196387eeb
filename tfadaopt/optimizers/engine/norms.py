"""Norms of whole variables, and of all of them together."""

import tensorflow as tf

from tfadaopt import compat

# Coordinates from which a sum under XLA on a CPU is worth its folds.
LARGE = 1 << 14


def total(x: tf.Tensor, folds: int = 3) -> tf.Tensor:
    """Σ x over all coordinates.

    Under XLA, a CPU adds the numbers one after the other. Quarters that are added to each other
    first let it add many at once, at the speed of memory.
    """
    x = tf.reshape(x, [-1])
    size = x.shape[0]
    if not folds or size is None or size < LARGE or not compat.under_xla() or compat.has_gpu():
        return tf.reduce_sum(x)
    quarter = size // 4
    a, b, c, d = (x[i * quarter : (i + 1) * quarter] for i in range(4))
    return total((a + b) + (c + d), folds - 1) + tf.reduce_sum(x[4 * quarter :])


def norm(x: tf.Tensor) -> tf.Tensor:
    """‖x‖, of all coordinates."""
    return tf.sqrt(total(tf.square(x)))


def root_mean_square(x: tf.Tensor) -> tf.Tensor:
    """√ of the mean of x², and 0 of no coordinates."""
    return tf.sqrt(total(tf.square(x)) / tf.cast(tf.maximum(tf.size(x), 1), x.dtype))


def trust_ratio(above: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
    """Quotient of two norms, and 1 where one of them is 0: a layer of zeros must leave zero."""
    usable = (above > 0) & (below > 0)
    return tf.where(usable, above / tf.where(usable, below, 1), 1)
