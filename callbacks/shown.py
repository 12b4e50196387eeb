"""Which layers go to TensorBoard as scalars: a chart for each of hundreds would help nobody."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfadaopt.callbacks.measure import Series, Taken

# What a layer is ranked by, the first that there is.
_RANKED_BY = ("value", "norm", "p50", "mean")


class _Crowd(NamedTuple):
    """A quantity of more layers than are shown, and what they are ranked by."""

    quantity: str
    statistic: str
    layers: frozenset[str]


class Shown:
    """Chooses the scalars of one callback.

    Up to ``most`` layers, all of a quantity are shown, with all their statistics. Of more, those
    that stand out, with one statistic: half of them the smallest and half the largest at the first
    snapshot, of half as many; room is left for others that come to be extreme. A layer that was
    shown once stays, so that its curve has no gaps. The median over all layers is there in any case
    where not all are shown, as ``optimizer/<quantity>/median``.

    Args:
        most: Number of layers, ≥ 0; None shows all.
    """

    def __init__(self, most: int | None):
        self._most = most
        self._chosen: dict[str, set[str]] = {}
        self._parted: tuple[Sequence[Series], list[Series], list[_Crowd]] = ((), [], [])

    def scalars(self, taken: Taken, series: Sequence[Series]) -> dict[str, float]:
        """Numbers by tag, of a snapshot that has these series."""
        if self._parted[0] is not series:
            self._parted = (series, *self._in_parts(series))
        _, all_shown, crowds = self._parted
        found = taken.values(all_shown)
        ranked: dict[str, float] = {}
        for crowd in crowds:
            if (crowd.quantity, crowd.statistic) not in taken.tables:
                continue  # It could not be measured this time.
            layers, values = taken.tables[crowd.quantity, crowd.statistic]
            if len(crowd.layers) < len(layers):
                keep = [i for i, layer in enumerate(layers) if layer in crowd.layers]
                layers, values = tuple(layers[i] for i in keep), values[keep]
            found[f"optimizer/{crowd.quantity}/median"] = _median(values)
            if not self._most:
                continue
            chosen = self._choose(crowd.quantity, layers, values, self._most)
            name = "" if crowd.statistic == "value" else f"/{crowd.statistic}"
            ranked |= {
                f"{crowd.quantity}/{layer}{name}": float(value)
                for layer, value in zip(layers, values, strict=True)
                if layer in chosen
            }
        return found | ranked

    def _in_parts(self, series: Sequence[Series]) -> tuple[list[Series], list["_Crowd"]]:
        """What is shown of all layers, and the quantities of which it is shown of some."""
        by_quantity: dict[str, list[Series]] = {}
        for s in series:
            # One number for all layers is no crowd.
            by_quantity.setdefault(s.quantity if s.layer is not None else "", []).append(s)
        found, crowds = by_quantity.pop("", []), []
        for quantity, members in by_quantity.items():
            if self._most is None or len(members) <= self._most:
                found += members
                continue
            statistic = next(name for name in _RANKED_BY if name in members[0].statistics)
            layers = frozenset(s.layer for s in members if s.layer is not None)
            crowds.append(_Crowd(quantity, statistic, layers))
        return found, crowds

    def _choose(
        self, quantity: str, layers: Sequence[str], values: np.ndarray, most: int
    ) -> set[str]:
        chosen = self._chosen.setdefault(quantity, set())
        ends = max(1, most // 4)
        if len(chosen) < most:
            order = np.argsort(values)  # NaN last: the worst of the large
            for i in [*order[:ends], *order[-ends:]]:
                if len(chosen) < most:
                    chosen.add(layers[i])
        return chosen


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")
