"""What a stall warning reads beside the snapshot: rates, counts, and what is not trained."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat


class Probe:
    """Reads η and the steps of each optimizer, and whether state that is not trained is finite.

    All of it comes in one graph call. Of what is not trained, vectors are read: the moving
    statistics of a normalization, and not the kernels of a frozen base.

    Args:
        model: The model, or what stands for one.
        leaves: The optimizers, without wrappers.
    """

    def __init__(self, model: Any, leaves: Sequence[keras.optimizers.Optimizer]):
        self._leaves = list(leaves)
        self._state = [
            v
            for v in getattr(model, "non_trainable_variables", ())
            if tf.as_dtype(v.dtype).is_floating and len(v.shape) == 1
        ]
        self._read: Callable[[], tf.Tensor] = tf.function(self._values, autograph=False)
        self._failed = False

    def _values(self) -> tf.Tensor:
        rates = [compat.applied_learning_rate(leaf) for leaf in self._leaves]
        counts = [leaf.iterations for leaf in self._leaves]
        # A sum of what is finite, times 0, is 0.
        sums = [tf.reduce_sum(tf.zeros_like(x) * x) for x in map(tf.convert_to_tensor, self._state)]
        read = (tf.cast(tf.convert_to_tensor(x), "float64") for x in (*rates, *counts, *sums))
        return tf.stack([tf.reshape(x, []) for x in read])

    def __call__(self) -> tuple[list[float], list[int], list[str]]:
        """η and steps of each optimizer, and paths of what is not finite."""
        if self._failed:
            return [], [], []
        try:
            values = self._read().numpy().tolist()
        except Exception:
            values = self._eagerly()
        n = len(self._leaves)
        sums = zip(self._state, values[2 * n :], strict=False)
        broken = [compat.path_of(v) for v, x in sums if not math.isfinite(x)]
        return values[:n], [int(x) for x in values[n : 2 * n]], broken

    def _eagerly(self) -> list[float]:
        """A schedule in plain Python cannot be traced."""
        self._read = self._values
        try:
            return self._values().numpy().tolist()
        except Exception:
            self._failed = True  # it only helps to judge a layer
            return []
