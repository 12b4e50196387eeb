"""One table of steps × layers, out of what a run wrote piece by piece; without TensorFlow."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """What one event holds of a quantity and statistic.

    Attributes:
        step: Optimizer iterations.
        wall: When it was written, in seconds.
        layers: Paths of the variables.
        values: A number for each.
    """

    step: int
    wall: float
    layers: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Table:
    """One statistic of one quantity: a row for each snapshot, a column for each layer.

    Args:
        layers: Paths of the variables, such as ``"conv/kernel"``, first layer first.
        steps: Optimizer iterations of the snapshots, rising [n].
        values: Values in float32 [n, layers]; NaN where nothing was measured, or NaN was.
        measured: Whether a value was logged [n, layers]: tells the two kinds of NaN apart.
        walls: When each snapshot was written, in seconds [n].
        skipped: Rows that were left out, as their length was not that of their list of layers.

    Example:
        >>> import numpy as np
        >>> from tfadaopt.callbacks.tables import Table
        >>> values = np.array([[0.5], [0.25]], "float32")
        >>> table = Table(("conv/kernel",), np.array([10, 20]), values, values > 0, np.zeros(2))
        >>> table.values[table.steps == 20, table.layers.index("conv/kernel")].tolist()
        [0.25]
    """

    layers: tuple[str, ...]
    steps: np.ndarray
    values: np.ndarray
    measured: np.ndarray
    walls: np.ndarray
    skipped: int = 0

    def token(self, rows: int) -> str:
        """Name the first ``rows`` rows: who has a table of this name has these very rows."""
        digest = hashlib.sha256(json.dumps([*self.layers]).encode())
        digest.update(self.steps[:rows].tobytes())
        digest.update(self.walls[:rows].tobytes())
        return digest.hexdigest()[:16]


def joined(rows: Iterable[Row]) -> Table:
    """Join rows, in the order of writing.

    Where a run went back to an earlier step, what it had written from that step on is left out:
    TensorBoard's fast loader does the same within one tag, its slow one does not. Several rows of
    one step add to each other: each has the layers that it lists.
    """
    kept: list[Row] = []
    skipped = 0
    for row in rows:
        if np.shape(row.values) != (len(row.layers),):
            skipped += 1
            continue
        if kept and row.step < kept[-1].step:
            while kept and kept[-1].step >= row.step:
                kept.pop()
        kept.append(row)
    lists = dict.fromkeys(row.layers for row in kept)
    layers = united(lists)
    place = {layer: i for i, layer in enumerate(layers)}
    places = {names: [place[name] for name in names] for names in lists}
    steps, index = np.unique(np.array([row.step for row in kept], np.int64), return_inverse=True)
    values = np.full((len(steps), len(layers)), np.nan, np.float32)
    measured, walls = np.zeros(values.shape, bool), np.zeros(len(steps))
    for i, row in zip(index, kept, strict=True):
        values[i, places[row.layers]] = row.values
        measured[i, places[row.layers]] = True
        walls[i] = row.wall
    return Table(tuple(layers), steps, values, measured, walls, skipped)


def united(lists: Iterable[Sequence[str]]) -> list[str]:
    """Join lists of layers: each layer once, after the one that it follows in its own list.

    Lists that share nothing stand one after the other.
    """
    joined: list[str] = []
    known: set[str] = set()
    for layers in lists:
        shared = next((layer for layer in layers if layer in known), None)
        after = (len(joined) if shared is None else joined.index(shared)) - 1
        for layer in layers:
            if layer in known:
                after = joined.index(layer)
            else:
                after += 1
                joined.insert(after, layer)
                known.add(layer)
    return joined
