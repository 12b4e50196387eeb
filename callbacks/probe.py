"""What a stall warning reads beside the snapshot: rates, counts, and what is not trained."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat

# A variable that callbacks alone change is read at each so many looks.
_LOOKS_OF_RATE = 4


class Probe:
    """Reads η and the steps of each optimizer, and whether state that is not trained is finite.

    All of it comes in one graph call; a rate that is a variable, and nothing else, needs none. Of
    what is not trained, vectors are read: the moving statistics of a normalization, and not the
    kernels of a frozen base.

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
        self._read: Callable[[], tf.Tensor] | None = None
        self._failed = False
        rates = [compat.rate_of(leaf) for leaf in leaves]
        alone = len(rates) == 1 and not self._state and isinstance(rates[0], keras.Variable)
        self._rate = rates[0] if alone else None
        self._looks, self._last = 0, 0.0

    def __call__(self, step: int) -> tuple[list[float], list[int], list[str]]:
        """η and steps of each optimizer, and paths of what is not finite.

        Args:
            step: Steps of the optimizer that is counted.
        """
        if self._rate is not None:
            if self._looks % _LOOKS_OF_RATE == 0:
                self._last = float(self._rate.value.numpy())
            self._looks += 1
            return [self._last], [step], []
        values, n = self._values(), len(self._leaves)
        broken = [
            compat.path_of(v)
            for v, x in zip(self._state, values[2 * n :], strict=False)
            if not math.isfinite(x)
        ]
        return values[:n], [int(x) for x in values[n : 2 * n]], broken

    def _values(self) -> list[float]:
        if self._failed:
            return []
        try:
            if self._read is None:
                self._read = tf.function(self._stacked, autograph=False).get_concrete_function()
            return self._read().numpy().tolist()
        except Exception:
            self._read = self._stacked  # a schedule in plain Python cannot be traced
        try:
            return self._read().numpy().tolist()
        except Exception:
            self._failed = True  # it only helps to judge a layer
            return []

    def _stacked(self) -> tf.Tensor:
        rates = [compat.applied_learning_rate(leaf) for leaf in self._leaves]
        counts = [leaf.iterations for leaf in self._leaves]
        # A sum of what is finite, times 0, is 0.
        sums = [tf.reduce_sum(tf.zeros_like(x) * x) for x in map(tf.convert_to_tensor, self._state)]
        read = (tf.cast(tf.convert_to_tensor(x), "float64") for x in (*rates, *counts, *sums))
        return tf.stack([tf.reshape(x, []) for x in read])
