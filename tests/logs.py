"""Event files as a monitored run writes them, made by hand: `FORMAT` of the tab, without a run."""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.util import tensor_util


class Log:
    """One event file: ``table`` and ``scalar`` and ``marks`` each append an event.

    Args:
        folder: Folder of the run.
        name: What tells this file from others of the folder.
        began: Time of the first event: files of a run are read in this order.
    """

    def __init__(self, folder: Path, name: str = "0", began: float = 0.0):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"events.out.tfevents.{name}.tfadaopt"
        self._described: set[str] = set()
        self._append(Event(wall_time=began, file_version="brain.Event:2"))

    def table(
        self,
        step: int,
        values: Mapping[str, float],
        quantity: str = "effective_learning_rate",
        statistic: str = "p50",
        optimizer: str = "Adagrad",
    ) -> "Log":
        """One statistic of one quantity at one step, by layer."""
        layers = list(values)
        tag = f"optimizer/{quantity}/{statistic}@{_hash(layers)}"
        about = {"version": 1, "quantity": quantity, "statistic": statistic}
        about |= {"layers": layers, "optimizer": optimizer}
        array = np.array(list(values.values()), np.float32)
        return self._tensor(step, tag, array, about)

    def marks(self, step: int, marks: Sequence[Mapping]) -> "Log":
        """What a StallWarning told at one step."""
        array = np.array([json.dumps(mark).encode() for mark in marks], object)
        return self._tensor(step, "optimizer/marks", array, {"version": 1, "marks": True})

    def scalars(self, step: int, values: Mapping[str, float]) -> "Log":
        """Ordinary scalars of one step, by tag."""
        summary = Summary(value=[Summary.Value(tag=t, simple_value=v) for t, v in values.items()])
        return self._append(Event(step=step, summary=summary))

    def _tensor(self, step: int, tag: str, array: np.ndarray, about: Mapping) -> "Log":
        value = Summary.Value(tag=tag, tensor=tensor_util.make_tensor_proto(array))
        if tag not in self._described:
            data = SummaryMetadata.PluginData(
                plugin_name="tfadaopt", content=json.dumps(about).encode()
            )
            value.metadata.CopyFrom(SummaryMetadata(plugin_data=data, data_class=DATA_CLASS_TENSOR))
            self._described.add(tag)
        return self._append(Event(step=step, summary=Summary(value=[value])))

    def _append(self, event: Event) -> "Log":
        record = event.SerializeToString()
        length = struct.pack("<Q", len(record))
        with self.path.open("ab") as file:
            file.write(length + struct.pack("<I", masked_crc32c(length)))
            file.write(record + struct.pack("<I", masked_crc32c(record)))
        return self


def _hash(layers: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(layers)).encode()).hexdigest()[:8]
