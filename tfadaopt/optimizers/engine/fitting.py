"""Which gradients a step can take: finite ones, small enough for sums of their squares.

A rule squares the gradient, adds the squares up, and takes roots and matrices of the sums. One
gradient of 2e19 is infinite squared in float32, and a sum that it has entered is for good. So what
is asked of a gradient is that its squared norm fits 2²⁴ times: it costs one pass, as the question
whether it is finite does, and NaN and infinity fail it, too.
"""

import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers.engine.norms import total

ROOM = 2.0**24


def most(dtype: tf.DType) -> float:
    """The largest ½‖g‖² that fits: 1e31 in float32, so that ‖g‖ is 4.5e15."""
    return dtype.max / ROOM


def fits(g: tf.Tensor) -> tf.Tensor:
    """Whether the gradient of a variable can be taken, as a boolean."""
    half = total(tf.square(g)) / 2 if compat.under_xla() else tf.nn.l2_loss(g)
    return half <= most(g.dtype)


def fit_each(g: tf.Tensor, owner: tf.Tensor, count: int) -> tf.Tensor:
    """Whether the gradient of each of several variables fits, which lie in one flat vector.

    Args:
        g: Their gradients.
        owner: For each coordinate the number of its variable, rising.
        count: How many variables there are.
    """
    halves = tf.math.unsorted_segment_sum(tf.square(g), owner, count) / 2
    return halves <= most(g.dtype)
