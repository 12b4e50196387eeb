"""Event files such as a monitored run writes, made by hand: for the tests of the TensorBoard tab.

They do not use the writer under test elsewhere, so that a mistake of its does not hide itself.
"""

import functools
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.summary.writer.event_file_writer import EventFileWriter

RATE = "effective_learning_rate"
MARKS = "optimizer/marks"


class RunWriter:
    """Writes one event file of one run."""

    def __init__(self, folder: Path, optimizer: str = "Adam"):
        self._writer = EventFileWriter(str(folder), max_queue_size=10_000)
        self._optimizer = optimizer
        self._described: set[str] = set()
        self._wall = time.time()

    def write(
        self,
        step: int,
        values: Mapping[tuple[str, str], np.ndarray],
        layers: Sequence[str],
        marks: Sequence[dict] = (),
        dtype: int = DT_FLOAT,
    ) -> None:
        """Write one snapshot: values of each (quantity, statistic), one per layer."""
        summary = Summary()
        digest = _digest(tuple(layers))
        for (quantity, statistic), row in values.items():
            tag = f"optimizer/{quantity}/{statistic}@{digest}"
            content = {
                "version": 1,
                "quantity": quantity,
                "statistic": statistic,
                "layers": layers,
                "optimizer": self._optimizer,
            }
            value = summary.value.add(tag=tag, metadata=self._metadata(tag, content))
            row = np.asarray(row, np.float32 if dtype == DT_FLOAT else None)
            value.tensor.dtype = dtype
            value.tensor.tensor_shape.CopyFrom(
                TensorShapeProto(dim=[TensorShapeProto.Dim(size=row.size)])
            )
            value.tensor.tensor_content = row.tobytes()
        if marks:
            metadata = self._metadata(MARKS, {"version": 1, "marks": True})
            value = summary.value.add(tag=MARKS, metadata=metadata)
            value.tensor.dtype = DT_STRING
            value.tensor.tensor_shape.CopyFrom(
                TensorShapeProto(dim=[TensorShapeProto.Dim(size=len(marks))])
            )
            value.tensor.string_val.extend(json.dumps(mark).encode() for mark in marks)
        self._wall += 1e-3
        self._writer.add_event(Event(wall_time=self._wall, step=step, summary=summary))

    def scalar(self, step: int, tag: str, number: float) -> None:
        """Write an ordinary scalar, which the tab must leave alone."""
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=number)])
        self._writer.add_event(Event(wall_time=self._wall, step=step, summary=summary))

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _metadata(self, tag: str, content: dict) -> SummaryMetadata | None:
        # As the format says: only in the first event of each tag of each writer.
        if tag in self._described:
            return None
        self._described.add(tag)
        return SummaryMetadata(
            plugin_data=SummaryMetadata.PluginData(
                plugin_name="tfadaopt", content=json.dumps(content).encode()
            ),
            data_class=DATA_CLASS_TENSOR,
        )


@functools.cache
def _digest(layers: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(layers).encode()).hexdigest()[:8]


def layer_names(count: int) -> list[str]:
    """Paths such as those of a deep residual network."""
    kinds = ("conv/kernel", "conv/bias", "bn/gamma", "bn/beta")
    return [f"resnet/stage{i // 40}/block{i // 4 % 10}/{kinds[i % 4]}" for i in range(count)]


def rates(layers: int, steps: int, seed: int = 0) -> np.ndarray:
    """Positive values of many sizes that fall as an adaptive method's rates do, [steps, layers]."""
    random = np.random.default_rng(seed)
    size = 10 ** random.uniform(-5, -2, layers)
    speed = random.uniform(0.1, 0.9, layers)
    noise = np.exp(0.2 * random.standard_normal([steps, layers]))
    return (size / np.sqrt(1 + speed * np.arange(steps)[:, None]) * noise).astype(np.float32)


def write_statistics(
    folder: Path, table: np.ndarray, layers: Sequence[str], every: int = 10, optimizer="Adam"
) -> None:
    """Write all statistics of the effective rate: spread around a table [steps, layers]."""
    spread = {"p50": 1, "mean": 1.2, "min": 0.05, "max": 20, "p05": 0.3, "p95": 3}
    writer = RunWriter(folder, optimizer)
    for i, row in enumerate(table):
        writer.write(every * i, {(RATE, name): row * f for name, f in spread.items()}, layers)
    writer.close()
