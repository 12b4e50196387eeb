"""A method of one's own: momentum whose rate settles as 1 / √t."""

import keras
import tensorflow as tf

from tfadaopt.optimizers import Optimizer


@keras.saving.register_keras_serializable(package="your_method")
class Settling(Optimizer):
    """Momentum whose rate falls with the root of the step: b ← μ b + g, θ ← θ − η b / √t.

    Args:
        learning_rate: η ≥ 0. Default 0.1.
        momentum: μ in [0, 1). Default 0.9.
        **kwargs: What every optimizer takes.
    """

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def slots(self, shape):
        return {"momentum": 0.0}

    def advance(self, state, g, t):
        return {"momentum": self.momentum * state["momentum"] + g}

    def scale(self, state, t):
        return tf.math.rsqrt(t)

    def direction(self, state, g, t):
        return state["momentum"]
