"""What to measure: series of tensors, and all their statistics in one graph call."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt import compat, effective
from tfadaopt.optimizers.base import Optimizer

STATISTICS = ("mean", "min", "max", "p05", "p50", "p95")
QUANTILES = (0.05, 0.50, 0.95)
# Beyond this many elements, quantiles come from a sample: a full sort would cost more than the
# training step. The error is that of a sample of 4096, at most a few per cent of rank.
SAMPLE = 4096
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Series:
    """One tensor to be summarised at each snapshot: its tag, how to read it, and whether ‖·‖."""

    tag: str
    read: Callable[[], tf.Tensor]
    norm: bool = False

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of the statistics, in the order in which ``summarise`` returns them."""
        return (*STATISTICS, "norm") if self.norm else STATISTICS


Quantity = Callable[[Optimizer, Sequence], list[Series]]


def effective_learning_rates(optimizer: Optimizer, variables: Sequence) -> list[Series]:
    """Effective learning rate of each variable."""
    return [
        Series(
            tag=f"effective_learning_rate/{path}",
            read=lambda v=variable: effective.broadcastable_rate(optimizer, v),
        )
        for path, variable in zip(_paths(variables), variables, strict=True)
    ]


def accumulator_magnitudes(optimizer: Optimizer, variables: Sequence) -> list[Series]:
    """Magnitude of each slot of each variable."""
    return [
        Series(
            tag=f"accumulator/{slot}/{path}",
            read=lambda s=state: tf.abs(tf.convert_to_tensor(s)),
            norm=True,
        )
        for path, variable in zip(_paths(variables), variables, strict=True)
        for slot, state in optimizer.slots_of(variable).items()
    ]


class Snapshot:
    """All statistics of all series: computed in one graph call, copied to the host at once.

    Args:
        optimizer: Optimizer whose step count and scheduled rate go with the statistics.
        series: What to summarise.
    """

    def __init__(self, optimizer: Optimizer, series: Sequence[Series]):
        self._tags = [f"{s.tag}/{statistic}" for s in series for statistic in s.statistics]

        @tf.function(autograph=False)
        def compute() -> tf.Tensor:
            steps = tf.cast(compat.micro_steps(optimizer).value, tf.int64)
            # float32 counts exactly only to 2²⁴: the step travels in two halves.
            high, low = steps // 2**20, steps % 2**20
            eta = compat.applied_learning_rate(optimizer)
            head = tf.stack([tf.cast(x, tf.float32) for x in (high, low, eta)])
            return tf.concat([head, *(summarise(s.read(), s.norm) for s in series)], axis=0)

        self._compute = compute.get_concrete_function()

    def take(self) -> tuple[int, dict[str, float]]:
        """Return the number of ``apply`` calls so far, and the statistics by tag."""
        high, low, eta, *values = self._compute().numpy().tolist()
        tagged = {"learning_rate": eta, **dict(zip(self._tags, values, strict=True))}
        return int(high) * 2**20 + int(low), tagged


def summarise(x: tf.Tensor, norm: bool) -> tf.Tensor:
    """Mean, min, max, the quantiles and, if asked for, the Euclidean norm, as one float32 vector.

    Quantiles are interpolated as in ``numpy.quantile``. Of more than 4096 elements, 4096 are taken
    that lie a golden section apart: unlike a plain stride, that visits all channels of a kernel.
    """
    x = tf.reshape(tf.cast(x, tf.float32), [-1])
    size = x.shape[0]
    vector = [
        tf.stack([tf.reduce_mean(x), tf.reduce_min(x), tf.reduce_max(x)]),
        _quantiles(x, size),
    ]
    if norm:
        vector.append(tf.reshape(tf.norm(x), [1]))
    return tf.concat(vector, axis=0)


def _quantiles(x: tf.Tensor, size: int) -> tf.Tensor:
    if size > SAMPLE:
        stride = round(size * _GOLDEN)
        while math.gcd(stride, size) > 1:
            stride += 1
        x = tf.gather(x, tf.range(SAMPLE, dtype=tf.int64) * stride % size)
        size = SAMPLE
    position = np.array(QUANTILES) * (size - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, size - 1)
    weight = (position - below).astype(np.float32)
    ordered = tf.sort(x)
    return tf.gather(ordered, below) * (1 - weight) + tf.gather(ordered, above) * weight


def _paths(variables: Sequence) -> list[str]:
    paths = [compat.path_of(v) for v in variables]
    seen: Counter[str] = Counter()
    unique = []
    for path in paths:
        seen[path] += 1
        unique.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return unique
