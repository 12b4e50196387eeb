"""Stalls found afterwards, in the log of a run that was not watched while it trained."""

from collections.abc import Mapping

import numpy as np

from tfadaopt.callbacks.history import History
from tfadaopt.callbacks.marks import Layer, Look
from tfadaopt.callbacks.stalls import StallDetector

# What can be judged without the loss, which says whether standing still is the end of learning: in
# 111 healthy recordings of benchmarks/stalls, shown without it, none of these was reported. Others
# were: a run that has converged is below the resolution of its weights.
_CERTAIN = ("nan", "dead", "saturated", "stalled")
# Slots that gather gradients, their power of them, and what a step keeps of them, which a log does
# not say. A momentum of another decay shows no death, and nothing wrong either.
_SLOTS = (("momentum", 1, 0.9), ("accumulator", 2, 1.0))


def marks_of(history: History) -> tuple[Mapping, ...]:
    """What ``StallWarning`` reported in a run, or what its log shows where it was not asked.

    The log has no loss, and does not say how exact the weights are or how fast a momentum fades:
    what is said of a run that was not watched is what needs neither.
    """
    if history.marks:
        return history.marks
    detector = StallDetector(_known_of(history))
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
        look = Look(step, tables, [rates[step]] if step in rates else [])
        marks += [m.as_dict() | {"step": step} for m in detector.observe(look)]
    return tuple(m for m in marks if m["kind"] in _CERTAIN)


def _known_of(history: History) -> dict[str, Layer]:
    """What a log tells of the layers: which have a momentum, or a sum of squares."""
    for slot, power, kept in _SLOTS:
        table = history.quantities.get((f"accumulator/{slot}", "norm"))
        if table is not None and (power == 1 or history.optimizer == "Adagrad"):
            known = Layer(optimizer=history.optimizer, slot=slot, power=power, kept=kept)
            return dict.fromkeys(table.layers, known)
    return {}
