"""Stalls found afterwards, in the log of a run that was not watched while it trained."""

from collections.abc import Mapping

import numpy as np

from tfadaopt.callbacks.history import History
from tfadaopt.callbacks.stalls import StallDetector

# What can be judged without the loss, which says whether standing still is the end of learning: in
# 55 healthy runs of benchmarks/stalls.py, none of these is reported; 9 are said to have stalled.
_CERTAIN = ("nan", "dead", "below_resolution")


def marks_of(history: History) -> tuple[Mapping, ...]:
    """What ``StallWarning`` reported in a run, or what its log shows where it was not asked.

    The log has no loss and does not say how exact the weights are: they count as float32.
    """
    if history.marks:
        return history.marks
    detector = StallDetector(history.optimizer)
    steps, etas = history.scalars.get("learning_rate", (np.array([]), np.array([])))
    rates = dict(zip(steps.tolist(), etas.tolist(), strict=True))
    row_of = {
        key: {step: row for row, step in enumerate(table.steps.tolist())}
        for key, table in history.quantities.items()
    }
    marks = []
    for step in history.steps.tolist():
        tables = {}
        for key, table in history.quantities.items():
            row = row_of[key].get(step)
            if row is not None:
                known = table.measured[row]
                layers = tuple(x for x, has in zip(table.layers, known, strict=True) if has)
                tables[key] = layers, table.values[row, known]
        marks += detector.observe(step, tables, rates.get(step, float("nan")))
    return tuple({**m.as_dict(), "step": m.since} for m in marks if m.kind in _CERTAIN)
