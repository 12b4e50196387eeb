"""Least squares on examples with features of their own, which some methods put their trust in."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk

EXAMPLES, POSITIVE, STEPS = 200, 0.75, 4000


def fitted(method: str, rate: float, unit: float, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return test error, weight 2 over weight 1, and training loss of each seed.

    Args:
        method: Name of the method; ε is 0, and the rate of RMSprop and Adam falls as 1/√t.
        rate: Its learning rate.
        unit: Size of feature 1, which is unit · y; features 2 and 3 are 1.
        y: Labels ±1 [seeds, n]. An example has one private feature if positive, five if negative.
    """
    private = np.ones((*y.shape, 5))
    private[y > 0, 1:] = 0

    def loss(w: tf.Tensor) -> tf.Tensor:
        own = tf.reduce_sum(tf.reshape(w[:, 3:], private.shape) * private, axis=2)
        return tf.reduce_mean((unit * y * w[:, :1] + w[:, 1:2] + w[:, 2:3] + own - y) ** 2, axis=1)

    more: dict[str, Any] = {"loss": loss, "record": ["point", "loss"], "every": STEPS}
    more |= {} if method == "SGD" else {"epsilon": 0.0}
    more |= {"schedule": tf.math.rsqrt} if method in ("RMSprop", "Adam") else {}
    seen = walk(method, rate, np.zeros((len(y), 3 + 5 * EXAMPLES)), STEPS, **more)
    own, rest = unit * seen["point"][-1, :, 0], seen["point"][-1, :, 1:3].sum(axis=1)
    error = POSITIVE * (own + rest <= 0) + (1 - POSITIVE) * (rest >= own)
    return error, rest / 2 / own, seen["loss"][-1]
