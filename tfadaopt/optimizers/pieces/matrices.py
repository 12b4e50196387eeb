"""Variables as matrices, for methods that precondition rows and columns."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.optimizers.rule import UnsupportedOptimizerError

# Numbers at most in one stack of matrices, which is a copy of them: 128 MB in float64.
STACK = 1 << 24
# What float32 leaves in a coordinate that should be 0, against the largest: some roundings.
ROUNDING = 1e-6


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


def in_stacks(function: Callable, tensors: Sequence[tf.Tensor], *others: Sequence) -> list:
    """Results of a function of stacks, which gets those of equal shape at once, one by one.

    Args:
        function: Gets a stack of tensors, and one of each of the others.
        tensors: Tensors of several shapes.
        others: For each of them a tensor or number more, which has the same shape if they have.

    Returns:
        For each of ``tensors``, its result: a tensor or a tuple of tensors.
    """
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, x in enumerate(tensors):
        by_shape.setdefault(tuple(x.shape), []).append(i)
    results: list[Any] = [None] * len(tensors)
    for shape, members in by_shape.items():
        most = max(1, STACK // max(1, math.prod(shape)))
        for first in range(0, len(members), most):
            chunk = members[first : first + most]
            columns = [tf.stack([column[i] for i in chunk]) for column in (tensors, *others)]
            done = function(*columns)
            several = isinstance(done, tuple)
            rows = [tf.unstack(x, len(chunk)) for x in (done if several else (done,))]
            for i, row in zip(chunk, zip(*rows, strict=True), strict=True):
                results[i] = row if several else row[0]
    return results


def eigenvectors(matrices: tf.Tensor) -> tf.Tensor:
    """Orthonormal eigenvectors as columns, of the largest eigenvalue first; [n, d, d]."""
    _, vectors = tf.linalg.eigh(tf.cast(of_size_one(matrices), "float64"))
    return tf.cast(tf.reverse(vectors, axis=[2]), matrices.dtype)


def inverse_power(matrices: tf.Tensor, orders: tf.Tensor, epsilon: float) -> tf.Tensor:
    """(ε I + S)^(−1/order) of each symmetric S ≥ 0, or of its diagonal; where that is 0, 0.

    In float64: float32 loses the eigenvalues below 1e-7 of the largest, which matter the most.
    The sums of S themselves are rounded: ε plus an eigenvalue counts as no less than that rounding,
    as a direction in which no gradient ever came would be stepped along the farthest.

    Args:
        matrices: S, [n, d, d], or diagonals of S, [n, d].
        orders: The order of each root, [n].
        epsilon: ε.
    """
    exponents = -1 / tf.cast(tf.expand_dims(orders, 1), "float64")
    if matrices.shape.rank == 2:
        return _power(matrices, epsilon, tf.cast(exponents, matrices.dtype))
    values, vectors = tf.linalg.eigh(tf.cast(matrices, "float64"))
    rounding = 0.5 * np.finfo(matrices.dtype.as_numpy_dtype).eps
    floor = rounding * tf.reduce_max(values, axis=1, keepdims=True)
    powers = _power(values, epsilon, exponents, floor)
    scaled = vectors * tf.expand_dims(powers, 1)
    return tf.cast(tf.matmul(scaled, vectors, transpose_b=True), matrices.dtype)


def power_iteration(statistics: tf.Tensor, bases: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Bases nearer to the eigenvectors, the largest eigenvalue first, and that order; [n, d, d]."""
    product = tf.matmul(of_size_one(statistics), bases)
    order = tf.argsort(tf.reduce_sum(bases * product, axis=1), direction="DESCENDING")
    return tf.linalg.qr(tf.gather(product, order, axis=2, batch_dims=1))[0], order


def of_size_one(matrices: tf.Tensor) -> tf.Tensor:
    """Each matrix by its largest number: squares of what is large would not fit; [n, d, d]."""
    largest = tf.reduce_max(tf.abs(matrices), axis=[1, 2], keepdims=True)
    return tf.math.divide_no_nan(matrices, largest)


def known_squares(v: tf.Tensor) -> tf.Tensor:
    """Squares of coordinates that a rotation made; what is its rounding becomes at least that.

    A rotation in float32 leaves 1e-7 of the largest coordinate in one without gradient. Adam's
    quotient of two such numbers would be a full step.
    """
    return v if v.dtype == tf.float64 else tf.maximum(v, ROUNDING**2 * tf.reduce_max(v))


def no_rate(name: str) -> UnsupportedOptimizerError:
    """The error of a method that has no effective learning rate."""
    return UnsupportedOptimizerError(
        f"{name}: a matrix acts on the gradient, so that no coordinate has a rate of its own. Read "
        "tfadaopt.accumulators instead, or watch how far each step moves."
    )


def _power(values: tf.Tensor, epsilon: float, exponents: tf.Tensor, floor=0.0) -> tf.Tensor:
    values = tf.maximum(values, 0) + epsilon
    values = tf.where(values > 0, tf.maximum(values, floor), 0)
    powers = tf.pow(tf.where(values > 0, values, 1), exponents)
    return tf.where(values > 0, powers, 0)
