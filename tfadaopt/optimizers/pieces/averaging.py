"""The arithmetic of schedule-free methods: gradients at y, between the fast z and its mean x."""

import tensorflow as tf

from tfadaopt.optimizers.pieces.first import UPDATES, is_first
from tfadaopt.optimizers.rule import State

SLOTS = {"z": 0.0, "weight_sum": UPDATES["updates"], **UPDATES}


def warmup(t: tf.Tensor, steps: int) -> tf.Tensor:
    """Factor that rises linearly to 1 over the first steps."""
    return tf.minimum(t / steps, 1) if steps else tf.ones_like(t)


def schedule_free_step(
    y: tf.Tensor, state: State, step: tf.Tensor, gamma: tf.Tensor, beta: float
) -> tuple[State, tf.Tensor]:
    """State after z moves by −step, and what is subtracted from y.

    y_new − y is written in differences, so that what has no gradient stays where it is exactly:
    −(1 − β) step + c β (z_new − x), where β (z_new − x) = (z − y) − β step.
    """
    z = tf.where(is_first(state), y, state["z"])
    weight_sum = state["weight_sum"] + tf.square(gamma)
    c = tf.math.divide_no_nan(tf.square(gamma), weight_sum)
    new = {"z": z - step, "weight_sum": weight_sum, "updates": state["updates"] + 1}
    return new, (1 - beta) * step + c * ((y - z) + beta * step)


def schedule_free_inside(
    y: tf.Tensor, state: State, gamma: tf.Tensor, beta: float, constraint
) -> tuple[State, tf.Tensor]:
    """The same step, with z put back inside a constraint before it enters x and y.

    Else z runs away from a y that is held, and x, which is y − (1/β − 1)(z − y), the other way.
    Before the first update there is no z: its zeros are no weights.
    """
    z = tf.where(is_first(state), state["z"], constraint(state["z"]))
    c = tf.math.divide_no_nan(tf.square(gamma), state["weight_sum"])
    return {"z": z}, y + (1 - beta + beta * c) * (z - state["z"])


def average(y: tf.Tensor, state: State, beta: float) -> tf.Tensor:
    """x, from y = (1 − β) z + β x; y itself before the first update."""
    return tf.where(is_first(state), y, state["z"] + (y - state["z"]) / beta)
