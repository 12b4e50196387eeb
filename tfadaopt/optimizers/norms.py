"""Norms of whole variables, and of all of them together."""

from collections.abc import Iterable

import tensorflow as tf


def sum_of_squares(tensors: Iterable[tf.Tensor]) -> tf.Tensor:
    """Σ x² over all coordinates of all tensors."""
    return tf.add_n([tf.reduce_sum(tf.square(x)) for x in tensors])


def trust_ratio(above: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
    """Quotient of two norms, and 1 where one of them is 0: a layer of zeros must leave zero."""
    usable = (above > 0) & (below > 0)
    return tf.where(usable, above / tf.where(usable, below, 1), 1)
