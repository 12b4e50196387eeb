"""What methods share whose rate is an estimate of the distance to the solution."""

from collections.abc import Mapping

import tensorflow as tf

from tfadaopt.optimizers.arguments import number
from tfadaopt.optimizers.pieces.moments import weight_so_far


def checked_distance(owner: str, initial_distance, growth_rate) -> tuple[float, float | None]:
    """d₀ and the largest factor of growth (or None), or an error that says what is allowed."""
    hint = "give a distance d₀ well below the true one, such as 1e-6"
    initial_distance = number(owner, "initial_distance", initial_distance, above=0.0, hint=hint)
    if growth_rate is not None:
        hint = "give the largest factor per step, such as 1.02, or None for no limit"
        growth_rate = number(owner, "growth_rate", growth_rate, above=1.0, hint=hint)
    return initial_distance, growth_rate


def numbers_shared(initial_distance: float) -> dict[str, float]:
    """What all variables share: d, the d of the last step, and the numerator of the estimate."""
    return {
        "distance": initial_distance,
        "previous_distance": initial_distance,
        "numerator": 0.0,
    }


def reached(shared: Mapping[str, tf.Tensor], initial_distance: float) -> tf.Tensor:
    """d, at least d₀: where somebody sets all state to zeros, the method starts anew."""
    return tf.maximum(shared["distance"], initial_distance)


def grown(d: tf.Tensor, estimate: tf.Tensor, growth_rate: float | None) -> tf.Tensor:
    """The larger of d and its new estimate, at most ``growth_rate`` times d."""
    if growth_rate is not None:
        estimate = tf.minimum(estimate, growth_rate * d)
    return tf.maximum(d, estimate)


def adam_correction(beta_1: float, beta_2: float, t: tf.Tensor) -> tf.Tensor:
    """√(1 − β₂^t) / (1 − β₁^t), Adam's two corrections as one factor on η."""
    return tf.sqrt(weight_so_far(beta_2, t)) / weight_so_far(beta_1, t)
