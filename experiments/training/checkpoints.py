"""Where a run stands, kept in files: one that is killed goes on from there, its log included."""

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.files import said
from tfadaopt.experiments.runs.records import versions
from tfadaopt.experiments.runs.store import Store

CHECKPOINTS = "checkpoints"
# The environment may say otherwise; 0: after each batch.
SECONDS = "TFADAOPT_CHECKPOINT_SECONDS"
_SECONDS = 30.0
# Saving takes no more of the time than one part in so many.
_PARTS = 100


@dataclass
class Progress:
    """Where a run stands; all of it can be written as JSON.

    Attributes:
        epoch: Epochs that are done, with their validation.
        batch: Batches that are done of the epoch after them.
        step: Batches that are done in all.
        training_seconds: What they took in the epoch that is not done, without validation.
        seconds: What all took, tracing and validation included.
        epochs: What Keras logged of each epoch, with its last ``step`` and its ``seconds``.
        diverged: Why the loss is no number any more, or None.
        stopped: What else ended the run before its end, or None.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    training_seconds: float = 0.0
    seconds: float = 0.0
    epochs: list[dict[str, float]] = field(default_factory=list)
    diverged: str | None = None
    stopped: str | None = None


class Checkpoints:
    """Keeps where a run stands: its variables, its progress, and the length of its log.

    A checkpoint is whole or absent (``tf.train.CheckpointManager``). One that cannot be read, or
    that other versions have written, is taken away, and the run begins anew.

    Args:
        folder: Folder of this run alone; it is there as long as the run is not finished.
        log_dir: Folder of its log, or None.
        clock: Returns seconds.
    """

    def __init__(
        self,
        folder: Path,
        log_dir: Path | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._folder, self._log_dir, self._clock = folder, log_dir, clock
        self._least = _seconds()
        self._text = _Text()
        self._number = 0
        self._manager: tf.train.CheckpointManager | None = None
        self._last, self._cost = clock(), 0.0

    def save_if_due(self, model: keras.Model, progress: Progress) -> None:
        """Save, if the last time is long enough ago that it costs next to nothing."""
        if self._clock() - self._last < max(self._least, _PARTS * self._cost):
            return
        began = self._clock()
        state = {"progress": asdict(progress), "log": self._log(), "versions": versions()}
        self._text.text = json.dumps(state)
        if self._manager is None:
            checkpoint = self._of(model)
            self._manager = tf.train.CheckpointManager(checkpoint, str(self._folder), max_to_keep=1)
        self._number += 1
        self._manager.save(self._number)
        self._last = self._clock()
        self._cost = self._last - began if self._least else 0.0

    def restore(self, model: keras.Model, build_metrics: Callable[[], object]) -> Progress | None:
        """Put a model where the last checkpoint has it, and its log; or return None.

        Then the model is to be put back to its start: a part of a damaged one may be in it.

        Args:
            model: The model, with its optimizer, built.
            build_metrics: Called where their values are needed: makes the metrics' variables.
        """
        if not self._folder.exists():
            return None
        try:
            progress = self._restored(model, build_metrics)
        except (tf.errors.OpError, ValueError, TypeError, KeyError, AssertionError, OSError) as why:
            text = " ".join(str(why).split())[:200]
            said.warning("%s cannot be used (%s); this run begins anew.", self._folder, text)
            progress = None
        if progress is None:
            self.remove()
        return progress

    def remove(self) -> None:
        """Take all of it away: the run is finished, and its result kept."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._folder.parent.rmdir()  # once it is empty

    def _restored(self, model: keras.Model, build_metrics: Callable[[], object]) -> Progress | None:
        path = tf.train.latest_checkpoint(self._folder)
        if path is None:
            return None  # It was killed before the first one was whole.
        tf.train.Checkpoint(text=self._text).restore(path).expect_partial()
        state = json.loads(self._text.text)
        if state["versions"] != versions():
            raise ValueError("it was written by other versions")
        progress = Progress(**state["progress"])
        if progress.batch:
            build_metrics()
        self._cut_log(state["log"])
        self._of(model).restore(path).assert_existing_objects_matched().expect_partial()
        self._number = int(path.rpartition("-")[2])
        return progress

    def _of(self, model: keras.Model) -> tf.train.Checkpoint:
        return tf.train.Checkpoint(
            text=self._text,
            model=_native(model.variables),
            optimizer=_native(model.optimizer.variables),
            metrics=_native(model.metrics_variables),
        )

    def _log(self) -> dict[str, int]:
        if self._log_dir is None:
            return {}
        files = [path for path in self._log_dir.rglob("*tfevents*") if path.is_file()]
        return {str(path.relative_to(self._log_dir)): path.stat().st_size for path in sorted(files)}

    def _cut_log(self, sizes: Mapping[str, int]) -> None:
        """Take back what was logged after the checkpoint: it is going to be logged again."""
        there = self._log()
        short = [name for name, size in sizes.items() if there.get(name, -1) < size]
        if short:
            raise ValueError(f"of the log, {short[0]} is shorter than it was")
        for name in there:
            assert self._log_dir is not None  # or nothing would be there
            if name in sizes:
                os.truncate(self._log_dir / name, sizes[name])
            else:
                (self._log_dir / name).unlink()


class _Text(tf.train.experimental.PythonState):
    """A text in a checkpoint of TensorFlow."""

    def __init__(self) -> None:
        self.text = ""

    def serialize(self) -> str:
        return self.text

    def deserialize(self, string_value: bytes | str) -> None:
        self.text = string_value.decode() if isinstance(string_value, bytes) else string_value


def _seconds() -> float:
    text = os.environ.get(SECONDS, str(_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(
            f"{SECONDS} is {text!r}; give the seconds between two checkpoints of a run, such as "
            f"{_SECONDS:g}, or 0 for one after each batch."
        )
    return seconds


def checkpoints_of(store: Store, cell: Cell, log_dir: Path | None) -> Checkpoints:
    """Return the checkpoints of a cell that is computed for a store."""
    return Checkpoints(store.folder / CHECKPOINTS / store.file_of(cell).stem, log_dir)


def _native(variables: Sequence[Any]) -> list[Any]:
    return [v.value if isinstance(v, keras.Variable) else v for v in variables]
