"""The numbers of one look, in the order of the layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfadaopt.callbacks.log_format import ACCUMULATOR, RATE, VALUE, Tables
from tfadaopt.callbacks.marks import Layer, Look

# Spacing of the numbers next to 1: a step below a quarter of it, relative to the weights, is lost
# in rounding for the typical coordinate.
SPACING = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
SKIPPED = f"{ACCUMULATOR}/skipped_updates", "mean"
_OF_SUMS = ("mean", "p50", "p95", "max")
_NO_SUMS = np.zeros((0, 0))


@dataclass(slots=True)
class Seen:
    """Numbers by layer; NaN where they are unknown.

    Attributes:
        step: Optimizer iterations.
        done: Steps that the optimizer of each layer has taken.
        eta: Scheduled rate.
        ratio: ‖Δθ‖/‖θ‖.
        update: ‖Δθ‖.
        weight: ‖θ‖.
        gathered: Norm of the slot that gathers gradients, or mean of the one that gathers squares.
        sums: What is known of the slot that sums up squares: a row of each statistic.
        left_out: Updates that were left out; None: they are not counted.
        not_finite: Layers and quantities that are NaN or infinite, and the number.
    """

    step: int
    done: np.ndarray
    eta: np.ndarray
    ratio: np.ndarray
    update: np.ndarray
    weight: np.ndarray
    gathered: np.ndarray
    sums: np.ndarray
    left_out: np.ndarray | None
    not_finite: list[tuple[int, str, float]]


class Columns:
    """What is known of layers before, as arrays, and where their numbers are in the tables.

    Args:
        paths: Paths of the layers.
        known: What is known of them; of others, the name says whether they are kernels.
    """

    def __init__(self, paths: Sequence[str], known: Mapping[str, Layer]):
        self.paths = tuple(paths)
        self.layers = [known.get(path) or Layer() for path in paths]
        of = self.layers
        self.spacing = np.array([SPACING.get(x.dtype, 0.0) for x in of])
        self.is_half = np.array([x.dtype in ("bfloat16", "float16") for x in of], bool)
        self.is_kernel = np.array(
            [x.rank >= 2 and _is_kernel(p) for p, x in zip(paths, of, strict=True)], bool
        )
        if not self.is_kernel.any():
            self.is_kernel[:] = True  # such as a model of which nothing but biases is trained
        self.root = np.sqrt([float(x.size) if x.size else np.nan for x in of])
        self.glorot = np.array([float(x.size) ** 0.25 for x in of])
        self.leaf = np.array([x.leaf for x in of], int)
        self.power = np.array([x.power if x.slot else 0 for x in of])
        self.kept = np.array([x.kept for x in of])
        self.adds_up = (self.power == 2) & (self.kept == 1)
        self.epsilon = np.array([x.epsilon for x in of])
        self.decay = np.array([x.weight_decay for x in of])
        self.first_weight = np.array([x.weight_norm for x in of], float)
        owners = [path.rpartition("/")[0] for path in self.paths]
        # Variables of the same layer as each.
        self.siblings = [[j for j, x in enumerate(owners) if x == owner] for owner in owners]
        alike: dict[tuple[int, str], list[int]] = {}
        for i, x in enumerate(of):
            alike.setdefault((x.leaf, x.slot), []).append(i)
        # Variables that one optimizer steps, and of which its state tells the gradient alike.
        self.groups = [np.array(members) for members in alike.values()]
        self.kernels = np.flatnonzero(self.is_kernel)
        # Whether the gradients of all are told alike, by no sum and by no step that also decays.
        same = len(set(self.power.tolist())) <= 1
        plain = not (self.adds_up | ((self.power == 0) & (self.decay > 0))).any()
        self.is_alike = len(self.groups) == 1 and same and plain
        self.smallest_step = np.maximum(self.spacing / 4, 1e-6)[self.kernels]
        self._place = {path: i for i, path in enumerate(paths)}
        self._slots: dict[tuple[str, str], list[int]] = {}
        self._sums: dict[str, list[int]] = {}
        for i, x in enumerate(of):
            if x.slot:
                statistic = "norm" if x.power == 1 else "mean"
                key = f"{ACCUMULATOR}/{x.slot}", statistic
                self._slots.setdefault(key, []).append(i)
            if self.adds_up[i]:
                self._sums.setdefault(f"{ACCUMULATOR}/{x.slot}", []).append(i)
        self._at: dict[tuple[str, str], tuple[Sequence[str], np.ndarray]] = {}
        self._all: Sequence[str] = self.paths
        self._unknown = np.full(len(self.paths), np.nan)
        self._unknown.flags.writeable = False
        self._keys: set[tuple[str, str]] = set()
        self._state: list[tuple[str, str]] = []
        self._alone = bool((self.leaf == 0).all())

    def of(self, look: Look) -> Seen:
        """The numbers of a look."""
        n = len(self.paths)
        tables = look.tables
        ratio = self._column(tables, "update_ratio", VALUE)
        update = self._column(tables, "update_norm", VALUE)
        weight = self._column(tables, "weight_norm", VALUE)
        gathered = self._unknown
        if len(self._slots) == 1:
            gathered = self._column(tables, *next(iter(self._slots)))
        elif self._slots:
            gathered = gathered.copy()
            for (quantity, statistic), at in self._slots.items():
                gathered[at] = self._column(tables, quantity, statistic)[at]
        sums = np.full((len(_OF_SUMS), n), np.nan) if self._sums else _NO_SUMS
        for quantity, at in self._sums.items():
            for row, statistic in zip(sums, _OF_SUMS, strict=True):
                row[at] = self._column(tables, quantity, statistic)[at]
        return Seen(
            look.step,
            self._by_leaf(look.counts, float(look.step)),
            self._by_leaf(look.rates, np.nan),
            ratio,
            # A ratio serves as well, where there is nothing else: weights change slowly.
            np.where(np.isnan(update), ratio, update) if some(np.isnan(update)) else update,
            weight,
            gathered,
            sums,
            np.nan_to_num(self._column(tables, *SKIPPED)) if SKIPPED in tables else None,
            self._not_finite(tables, weight),
        )

    def _by_leaf(self, numbers: Sequence[float], otherwise: float) -> np.ndarray:
        if len(numbers) > 1 and not self._alone:
            return np.array(numbers, float)[self.leaf]
        return np.full(len(self.paths), numbers[0] if numbers else otherwise)

    def _column(self, tables: Tables, quantity: str, statistic: str) -> np.ndarray:
        found = tables.get((quantity, statistic))
        if found is None:
            return self._unknown
        layers, numbers = found
        if layers is self._all or layers == self.paths:
            self._all = layers  # the same object at the next look
            return np.asarray(numbers, float)
        values = self._unknown.copy()
        values[self._places(quantity, statistic, layers)] = numbers
        return values

    def _places(self, quantity: str, statistic: str, layers: Sequence[str]) -> np.ndarray:
        kept = self._at.get((quantity, statistic))
        if kept is None or kept[0] is not layers:
            at = np.array([self._place[path] for path in layers], int)
            kept = self._at[quantity, statistic] = layers, at
        return kept[1]

    def _not_finite(self, tables: Tables, weight: np.ndarray) -> list[tuple[int, str, float]]:
        if tables.keys() != self._keys:
            self._keys = set(tables)
            self._state = [key for key in tables if _is_state(*key)]
        found: list[tuple[int, str, float]] = []
        for key in self._state:
            layers, values = tables[key]
            finite = np.isfinite(values)
            if np.count_nonzero(finite) == finite.size:
                continue
            at = self._places(*key, layers)
            if key[0] == RATE:  # infinite where a gradient is 0 and ε is, too
                finite = ~np.isnan(values)
            elif key[0] == "update_ratio":  # not measured, where the weights are finite
                finite |= ~np.isnan(weight[at])
            found += [(int(at[i]), key[0], float(values[i])) for i in np.flatnonzero(~finite)]
        return found


def some(values: np.ndarray) -> bool:
    """Whether any is not 0: ``values.any()`` takes several times as long."""
    return bool(np.count_nonzero(values))


def _is_state(quantity: str, statistic: str) -> bool:
    """Whether a number that is none shows one in the weights or in the state."""
    if quantity == RATE:
        return statistic == "p50"
    if quantity.startswith(ACCUMULATOR):
        return statistic in ("norm", "mean")
    return quantity in ("weight_norm", "update_ratio")


def _is_kernel(path: str) -> bool:
    """Whether its name says that it is one: the bias of attention has two axes, too."""
    name = path.rpartition("/")[2].partition("#")[0]
    return name not in ("bias", "beta", "gamma") and not name.startswith("embedding")
