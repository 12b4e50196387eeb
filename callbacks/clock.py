"""Which step it is: the batches that Keras reports, and the count that the optimizer keeps."""

from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.callbacks import watched as watched_by


def counter_of(optimizer: Any) -> keras.optimizers.Optimizer:
    """The optimizer whose steps are counted: of several, one stands for all."""
    return optimizer.clock if isinstance(optimizer, watched_by.Several) else optimizer


class StepClock:
    """Counts steps by batches; the device is asked only where a snapshot may be due.

    A step needs at least one batch, so that counting batches is enough until then.

    Args:
        optimizer: What is watched, without wrappers.
        model: The model, or what stands for one (see ``watched.Loop``).

    Attributes:
        seen: Calls of ``apply`` that were counted.
    """

    def __init__(self, optimizer: Any, model: Any):
        self._counter = counter_of(optimizer)
        self._model = model
        self._per_update: int = self._counter.gradient_accumulation_steps or 1
        self._batch = -1
        self._first_batch: int | None = None
        self.seen = self.asked()

    @property
    def step(self) -> int:
        """Optimizer iterations done, as far as they were counted."""
        return self.seen // self._per_update

    def asked(self) -> int:
        """Calls of ``apply`` that the optimizer has counted."""
        return int(tf.convert_to_tensor(compat.micro_steps(self._counter)).numpy())

    def begin_epoch(self) -> None:
        """Count batches from 0 again, as Keras does."""
        self._batch = -1

    def begin_batch(self, batch: int) -> int:
        """Return the step that the coming batches lead to at most; ``batch``: the first of them."""
        self._first_batch = batch
        return self._seen_at(batch + self._per_execution() - 1) // self._per_update

    def end_batch(self, batch: int) -> int:
        """Return the step that was reached at most; ``batch``: the last one that was trained on."""
        if batch == self._first_batch:  # Keras 3.8 reports the first batch of several, not the last
            batch += self._per_execution() - 1
        self.seen = self._seen_at(batch)
        self._batch = batch
        return self.step

    def _seen_at(self, batch: int) -> int:
        return self.seen + (batch - self._batch if batch > self._batch else batch + 1)

    def _per_execution(self) -> int:
        return getattr(self._model, "steps_per_execution", 1) or 1
