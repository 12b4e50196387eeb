"""What some methods must know of their first update: where it started, that it was the first."""

import tensorflow as tf

from tfadaopt.optimizers.rule import Slot, State

# Counted per variable: one whose first gradients are missing or not finite begins later than
# others. Nothing is taken when the state is built, as weights may be loaded after that.
UPDATES = {"updates": Slot(())}


def is_first(state: State) -> tf.Tensor:
    """Whether the variable has not been updated yet."""
    return tf.equal(state["updates"], 0)


def start_of(theta: tf.Tensor, state: State) -> tf.Tensor:
    """θ₀: what the variable was at its first update."""
    return tf.where(is_first(state), theta, state["start"])
