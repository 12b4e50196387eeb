"""One table of steps × layers, out of what a run wrote piece by piece."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# Two different NaN: one was measured, the other says that nothing was. The tab's JavaScript tells
# them apart by these bits (static/table.js).
NAN = np.array(0x7FC00000, np.uint32).view(np.float32)
MISSING = np.array(0x7FC00001, np.uint32).view(np.float32)


@dataclass(frozen=True)
class Part:
    """What one tag holds: rows over one list of layers, in the order in which they were read.

    Args:
        layers: Path of each column.
        rows: Of each event its step, wall time and values; a row may be of any length.
    """

    layers: Sequence[str]
    rows: Sequence[tuple[int, float, np.ndarray]]


@dataclass(frozen=True)
class Table:
    """All parts together.

    Args:
        layers: Path of each column.
        steps: Optimizer iterations of each row, int64, increasing.
        walls: When each row was written, in seconds, float64.
        values: float32 [steps, layers]; ``MISSING`` where nothing was measured.
        skipped: Rows left out because their length was not that of their list of layers.
    """

    layers: Sequence[str]
    steps: np.ndarray
    walls: np.ndarray
    values: np.ndarray
    skipped: int

    def token(self, rows: int) -> str:
        """Name the first ``rows`` rows: who has a table of this name has these very rows."""
        digest = hashlib.sha256(json.dumps([*self.layers]).encode())
        digest.update(self.steps[:rows].tobytes())
        digest.update(self.walls[:rows].tobytes())
        return digest.hexdigest()[:16]


def merge(parts: Iterable[Part]) -> Table:
    """Join the parts of one quantity and statistic.

    Where a run went back to an earlier step, what had been written beyond that step is left out:
    TensorBoard's fast loader does the same within one tag, its slow one does not.
    """
    parts = list(parts)
    layers = united([part.layers for part in parts])
    column = {layer: i for i, layer in enumerate(layers)}
    columns = [np.array([column[layer] for layer in part.layers], int) for part in parts]

    found = [
        (wall, step, number, row)
        for number, part in enumerate(parts)
        for step, wall, row in part.rows
        if np.shape(row) == (len(part.layers),)
    ]
    skipped = sum(len(part.rows) for part in parts) - len(found)
    found.sort(key=lambda entry: entry[0])

    kept: list[tuple] = []
    for entry in found:
        if kept and entry[1] < kept[-1][1]:
            while kept and kept[-1][1] >= entry[1]:
                kept.pop()
        kept.append(entry)

    steps = np.unique(np.array([step for _, step, _, _ in kept], np.int64))
    place = {step: i for i, step in enumerate(steps.tolist())}
    walls = np.zeros(len(steps))
    values = np.full([len(steps), len(layers)], MISSING, np.float32)
    for wall, step, number, row in kept:
        i = place[step]
        walls[i] = wall
        row = np.asarray(row, np.float32)
        values[i, columns[number]] = np.where(np.isnan(row), NAN, row)
    return Table(layers, steps, walls, values, skipped)


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
