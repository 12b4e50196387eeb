"""Which folder a run may go on in: TensorBoard drops points when steps go back."""

import os
import re
import warnings
from typing import NamedTuple

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from tfadaopt.callbacks.where import PLUGIN, SUFFIX, layers_told

_MOST_RUNS = 1000


class Held(NamedTuple):
    """What a folder holds: the last step of its events, −1 without any, and the layers told of."""

    last_step: int
    layers: frozenset[str]


def free_for(log_dir: str, step: int, layers: frozenset[str]) -> str:
    """The folder, if a run of these layers can go on there after ``step``; else a new one in it.

    TensorBoard deletes the points of a run from the step on at which a later file begins, so that
    a second training in one folder would make the first one's charts vanish. A new folder is named
    ``run-2``, ``run-3``, …, and TensorBoard shows it as a run of its own.

    Args:
        log_dir: Folder that was asked for.
        step: Optimizer iterations done before.
        layers: Paths of what is trained, empty where they are not known yet.

    Raises:
        OSError: The folder cannot be read.
    """
    what = ""
    for number in range(1, _MOST_RUNS):
        folder = log_dir if number == 1 else os.path.join(log_dir, f"run-{number}")  # noqa: PTH118
        found = held(folder)
        other = bool(layers and found.layers) and not layers & found.layers
        if found.last_step > step or other:
            if number == 1:
                what = (
                    "a run of other layers"
                    if other
                    else f"step {found.last_step}, and this training goes on from step {step}"
                )
            continue
        if number > 1:
            warnings.warn(
                f"log_dir={log_dir!r} already holds {what}. TensorBoard would drop what is there, "
                f"so this run is written to {folder!r}; give it a log_dir of its own to have it "
                "elsewhere.",
                stacklevel=2,
            )
        return folder
    raise OSError(f"log_dir={log_dir!r} holds {_MOST_RUNS} runs; give a folder of its own.")


def held(folder: str) -> Held:
    """What the event files of tfadaopt in a folder hold, those in folders below it left out."""
    try:
        names = tf.io.gfile.listdir(folder)
    except (OSError, tf.errors.OpError):
        return Held(-1, frozenset())  # There is no such folder; what else is wrong, writing tells.
    last, layers = -1, frozenset()
    for name in names:
        if re.fullmatch(rf".*tfevents.*{re.escape(SUFFIX)}", name):
            path = os.path.join(folder, name)  # noqa: PTH118
            found = _held_by_file(path, tf.io.gfile.stat(path).length)
            last, layers = max(last, found.last_step), layers | found.layers
    return Held(last, layers)


_known: dict[tuple[str, int], Held] = {}


def _held_by_file(path: str, length: int) -> Held:
    if (path, length) in _known:
        return _known[path, length]
    last, layers = -1, frozenset()
    for raw in RawEventFileLoader(path).Load():
        event = Event.FromString(raw)
        if event.WhichOneof("what") != "summary":
            continue
        last = max(last, event.step)
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == PLUGIN:
                layers |= layers_told(value.metadata.plugin_data.content)
    _known[path, length] = Held(last, layers)
    return _known[path, length]
