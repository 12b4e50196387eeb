"""Which folder a run may go on in: TensorBoard drops points when steps go back."""

import contextlib
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

from tfadaopt.callbacks import locks
from tfadaopt.callbacks.log_format import PLUGIN, SUFFIX, FormatError, description

# Folders that are tried beyond the last run, where other processes begin at the same time.
_TRIES = 1000
# Locked as long as a process writes to the folder that it is in.
_CLAIM = ".tfadaopt.lock"
# That Keras gives to a name that there is already.
_NUMBER = r"_(\d{1,18})(?=/|$)"


class Held(NamedTuple):
    """What a folder holds: the last step of its events, −1 without any, and its layers."""

    last_step: int
    layers: frozenset[str]


def free_for(log_dir: str, step: int, layers: frozenset[str]) -> str:
    """The folder, if a run of these layers can go on there after ``step``; else a new one in it.

    TensorBoard deletes the points of a run from the step on at which a later file begins, so that
    a second training in one folder would make the first one's charts vanish. A new folder is named
    ``run-2``, ``run-3``, …, and TensorBoard shows it as a run of its own. A training that goes on
    from a step that a run of the same layers has reached resumes that run: what it had logged
    beyond that step is done again. A folder that another process writes to is left to it.

    Args:
        log_dir: Folder that was asked for.
        step: Optimizer iterations done before.
        layers: Paths of what is trained, empty where they are not known yet.

    Raises:
        OSError: The folder cannot be read or made, or holds too many runs.
    """
    resumed = _reached(log_dir, step, layers) if step > 0 else None
    if resumed is not None and _claim(resumed):
        return resumed
    what = ""
    last = _runs(log_dir)[-1]
    for number in sorted({1, *range(last, last + _TRIES)}):
        folder = _folder(log_dir, number)
        found = held(folder)
        other = bool(layers and found.layers) and not _same(layers, found.layers)
        if found.last_step > step or other:
            what = what or (
                "a run of other layers"
                if other
                else f"step {found.last_step}, and this training goes on from step {step}"
            )
            continue
        if not _claim(folder):
            what = what or "a run that another process writes"
            continue
        if number > 1:
            warnings.warn(
                f"log_dir={log_dir!r} already holds {what}. TensorBoard would drop what is there, "
                f"so this run is written to {folder!r}; give it a log_dir of its own to have it "
                "elsewhere.",
                stacklevel=2,
            )
        return folder
    raise OSError(f"log_dir={log_dir!r} is written to by many processes; give one of its own.")


def names_in(layers: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """What a run calls layers whose names differ although they are the same.

    A model that is made again in one process has other numbers: ``sequential_1/dense_3/kernel``.
    One that is loaded may lack the model's name: ``dense_3/kernel``.
    """
    new, old = _by_words(layers), _by_words(known)
    if {word: len(paths) for word, paths in new.items()} != {
        word: len(paths) for word, paths in old.items()
    }:
        return {}
    pairs = [pair for word in new for pair in zip(new[word], old[word], strict=True)]
    if not all(_is_end_of(_words(a), _words(b)) for a, b in pairs):
        return {}
    return {path: name for path, name in pairs if path != name}


def _words(path: str) -> list[str]:
    """Parts of a path without the numbers that Keras gives."""
    return re.sub(_NUMBER, "", path).split("/")


def _is_end_of(a: list[str], b: list[str]) -> bool:
    """Whether one of two is all of the other, or its end."""
    least = min(len(a), len(b))
    return a[-least:] == b[-least:]


def _by_words(layers: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """Paths by what is left of layer and variable without numbers, in the order of the numbers."""

    def order(path: str) -> list[list[int]]:
        layer, rest = path.split("/")[-2:], path.split("/")[:-2]
        return [[int(n) for n in re.findall(_NUMBER, "/".join(part))] for part in (layer, rest)]

    found: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(layers, key=order):
        found.setdefault(tuple(_words(path)[-2:]), []).append(path)
    return found


def _same(layers: frozenset[str], known: frozenset[str]) -> bool:
    return bool(layers & known) or bool(names_in(layers, known))


def release(folder: str | None) -> None:
    """Let other processes write to a folder."""
    if folder is not None:
        locks.release(os.path.join(folder, _CLAIM))  # noqa: PTH118


def _claim(folder: str) -> bool:
    """Whether this process may write to a folder."""
    if "://" in folder:
        return True
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    return locks.take(os.path.join(folder, _CLAIM))  # noqa: PTH118


def _folder(log_dir: str, number: int) -> str:
    return log_dir if number == 1 else os.path.join(log_dir, f"run-{number}")  # noqa: PTH118


def _reached(log_dir: str, step: int, layers: frozenset[str]) -> str | None:
    """The last run that has reached a step, of the same layers."""
    for number in reversed(_runs(log_dir)):
        folder = _folder(log_dir, number)
        found = held(folder)
        same = not layers or not found.layers or _same(layers, found.layers)
        if found.last_step >= step and same:
            return folder
    return None


def _runs(log_dir: str) -> list[int]:
    """Numbers of the runs that have a folder, rising; that of the folder itself is 1."""
    try:
        names = tf.io.gfile.listdir(log_dir)
    except (OSError, tf.errors.OpError):
        names = []
    found = (re.fullmatch(r"run-(\d{1,9})/?", name) for name in names)
    return sorted({1, *(int(match.group(1)) for match in found if match)})


def held(folder: str) -> Held:
    """What the event files of tfadaopt in a folder hold, those in folders below it left out."""
    try:
        names = tf.io.gfile.listdir(folder)
    except (OSError, tf.errors.OpError):
        return Held(-1, frozenset())  # There is no such folder; what else is wrong, writing tells.
    last = -1
    layers: frozenset[str] = frozenset()
    for name in names:
        if re.fullmatch(rf".*tfevents.*{re.escape(SUFFIX)}", name):
            path = os.path.join(folder, name)  # noqa: PTH118
            if "://" not in path and not os.path.isfile(path):  # noqa: PTH113
                continue  # A pipe of that name would never end.
            found = _held_by_file(path, tf.io.gfile.stat(path).length)
            last, layers = max(last, found.last_step), layers | found.layers
    return Held(last, layers)


_known: dict[tuple[str, int], Held] = {}


def _held_by_file(path: str, length: int) -> Held:
    if (path, length) in _known:
        return _known[path, length]
    last = -1
    layers: frozenset[str] = frozenset()
    for event in _events(path):
        if event.WhichOneof("what") != "summary":
            continue
        last = max(last, event.step)
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == PLUGIN:
                with contextlib.suppress(FormatError):
                    layers |= {*description(value.metadata.plugin_data.content).layers}
    _known[path, length] = Held(last, layers)
    return _known[path, length]


def _events(path: str) -> Iterator[Event]:
    """Events of a file as far as it is whole."""
    try:
        for raw in RawEventFileLoader(path).Load():
            yield Event.FromString(raw)
    except Exception:  # damaged, or another program's: what is behind it cannot be known
        return
