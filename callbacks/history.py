"""Read back what the callbacks of a run logged, without TensorFlow or Keras."""

import json
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

PLUGIN = "tfadaopt"
STATISTICS = ("mean", "min", "max", "p05", "p50", "p95", "norm")
# Of a quantity that is one number per layer.
VALUE = "value"

_OF_LAYER = re.compile(
    rf"(effective_learning_rate|accumulator/[^/]+)/(.+)/({'|'.join(STATISTICS)})"
    r"|(update_ratio|update_norm|gradient_norm|weight_norm)/(.+)"
)


@dataclass(frozen=True)
class Table:
    """One statistic of one quantity: a row for each snapshot, a column for each layer.

    Args:
        layers: Paths of the variables, such as ``"conv/kernel"``, first layer first.
        steps: Optimizer iterations of the snapshots, rising [n].
        values: Values in float32 [n, layers]; NaN where nothing was measured, or NaN was.
        measured: Whether a value was logged [n, layers]: tells the two kinds of NaN apart.
    """

    layers: tuple[str, ...]
    steps: np.ndarray
    values: np.ndarray
    measured: np.ndarray


@dataclass(frozen=True)
class History:
    """What one run logged.

    Args:
        quantities: Tables by (quantity, statistic), such as ``("effective_learning_rate", "p50")``;
            the statistic of a quantity that is one number per layer is ``"value"``.
        scalars: Steps [n] and values [n] of each scalar tag, such as ``"learning_rate"``.
        marks: What ``StallWarning`` told: dictionaries with the keys ``layer`` (None: all),
            ``kind``, ``quantity``, ``since``, ``cause``, ``advice``, and ``step``: told when.
        optimizer: Name of the class; empty where the log does not say.
        problems: What could not be read, file by file: damage, or a file that ends in a record,
            as it is still being written or was cut off.
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
                    log.add(event.step, value)
                except Exception as error:  # whole, and yet not what a writer of ours writes
                    problem = f"step {event.step}, {value.tag[:80]!r}: {type(error).__name__}"
                    problems.append((path, problem))
    tables = {key: points.table() for key, points in log.tables.items()}
    scalars = {tag: points.scalar() for tag, points in log.scalars.items()}
    for key, points in _tables_of_scalars(scalars).items():
        tables.setdefault(key, points)
    ours = tables or log.marks
    said = tuple(f"{path.name}: {what}" for path, what in problems if ours or _is_ours(path))
    if not ours and not said:
        return None
    marks = tuple({**mark, "step": step} for step, told in log.marks for mark in told)
    return History(tables, scalars, marks, log.optimizer, said)


def _is_ours(path: Path) -> bool:
    return path.name.endswith(".tfadaopt")


def _events(path: Path) -> tuple[list[Event], str]:
    """Events of a file as far as it is whole, and what is wrong behind them, or ""."""
    # TensorBoard's own reader imports TensorFlow where it finds it, and without it takes seconds
    # for the checksums of some MB.
    data = path.read_bytes()
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
    events = []
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
        self.tables: defaultdict[tuple[str, str], _Points] = defaultdict(_Points)
        self.scalars: defaultdict[str, _Points] = defaultdict(_Points)
        self.marks: list[tuple[int, list[dict]]] = []
        self.optimizer = ""
        self._described: dict[str, dict] = {}

    def add(self, step: int, value: Summary.Value) -> None:
        if value.HasField("simple_value"):
            self.scalars[value.tag].add(step, ("",), np.array([value.simple_value], np.float32))
            return
        if value.metadata.plugin_data.plugin_name == PLUGIN and value.tag not in self._described:
            self._described[value.tag] = json.loads(value.metadata.plugin_data.content)
        about = self._described.get(value.tag)
        if about is None:
            return  # Of another writer, such as keras.callbacks.TensorBoard.
        self._forget_marks_after(step)
        array = tensor_util.make_ndarray(value.tensor).ravel()
        if about.get("marks"):
            self.marks.append((step, [_mark(mark) for mark in array]))
            return
        layers = tuple(map(str, about["layers"]))
        if len(layers) != len(array):
            raise ValueError(f"{len(array)} numbers of {len(layers)} layers")
        self.optimizer = str(about.get("optimizer") or self.optimizer)
        key = str(about["quantity"]), str(about["statistic"])
        self.tables[key].add(step, layers, array.astype(np.float32))

    def _forget_marks_after(self, step: int) -> None:
        self.marks = [told for told in self.marks if told[0] <= step]


def _mark(text: bytes) -> dict:
    mark = json.loads(text)
    texts = [mark["kind"], *(mark.get(key, "") for key in ("quantity", "cause", "advice", "layer"))]
    if not all(isinstance(x, str | None) for x in texts):
        raise ValueError("no mark")
    if not isinstance(mark.get("since", 0), int):
        raise ValueError("no step")
    return mark


class _Points:
    """Values by step, in the order of writing: those of a step replace what came at later ones.

    Several events of one step add to each other: each has the layers that it lists.
    """

    def __init__(self):
        self._rows: list[tuple[int, tuple[str, ...], np.ndarray]] = []

    def add(self, step: int, layers: tuple[str, ...], values: np.ndarray) -> None:
        while self._rows and self._rows[-1][0] > step:
            self._rows.pop()
        self._rows.append((step, layers, values))

    def table(self) -> Table:
        lists = dict.fromkeys(layers for _, layers, _ in self._rows)
        columns = list(dict.fromkeys(layer for layers in lists for layer in layers))
        place = {layer: i for i, layer in enumerate(columns)}
        places = {layers: [place[layer] for layer in layers] for layers in lists}
        steps, row_of = np.unique([step for step, _, _ in self._rows], return_inverse=True)
        values = np.full((len(steps), len(columns)), np.nan, np.float32)
        measured = np.zeros(values.shape, bool)
        for row, (_, layers, found) in zip(row_of, self._rows, strict=True):
            values[row, places[layers]] = found
            measured[row, places[layers]] = True
        return Table(tuple(columns), steps.astype(np.int64), values, measured)

    def scalar(self) -> tuple[np.ndarray, np.ndarray]:
        table = self.table()
        return table.steps, table.values[:, 0]


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
        steps = np.unique(np.concatenate([at for at, _ in of_layer.values()]))
        values = np.full((len(steps), len(of_layer)), np.nan, np.float32)
        measured = np.zeros(values.shape, bool)
        for column, (at, found) in enumerate(of_layer.values()):
            rows = np.searchsorted(steps, at)
            values[rows, column] = found
            measured[rows, column] = True
        tables[key] = Table(tuple(of_layer), steps, values, measured)
    return tables
