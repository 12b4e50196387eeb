"""Statistics of many tensors in few operations, in TensorFlow or of rows in NumPy."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfadaopt.callbacks import log_format

ALL = tuple(log_format.STATISTICS)
STATISTICS = ALL[:-1]
QUANTILES = (0.05, 0.50, 0.95)
SPREAD = ("p05", "p50", "p95")
VALUE = (log_format.VALUE,)
_EXACT = {"mean", "min", "max", "norm"}
# Beyond this many elements, quantiles come from a sample: sorting is what a snapshot costs. In 19
# of 20 cases the median of 1024 lies within 3 % of rank of the true one, p05 and p95 within 1.4 %.
SAMPLE = 1024
# For series of which nothing but quantiles is asked: 6 % of rank, and 2.7 %.
SMALL_SAMPLE = 256
STACKED = 65_536
_GOLDEN = (math.sqrt(5) - 1) / 2


def summarise(
    tensors: Sequence[tf.Tensor], statistics: Sequence[Sequence[str]] | None = None
) -> tf.Tensor:
    """Mean, min, max, quantiles and Euclidean norm: a row of float32 for each tensor.

    Quantiles are interpolated as in ``numpy.quantile``. Of more than 1024 elements, 1024 are taken
    that lie a golden section apart: unlike a plain stride, that visits all channels of a kernel.

    Small tensors of one size are summarised as rows of one matrix: launching an operation costs
    more than its work on them. A pass through a large one costs more than all else: what is not
    asked for is not computed.

    Args:
        tensors: What to summarise.
        statistics: What is asked of each; default all. What is not asked for may be 0.
    """
    flat = [tf.reshape(tf.cast(x, tf.float32), [-1]) for x in tensors]
    asked = [set(ALL)] * len(flat) if statistics is None else list(map(set, statistics))
    moments = [_EXACT & one for one in asked]
    samples = [sample(x, SAMPLE if m else SMALL_SAMPLE) for x, m in zip(flat, moments, strict=True)]
    quantiles = _by_size(samples, _quantiles)
    parts, rows = [], []
    for of_rows, kind in ((_moments, True), (_moments_but_norm, False)):
        members = [i for i, m in enumerate(moments) if m and ("norm" in m) == kind]
        if members:
            parts.append(_by_size([flat[i] for i in members], of_rows))
            rows += members
    others = [i for i, m in enumerate(moments) if not m]
    parts.append(tf.zeros([len(others), 4]))
    rows += others
    found = tf.gather(tf.concat(parts, 0), np.argsort(rows))
    return tf.concat([found[:, :3], quantiles, found[:, 3:]], axis=1)


def _by_size(vectors: Sequence[tf.Tensor], of_rows: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    groups: dict[object, list[int]] = {}
    for i, x in enumerate(vectors):
        # Copying a large tensor into a matrix would cost more than a launch: it stays alone.
        key = x.shape[0] if x.shape[0] <= STACKED else ("alone", i)
        groups.setdefault(key, []).append(i)
    rows = [of_rows(tf.stack([vectors[i] for i in members])) for members in groups.values()]
    order = np.argsort([i for members in groups.values() for i in members])
    return tf.gather(tf.concat(rows, axis=0), order)


def _moments_but_norm(rows: tf.Tensor) -> tf.Tensor:
    reductions = tf.reduce_mean, tf.reduce_min, tf.reduce_max
    found = [reduce(rows, axis=1) for reduce in reductions]
    return tf.stack([*found, tf.zeros_like(found[0])], axis=1)


def _moments(rows: tf.Tensor) -> tf.Tensor:
    mean, low, high, _ = tf.unstack(_moments_but_norm(rows), axis=1)
    largest = tf.maximum(tf.abs(low), tf.abs(high))

    def scaled() -> tf.Tensor:
        return largest * tf.norm(tf.math.divide_no_nan(rows, largest[:, tf.newaxis]), axis=1)

    if rows.shape[0] > 1 or rows.shape[1] <= STACKED:
        norm = scaled()
    else:
        # Squares of what float32 holds may overflow or vanish in it; where not, one pass will do.
        safe = (largest > 1e-12) & (largest < 1e12)
        norm = tf.cond(safe[0], lambda: tf.sqrt(2 * tf.nn.l2_loss(rows))[tf.newaxis], scaled)
    return tf.stack([mean, low, high, norm], axis=1)


class Quantiles:
    """Quantiles of vectors of several lengths that lie one after the other, sorted all at once.

    Args:
        lengths: Length of each vector.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        width = max(lengths)
        rows = np.arange(len(lengths)) * width
        self._shape = len(lengths), width
        self._to = np.concatenate(
            [row + np.arange(length) for row, length in zip(rows, lengths, strict=True)]
        )
        places = [_places(length) for length in lengths]
        below, above, weight = (np.stack(x) for x in zip(*places, strict=True))
        self._below, self._above = below + rows[:, np.newaxis], above + rows[:, np.newaxis]
        self._weight = weight

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """A row of ``SPREAD`` for each vector."""
        matrix = np.full(self._shape, np.nan, np.float32)  # which comes last, as a NaN in a vector
        matrix.ravel()[self._to] = flat
        matrix.sort(axis=1)
        ordered = matrix.ravel()
        return _between(ordered[self._below], ordered[self._above], self._weight)


def statistics_of(rows: np.ndarray, statistics: Sequence[str]) -> np.ndarray:
    """Statistics of each row, a column for each: as ``summarise``, by NumPy."""
    below, above, weight = _places(rows.shape[1])
    ordered = np.sort(rows, axis=1)
    quantiles = _between(ordered[:, below], ordered[:, above], weight)
    found = dict(zip(SPREAD, quantiles.T, strict=True))
    with np.errstate(invalid="ignore", over="ignore"):
        found["mean"] = rows.mean(axis=1, dtype=np.float64)
        found |= {"min": rows.min(axis=1), "max": rows.max(axis=1)}
        if "norm" in statistics:
            # Squares of what float32 holds may overflow or vanish in it.
            found["norm"] = np.linalg.norm(rows.astype(np.float64), axis=1)
        return np.stack([found[name] for name in statistics], axis=1).astype(np.float32)


def _between(low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # infinity times 0
        # Numbers that are equal, infinite ones too, have themselves between them.
        return np.where(low == high, low, low * (1 - weight) + high * weight)


def _quantiles(rows: tf.Tensor) -> tf.Tensor:
    below, above, weight = _places(rows.shape[1])
    ordered = tf.gather(tf.sort(rows, axis=1), np.concatenate([below, above]), axis=1)
    return ordered[:, : len(below)] * (1 - weight) + ordered[:, len(below) :] * weight


def _places(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a quantile lies among so many sorted numbers: between which two, and how near."""
    position = np.array(QUANTILES) * (size - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, size - 1)
    return below, above, (position - below).astype(np.float32)


def sample(x: tf.Tensor, most: int = SAMPLE) -> tf.Tensor:
    """At most so many elements of a vector, always the same ones."""
    return x if x.shape[0] <= most else tf.gather(x, sampled_places(x.shape[0], most))


def sampled_places(size: int, most: int) -> np.ndarray:
    """Which of so many elements are sampled."""
    stride = round(size * _GOLDEN)
    while math.gcd(stride, size) > 1:
        stride += 1
    return np.arange(most, dtype=np.int64) * stride % size
