"""Train a model: from its start or from a checkpoint, until its end or what ends it before."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfadaopt.experiments.training.batches import Batches
from tfadaopt.experiments.training.checkpoints import Checkpoints, Progress

# Epochs where only the number of steps ends a run.
_NO_END = 1_000_000


@dataclass(frozen=True)
class Limits:
    """When a run ends.

    Attributes:
        epochs: Epochs at most, or None: only the steps end it.
        steps: Steps at most, or None.
        seconds: Time limit, or None: its passing ends the run after the step, and is recorded.
        clock: Returns seconds.
    """

    epochs: int | None
    steps: int | None = None
    seconds: float | None = None
    clock: Callable[[], float] = time.perf_counter


def fit(
    model: keras.Model,
    batches: Batches,
    limits: Limits,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
    **arguments: Any,
) -> Progress:
    """Train a model, and return how far it came.

    Args:
        model: The model, built and compiled, its optimizer built.
        batches: What it is trained on.
        limits: When it ends. A loss that is no number ends it, too.
        callbacks: Further callbacks.
        checkpoints: Where it is kept how far it is, now and then; or None.
        progress: Where it goes on, as ``checkpoints.restore`` returned it; None: at the beginning.
        **arguments: Further arguments of ``fit``, such as ``validation_data``.
    """
    progress = progress or Progress()
    last = limits.epochs or _NO_END
    of_epoch = batches.steps_per_epoch
    keeper = _Keeper(model, progress, limits, of_epoch, checkpoints if of_epoch else None)
    more = {"verbose": 0, "callbacks": [*callbacks, keeper], **arguments}
    if progress.batch:
        # The rest of an epoch is an epoch of its own for Keras: the next has more batches.
        began = progress.epoch
        at = batches.at(began, progress.batch)
        model.fit(**at, initial_epoch=began, epochs=began + 1, **more)
        if model.stop_training or progress.epoch == last:
            return progress
        keeper.undo_end_of_fit(model)
    at = batches.at(progress.epoch, 0)
    model.fit(**at, initial_epoch=progress.epoch, epochs=last, **more)
    return progress


class _Keeper(keras.callbacks.Callback):
    """Notes how far a run is and saves it, and ends the run where a limit is reached.

    It comes after all others: what they log of a batch is in the log when it is saved.
    """

    def __init__(
        self,
        model: keras.Model,
        progress: Progress,
        limits: Limits,
        steps_per_epoch: int | None,
        checkpoints: Checkpoints | None,
    ):
        super().__init__()
        self._steps_per_epoch = steps_per_epoch
        self._progress, self._limits, self._checkpoints = progress, limits, checkpoints
        # The metrics of an epoch that goes on.
        self._totals = _values(model.metrics_variables) if progress.batch else []
        self._trained: list[np.ndarray] = []
        self._began = limits.clock()
        self._spent = progress.seconds

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if self._totals:  # Keras has just set them back.
            _assign(self.model.metrics_variables, self._totals)
        self._last = self._limits.clock()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        progress, limits = self._progress, self._limits
        now = limits.clock()
        progress.training_seconds += now - self._last
        self._last = now
        progress.seconds = self._spent + now - self._began
        progress.batch += 1
        progress.step += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            progress.diverged = f"training loss {loss} in step {progress.step}"
        elif limits.seconds is not None and progress.seconds > limits.seconds:
            progress.stopped = f"time limit of {limits.seconds:g} s passed in step {progress.step}"
        if progress.diverged or progress.stopped or progress.step == limits.steps:
            self.model.stop_training = True
        if progress.batch != self._steps_per_epoch:  # There is no rest of an epoch to go on with.
            self._save()
        self._last = limits.clock()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        progress = self._progress
        logged = {name: float(value) for name, value in (logs or {}).items()}
        of_epoch = {"step": progress.step, "seconds": progress.training_seconds}
        progress.epochs.append(logged | {"epoch": epoch + 1} | of_epoch)
        progress.epoch, progress.batch, progress.training_seconds = epoch + 1, 0, 0.0
        if self._totals:
            self._totals, self._trained = [], _values(self.model.trainable_variables)
        self._save()

    def undo_end_of_fit(self, model: keras.Model) -> None:
        """Put back what was trained: ``fit`` ends with the averages of an optimizer that has some.

        A run that was not killed would not have ended there.
        """
        _assign(model.trainable_variables, self._trained)

    def _save(self) -> None:
        if self._checkpoints is not None and not self.model.stop_training:
            self._checkpoints.save_if_due(self.model, self._progress)


def _values(variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
