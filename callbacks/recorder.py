"""One pass over the state and one event per snapshot, however many callbacks share a folder.

A callback says what it wants by a ``Request``: quantities of which layers, when, what of it goes to
TensorBoard as scalars. All that is due after a step is measured in one graph call, copied to the
host at once, and written as one event.

**To get the numbers of each snapshot**, put a listener into the request: a function
``listener(step, tables)`` that is called after each snapshot of that request, on the host, with

* ``step``, the optimizer iterations done, and
* ``tables``, ``{(quantity, statistic): (layers, numbers)}``: the paths of the layers and a NumPy
  array of a float32 for each. Quantities and statistics are those of the tab "Optimizer":
  ``effective_learning_rate``, ``accumulator/<slot>``, ``update_ratio``, ``update_norm``,
  ``gradient_norm``, ``weight_norm``; ``mean min max p05 p50 p95 norm``, or ``value`` where there
  is one number per layer. What could not be measured at this step is not among them; a NaN in
  them was measured. Other requests of the same folder may add to them.

It returns marks to be written with the event: dictionaries with ``layer``, ``kind``, ``quantity``,
``since``, ``cause`` and ``advice``, only what is new; or nothing. For example::

    class StallWarning(StateCallback):
        def request(self):
            what = What((EffectiveRates(sampled=True, required=False), Updates("update_ratio")))
            return Request(what, self.when, scalars=0, listeners=(self.look,))

        def look(self, step, tables):
            layers, ratios = tables["update_ratio", "value"]
            return [{"layer": layers[i], "kind": "dead", …} for i in np.flatnonzero(ratios == 0)]
"""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import keras
import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary

from tfadaopt import compat, effective
from tfadaopt.callbacks import watched as watched_by
from tfadaopt.callbacks.folder import free_for, held, names_in, release
from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.measure import Before, Series, Snapshot
from tfadaopt.callbacks.quantities import (
    Layer,
    Quantity,
    View,
    eta_before,
    eta_key,
    layers_of,
    paths_of,
    weights_before,
)
from tfadaopt.callbacks.shown import Shown
from tfadaopt.callbacks.when import When
from tfadaopt.callbacks.where import EventWriter
from tfadaopt.optimizers.base import SKIPPED
from tfadaopt.readers import reader_of

Listener = Callable[[int, Tables], Iterable[Mapping] | None]


@dataclass(frozen=True)
class What:
    """Quantities of some layers; what compares equal is traced once.

    Attributes:
        quantities: What to measure.
        include: Regular expressions; layers of whose path none matches a part are left out.
            Default none: all layers.
        exclude: The same for layers to leave out.
        reads: What the optimizer must tell: ``effective_learning_rate``, ``accumulators``, or None.
    """

    quantities: tuple[Quantity, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    reads: str | None = None

    def wants(self, path: str) -> bool:
        """Whether a layer is among those asked for."""
        included = not self.include or any(re.search(pattern, path) for pattern in self.include)
        return included and not any(re.search(pattern, path) for pattern in self.exclude)


@dataclass(frozen=True)
class Request:
    """What a callback asks of a recorder.

    Attributes:
        what: What to measure.
        when: In which steps.
        scalars: Most layers of a quantity that go to TensorBoard as scalars; None for all.
        listeners: Who gets the numbers of each snapshot; see the top of this file.
        prefaces: Serialized summaries to write before the first event of a folder, from the layers.
    """

    what: What
    when: When
    scalars: int | None = None
    listeners: tuple[Listener, ...] = ()
    prefaces: tuple[Callable[[tuple[Layer, ...]], bytes], ...] = ()


class Recorder:
    """Takes the snapshots that the callbacks of one ``log_dir`` ask for.

    The device is asked for the step count only when a snapshot may be due: an iteration needs at
    least one batch, so counting batches is enough until then. Of several workers, one records.
    """

    _of_folder: ClassVar[WeakValueDictionary[str, "Recorder"]] = WeakValueDictionary()

    def __init__(self, log_dir: str | None):
        self._log_dir = log_dir
        self.run_dir = log_dir
        self._writer: EventWriter | None = None
        self._prefaced: set[object] | None = None
        # What the run calls layers that have other numbers now.
        self._name_in_run: dict[str, str] = {}
        self._asked: dict[object, Request] = {}
        self._shown: dict[object, Shown] = {}
        self._due: dict[object, int] = {}
        self._optimizer: Any = None  # what ``start`` is given
        self._layers: tuple[Layer, ...] = ()
        self._series: dict[What, list[Series]] = {}
        self._snapshots: dict[frozenset[What], Snapshot] = {}
        self._before: Before = {}
        self._begun: set[object] = set()
        self._driver: object | None = None
        self._first_batch: int | None = None
        self._records = True
        self._ready = False
        # Optimizer iterations done before the first step that was recorded.
        self.begun_at = 0
        self._skips_said = False

    def __reduce__(self):
        return Recorder.at, (self._log_dir,)

    @classmethod
    def at(cls, log_dir: str | os.PathLike | None) -> "Recorder":
        """Return the recorder of a folder: callbacks that name the same folder share it.

        Without a folder, it measures for the listeners of one callback and writes nothing.
        """
        if log_dir is None:
            return cls(None)
        path = os.fspath(log_dir)
        key = path if "://" in path else os.path.realpath(path)
        return cls._of_folder.setdefault(key, cls(path))

    def start(self, callback: object, model, request: Request, optimizer=None) -> None:
        """Begin to record what one callback asks for of a model, before its first step.

        Args:
            callback: Who asks.
            model: The model, or what stands for one (see ``watched.Loop``).
            request: What is asked for.
            optimizer: What to watch, or several by name; None: see ``watched.optimizer_of``.

        Raises:
            ValueError: The model is not compiled, or no layer is asked for.
            tfadaopt.UnsupportedOptimizerError: Its optimizer cannot be read.
        """
        watched = watched_by.optimizer_of(type(callback).__name__, model, optimizer)
        if self._begun or self._driver is not None:
            # Training has begun since: this is another fit, and what an aborted one left is stale.
            self._driver = None
            self._begun.clear()
            self._asked.clear()
            self._due.clear()
            self._close()
        if request.what.reads:
            for leaf in effective.leaves(watched):
                reader_of(leaf).check(request.what.reads)
        variables = watched_by.variables_of(model, watched)
        _check(type(callback).__name__, request.what, variables)
        optimizer = effective.unwrapped(watched)
        if not _is_same(optimizer, self._optimizer):
            self._optimizer = optimizer
            self._name_in_run = {}
            self._layers = ()
            self._forget()
        self._model = model
        self._records = compat.writes_summaries(model)
        self._batch = -1
        self._ready = False
        self._count_steps()
        if self._optimizer.built:
            self._find_layers()
        self._asked[callback] = request
        self._due[callback] = request.when.next_after(self._seen // self._per_update)

    @property
    def optimizer(self):
        """What is watched, without wrappers."""
        return self._optimizer

    @property
    def watched(self) -> str:
        """Name of what is watched."""
        return self._optimizer.name

    def steps_seen(self, ask: bool = False) -> int:
        """Calls of ``apply`` that were counted; ``ask``: those that the optimizer has counted."""
        if ask:
            return int(tf.convert_to_tensor(compat.micro_steps(self._clock())).numpy())
        return self._seen

    def _clock(self):
        optimizer = self._optimizer
        return optimizer.clock if isinstance(optimizer, watched_by.Several) else optimizer

    def _count_steps(self) -> None:
        self._per_update = self._clock().gradient_accumulation_steps or 1
        self._seen = int(tf.convert_to_tensor(compat.micro_steps(self._clock())).numpy())

    def _get_ready(self, count: bool) -> None:
        """Before the first step, after all that another callback may have restored: go on there.

        Args:
            count: Whether no step has been taken since ``start``.
        """
        if self._ready:
            return
        self._ready = True
        if count:
            self._count_steps()
            self.begun_at = self._seen // self._per_update
            step = self._seen // self._per_update
            for asker, request in self._asked.items():
                self._due[asker] = request.when.next_after(step)
        log_dir, step = self._log_dir, self._seen // self._per_update
        if self._records and self._writer is None and log_dir is not None:
            self._guarded("log_dir", lambda: self._open(log_dir, step))

    def _guarded(self, what: str, do: Callable[[], None]) -> None:
        """Write; if that cannot be, say so once, and go on without: looking ends no training."""
        try:
            do()
        except Exception as error:
            self._writer = None
            warnings.warn(
                f"{what}={self._log_dir!r}: nothing more is logged there, and the training goes on "
                f"({' '.join(str(error).split())[:300] or type(error).__name__}). What was written "
                "before stays. Give a folder that this process may create files in, on a disk with "
                "free space.",
                stacklevel=2,
            )

    def begin_epoch(self, callback: object) -> None:
        """Count batches from 0 again, as Keras does, and trace the next snapshot beforehand."""
        self._begun.add(callback)
        self._get_ready(count=True)
        self._batch = -1
        if self._records and self._optimizer.built:
            self._find_layers()
            first = min(self._due.values())
            self._snapshot([asker for asker, step in self._due.items() if step == first])

    def begin_batch(self, callback: object, batch: int) -> None:
        """Keep what a snapshot after the coming steps needs from before them.

        Args:
            callback: Who calls.
            batch: Index of the next batch in the epoch.
        """
        if not self._drives(callback):
            return
        self._get_ready(count=True)
        self._before = {}
        self._first_batch = batch
        steps = getattr(self._model, "steps_per_execution", 1) or 1
        due = self._due_at((self._seen_at(batch + steps - 1)) // self._per_update)
        if due and not self._optimizer.built:  # Keras builds it in the first step.
            wanted = [q for asker in due for q in self._asked[asker].what.quantities]
            variables = self.variables
            self._before = weights_before(variables, self._names(variables), wanted)
            for leaf in effective.leaves(self._optimizer):
                self._before |= {key: read() for key, read in eta_before(leaf).items()}
        elif due:
            self._find_layers(again=False)
            self._before = self._snapshot(due).capture()

    def end_batch(self, callback: object, batch: int) -> None:
        """Take the snapshots that are due after a batch (after several: ``steps_per_execution``).

        Args:
            callback: Who calls; the first to do so drives, for all.
            batch: Index of the last batch of the epoch that was trained on.
        """
        if not self._drives(callback):
            return
        self._get_ready(count=False)
        if batch == self._first_batch:  # Keras 3.8 tells the first batch of several, not the last
            batch += (getattr(self._model, "steps_per_execution", 1) or 1) - 1
        self._seen = self._seen_at(batch)
        self._batch = batch
        due = self._due_at(self._seen // self._per_update)
        if not due or not self._optimizer.built:
            return
        self._find_layers(again=False)
        taken = self._snapshot(due).take(self._before)
        self._seen = taken.steps
        step = self._seen // self._per_update
        were = due
        due = [asker for asker in were if self._due[asker] <= step]
        if not due:
            return  # Loss scaling skipped a step: look again after the next batch.
        if due != were:  # The last execution of an epoch did fewer steps than Keras tells.
            taken = self._snapshot(due).take(self._before)
        self._record(step, due, taken)
        for asker in due:
            self._due[asker] = self._asked[asker].when.next_after(step)

    def end_epoch(self) -> None:
        """Let TensorBoard see the epoch."""
        if self._writer is not None:
            self._guarded("log_dir", self._writer.flush)
        if self._writer is not None:
            self._guarded("log_dir", self._writer.check)

    def forget(self, callback: object) -> None:
        """Go on without a callback that failed."""
        self._asked.pop(callback, None)
        self._due.pop(callback, None)
        self._begun.discard(callback)
        if self._driver is callback:
            self._driver = None

    def stop(self, callback: object) -> None:
        """Close the event file after the last; a later ``start`` opens one that goes on there."""
        self._asked.pop(callback, None)
        self._due.pop(callback, None)
        if not self._asked:
            self._close()

    def _open(self, log_dir: str, step: int) -> None:
        paths = paths_of(self.variables)
        self.run_dir = free_for(log_dir, step, frozenset(paths))
        found = held(self.run_dir)
        self._name_in_run = names_in(paths, found.layers)
        if self._name_in_run:
            self._layers = ()
            self._forget()
        self._prefaced = None if found.last_step >= 0 else set()
        self._writer = EventWriter(self.run_dir, _method_name(self._optimizer))

    def _close(self) -> None:
        if self._writer is not None:
            self._guarded("log_dir", self._writer.close)
            self._writer = None
        release(self.run_dir)

    def _drives(self, callback: object) -> bool:
        if not self._records:
            return False
        if self._driver is None:
            self._driver = callback
            for stale in self._asked.keys() - self._begun if self._begun else ():
                # Its fit ended before the first epoch, by an exception.
                del self._asked[stale], self._due[stale]
        return callback is self._driver

    def _seen_at(self, batch: int) -> int:
        return self._seen + (batch - self._batch if batch > self._batch else batch + 1)

    def _due_at(self, step: int) -> list[object]:
        return [asker for asker, next_step in self._due.items() if next_step <= step]

    def _record(self, step: int, due: list[object], taken) -> None:
        scalars: dict[str, float] = dict(taken.rates)
        marks: list[Mapping[str, Any]] = []
        for asker in due:
            if self._writer is None:
                break
            request = self._asked[asker]
            if self._prefaced is not None and asker not in self._prefaced:
                self._prefaced.add(asker)
                for preface in request.prefaces:
                    self._write_preface(preface)
            shown = self._shown.setdefault(asker, Shown(request.scalars))
            chosen = shown.scalars(taken, self._series[request.what])
            # A chart for each layer of which nothing was left out would only be in the way.
            scalars |= {tag: x for tag, x in chosen.items() if x or SKIPPED not in tag}
        for asker in due:
            for listener in self._asked[asker].listeners:
                marks += listener(step, taken.tables) or ()
        self._warn_of_skipped(step, taken.tables)
        if self._writer is not None:
            write = self._writer.write
            self._guarded("log_dir", lambda: write(step, scalars, taken.tables, marks))

    def _write_preface(self, preface) -> None:
        try:
            summary = Summary.FromString(preface(self._layers))
        except Exception as error:  # a schedule or an optimizer that does not tell its arguments
            warnings.warn(
                "The tab HParams has no row for this run, and all else is logged: the arguments of "
                f"the optimizer cannot be read ({error!r}). Give the class a get_config().",
                stacklevel=2,
            )
            return
        if self._writer is not None:
            write = self._writer.write_summary
            self._guarded("log_dir", lambda: write(summary))

    def _warn_of_skipped(self, step: int, tables: Tables) -> None:
        layers, counts = tables.get((f"accumulator/{SKIPPED}", "mean"), ((), np.zeros(0)))
        if self._skips_said or not np.any(counts > 0):
            return
        self._skips_said = True
        i = int(np.argmax(counts))
        warnings.warn(
            f"Up to step {step}, the optimizer left out {counts[i]:.0f} "
            f"update{'' if counts[i] == 1 else 's'} of {layers[i]}"
            + (f", and some of {np.sum(counts > 0) - 1} others" if np.sum(counts > 0) > 1 else "")
            + ": the gradient is NaN, infinite or too large (nonfinite='skip'). Look for NaN in "
            "the data, for log(0) and 0/0 in the loss; lower the learning rate or clip gradients.",
            stacklevel=2,
        )

    @property
    def variables(self) -> list:
        """Variables that are trained."""
        return watched_by.variables_of(self._model, self._optimizer)

    def _names(self, variables) -> list[str]:
        return [self._name_in_run.get(path, path) for path in paths_of(variables)]

    def _find_layers(self, again: bool = True) -> None:
        if self._layers and not again:
            return
        variables = self.variables
        layers = tuple(
            layer
            for layer in layers_of(self._optimizer, variables, self._names(variables))
            if tf.as_dtype(layer.variable.dtype).is_floating
            and not compat.is_overwritten_by_gradient(layer.variable)
            and 0 not in layer.variable.shape
        )
        if [id(x.variable) for x in layers] != [id(x.variable) for x in self._layers]:
            self._layers = layers
            self._forget()

    def _forget(self) -> None:
        self._series.clear()
        self._snapshots.clear()
        self._shown.clear()

    def _snapshot(self, askers: Iterable[object]) -> Snapshot:
        whats = frozenset(self._asked[asker].what for asker in askers)
        if whats not in self._snapshots:
            merged: dict[tuple[str, str | None], Series] = {}
            for what in sorted(whats, key=repr):
                if what not in self._series:
                    self._series[what] = self._series_of(what)
                for series in self._series[what]:
                    key = series.quantity, series.layer
                    known = merged.get(key)
                    if known is None or known.sampled:
                        merged[key] = series
            leaves = list({id(x.optimizer): x.optimizer for x in self._layers}.values())
            leaves = leaves or effective.leaves(self._optimizer)
            clock = self._clock()
            kept: dict[tuple, Callable[[], tf.Tensor]] = {}
            for leaf in leaves:
                kept |= eta_before(leaf)
            self._snapshots[whats] = Snapshot(
                steps=lambda: compat.micro_steps(clock).value,
                rates=_rates(leaves),
                series=list(merged.values()),
                kept=kept,
            )
        return self._snapshots[whats]

    def _series_of(self, what: What) -> list[Series]:
        steps = getattr(self._model, "steps_per_execution", 1) or 1
        view = View(tuple(x for x in self._layers if what.wants(x.path)), steps)
        return [series for quantity in what.quantities for series in quantity(view)]


def _check(owner: str, what: What, variables: list) -> None:
    paths = paths_of(variables)
    if paths and not any(what.wants(path) for path in paths):
        raise ValueError(
            f"{owner}: include={list(what.include)} and exclude={list(what.exclude)} leave no "
            "variable of the model. The patterns are searched in the paths of what is trained, "
            f"such as: {', '.join(paths[:20])}."
        )


def _rates(leaves: list) -> dict[str, Callable[[Before], tf.Tensor]]:
    def rate(leaf: keras.optimizers.Optimizer, before: Before) -> tf.Tensor:
        kept = before.get(eta_key(leaf))
        return compat.applied_learning_rate(leaf) if kept is None else kept

    if len(leaves) == 1:
        return {"learning_rate": partial(rate, leaves[0])}
    return {f"learning_rate/{leaf.name}": partial(rate, leaf) for leaf in leaves}


def _is_same(a, b) -> bool:
    several = isinstance(a, watched_by.Several) and isinstance(b, watched_by.Several)
    return a.by_name == b.by_name if several else a is b


def _method_name(optimizer) -> str:
    return " + ".join(dict.fromkeys(type(x).__name__ for x in effective.leaves(optimizer)))
