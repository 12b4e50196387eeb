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
ALL = (*STATISTICS, "norm")
QUANTILES = (0.05, 0.50, 0.95)
# Beyond this many elements, quantiles come from a sample: sorting is what a snapshot costs. In 19
# of 20 cases the median of 1024 lies within 3 % of rank of the true one, p05 and p95 within 1.4 %.
SAMPLE = 1024
STACKED = 65_536
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Series:
    """One tensor to be summarised at each snapshot: its tag, how to read it, and whether ‖·‖.

    Of a number, which has no statistics, the mean alone is logged.
    """

    tag: str
    read: Callable[[], tf.Tensor]
    norm: bool = False
    number: bool = False

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of the statistics, in the order in which ``summarise`` returns them."""
        if self.number:
            return STATISTICS[:1]
        return ALL if self.norm else STATISTICS


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
    """Magnitude of each slot of each variable; numbers that all variables share come once."""
    series = {}
    for path, variable in zip(_paths(variables), variables, strict=True):
        for slot, state in optimizer.slots_of(variable).items():
            tag = (
                f"accumulator/{slot}"
                if slot in optimizer.shared()
                else f"accumulator/{slot}/{path}"
            )
            number = state.shape == () != variable.shape
            series[tag] = Series(
                tag=tag,
                read=lambda s=state: tf.abs(tf.convert_to_tensor(s)),
                norm=True,
                number=number or slot in optimizer.shared(),
            )
    return list(series.values())


class Snapshot:
    """All statistics of all series: computed in one graph call, copied to the host at once.

    Args:
        optimizer: Optimizer whose step count and scheduled rate go with the statistics.
        series: What to summarise.
    """

    def __init__(self, optimizer: Optimizer, series: Sequence[Series]):
        self._tags = [[f"{s.tag}/{name}" for name in s.statistics] for s in series]

        @tf.function(autograph=False)
        def compute() -> tf.Tensor:
            steps = tf.cast(compat.micro_steps(optimizer).value, tf.int64)
            # float32 counts exactly only to 2²⁴: the step travels in two halves.
            high, low = steps // 2**20, steps % 2**20
            eta = compat.applied_learning_rate(optimizer)
            head = tf.stack([tf.cast(x, tf.float32) for x in (high, low, eta)])
            if not series:
                return head
            return tf.concat([head, tf.reshape(summarise([s.read() for s in series]), [-1])], 0)

        self._compute = compute.get_concrete_function()

    def take(self) -> tuple[int, dict[str, float]]:
        """Return the number of ``apply`` calls so far, and the statistics by tag."""
        high, low, eta, *values = self._compute().numpy().tolist()
        tagged = {"learning_rate": eta}
        for i, tags in enumerate(self._tags):
            # Series of fewer statistics leave the last of them unused.
            tagged.update(zip(tags, values[i * len(ALL) : (i + 1) * len(ALL)], strict=False))
        return int(high) * 2**20 + int(low), tagged


def summarise(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Mean, min, max, quantiles and Euclidean norm: a row of float32 for each tensor.

    Quantiles are interpolated as in ``numpy.quantile``. Of more than 1024 elements, 1024 are taken
    that lie a golden section apart: unlike a plain stride, that visits all channels of a kernel.

    Small tensors of one size are summarised as rows of one matrix: launching an operation costs
    more than its work on them.
    """
    flat = [tf.reshape(tf.cast(x, tf.float32), [-1]) for x in tensors]
    moments = _by_size(flat, _moments)
    quantiles = _by_size([_sample(x) for x in flat], _quantiles)
    return tf.concat([moments[:, :3], quantiles, moments[:, 3:]], axis=1)


def _by_size(vectors: Sequence[tf.Tensor], of_rows: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    groups: dict[object, list[int]] = {}
    for i, x in enumerate(vectors):
        # Copying a large tensor into a matrix would cost more than a launch: it stays alone.
        key = x.shape[0] if x.shape[0] <= STACKED else ("alone", i)
        groups.setdefault(key, []).append(i)
    rows = [of_rows(tf.stack([vectors[i] for i in members])) for members in groups.values()]
    order = np.argsort([i for members in groups.values() for i in members])
    return tf.gather(tf.concat(rows, axis=0), order)


def _moments(rows: tf.Tensor) -> tf.Tensor:
    mean, low, high = (
        reduce(rows, axis=1) for reduce in (tf.reduce_mean, tf.reduce_min, tf.reduce_max)
    )
    # Squares of what float32 holds may overflow or vanish in it.
    largest = tf.maximum(tf.abs(low), tf.abs(high))
    norm = largest * tf.norm(tf.math.divide_no_nan(rows, largest[:, tf.newaxis]), axis=1)
    return tf.stack([mean, low, high, norm], axis=1)


def _quantiles(rows: tf.Tensor) -> tf.Tensor:
    size = rows.shape[1]
    position = np.array(QUANTILES) * (size - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, size - 1)
    weight = (position - below).astype(np.float32)
    ordered = tf.gather(tf.sort(rows, axis=1), np.concatenate([below, above]), axis=1)
    return ordered[:, : len(below)] * (1 - weight) + ordered[:, len(below) :] * weight


def _sample(x: tf.Tensor) -> tf.Tensor:
    size = x.shape[0]
    if size <= SAMPLE:
        return x
    stride = round(size * _GOLDEN)
    while math.gcd(stride, size) > 1:
        stride += 1
    return tf.gather(x, tf.range(SAMPLE, dtype=tf.int64) * stride % size)


def _paths(variables: Sequence) -> list[str]:
    paths = [compat.path_of(v) for v in variables]
    seen: Counter[str] = Counter()
    unique = []
    for path in paths:
        seen[path] += 1
        unique.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return unique
