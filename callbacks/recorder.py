"""One pass over the state and one event per snapshot, however many callbacks share a folder."""

import os
from collections.abc import Iterable
from typing import ClassVar
from weakref import WeakValueDictionary

from tfadaopt import compat, effective
from tfadaopt.callbacks.measure import Quantity, Series, Snapshot
from tfadaopt.callbacks.when import Every
from tfadaopt.callbacks.where import EventWriter
from tfadaopt.optimizers.base import Optimizer


class Recorder:
    """Takes the snapshots that the callbacks of one ``log_dir`` ask for.

    The device is asked for the step count only when a snapshot may be due: an iteration needs at
    least one batch, so counting batches is enough until then.
    """

    _of_folder: ClassVar[WeakValueDictionary[str, "Recorder"]] = WeakValueDictionary()

    def __init__(self, log_dir: str):
        self._log_dir = log_dir
        self._writer: EventWriter | None = None
        self._asked: dict[object, tuple[Quantity, Every]] = {}
        self._due: dict[object, int] = {}
        self._optimizer: Optimizer | None = None
        self._variables: list = []
        self._snapshots: dict[frozenset[Quantity], Snapshot] = {}
        self._begun: set[object] = set()
        self._driver: object | None = None

    @classmethod
    def at(cls, log_dir: str | os.PathLike) -> "Recorder":
        """Return the recorder of a folder: callbacks that name the same folder share it."""
        path = os.fspath(log_dir)
        key = path if "://" in path else os.path.realpath(path)
        return cls._of_folder.setdefault(key, cls(path))

    def start(self, callback: object, model, quantity: Quantity, every: Every) -> None:
        """Begin to record ``quantity`` of a model for one callback, before its first step.

        Raises:
            ValueError: The model is not compiled.
            tfadaopt.UnsupportedOptimizerError: Its optimizer cannot be read.
            OSError: The folder cannot be written to.
        """
        if getattr(model, "optimizer", None) is None:
            raise ValueError(
                f"{type(callback).__name__} needs a compiled model, but {model!r} has no optimizer."
                ' Call model.compile(optimizer=tfadaopt.Adagrad(), loss="…") first.'
            )
        if self._begun or self._driver is not None:
            # Training has begun since: this is another fit, and what an aborted one left is stale.
            self._driver = None
            self._begun.clear()
            self._asked.clear()
            self._due.clear()
        optimizer = effective.readable(model.optimizer)
        if optimizer is not self._optimizer:
            self._optimizer = optimizer
            self._variables = []
            self._snapshots.clear()
        self._model = model
        self._per_update = self._optimizer.gradient_accumulation_steps or 1
        self._writer = self._writer or EventWriter(self._log_dir)
        self._asked[callback] = (quantity, every)
        self._batch = -1
        self._seen = int(compat.micro_steps(self._optimizer).numpy())
        self._due[callback] = every.next_after(self._seen // self._per_update)

    def begin_epoch(self, callback: object) -> None:
        """Count batches from 0 again, as Keras does, and trace the next snapshot beforehand."""
        self._begun.add(callback)
        self._batch = -1
        if self._optimizer.built:
            self._find_variables()
            first = min(self._due.values())
            self._snapshot([asker for asker, step in self._due.items() if step == first])

    def end_batch(self, callback: object, batch: int) -> None:
        """Take the snapshots that are due after a batch (after several: ``steps_per_execution``).

        Args:
            callback: Who calls; the first to do so drives, for all.
            batch: Index of the last batch of the epoch that was trained on.
        """
        if self._driver is None:
            self._driver = callback
            for stale in self._asked.keys() - self._begun if self._begun else ():
                # Its fit ended before the first epoch, by an exception.
                del self._asked[stale], self._due[stale]
        if callback is not self._driver:
            return
        self._seen += batch - self._batch if batch > self._batch else batch + 1
        self._batch = batch
        step = self._seen // self._per_update
        due = [asker for asker, next_step in self._due.items() if next_step <= step]
        if not due or not self._optimizer.built:
            return
        if not self._variables:
            self._find_variables()
        self._seen, values = self._snapshot(due).take()
        step = self._seen // self._per_update
        taken = due
        due = [asker for asker in taken if self._due[asker] <= step]
        if not due:
            return  # Loss scaling skipped a step: look again after the next batch.
        if due != taken:  # The last execution of an epoch did fewer steps than Keras tells.
            _, values = self._snapshot(due).take()
        self._writer.write(step, values)
        for asker in due:
            self._due[asker] = self._asked[asker][1].next_after(step)

    def end_epoch(self) -> None:
        """Let TensorBoard see the epoch."""
        if self._writer is not None:
            self._writer.flush()

    def stop(self, callback: object) -> None:
        """Close the event file after the last; a later ``start`` opens one that goes on there."""
        self._asked.pop(callback, None)
        self._due.pop(callback, None)
        if not self._asked and self._writer is not None:
            self._writer.close()
            self._writer = None

    def _find_variables(self) -> None:
        variables = [
            v
            for v in self._model.trainable_variables
            if compat.index_of(self._optimizer, v) is not None
            and not compat.is_overwritten_by_gradient(self._optimizer, v)
            and 0 not in v.shape
        ]
        if [id(v) for v in variables] != [id(v) for v in self._variables]:
            self._variables = variables
            self._snapshots.clear()

    def _snapshot(self, askers: Iterable[object]) -> Snapshot:
        quantities = frozenset(self._asked[asker][0] for asker in askers)
        if quantities not in self._snapshots:
            series: list[Series] = []
            for quantity in sorted(quantities, key=lambda q: q.__name__):
                series += quantity(self._optimizer, self._variables)
            self._snapshots[quantities] = Snapshot(self._optimizer, series)
        return self._snapshots[quantities]
