"""Where snapshots go: TensorBoard event files."""

import itertools
import os
import re
import socket
import time
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import types_pb2
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from tfadaopt.callbacks.log_format import (
    MARKS,
    PLUGIN,
    STALL_WARNING,
    SUFFIX,
    Description,
    Tables,
    coded_mark,
    in_words,
    tensor_tag,
)

_counter = itertools.count()


class EventWriter:
    """Writes each snapshot to ``log_dir`` as one event of scalars, tensors and marks.

    An event file is a file of TFRecords. Writing them directly takes a tenth of the time of
    ``tf.summary``, which runs an op through the eager runtime for each. What the numbers of a
    tensor are of, its layers, is logged with its first event only: repeated in each, names would be
    twelve times as long as the numbers.

    Args:
        log_dir: Folder; made where needed.
        optimizer: Name of the class of the optimizer, logged with the tensors.

    Raises:
        OSError: The folder cannot be made or written to.
    """

    def __init__(self, log_dir: str | os.PathLike, optimizer: str = ""):
        log_dir = os.fspath(log_dir)
        now = time.time()
        try:
            tf.io.gfile.makedirs(log_dir)
            begun = _after_all(tf.io.gfile.listdir(log_dir), int(now))
            name = f"events.out.tfevents.{begun:010d}.{socket.gethostname()}.{os.getpid()}"
            path = os.path.join(log_dir, f"{name}.{next(_counter)}{SUFFIX}")  # noqa: PTH118, may be gs://
            self._path = path
            self._records = tf.io.TFRecordWriter(path)
            self._records.write(
                Event(wall_time=now, file_version="brain.Event:2").SerializeToString()
            )
            self._records.flush()
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"log_dir={log_dir!r} cannot be written to ({error}). Give a folder that this "
                "process may create files in, on a disk with free space."
            ) from error
        self._optimizer = optimizer
        self._told: set[str] = set()

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        tables: Tables | None = None,
        marks: Iterable[Mapping] = (),
    ) -> None:
        """Write one event.

        Args:
            step: Optimizer iterations.
            scalars: Numbers by tag.
            tables: What the tab "Optimizer" shows.
            marks: What there is to tell of single layers: written as the tab marks it, and in
                words for TensorBoard's tab "Text".
        """
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        for (quantity, statistic), (layers, numbers) in (tables or {}).items():
            values.append(self._tensor(quantity, statistic, layers, numbers))
        marks = list(marks)
        if marks:
            metadata = _metadata(PLUGIN, Description(marks=True).coded())
            values.append(self._strings(MARKS, [coded_mark(mark) for mark in marks], metadata))
            words = [in_words(mark).encode() for mark in marks]
            values.append(self._strings(STALL_WARNING, words, _metadata("text")))
        self.write_summary(Summary(value=values), step)

    def write_summary(self, summary: Summary, step: int = 0) -> None:
        """Write one event as it is."""
        event = Event(wall_time=time.time(), step=step, summary=summary)
        self._records.write(event.SerializeToString())
        self.flush()  # What was measured stays, whatever becomes of the process.

    def flush(self) -> None:
        """Let TensorBoard see what was written so far."""
        self._records.flush()

    def check(self) -> None:
        """Raise an ``OSError`` if the file is no longer there: writing would not notice."""
        if not tf.io.gfile.exists(self._path):
            raise FileNotFoundError(f"{self._path} was removed or moved since it was begun")

    def close(self) -> None:
        """Write what is left and close the file."""
        self._records.close()

    def _tensor(self, quantity, statistic, layers, numbers) -> Summary.Value:
        tag = tensor_tag(quantity, statistic, layers)
        tensor = TensorProto(
            dtype=types_pb2.DT_FLOAT,
            tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(layers))]),
            tensor_content=np.ascontiguousarray(numbers, "<f4").tobytes(),
        )
        if tag in self._told:
            return Summary.Value(tag=tag, tensor=tensor)
        self._told.add(tag)
        content = Description(quantity, statistic, tuple(layers), self._optimizer).coded()
        return Summary.Value(tag=tag, tensor=tensor, metadata=_metadata(PLUGIN, content))

    def _strings(self, tag: str, texts: list[bytes], metadata: SummaryMetadata) -> Summary.Value:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(texts))])
        tensor = TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=texts)
        if tag in self._told:
            return Summary.Value(tag=tag, tensor=tensor)
        self._told.add(tag)
        return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def _after_all(names: Iterable[str], now: int) -> int:
    """Second for the name of a new file, later than those there: TensorBoard reads by name.

    A clock may have gone back since.
    """
    seconds = [re.search(r"tfevents\.(\d{1,11})\.", name) for name in names]
    return max([now, *(int(found.group(1)) + 1 for found in seconds if found)])


def _metadata(plugin: str, content: bytes = b"") -> SummaryMetadata:
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    return SummaryMetadata(plugin_data=data, data_class=DATA_CLASS_TENSOR)
