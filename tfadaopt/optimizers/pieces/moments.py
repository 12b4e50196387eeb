"""Running means of gradients and of their squares, which many methods share."""

import math

import tensorflow as tf

from tfadaopt.optimizers.pieces.once import once


def running_mean(mean: tf.Tensor, x: tf.Tensor, beta: float) -> tf.Tensor:
    """β · mean + (1 − β) x."""
    return beta * mean + (1 - beta) * x


def first_and_second(state, g: tf.Tensor, beta_1: float, beta_2: float) -> dict[str, tf.Tensor]:
    """Adam's m and v, under the names that Keras gives them."""
    return {
        "momentum": running_mean(state["momentum"], g, beta_1),
        "velocity": running_mean(state["velocity"], tf.square(g), beta_2),
    }


def adam_scale(v: tf.Tensor, t: tf.Tensor, beta_1: float, beta_2: float, epsilon: float):
    """Adam's 1 / ((1 − β₁^t)(√v̂ + ε)), on m, from v after step t."""
    v_hat = v / weight_so_far(beta_2, t)
    return reciprocal(weight_so_far(beta_1, t) * (tf.sqrt(v_hat) + epsilon))


@once
def weight_so_far(beta: float, t: tf.Tensor) -> tf.Tensor:
    """1 − β^t, what the weights of a running mean from zero sum to.

    Written with expm1: in float32 the plain difference is wrong in the fifth digit for β = 0.999.
    """
    return -tf.math.expm1(t * math.log(beta)) if beta else tf.ones_like(t)


def reciprocal(x: tf.Tensor) -> tf.Tensor:
    """1/x, and 0 where x = 0: a coordinate that never had a gradient stays where it is."""
    return tf.math.divide_no_nan(_one(x.dtype.name), x)


def inverse_root(x: tf.Tensor) -> tf.Tensor:
    """1/√x, and 0 where x = 0, as of ``reciprocal``."""
    return reciprocal(tf.sqrt(x))


@once
def _one(dtype: str) -> tf.Tensor:
    return tf.ones([], dtype)
