"""Read back what the callbacks of a run logged, without TensorFlow or Keras."""

import math
import os
import re
import struct
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.util import tensor_util

from tfadaopt.callbacks.checksums import masked
from tfadaopt.callbacks.log_format import (
    ACCUMULATOR,
    OF_LAYER,
    PLUGIN,
    RATE,
    STATISTICS,
    SUFFIX,
    VALUE,
    Description,
    description,
    mark_of,
)
from tfadaopt.callbacks.tables import Row, Table, joined

_OF_LAYER = re.compile(
    rf"({RATE}|{ACCUMULATOR}/[^/]+)/(.+)/({'|'.join(STATISTICS)})|({'|'.join(OF_LAYER)})/(.+)"
)


@dataclass(frozen=True)
class History:
    """What one run logged.

    Args:
        quantities: Tables by (quantity, statistic), such as ``("effective_learning_rate", "p50")``;
            the statistic of a quantity that is one number per layer is ``"value"``.
        scalars: Steps [n] and values [n] of each scalar tag, such as ``"learning_rate"``.
        marks: What ``StallWarning`` reported: dictionaries with the keys ``layer`` (None: all),
            ``kind``, ``quantity``, ``since``, ``cause``, ``advice``, and ``step``, of the snapshot.
        optimizer: Name of the class; empty where the log does not say.
        problems: What could not be read, file by file: damage, or a file that ends in a record,
            as it is still being written or was cut off.

    Example:
        >>> import numpy as np
        >>> from tfadaopt.callbacks.history import History
        >>> rates = np.array([10, 20]), np.array([0.1, 0.05])
        >>> steps, values = History(scalars={"learning_rate": rates}).scalars["learning_rate"]
        >>> dict(zip(steps.tolist(), values.tolist()))
        {10: 0.1, 20: 0.05}
    """

    quantities: Mapping[tuple[str, str], Table] = field(default_factory=dict)
    scalars: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    marks: tuple[Mapping, ...] = ()
    optimizer: str = ""
    problems: tuple[str, ...] = ()

    @property
    def steps(self) -> np.ndarray:
        """Steps of all snapshots, rising."""
        found = [table.steps for table in self.quantities.values()]
        return np.unique(np.concatenate(found)) if found else np.array([], np.int64)


def read(log_dir: str | os.PathLike) -> dict[str, History]:
    """Return what each run below a folder logged: its history by its name, as in TensorBoard.

    Runs that hold nothing of tfadaopt are left out. A folder may hold several event files, of
    several ``fit`` or of a run that was resumed: where steps go back, what was logged there later
    counts. A file that is damaged, still being written, or was cut off, is read as far as it goes,
    and ``problems`` of its run says so. Tables
    that were logged as single scalars, a tag for each layer, are put together.

    Args:
        log_dir: Folder of a run, or of several; its own files are the run ``"."``.

    Returns:
        A dictionary, sorted by name; empty where nothing of tfadaopt was logged.

    Raises:
        FileNotFoundError: There is no such folder.
        NotADirectoryError: It is a file.
        OSError: It is on another file system, such as ``gs://``.

    Example:
        >>> import keras, numpy, tempfile, tfadaopt
        >>> from tfadaopt.callbacks import EffectiveLearningRate
        >>> from tfadaopt.callbacks.history import read
        >>> model = keras.Sequential([keras.Input([3]), keras.layers.Dense(1, name="out")])
        >>> model.compile(optimizer=tfadaopt.Adagrad(0.1), loss="mse")
        >>> with tempfile.TemporaryDirectory() as logs:
        ...     callback = EffectiveLearningRate(logs, every=2)
        ...     fit = model.fit(numpy.ones([32, 3]), numpy.ones([32]), 8, verbose=0,
        ...                     callbacks=[callback])
        ...     table = read(logs)["."].quantities["effective_learning_rate", "p50"]
        >>> table.steps.tolist(), [path.split("/")[-1] for path in table.layers]
        ([2, 4], ['kernel', 'bias'])
    """
    # A Path has made one slash of two.
    if remote := re.match(r"[a-z][a-z0-9+.-]+:/", os.fspath(log_dir)):
        raise OSError(
            f"log_dir={os.fspath(log_dir)!r} is not on this machine ({remote.group()}/): it is "
            "read by TensorBoard alone. Copy the folder to a local one, and give that."
        )
    root = Path(log_dir)
    if not root.exists():
        raise FileNotFoundError(
            f"log_dir={os.fspath(log_dir)!r} does not exist; give the folder that a callback of "
            "tfadaopt logs to, or one above it."
        )
    if not root.is_dir():
        raise NotADirectoryError(
            f"log_dir={os.fspath(log_dir)!r} is a file; give the folder that it lies in."
        )
    folders = sorted({path.parent for path in root.rglob("*tfevents*") if path.is_file()})
    histories = {str(folder.relative_to(root)): _history(folder) for folder in folders}
    return {run: history for run, history in histories.items() if history is not None}


def _history(folder: Path) -> History | None:
    files, problems = [], []
    for path in sorted(folder.glob("*tfevents*")):
        if not path.is_file():
            continue  # A pipe of that name would never end.
        events, problem = _events(path)
        if problem:
            problems.append((path, problem))
        if events:
            # A name says the second in which a file was begun, and follows those before it even
            # where the clock went back. Files of 0.1 may share a second.
            begun = re.search(r"tfevents\.(\d+)", path.name)
            files.append((int(begun.group(1)) if begun else 0, events[0].wall_time, path, events))
    log = _Log()
    for _, _, path, events in sorted(files, key=lambda file: file[:2]):
        for event in events:
            for value in event.summary.value:
                try:
                    log.add(event.step, event.wall_time, value)
                except Exception as error:  # whole, and yet not what a writer of ours writes
                    problem = f"step {event.step}, {value.tag[:80]!r}: {type(error).__name__}"
                    problems.append((path, problem))
    tables = {key: joined(rows) for key, rows in log.tables.items()}
    points = {tag: joined(rows) for tag, rows in log.scalars.items()}
    scalars = {tag: (table.steps, table.values[:, 0]) for tag, table in points.items()}
    for key, table in _tables_of_scalars(scalars).items():
        tables.setdefault(key, table)
    ours = tables or log.marks
    said = tuple(f"{path.name}: {what}" for path, what in problems if ours or _is_ours(path))
    if not ours and not said:
        return None
    marks = tuple({**mark, "step": step} for step, logged in log.marks for mark in logged)
    return History(tables, scalars, marks, log.optimizer, said)


def _is_ours(path: Path) -> bool:
    return path.name.endswith(SUFFIX)


def _events(path: Path) -> tuple[list[Event], str]:
    """Events of a file as far as it is whole, and what is wrong behind them, or ""."""
    # TensorBoard's own reader imports TensorFlow where it finds it, and without it takes seconds
    # for the checksums of some MB.
    try:
        data = path.read_bytes()
    except OSError as error:
        return [], f"it cannot be read ({error.strerror})"
    places, at, problem = [], 0, ""
    while at < len(data):
        if at + 12 > len(data):
            problem = f"it ends in a record, at byte {at}"
            break
        length, checksum = struct.unpack_from("<QI", data, at)
        if masked([data[at : at + 8]])[0] != checksum:
            problem = f"damaged at byte {at} of {len(data)}"
            break
        if at + length + 16 > len(data):
            problem = f"it ends in a record, at byte {at}"
            break
        places.append((at + 12, length))
        at += length + 16
    records = [data[start : start + length] for start, length in places]
    events: list[Event] = []
    for (start, length), record, found in zip(places, records, masked(records), strict=True):
        if found != struct.unpack_from("<I", data, start + length)[0]:
            return events, f"damaged at byte {start} of {len(data)}: read up to there"
        try:
            events.append(Event.FromString(record))
        except Exception:  # a checksum that is right says nothing of what was written
            return events, f"no event at byte {start} of {len(data)}: read up to there"
    return events, f"{problem}: read up to there" if problem else ""


class _Log:
    """Sorts the values of a run's events, in the order of writing, into tables and scalars."""

    def __init__(self):
        self.tables: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        self.scalars: defaultdict[str, list[Row]] = defaultdict(list)
        self.marks: list[tuple[int, list[dict]]] = []
        self.optimizer = ""
        self._described: dict[str, Description] = {}

    def add(self, step: int, wall: float, value: Summary.Value) -> None:
        if value.HasField("simple_value"):
            number = np.array([value.simple_value], np.float32)
            self.scalars[value.tag].append(Row(step, wall, ("",), number))
            return
        if value.metadata.plugin_data.plugin_name == PLUGIN and value.tag not in self._described:
            self._described[value.tag] = description(value.metadata.plugin_data.content)
        about = self._described.get(value.tag)
        if about is None:
            return  # Of another writer, such as keras.callbacks.TensorBoard.
        self._forget_marks_after(step)
        # Before there is an array: a few bytes may promise any size.
        shape = [dim.size for dim in value.tensor.tensor_shape.dim]
        count = len(value.tensor.string_val if about.marks else about.layers)
        if math.prod(shape) != count or min(shape, default=0) < 0:
            raise ValueError(f"{shape} numbers of {count} {'marks' if about.marks else 'layers'}")
        array = tensor_util.make_ndarray(value.tensor).ravel()
        if about.marks:
            self.marks.append((step, [mark_of(mark, step) for mark in array]))
            return
        self.optimizer = about.optimizer or self.optimizer
        key = about.quantity, about.statistic
        self.tables[key].append(Row(step, wall, about.layers, array.astype(np.float32)))

    def _forget_marks_after(self, step: int) -> None:
        self.marks = [logged for logged in self.marks if logged[0] <= step]


def _tables_of_scalars(
    scalars: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> dict[tuple[str, str], Table]:
    columns: defaultdict[tuple[str, str], dict[str, tuple]] = defaultdict(dict)
    for tag, points in scalars.items():
        if match := _OF_LAYER.fullmatch(tag):
            several, path, statistic, single, single_path = match.groups()
            columns[several or single, statistic or VALUE][path or single_path] = points
    tables = {}
    for key, of_layer in columns.items():
        rows = [
            Row(int(step), 0.0, (layer,), np.array([value], np.float32))
            for layer, (steps, values) in of_layer.items()
            for step, value in zip(steps, values, strict=True)
        ]
        tables[key] = joined(sorted(rows, key=lambda row: row.step))
    return tables
