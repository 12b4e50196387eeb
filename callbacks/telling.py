"""What callbacks say: marks of several layers put together in a few sentences."""

import sys
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from tfadaopt.callbacks.log_format import Tables

KINDS = {
    "nan": "not finite",
    "exploding": "exploding",
    "dead": "without gradient",
    "below_resolution": "below the resolution of its weights",
    "saturated": "with a saturated accumulator",
    "stalled": "stalled",
}
_MOST_NAMED = 6


def left_out(step: int, layer: str, count: int, others: int) -> str:
    """What is said once of updates that the optimizer left out, of one layer and some others."""
    return (
        f"Up to step {step}, the optimizer left out {count} update{'' if count == 1 else 's'} of "
        f"{layer}{f', and some of {others} others' if others else ''}: the gradient is NaN, "
        "infinite or too large (nonfinite='skip'). Look for NaN in the data, for log(0) and 0/0 in "
        "the loss; lower the learning rate or clip gradients."
    )


def warn_of_left_out(step: int, tables: Tables, quantity: str) -> bool:
    """Warn of updates that were left out, if there are any, and return whether there are.

    Args:
        step: Optimizer iterations.
        tables: Numbers of a snapshot.
        quantity: What their counts are logged as.
    """
    layers, counts = tables.get((quantity, "mean"), ((), np.zeros(0)))
    if not np.any(counts > 0):
        return False
    i, others = int(np.argmax(counts)), int(np.sum(counts > 0)) - 1
    warnings.warn(left_out(step, layers[i], int(counts[i]), others), stacklevel=2)
    return True


def together(marks: Sequence) -> list[tuple[Mapping, list[str]]]:
    """Marks that say the same, of several layers: one of them, and the layers."""
    groups: dict[tuple, tuple[Mapping, list[str]]] = {}
    for mark in marks:
        about = mark if isinstance(mark, Mapping) else mark.as_dict()
        key = about["kind"], about["since"], about["cause"], about["advice"]
        nobody = "the loss" if about["quantity"] == "loss" else "all layers"
        groups.setdefault(key, (about, []))[1].append(about["layer"] or nobody)
    place = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(groups.values(), key=lambda group: place.get(group[0]["kind"], len(place)))


def name_of(kind: str) -> str:
    """What a kind of mark is called; a log of another version may have one that is not known."""
    return KINDS.get(kind, kind.replace("_", " "))


def as_text(step: int, marks: Sequence) -> str:
    """What is new at a step, for a console.

    Args:
        step: Optimizer iterations.
        marks: Marks, or what is logged of them.
    """
    groups = together(marks)
    lines = [f"StallWarning, step {step}: {_headline(groups)}."]
    for mark, layers in groups:
        lines += [
            f"  {KINDS[mark['kind']]} since step {mark['since']}: {named(layers)}",
            f"  cause: {mark['cause']}",
            f"  try:   {mark['advice']}",
        ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Print, with a question mark for what the console cannot show, and no control sequences."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    print(shown.encode(encoding, errors="replace").decode(encoding), flush=True)


def named(layers: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Names of layers, the first few of many."""
    rest = len(layers) - most
    return ", ".join(layers[:most]) + (f" and {rest} more" if rest > 0 else "")


def _headline(groups) -> str:
    counts: dict[str, int] = {}
    for mark, layers in groups:
        counts[mark["kind"]] = counts.get(mark["kind"], 0) + len(layers)
    if [layers for _, layers in groups] == [["the loss"]]:
        return "the loss is not finite"
    told = [
        f"{count} {'layer is' if count == 1 else 'layers are'} {KINDS[kind]}"
        for kind, count in counts.items()
    ]
    text = ", ".join(told).replace("is with a ", "has a ").replace("are with a ", "have a ")
    return text.replace("of its", "of their" if sum(counts.values()) > 1 else "of its")
