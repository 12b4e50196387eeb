"""Find layers that stopped learning, from the numbers of each snapshot: no training needed."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfadaopt.callbacks import advice
from tfadaopt.callbacks.log_format import RATE, Tables

Values = Mapping[str, np.ndarray]

# Spacing of the numbers next to 1: a step below a quarter of it, relative to the weights, is lost
# in rounding for the typical coordinate.
SPACING = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}

# A layer that is reported to have stopped for one reason is not reported again for another.
STOPPED = ("dead", "below_resolution", "saturated", "stalled")
# What is looked for, and its kind where that has another name.
CONDITIONS = {"skipped": "dead", "behind": "stalled"} | {kind: kind for kind in STOPPED}


@dataclass(frozen=True)
class Mark:
    """What there is to tell of one layer.

    Args:
        layer: Path of the variable.
        kind: One of ``stalled``, ``below_resolution``, ``saturated``, ``dead``, ``exploding``,
            ``nan``.
        quantity: The quantity that shows it.
        since: Step of the first snapshot that shows it.
        cause: The likely cause.
        advice: What to try.
    """

    layer: str
    kind: str
    quantity: str
    since: int
    cause: str
    advice: str

    def as_dict(self) -> dict[str, object]:
        """What is logged of it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Thresholds:
    """When a layer counts as stopped; the defaults come from ``benchmarks/stalls.py``.

    Args:
        patience: Optimizer iterations that it must last, ≥ 1; a quarter of those before it, where
            that is more.
        factor: Fall of the update, at equal η, from its largest to that of a stalled layer, > 1.
            Where squared gradients are summed up, a fall by √t more is the method's own.
        progress: Relative fall of the loss, in that time, from which on a run is not stalled.
        annealed: Part of its largest η below which a schedule is at its end: no warnings.
        solved: Part of its largest loss below which a run has nothing left to learn.
        behind: Ratio ‖Δθ‖/‖θ‖ of a layer to the largest of all, below which it is left behind,
        standing: and ‖Δθ‖/‖θ‖ itself.
        leaping: Ratio ‖Δθ‖/‖θ‖ above which, in three snapshots in a row, a layer explodes.
        growth: Growth of ‖θ‖ since the start from which on it explodes.
        vanished: Part of its largest below which a momentum counts as 0.
    """

    patience: int = 200
    factor: float = 30.0
    progress: float = 0.1
    annealed: float = 0.05
    solved: float = 1e-4
    behind: float = 1e-3
    standing: float = 1e-6
    leaping: float = 0.5
    growth: float = 30.0
    vanished: float = 1e-7


@dataclass(frozen=True)
class Layer:
    """What must be known of a variable beside the numbers that change.

    Args:
        dtype: Type of the weights.
        rank: Number of axes: what has fewer than two, a bias or a scale, may begin at 0 and grow.
        weight_norm: ‖θ‖ before the first step; NaN: unknown, the first snapshot's counts.
    """

    dtype: str = "float32"
    rank: int = 2
    weight_norm: float = math.nan


class StallDetector:
    """Watches the snapshots of one run, and tells once of each layer what stopped it.

    Args:
        optimizer: Name of the class, for causes and advice.
        layers: What is known of each variable, by its path.
        thresholds: When a layer counts as stopped.

    Example:
        >>> import numpy as np
        >>> from tfadaopt.callbacks.stalls import StallDetector
        >>> detector = StallDetector("SGD")
        >>> for step in range(10, 1000, 10):
        ...     update = 0.1 if step < 100 else 0.0
        ...     tables = {("update_norm", "value"): (["kernel"], np.array([update]))}
        ...     for mark in detector.observe(step, tables, learning_rate=0.1, loss=2.3):
        ...         print(mark.layer, mark.kind, "since step", mark.since)
        kernel dead since step 100
    """

    def __init__(
        self,
        optimizer: str = "",
        layers: Mapping[str, Layer] | None = None,
        thresholds: Thresholds | None = None,
    ):
        self.thresholds = thresholds or Thresholds()
        self._optimizer = optimizer
        self._about = dict(layers or {})
        self._forget()

    def _forget(self) -> None:
        self._last_step = -1
        self._told: set[tuple[str, str]] = set()
        self._losses: list[tuple[int, float]] = []
        self._largest_rate = 0.0
        self._watch(())

    def _watch(self, layers: tuple[str, ...]) -> None:
        self._layers = layers
        about = [self._about.get(path) or Layer(rank=_rank_by_name(path)) for path in layers]
        self._dtype = [layer.dtype for layer in about]
        self._spacing = np.array([SPACING.get(layer.dtype, 0.0) for layer in about])
        self._is_kernel = np.array([layer.rank >= 2 for layer in about], bool)
        self._first_weight = np.array([layer.weight_norm for layer in about], float)
        unknown = np.full(len(layers), np.nan)
        self._updates: list[np.ndarray] = []
        self._largest_update, self._scale_at_largest = unknown.copy(), unknown.copy()
        self._largest_momentum, self._last_ratio = unknown.copy(), unknown.copy()
        self._sums, self._last_momentum = unknown.copy(), unknown.copy()
        self._left_out_before = unknown.copy()
        self._leaps = np.zeros(len(layers), int)
        self._since = {name: np.full(len(layers), -1) for name in CONDITIONS}

    def observe(
        self, step: int, tables: Tables, learning_rate: float = math.nan, loss: float = math.nan
    ) -> list[Mark]:
        """Take in a snapshot and return what is new.

        Args:
            step: Optimizer iterations.
            tables: Numbers of each layer, of those quantities that are known: ``update_norm``,
                ``update_ratio``, ``weight_norm``, ``effective_learning_rate``,
                ``accumulator/<slot>``. NaN means unknown, except in weights and state.
            learning_rate: Scheduled η of the step; NaN: constant.
            loss: Mean loss since the snapshot before; NaN: unknown.
        """
        if step < self._last_step:
            self._forget()  # Another training, from fresh weights.
        self._last_step = step
        layers = tuple(dict.fromkeys(path for paths, _ in tables.values() for path in paths))
        if not set(layers) <= set(self._layers):
            self._watch(layers)
        seen = _Seen(self._layers, tables)
        if math.isfinite(loss):
            self._losses.append((step, loss))
        marks = self._left_out(step, seen) + self._nan(step, seen) + self._exploding(step, seen)
        if math.isfinite(learning_rate):
            self._largest_rate = max(self._largest_rate, learning_rate)
            if learning_rate <= self.thresholds.annealed * self._largest_rate:
                for since in self._since.values():
                    since[:] = -1
                return marks
        eta = learning_rate if math.isfinite(learning_rate) else 1.0
        return marks + self._stopped(step, seen, eta)

    def _left_out(self, step: int, seen: "_Seen") -> list[Mark]:
        """Layers of which the optimizer left out updates, as their gradient did not fit."""
        marks = []
        more = seen.left_out > np.where(np.isnan(self._left_out_before), 0, self._left_out_before)
        for i in np.flatnonzero(more).tolist():
            why = advice.left_out(int(seen.left_out[i]))
            marks += self._mark(i, "nan", "accumulator/skipped_updates", step, why)
        self._left_out_before = seen.left_out
        return marks

    def _nan(self, step: int, seen: "_Seen") -> list[Mark]:
        marks = []
        for quantity, known, values in seen.state:
            for i in np.flatnonzero(known & ~np.isfinite(values)).tolist():
                exploded = self._leaps[i] > 0 or self._last_ratio[i] > 0.1
                why = advice.nan(quantity, float(values[i]), bool(exploded))
                marks += self._mark(i, "nan", quantity, step, why)
        return marks

    def _exploding(self, step: int, seen: "_Seen") -> list[Mark]:
        limits = self.thresholds
        unknown = np.isnan(self._first_weight)
        self._first_weight[unknown] = seen.weight[unknown]
        with np.errstate(divide="ignore", invalid="ignore"):
            # What begins at 0 grows by no factor.
            measurable = self._is_kernel & (self._first_weight > 0)
            growth = np.where(measurable, seen.weight / self._first_weight, np.nan)
        self._leaps = np.where(self._is_kernel & (seen.ratio > limits.leaping), self._leaps + 1, 0)
        self._last_ratio = np.where(np.isnan(seen.ratio), self._last_ratio, seen.ratio)
        if len(self._losses) > 1 and self._losses[-1][1] < self._losses[0][1]:
            return []  # Large steps that lead down are what was asked for.
        marks = []
        for i in np.flatnonzero((self._leaps >= 3) | (growth > limits.growth)).tolist():
            leaping = self._leaps[i] >= 3
            why = advice.exploding(seen.ratio[i] if leaping else math.nan, growth[i])
            quantity = "update_ratio" if leaping else "weight_norm"
            marks += self._mark(i, "exploding", quantity, step, why)
        return marks

    def _stopped(self, step: int, seen: "_Seen", eta: float) -> list[Mark]:
        limits = self.thresholds
        # What the method takes off by itself as it sums up squares is no stall.
        update = seen.update / eta * np.where(np.isnan(seen.sums), 1.0, math.sqrt(step))
        scale = seen.rate / eta
        self._updates = [*self._updates[-2:], update]
        middle = np.median(self._updates, axis=0)
        if len(self._updates) == 3:
            rises = ~(middle <= self._largest_update) & np.isfinite(middle)
            self._largest_update[rises] = middle[rises]
            self._scale_at_largest[rises] = scale[rises]
        self._largest_momentum = np.fmax(self._largest_momentum, seen.momentum)
        # A momentum fades without gradients, whatever weight decay does; without it, nothing moves.
        faded = seen.momentum <= limits.vanished * self._largest_momentum
        below = seen.ratio < self._spacing / 4
        # Where other layers move by less than rounding keeps, 0 is what is left of such a step.
        rounded = bool((below & (seen.update > 0)).any())
        dead = np.where(np.isnan(seen.momentum), (seen.update == 0) & ~rounded, faded)
        skipped = ~dead & (seen.update == 0) & (seen.momentum == self._last_momentum)
        conditions = {
            "dead": dead,
            "skipped": skipped,
            "below_resolution": below & ~dead & ~skipped,
            "saturated": (seen.sums == self._sums) & (seen.update > 0),
            "stalled": middle < self._largest_update / limits.factor,
            "behind": (seen.ratio < limits.standing)
            & (seen.ratio < limits.behind * np.nanmax(seen.ratio, initial=0.0)),
        }
        self._sums, self._last_momentum = seen.sums, seen.momentum
        marks = []
        for name, holds in conditions.items():
            since = self._since[name]
            since[:] = np.where(holds, np.where(since < 0, step, since), -1)
            lasted = holds & (step - since >= np.maximum(limits.patience, since / 4))
            for i in np.flatnonzero(lasted).tolist():
                if not self._is_fine(name, int(since[i]), step):
                    marks += self._tell(i, name, int(since[i]), scale[i], middle[i])
        return marks

    def _is_fine(self, name: str, since: int, step: int) -> bool:
        """Whether the loss says that a layer that stands still need not move."""
        if not self._losses:
            return False
        largest = max(loss for _, loss in self._losses)
        if self._losses[-1][1] <= self.thresholds.solved * largest:
            return True
        if name in ("dead", "skipped", "behind"):
            return False
        of_time = [loss for at, loss in self._losses if at >= since]
        third = len(of_time) // 3
        if third == 0:
            return False
        before, now = np.median(of_time[:third]), np.median(of_time[-third:])
        return bool(now < (1 - self.thresholds.progress) * before)

    def _tell(self, i: int, name: str, since: int, scale: float, update: float) -> list[Mark]:
        kind = CONDITIONS[name]
        if any((self._layers[i], other) in self._told for other in STOPPED):
            return []
        fall = self._largest_update[i] / update if update > 0 else math.inf
        if name == "behind" and fall > self.thresholds.factor:
            name = "stalled"  # It did learn once: no vanishing gradient.
        rate_fall = self._scale_at_largest[i] / scale if scale > 0 else math.nan
        quantity, *why = advice.stopped(name, self._optimizer, self._dtype[i], fall, rate_fall)
        return self._mark(i, kind, quantity, since, why)

    def _mark(self, i: int, kind: str, quantity: str, since: int, why) -> list[Mark]:
        key = self._layers[i], kind
        if key in self._told:
            return []
        self._told.add(key)
        return [Mark(self._layers[i], kind, quantity, since, *why)]


class _Seen:
    """The numbers of one snapshot in the order of the layers; NaN where they are unknown."""

    def __init__(self, layers: Sequence[str], tables: Tables):
        place = {path: i for i, path in enumerate(layers)}

        def column(quantity: str, statistic: str) -> np.ndarray:
            values = np.full(len(layers), np.nan)
            if (quantity, statistic) in tables:
                paths, found = tables[quantity, statistic]
                values[[place[path] for path in paths]] = found
            return values

        self.rate = column(RATE, "p50")
        self.ratio = column("update_ratio", "value")
        self.weight = column("weight_norm", "value")
        update = column("update_norm", "value")
        # A ratio serves as well, where there is nothing else: weights change slowly.
        self.update = np.where(np.isnan(update), self.ratio, update)
        self.momentum = column("accumulator/momentum", "norm")
        self.sums = column("accumulator/accumulator", "mean")
        self.left_out = column("accumulator/skipped_updates", "mean")
        self.state = []
        for (quantity, statistic), (paths, _) in tables.items():
            known, values = np.isin(layers, paths), column(quantity, statistic)
            if (quantity, statistic) == (RATE, "p50"):
                # It may be infinite, where a gradient is 0 and ε is, too.
                self.state.append((quantity, known & ~np.isinf(values), values))
            elif quantity == "weight_norm" or (
                quantity.startswith("accumulator/") and statistic in ("norm", "mean")
            ):
                self.state.append((quantity, known, values))


def _rank_by_name(path: str) -> int:
    return 1 if path.rpartition("/")[2] in ("bias", "beta", "gamma") else 2
