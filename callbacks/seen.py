"""The numbers of one look, in the order of the layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfadaopt.callbacks.log_format import ACCUMULATOR, RATE, VALUE, Tables
from tfadaopt.callbacks.marks import Layer, Look

# Spacing of the numbers next to 1: a step below a quarter of it, relative to the weights, is lost
# in rounding for the typical coordinate.
SPACING = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
SKIPPED = f"{ACCUMULATOR}/skipped_updates"
_OF_SUMS = ("mean", "p50", "p95", "max")


@dataclass(frozen=True)
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
        left_out: Updates that were left out.
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
    left_out: np.ndarray
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
        self.leaf = np.array([x.leaf for x in of], int)
        self.power = np.array([x.power if x.slot else 0 for x in of])
        self.kept = np.array([x.kept for x in of])
        self.adds_up = (self.power == 2) & (self.kept == 1)
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
        self._at: dict[tuple[str, str], tuple[tuple[str, ...], np.ndarray]] = {}

    def of(self, look: Look) -> Seen:
        """The numbers of a look."""
        n = len(self.paths)
        tables = look.tables
        ratio = self._column(tables, "update_ratio", VALUE)
        update = self._column(tables, "update_norm", VALUE)
        weight = self._column(tables, "weight_norm", VALUE)
        gathered = np.full(n, np.nan)
        for (quantity, statistic), at in self._slots.items():
            gathered[at] = self._column(tables, quantity, statistic)[at]
        sums = np.full((len(_OF_SUMS), n), np.nan)
        for quantity, at in self._sums.items():
            for row, statistic in zip(sums, _OF_SUMS, strict=True):
                row[at] = self._column(tables, quantity, statistic)[at]
        done, eta = float(look.step), np.nan
        return Seen(
            look.step,
            np.array(look.counts, float)[self.leaf] if look.counts else np.full(n, done),
            np.array(look.rates, float)[self.leaf] if look.rates else np.full(n, eta),
            ratio,
            # A ratio serves as well, where there is nothing else: weights change slowly.
            np.where(np.isnan(update), ratio, update),
            weight,
            gathered,
            sums,
            self._column(tables, SKIPPED, "mean"),
            self._not_finite(tables, weight),
        )

    def _column(self, tables: Tables, quantity: str, statistic: str) -> np.ndarray:
        values = np.full(len(self.paths), np.nan)
        found = tables.get((quantity, statistic))
        if found is not None:
            values[self._places(quantity, statistic, found[0])] = found[1]
        return values

    def _places(self, quantity: str, statistic: str, layers: Sequence[str]) -> np.ndarray:
        kept = self._at.get((quantity, statistic))
        if kept is None or kept[0] is not layers:
            at = np.array([self._place[path] for path in layers], int)
            kept = self._at[quantity, statistic] = tuple(layers), at
            if isinstance(layers, tuple):
                self._at[quantity, statistic] = layers, at
        return kept[1]

    def _not_finite(self, tables: Tables, weight: np.ndarray) -> list[tuple[int, str, float]]:
        found = []
        for (quantity, statistic), (layers, values) in tables.items():
            if quantity == RATE:
                # It may be infinite, where a gradient is 0 and ε is, too.
                bad = np.isnan(values) if statistic == "p50" else None
            elif quantity == "weight_norm" or (
                quantity.startswith(ACCUMULATOR) and statistic in ("norm", "mean")
            ):
                bad = ~np.isfinite(values)
            elif quantity == "update_ratio":
                # NaN in a step of weights that are finite was not measured.
                at = self._places(quantity, statistic, layers)
                bad = np.isnan(values) & np.isnan(weight[at])
            else:
                continue
            if bad is not None and bad.any():
                at = self._places(quantity, statistic, layers)
                found += [(int(at[i]), quantity, float(values[i])) for i in np.flatnonzero(bad)]
        return found


def _is_kernel(path: str) -> bool:
    """Whether its name says that it is one: the bias of attention has two axes, too."""
    name = path.rpartition("/")[2].partition("#")[0]
    return name not in ("bias", "beta", "gamma") and not name.startswith("embedding")
