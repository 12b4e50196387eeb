"""How to measure: series of tensors, and all their statistics in one graph call."""

import abc
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.sources import Before, MakeRows, Reading, source_of
from tfadaopt.callbacks.summaries import (
    ALL,
    SPREAD,
    STATISTICS,
    Quantiles,
    statistics_of,
    summarise,
)
from tfadaopt.compat import Variable

# First part of the keys of what is the same after the step, if nothing has changed it since; and
# of what is kept of several layers at once, each of which may be known by its path.
ETA = "eta"
ROWS = "rows"


@dataclass(frozen=True)
class Series:
    """One tensor to be summarised at each snapshot.

    Attributes:
        quantity: What it is, such as ``effective_learning_rate`` or ``accumulator/momentum``.
        layer: Path of the variable; None of a number that all share.
        read: Returns the tensor, given what was kept from before the step.
        statistics: What is asked of it: some of ``ALL``; ``("mean",)`` or ``VALUE`` of a number,
            which has none.
        before: What ``read`` needs from before the step: how to read it, by key.
        sampled: Whether it is an estimate, which gives way to the whole where another asks for it.
        variable: The variable of the layer, where series are read together.
        state: Its state that is read then, if that is it.
        together: How series with an equal one are read at once; None: each by itself.
    """

    quantity: str
    layer: str | None
    read: Callable[[Before], tf.Tensor]
    statistics: tuple[str, ...] = STATISTICS
    before: Mapping[tuple, Reading] = field(default_factory=dict)
    sampled: bool = False
    variable: Variable | None = None
    state: Variable | tf.Tensor | None = None
    together: "Together | None" = None

    @property
    def is_number(self) -> bool:
        """Whether the tensor has one element, which stands for itself."""
        return len(self.statistics) == 1

    def tag(self, statistic: str) -> str:
        """Tag of a statistic as a scalar."""
        name = "" if statistic == "value" else f"/{statistic}"
        return self.quantity + (f"/{self.layer}" if self.layer else "") + name


class Together(abc.ABC):
    """Reads several series in a few operations, as rows of one matrix; compared by its fields."""

    def before(self, series: Sequence[Series]) -> Mapping[tuple, Reading]:
        """What ``read`` needs from before the step: how to read it, by key."""
        return {}

    @abc.abstractmethod
    def read(self, series: Sequence[Series], before: Before, rows: MakeRows) -> tf.Tensor:
        """A row of coordinates for each, of which statistics are asked; or a number for each.

        Args:
            series: The series.
            before: What was kept from before the step.
            rows: Makes rows of coordinates of variables.
        """


@dataclass(frozen=True)
class _Parts:
    """Series in the order in which their numbers lie in a snapshot.

    Attributes:
        spreads: Those read by themselves, of which statistics are taken.
        numbers: Those read by themselves, which are one number.
        groups: Those that are read at once.
    """

    spreads: Sequence[Series]
    numbers: Sequence[Series]
    groups: Mapping[Together, Sequence[Series]]

    @classmethod
    def of(cls, series: Sequence[Series]) -> "_Parts":
        groups: dict[Together, list[Series]] = {}
        for s in series:
            if s.together is not None:
                groups.setdefault(s.together, []).append(s)
        alone = [s for s in series if s.together is None]
        numbers = [s for s in alone if s.is_number]
        return cls([s for s in alone if not s.is_number], numbers, groups)

    @property
    def alone(self) -> list[Series]:
        """Those that are read by themselves."""
        return [*self.spreads, *self.numbers]

    def read_alone(self, before: Before) -> list[tf.Tensor]:
        """The numbers of these."""
        found = []
        if self.spreads:
            tensors = [s.read(before) for s in self.spreads]
            rows = summarise(tensors, [s.statistics for s in self.spreads])
            found.append(tf.reshape(rows, [-1]))
        if self.numbers:
            flat = [tf.reshape(tf.cast(s.read(before), tf.float32), []) for s in self.numbers]
            found.append(tf.stack(flat))
        return found

    def places(self, at: int) -> tuple[dict[tuple[str, str | None, str], int], int]:
        """Where each statistic lies, from ``at`` on; and where those of groups begin."""
        found: dict[tuple[str, str | None, str], int] = {}

        def add(s: Series, statistics: Sequence[str]) -> None:
            for name in statistics:
                found[s.quantity, s.layer, name] = at + len(found)

        for s in self.spreads:
            add(s, ALL)
        for s in self.numbers:
            add(s, s.statistics)
        alone = at + len(found)
        for members in self.groups.values():
            for s in members:
                add(s, s.statistics)
        return found, alone


class Snapshot:
    """All statistics of all series: computed in one graph call, copied to the host at once.

    Args:
        steps: Reads the number of calls of ``apply`` so far.
        rates: Scheduled rates that go with the statistics, by tag.
        series: What to summarise.
        kept: What the rates need from before the step: how to read it, by key.
    """

    def __init__(
        self,
        steps: Callable[[], tf.Tensor],
        rates: Mapping[str, Callable[[Before], tf.Tensor]],
        series: Sequence[Series],
        kept: Mapping[tuple, Reading] | None = None,
    ):
        self.series = list(series)
        parts = _Parts.of(self.series)
        self._needs = [(one.quantity, set(one.before)) for one in parts.alone]
        readings = dict(kept or {})
        readings |= {key: read for s in parts.alone for key, read in s.before.items()}
        for together, members in parts.groups.items():
            before = together.before(members)
            self._needs.append((members[0].quantity, set(before)))
            readings |= before
        self._readings = readings
        self._rates = list(rates)
        self._rows: list[tuple[tuple[int, ...], tuple[str, ...]]] = []

        def read_groups(before: Before, rows: MakeRows) -> list[tf.Tensor]:
            return [
                tf.cast(together.read(members, before, rows), tf.float32)
                for together, members in parts.groups.items()
            ]

        self.source = source_of(readings, read_groups)

        def compute(*arguments: tf.Tensor) -> tf.Tensor:
            before, rows = self.source.opened(*arguments)
            count = tf.cast(steps(), tf.int64)
            # float32 counts exactly only to 2²⁴: the step travels in two halves.
            head = [count // 2**20, count % 2**20, *(read(before) for read in rates.values())]
            found = [tf.stack([tf.cast(x, tf.float32) for x in head]), *parts.read_alone(before)]
            groups = read_groups(before, rows)
            asked = [members[0].statistics for members in parts.groups.values()]
            self._rows = [(tuple(x.shape), one) for x, one in zip(groups, asked, strict=True)]
            return tf.concat([*found, *(tf.reshape(x, [-1]) for x in groups)], 0)

        traced = tf.function(compute, autograph=False)
        self._compute = traced.get_concrete_function(*self.source.specs())
        self._at, self._alone = parts.places(2 + len(self._rates))
        places: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for s in self.series:
            for name in s.statistics:
                if s.layer is not None:
                    place = s.layer, self._at[s.quantity, s.layer, name]
                    places.setdefault((s.quantity, name), []).append(place)
        self._tables = {
            key: (tuple(layer for layer, _ in found), np.array([i for _, i in found]))
            for key, found in places.items()
        }

    def capture(self) -> Before:
        """Keep what the snapshot after the coming step needs from before it."""
        return self.source.capture()

    def take(self, before: Before | None = None) -> "Taken":
        """Measure now; quantities for which something was not kept from before are left out."""
        before = dict(before or {})
        for key, read in self._readings.items():
            if key in before:
                continue
            if key[0] == ETA:
                before[key] = read()
            elif key[0] == ROWS:
                single = [before.get((*key[1], path)) for path in key[2]]
                if all(x is not None for x in single):
                    before[key] = tf.stack(single)
        missing = {quantity for quantity, needed in self._needs if needed - before.keys()}
        flat = self._with_statistics(self._compute(*self.source.arguments(before)).numpy())
        return Taken(flat, self._rates, self._tables, self._at, missing)

    def _with_statistics(self, flat: np.ndarray) -> np.ndarray:
        """Statistics of rows in their place: NumPy sorts them in a tenth of TensorFlow's time."""
        at, sampled, parts = self._alone, [], [flat[: self._alone]]
        for shape, statistics in self._rows:
            rows = flat[at : at + math.prod(shape)]
            at += rows.size
            if len(shape) == 1:
                parts.append(rows)
            elif statistics == SPREAD:
                sampled.append(rows)
                parts.append(np.empty(0, flat.dtype))
            else:
                parts.append(statistics_of(rows.reshape(shape), statistics).ravel())
        if sampled:
            quantiles = self._quantiles(np.concatenate(sampled))
            first = 0
            for i, (shape, statistics) in enumerate(self._rows, start=1):
                if len(shape) > 1 and statistics == SPREAD:
                    parts[i] = quantiles[first : first + shape[0]].ravel()
                    first += shape[0]
        return np.concatenate(parts)

    @functools.cached_property
    def _quantiles(self) -> Quantiles:
        of_spread = [x for x, statistics in self._rows if len(x) > 1 and statistics == SPREAD]
        return Quantiles([size for count, size in of_spread for _ in range(count)])


class Taken:
    """The numbers of one snapshot.

    Attributes:
        steps: Calls of ``apply`` so far.
        rates: Scheduled rates by tag.
        tables: By quantity and statistic, the layers and their numbers.
    """

    def __init__(self, flat: np.ndarray, rates: Sequence[str], tables, at, missing: set[str]):
        self.steps = int(flat[0]) * 2**20 + int(flat[1])
        self.rates = dict(zip(rates, flat[2 : 2 + len(rates)].tolist(), strict=True))
        self.tables: Tables = {
            key: (layers, flat[i]) for key, (layers, i) in tables.items() if key[0] not in missing
        }
        self._flat, self._at, self._missing = flat, at, missing

    def values(self, series: Sequence[Series]) -> dict[str, float]:
        """All numbers of some series, by tag."""
        at = {
            s.tag(name): self._at[s.quantity, s.layer, name]
            for s in series
            if s.quantity not in self._missing
            for name in s.statistics
        }
        found = self._flat[list(at.values())].tolist() if at else []
        return dict(zip(at, found, strict=True))
