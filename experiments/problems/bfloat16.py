"""Walks of weights in bfloat16, rounded as each optimizer rounds them."""

import keras
import numpy as np
import tensorflow as tf

import tfadaopt

COPIES = 256


def bfloat16_walk(optimizer, start: float, steps: int) -> tuple[np.ndarray, float]:
    """Return how far [1 + steps, copies] bfloat16 weights go under gradients of 1, and the last r.

    Args:
        optimizer: An Adagrad, of this package or of Keras.
        start: Where all copies of the weight begin.
        steps: Number of steps.
    """
    w = keras.Variable(np.full(COPIES, start), dtype="bfloat16")
    optimizer.build([w])

    @tf.function(autograph=False)  # XLA would keep some numbers unrounded
    def step():
        optimizer.apply([tf.ones_like(w)], [w])
        return tf.cast(w, "float32")

    path = np.array([tf.cast(w, "float32"), *(step() for _ in range(steps))])
    r = tfadaopt.accumulators(optimizer, w)["accumulator"]
    return path[0] - path, float(tf.cast(r, "float32")[0])
