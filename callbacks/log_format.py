"""The format of a log, for all that write or read one: names, versions, descriptions, marks.

A snapshot is one event of a TensorBoard event file. For each quantity and statistic it has a tensor
of float32, one number for each layer, under a tag of its own; the first tensor of a tag carries a
description, a JSON object, in its metadata. Marks are strings of JSON under one tag. Nothing here
needs TensorFlow: the tab reads logs where it is not installed.
"""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# The name under which TensorBoard finds the data of the tab.
PLUGIN = "tfadaopt"
VERSION = 1
# Tells our files from those that Keras' TensorBoard callback may write beside them.
SUFFIX = ".tfadaopt"
MARKS = "optimizer/marks"
STALL_WARNING = "optimizer/stall_warning"

STATISTICS = {
    "mean": "mean",
    "min": "minimum",
    "max": "maximum",
    "p05": "5th percentile",
    "p50": "median",
    "p95": "95th percentile",
    "norm": "Euclidean norm",
}
# Of a quantity that is one number per layer.
VALUE = "value"
RATE = "effective_learning_rate"
ACCUMULATOR = "accumulator"
# Quantities of which each layer has one number.
OF_LAYER = {
    "update_ratio": "Update ratio ‖Δθ‖ / ‖θ‖",
    "update_norm": "Update norm ‖Δθ‖",
    "gradient_norm": "Gradient norm ‖g‖",
    "weight_norm": "Weight norm ‖θ‖",
    "sync_distance": "Distance to the slow weights ‖θ − φ‖ at the last sync",
    "spectral_scale": "Spectral scale η s of the update",
    "angular_update": "Angle between θ before and after, in degrees",
    "zero_gradients": "Share of coordinates without gradient",
    "units_without_gradient": "Share of units without gradient",
    "dead_units": "Share of units with one activation for all examples of the probe",
}
QUANTITIES = {RATE: "Effective learning rate", **OF_LAYER}

# By quantity and statistic: the layers, and a float32 for each.
Tables = Mapping[tuple[str, str], tuple[tuple[str, ...], np.ndarray]]


# What a JSON text leads to that is none, or holds something else; deep nesting is the last one.
_NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class FormatError(ValueError):
    """A description or mark that no writer of this format wrote."""


class OtherVersionError(FormatError):
    """A description of another version of the format."""


class Description(NamedTuple):
    """What the first tensor of a tag says of all of them.

    Attributes:
        quantity: Such as ``effective_learning_rate``; empty of marks.
        statistic: One of ``STATISTICS``, or ``VALUE``; empty of marks.
        layers: Paths of the variables, in the order of the numbers.
        optimizer: Name of the class, empty where it is not said.
        marks: Whether the tag is that of marks.
    """

    quantity: str = ""
    statistic: str = ""
    layers: tuple[str, ...] = ()
    optimizer: str = ""
    marks: bool = False

    def coded(self) -> bytes:
        """The JSON object, as the metadata hold it."""
        if self.marks:
            return json.dumps({"version": VERSION, "marks": True}).encode()
        content = {
            "version": VERSION,
            "quantity": self.quantity,
            "statistic": self.statistic,
            "layers": list(self.layers),
            "optimizer": self.optimizer,
        }
        return json.dumps(content).encode()


def description(content: bytes) -> Description:
    """Read a description.

    Raises:
        OtherVersionError: It is of another version of the format.
        FormatError: It is none.
    """
    try:
        found = json.loads(content)
        version = found["version"]
        if version != VERSION:
            raise OtherVersionError(
                f"was written by another version of tfadaopt (format {str(version)[:20]}, this one "
                f"reads {VERSION}): read it from an environment with that version."
            )
        if found.get("marks"):
            return Description(marks=True)
        return Description(
            str(found["quantity"]),
            str(found["statistic"]),
            tuple(map(str, found["layers"])),
            str(found.get("optimizer") or ""),
        )
    except FormatError:
        raise
    except _NOT_OURS as error:
        raise FormatError("has no description that tfadaopt understands.") from error


@functools.lru_cache(maxsize=1024)
def tensor_tag(quantity: str, statistic: str, layers: Sequence[str]) -> str:
    """Tag of a tensor; TensorBoard takes the names of the first for all, so other layers differ."""
    digest = hashlib.sha256(json.dumps(list(layers)).encode()).hexdigest()[:8]
    return f"optimizer/{quantity}/{statistic}@{digest}"


def coded_mark(mark: Mapping) -> bytes:
    """A mark as a string of JSON."""
    return json.dumps(mark).encode()


def mark_of(text: bytes, step: int) -> dict:
    """Read a mark; ``since`` is the step at which it was logged where it does not say.

    Raises:
        FormatError: It is none.
    """
    try:
        mark = json.loads(text)
        texts = [mark["kind"], *(mark.get(k, "") for k in ("quantity", "cause", "advice", "layer"))]
        mark.setdefault("since", step)
        mark.setdefault("layer", None)
        mark |= {key: mark.get(key) or "" for key in ("quantity", "cause", "advice")}
        good = isinstance(mark["since"], int) and isinstance(mark["kind"], str)
        good &= all(isinstance(x, str | None) for x in texts)
    except _NOT_OURS as error:
        raise FormatError("no mark") from error
    if not good:
        raise FormatError("no mark")
    return mark


def in_words(mark: Mapping) -> str:
    """A mark as a line of Markdown."""
    where = f"**{mark['layer']}**" if mark.get("layer") else "**The model**"
    text = f"{where}: {mark['kind'].replace('_', ' ')} since step {mark['since']}."
    return " ".join([text, *(mark[key] for key in ("cause", "advice") if mark.get(key))])
