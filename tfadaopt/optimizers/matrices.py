"""Variables as matrices, for methods that precondition rows and columns."""

import math
from collections.abc import Mapping

import tensorflow as tf

from tfadaopt.optimizers.base import UnsupportedOptimizerError


def sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sides of the matrix or vector that a variable is treated as.

    The kernel of a convolution becomes (height · width · inputs, outputs), as the product it is;
    sides of 1 are dropped. A scalar is a vector of one.
    """
    shape = tuple(shape)
    if len(shape) > 2:
        shape = (math.prod(shape[:-1]), shape[-1])
    return tuple(n for n in shape if n != 1) or (1,)


def short_sides(shape: tuple[int, ...], most: int) -> dict[int, int]:
    """Length of each side of a matrix that is at most so long; none for a vector."""
    lengths = sides(shape)
    if len(lengths) == 1 or 0 in lengths:
        return {}
    return {side: n for side, n in enumerate(lengths) if n <= most}


def gram(x: tf.Tensor, side: int) -> tf.Tensor:
    """G Gᵀ for side 0, Gᵀ G for side 1; g gᵀ of a vector."""
    rows = tf.expand_dims(x, 1) if x.shape.rank == 1 else x
    return tf.matmul(rows, rows, transpose_a=side == 1, transpose_b=side == 0)


def gram_diagonal(x: tf.Tensor, side: int) -> tf.Tensor:
    """The diagonal of ``gram``."""
    return tf.reduce_sum(tf.square(x), axis=[k for k in range(x.shape.rank) if k != side])


def multiply(matrix: tf.Tensor, x: tf.Tensor, side: int) -> tf.Tensor:
    """A matrix, or the diagonal of one, times x along one of its sides."""
    if matrix.shape.rank == 1:
        return x * (tf.expand_dims(matrix, 1) if x.shape.rank == 2 and side == 0 else matrix)
    if x.shape.rank == 1:
        return tf.linalg.matvec(matrix, x)
    return tf.matmul(matrix, x) if side == 0 else tf.matmul(x, matrix, transpose_b=True)


def rotate(x: tf.Tensor, bases: Mapping[int, tf.Tensor]) -> tf.Tensor:
    """``multiply`` for each side that has a matrix."""
    for side, basis in bases.items():
        x = multiply(basis, x, side)
    return x


def eigenvectors(matrix: tf.Tensor) -> tf.Tensor:
    """Orthonormal eigenvectors as columns, of the largest eigenvalue first."""
    _, vectors = tf.linalg.eigh(tf.cast(matrix, "float64"))
    return tf.cast(tf.reverse(vectors, axis=[1]), matrix.dtype)


def inverse_power(matrix: tf.Tensor, epsilon: float, order: int) -> tf.Tensor:
    """(ε I + S)^(−1/order) of a symmetric S ≥ 0 or of its diagonal; where that is 0, 0.

    In float64: float32 loses the eigenvalues below 1e-7 of the largest, which matter the most.
    """
    if matrix.shape.rank == 1:
        return _power(matrix, epsilon, order)
    values, vectors = tf.linalg.eigh(tf.cast(matrix, "float64"))
    scaled = vectors * _power(values, epsilon, order)
    return tf.cast(tf.matmul(scaled, vectors, transpose_b=True), matrix.dtype)


def power_iteration(
    statistics: Mapping[int, tf.Tensor], bases: Mapping[int, tf.Tensor], v: tf.Tensor
) -> tuple[dict[int, tf.Tensor], tf.Tensor]:
    """Bases nearer to the eigenvectors, the largest eigenvalue first, and v in the same order."""
    new = {}
    for side, basis in bases.items():
        product = tf.matmul(statistics[side], basis)
        order = tf.argsort(tf.reduce_sum(basis * product, axis=0), direction="DESCENDING")
        new[side] = tf.linalg.qr(tf.gather(product, order, axis=1))[0]
        v = tf.gather(v, order, axis=side)
    return new, v


def no_rate(name: str) -> UnsupportedOptimizerError:
    """The error of a method that has no effective learning rate."""
    return UnsupportedOptimizerError(
        f"{name}: a matrix acts on the gradient, so that no coordinate has a rate of its own. Read "
        "tfadaopt.accumulators instead, or watch how far each step moves."
    )


def _power(values: tf.Tensor, epsilon: float, order: int) -> tf.Tensor:
    values = tf.maximum(values, 0) + epsilon
    powers = tf.pow(tf.where(values > 0, values, 1), -1 / order)
    return tf.where(values > 0, powers, 0)
