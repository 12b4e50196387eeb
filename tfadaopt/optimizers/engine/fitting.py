"""Which gradients a step can take: finite ones, small enough for sums of their squares.

A rule squares the gradient, adds the squares up, and takes roots and matrices of the sums. One
gradient of 2e19 is infinite squared in float32, and a sum that it has entered is for good. So what
is asked of a gradient is that its squared norm fits 2²⁴ times: it costs one pass, as the question
whether it is finite does, and NaN and infinity fail it, too.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfadaopt import compat

ROOM = 2.0**24
# Of the rows that XLA multiplies on a CPU, to add them up: at most, and at least.
WIDTH, LEAST_WIDTH = 1 << 10, 1 << 5


def most(dtype: tf.DType) -> float:
    """The largest ½‖g‖² that fits: 1e31 in float32, so that ‖g‖ is 4.5e15."""
    return dtype.max / ROOM


def fits(g: tf.Tensor) -> tf.Tensor:
    """Whether the gradient of a variable can be taken, as a boolean."""
    if compat.under_xla():
        return _sum_of_squares(g) <= 2 * most(g.dtype)
    return tf.nn.l2_loss(g) <= most(g.dtype)


def each_fits(gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """``fits`` of several gradients of one dtype, compared at once."""
    if compat.under_xla():
        return [fits(g) for g in gradients]
    halves = tf.stack([tf.nn.l2_loss(g) for g in gradients])
    return tf.unstack(halves <= most(halves.dtype))


def _sum_of_squares(g: tf.Tensor) -> tf.Tensor:
    """Σ g². On a CPU by a matrix product: XLA adds one number after the other in a sum."""
    size = g.shape.num_elements()
    widths = range(WIDTH, LEAST_WIDTH - 1, -1)
    width = next((w for w in widths if size % w == 0), None) if size else None
    if width is None or compat.has_gpu():
        return tf.reduce_sum(tf.square(g))
    squares = tf.square(tf.reshape(g, [-1, width]))
    return tf.reduce_sum(tf.linalg.matvec(squares, tf.ones([width], g.dtype)))


def fit_each(g: tf.Tensor, owner: np.ndarray, count: int) -> tf.Tensor:
    """Whether the gradient of each of several variables fits, which lie in rows of one matrix.

    Args:
        g: Their gradients.
        owner: For each row the number of its variable, rising.
        count: How many variables there are.
    """
    limit = most(g.dtype)
    halves = tf.reduce_sum(tf.square(g), axis=1) / 2
    # A row that is too much, or NaN, is more than a variable may have, and can still be added up.
    halves = tf.where(halves <= limit, halves, 2 * limit)
    return tf.math.unsorted_segment_sum(halves, owner, count) <= limit
