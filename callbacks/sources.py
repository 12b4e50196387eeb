"""How the variables of a snapshot are read: by NumPy where they lie, or in its graph.

A graph takes about a microsecond for each variable that it is called with, and for each of the
three operations that sample it. Where variables lie in this machine's memory, one operation reads
all of them without a copy, and a sample is one call of NumPy.
"""

import abc
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.callbacks.summaries import SMALL_SAMPLE, sampled_places
from tfadaopt.reader import Kept

# What was kept from before a step, by a key; series of one snapshot may keep there what they share.
Before = dict[tuple, tf.Tensor | np.ndarray]


def row(kept: Kept, most: int = SMALL_SAMPLE) -> tf.Tensor:
    """At most so many coordinates of a variable, or of a tensor of state, as a vector.

    By a read and a gather: of a variable from which TensorFlow has gathered in one operation, it
    copies all at each later read.
    """
    flat = tf.reshape(tf.convert_to_tensor(kept), [-1])
    size = math.prod(kept.shape)
    return flat if size <= most else tf.gather(flat, sampled_places(size, most))


@dataclass(frozen=True, eq=False)
class Whole:
    """Reads all of one variable.

    Attributes:
        one: The variable, or a piece of state.
    """

    one: Kept

    def __call__(self) -> tf.Tensor:
        return tf.identity(tf.convert_to_tensor(self.one))

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What is read."""
        return (self.one,)

    @property
    def is_large(self) -> bool:
        """Whether a copy costs more than the operation."""
        return math.prod(self.one.shape) > SMALL_SAMPLE

    @property
    def spec(self) -> tf.TensorSpec:
        """What comes of it."""
        return tf.TensorSpec(self.one.shape, _dtype_of(self.one))


@dataclass(frozen=True, eq=False)
class Rows:
    """Reads so many coordinates of each of several variables of one dtype, as rows of a matrix.

    Attributes:
        kept: The variables, or pieces of state; none has fewer coordinates.
        size: How many coordinates of each.
    """

    kept: Sequence[Kept]
    size: int

    def __call__(self) -> tf.Tensor:
        return tf.stack([row(x, self.size) for x in self.kept])

    @property
    def spec(self) -> tf.TensorSpec:
        """What comes of it."""
        return tf.TensorSpec([len(self.kept), self.size], _dtype_of(self.kept[0]))


def read_rows(kept: Sequence[Kept], size: int) -> tf.Tensor:
    """Rows of coordinates, by operations."""
    return Rows(kept, size)()


Reading: TypeAlias = Whole | Rows
# Makes rows, while a snapshot is traced.
MakeRows = Callable[[Sequence[Kept], int], tf.Tensor]


class Source(abc.ABC):
    """Reads for one snapshot, before a step and after it.

    Args:
        readings: What is needed from before the step, by key.
    """

    def __init__(self, readings: Mapping[tuple, Reading]) -> None:
        self.readings = dict(readings)

    @abc.abstractmethod
    def capture(self) -> Before:
        """Read what is needed from before the step.

        What is kept of large variables are their buffers: the step writes to new ones.
        """

    @abc.abstractmethod
    def specs(self) -> list[tf.TensorSpec]:
        """What the snapshot is traced with."""

    @abc.abstractmethod
    def opened(self, *arguments: tf.Tensor) -> tuple[Before, MakeRows]:
        """While it is traced: what was kept, and what makes rows of what is there now."""

    @abc.abstractmethod
    def arguments(self, before: Before) -> list[tf.Tensor]:
        """What the snapshot is called with, after the step; 0 stands for what was not kept."""

    def _kept_or_zeros(self, keys: Iterable[tuple], before: Before) -> list[tf.Tensor]:
        specs = {key: self.readings[key].spec for key in keys}
        return [
            before[key] if key in before else tf.zeros(spec.shape, spec.dtype)
            for key, spec in specs.items()
        ]


class InGraph(Source):
    """Reads by operations of a graph, wherever the variables are."""

    def __init__(self, readings: Mapping[tuple, Reading]) -> None:
        super().__init__(readings)
        if readings:
            read = tf.function(lambda: [x() for x in readings.values()], autograph=False)
            self._capture = read.get_concrete_function()

    def capture(self) -> Before:
        return dict(zip(self.readings, self._capture() if self.readings else (), strict=True))

    def specs(self) -> list[tf.TensorSpec]:
        return [reading.spec for reading in self.readings.values()]

    def opened(self, *arguments: tf.Tensor) -> tuple[Before, MakeRows]:
        kept = dict(zip(self.readings, arguments, strict=True))
        return kept, read_rows

    def arguments(self, before: Before) -> list[tf.Tensor]:
        return self._kept_or_zeros(self.readings, before)


class OnHost(Source):
    """Reads variables in this machine's memory by NumPy: all coordinates into one vector.

    Args:
        readings: What is needed from before the step, by key.
        now: The rows that the snapshot makes.
    """

    def __init__(self, readings: Mapping[tuple, Reading], now: Sequence[Rows]) -> None:
        super().__init__(readings)
        large = {k: x for k, x in readings.items() if isinstance(x, Whole) and x.is_large}
        self._large = compat.Buffers([x.one for x in large.values()])
        self._keys_of_large = list(large)
        self._keys = [key for key in readings if key not in large]
        self._of_before, self._of_now = [readings[key] for key in self._keys], list(now)
        # Half precision fits into single, and back, without rounding.
        kinds = {x.spec.dtype for x in (*readings.values(), *now)}
        self._dtype = tf.float64 if tf.float64 in kinds else tf.float32
        self._before, self._now = _Vector(self._of_before), _Vector(self._of_now)

    def capture(self) -> Before:
        kept: Before = dict(zip(self._keys_of_large, self._large.read(), strict=True))
        flat = np.empty(self._before.size, self._dtype.as_numpy_dtype)
        self._before.read(flat)
        return kept | {key: flat[x] for key, x in zip(self._keys, self._before.parts, strict=True)}

    def specs(self) -> list[tf.TensorSpec]:
        vector = tf.TensorSpec([self._before.size + self._now.size], self._dtype)
        return [vector, *(self.readings[key].spec for key in self._keys_of_large)]

    def opened(self, *arguments: tf.Tensor) -> tuple[Before, MakeRows]:
        flat, *large = arguments
        specs = [x.spec for x in (*self._of_before, *self._of_now)]
        sizes = [spec.shape.num_elements() for spec in specs]
        cut = tf.split(flat, sizes) if sizes else []
        parts = [
            tf.cast(tf.reshape(part, spec.shape), spec.dtype)
            for part, spec in zip(cut, specs, strict=True)
        ]
        kept = dict(zip(self._keys_of_large, large, strict=True))
        kept |= dict(zip(self._keys, parts, strict=False))
        made = dict(zip(map(_key_of, self._of_now), parts[len(self._keys) :], strict=True))

        def make_rows(variables: Sequence[Kept], size: int) -> tf.Tensor:
            rows = Rows(variables, size)
            unused = tf.zeros(rows.spec.shape, rows.spec.dtype)
            return made.get(_key_of(rows), unused)

        return kept, make_rows

    def arguments(self, before: Before) -> list[tf.Tensor]:
        flat = np.zeros(self._before.size + self._now.size, self._dtype.as_numpy_dtype)
        for key, part in zip(self._keys, self._before.parts, strict=True):
            if key in before:
                flat[part] = np.ravel(before[key])
        self._now.read(flat[self._before.size :])
        return [tf.constant(flat), *self._kept_or_zeros(self._keys_of_large, before)]


class _Vector:
    """Numbers of some readings, one after the other.

    Attributes:
        size: How many there are.
        parts: Where those of each reading lie.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._buffers = compat.Buffers([one for x in readings for one in x.kept])
        # Of each variable: where its numbers go, and which they are.
        self._places: list[tuple[slice, np.ndarray]] = []
        self.size, self.parts = 0, []
        for reading in readings:
            begin = self.size
            for one in reading.kept:
                size = math.prod(one.shape)
                most = reading.size if isinstance(reading, Rows) else size
                which = np.arange(size) if size == most else sampled_places(size, most)
                self._places.append((slice(self.size, self.size + most), which))
                self.size += most
            self.parts.append(slice(begin, self.size))

    def read(self, into: np.ndarray) -> None:
        """Read all of them."""
        for tensor, (part, which) in zip(self._buffers.read(), self._places, strict=True):
            into[part] = compat.array_of(tensor).take(which)


def source_of(
    readings: Mapping[tuple, Reading], read: Callable[[Before, MakeRows], object]
) -> Source:
    """How to read what a snapshot needs.

    Args:
        readings: What is needed from before the step, by key.
        read: What is traced: makes rows of what there is after the step.
    """
    asked: dict[tuple, tuple[Rows, tf.Tensor]] = {}

    def ask(kept: Sequence[Kept], size: int) -> tf.Tensor:
        rows = Rows(kept, size)
        stand_in = tf.compat.v1.placeholder(rows.spec.dtype, rows.spec.shape)
        return asked.setdefault(_key_of(rows), (rows, stand_in))[1]

    def asks(*kept: tf.Tensor) -> None:
        read(dict(zip(readings, kept, strict=True)), ask)

    specs = [reading.spec for reading in readings.values()]
    tf.function(asks, autograph=False).get_concrete_function(*specs)
    now = [rows for rows, stand_in in asked.values() if stand_in.consumers()]
    variables = [one for x in (*readings.values(), *now) for one in x.kept]
    on_host = all(compat.is_on_host(one) for one in variables)
    return OnHost(readings, now) if on_host else InGraph(readings)


def _key_of(rows: Rows) -> tuple:
    return rows.size, *map(id, rows.kept)


def _dtype_of(kept: Kept) -> str:
    return keras.backend.standardize_dtype(kept.dtype)
