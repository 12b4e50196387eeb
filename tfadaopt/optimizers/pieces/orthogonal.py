"""Matrices whose singular values are brought near to 1, as Muon steps."""

import math
from collections.abc import Container, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfadaopt.optimizers.pieces.matrices import in_stacks
from tfadaopt.optimizers.pieces.moments import running_mean
from tfadaopt.optimizers.rule import State

# Of the odd polynomial a x + b x³ + c x⁵, which is steep at 0 and stays near 1 from there on.
A, B, C = 3.4445, -4.7750, 2.0315
# Beside the Frobenius norm that a matrix is divided by: one of zeros stays what it is.
EPSILON = 1e-7
# Beside the root of NorMuon's v.
TINY = 1e-10
# Iterations at most that are done on X Xᵀ alone.
BLOCK = 3
# s of a matrix, from its sides: what it is multiplied with after it was orthogonalized.
SCALES = {
    "original": lambda fan_in, out: math.sqrt(max(1.0, out / fan_in)),
    "match_rms": lambda fan_in, out: 0.2 * math.sqrt(max(out, fan_in)),
    "spectral": lambda fan_in, out: math.sqrt(out / fan_in),
}


def sides(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a kernel as the matrix (fan_in, out): all axes but the last are rows."""
    return math.prod(shape[:-1]), shape[-1]


def orthogonalized(kernels: Sequence[tf.Tensor], steps: int) -> list[tf.Tensor]:
    """Each kernel as a matrix with its singular values near 1; those of equal shape at once.

    Args:
        kernels: Kernels of any shapes, of rank ≥ 2.
        steps: Iterations.
    """
    matrices = [tf.reshape(x, sides(x.shape)) for x in kernels]
    return in_stacks(lambda stack: newton_schulz(stack, steps), matrices)


def newton_schulz(x: tf.Tensor, steps: int) -> tf.Tensor:
    """The polynomial of the singular values, so many times, of matrices of norm 1; [n, r, c].

    On the side that is shorter, where it costs less. Where that is much shorter, several iterations
    are one product of a small matrix and X: all that they need of X is X Xᵀ. After more than
    ``BLOCK`` of them its smallest eigenvalues were rounding.
    """
    x = x / (frobenius(x) + EPSILON)
    rows, columns = x.shape[1:]
    tall = rows > columns
    block = BLOCK if max(rows, columns) >= 2 * min(rows, columns) else 1
    for first in range(0, steps, block):
        gram = tf.matmul(x, x, transpose_a=tall, transpose_b=not tall)
        whole = one = polynomial(gram)
        for _ in range(first + 1, min(first + block, steps)):
            gram = tf.matmul(tf.matmul(one, gram), one)
            one = polynomial(gram)
            whole = tf.matmul(one, whole)
        x = tf.matmul(x, whole) if tall else tf.matmul(whole, x)
    return x


def polynomial(gram: tf.Tensor) -> tf.Tensor:
    """a + b A + c A², which one iteration multiplies X with."""
    identity = tf.eye(gram.shape[1], dtype=gram.dtype)
    return A * identity + B * gram + C * tf.matmul(gram, gram)


def evened(v: tf.Tensor, x: tf.Tensor, beta: float) -> tuple[tf.Tensor, tf.Tensor]:
    """NorMuon's v after X, and X by its root, column by column, of its former norm."""
    v = running_mean(v, tf.reduce_mean(tf.square(x), axis=0), beta)
    even = x / (tf.sqrt(v) + TINY)
    return v, even * tf.math.divide_no_nan(frobenius(x), frobenius(even))


def frobenius(x: tf.Tensor) -> tf.Tensor:
    """Norm of each matrix, [n, 1, 1] of a stack, [1, 1] of one."""
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=[-2, -1], keepdims=True))


class Recipe(NamedTuple):
    """How a matrix is stepped.

    Attributes:
        momentum: μ.
        nesterov: Whether the momentum looks ahead.
        steps: Iterations.
        scale: Name of s, among ``SCALES``.
        normalize: None, or "neurons".
        beta_2: β₂ of the neurons.
    """

    momentum: float
    nesterov: bool
    steps: int
    scale: str
    normalize: str | None
    beta_2: float


def is_matrix(state: Container[str]) -> bool:
    """Whether a variable with such state is stepped as a matrix: AdamW keeps a velocity, too."""
    return "momentum" in state and "velocity" not in state


def scale_of(name: str, shape: Sequence[int]) -> float:
    """s of a kernel of this shape."""
    return SCALES[name](*sides(shape))


def muon_steps(
    recipe: Recipe, states: Sequence[State], gradients: Sequence[tf.Tensor]
) -> list[tuple[dict[str, tf.Tensor], tf.Tensor] | None]:
    """State after the gradients and s X of each variable; None of those that are no matrix."""
    steps: list[tuple[dict[str, tf.Tensor], tf.Tensor] | None] = [None] * len(states)
    chosen = [i for i, state in enumerate(states) if is_matrix(state)]
    mu = recipe.momentum
    means = [running_mean(states[i]["momentum"], gradients[i], mu) for i in chosen]
    aims = [
        running_mean(m, gradients[i], mu) if recipe.nesterov else m
        for i, m in zip(chosen, means, strict=True)
    ]
    for i, m, x in zip(chosen, means, orthogonalized(aims, recipe.steps), strict=True):
        new = {"momentum": m}
        if recipe.normalize:
            new["neurons"], x = evened(states[i]["neurons"], x, recipe.beta_2)
        steps[i] = new, scale_of(recipe.scale, m.shape) * tf.reshape(x, m.shape)
    return steps
