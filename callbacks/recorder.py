"""One pass over the state and one event per snapshot, however many callbacks share a folder.

A callback says what it wants by a ``Request``. All that is due after a step is measured in one
graph call (``Snapshots``), copied to the host at once, and written as one event (``RunLog``).
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from tfadaopt import compat, effective
from tfadaopt.callbacks import watched as watched_by
from tfadaopt.callbacks.clock import StepClock
from tfadaopt.callbacks.layers import paths_of
from tfadaopt.callbacks.measure import Snapshot, Taken
from tfadaopt.callbacks.request import Request
from tfadaopt.callbacks.run_log import RunLog
from tfadaopt.callbacks.shown import Shown
from tfadaopt.callbacks.snapshots import Snapshots
from tfadaopt.callbacks.sources import Before
from tfadaopt.callbacks.telling import warn_of_left_out
from tfadaopt.callbacks.writers import Guarded
from tfadaopt.optimizers.base import SKIPPED
from tfadaopt.readers import reader_of


class Recorder:
    """Takes the snapshots that the callbacks of one ``log_dir`` ask for.

    Of several workers, one records.
    """

    _of_folder: ClassVar[WeakValueDictionary[str, "Recorder"]] = WeakValueDictionary()
    # Of the fit that ``start`` begins.
    _clock: StepClock
    _snapshots: Snapshots

    def __init__(self, log_dir: str | None):
        self._log_dir = log_dir
        self._log = RunLog(log_dir)
        self._asked: dict[object, Request] = {}
        self._shown: dict[object, Shown] = {}
        self._due: dict[object, int] = {}
        self._optimizer: Any = None  # what ``start`` is given
        self._before: Before = {}
        self._begun: set[object] = set()
        self._driver: object | None = None
        self._records = True
        self._ready = False
        # State in a file that waits until the optimizer is built may turn out not to fit.
        self._count_may_fall = False
        # Calls of ``apply``, and iterations, done before the first step that was recorded.
        self._seen_before = 0
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
            self._log.close()
        if request.what.reads:
            for leaf in effective.leaves(watched):
                reader_of(leaf).check(request.what.reads)
        variables = watched_by.variables_of(model, watched)
        request.what.check(type(callback).__name__, paths_of(variables))
        optimizer = effective.unwrapped(watched)
        if not watched_by.is_same(optimizer, self._optimizer):
            self._optimizer = optimizer
            self._snapshots = Snapshots(optimizer)
            self._shown.clear()
        self._snapshots.model = model
        self._records = compat.writes_summaries(model)
        self._clock = StepClock(optimizer, model)
        self._seen_before = self._clock.seen
        self._ready = False
        if self._optimizer.built:
            self._find_layers()
        self._asked[callback] = request
        self._due[callback] = request.when.next_after(self._clock.step)

    @property
    def run_dir(self) -> str | None:
        """Where the run is, once it has begun."""
        return self._log.run_dir

    @property
    def optimizer(self):
        """What is watched, without wrappers."""
        return self._optimizer

    @property
    def watched(self) -> str:
        """Name of what is watched."""
        return self._optimizer.name

    @property
    def variables(self) -> list:
        """Variables that are trained."""
        return self._snapshots.variables

    @property
    def steps_seen(self) -> int:
        """Calls of ``apply`` that were counted."""
        return self._clock.seen

    def has_moved(self) -> bool:
        """Whether the optimizer has counted a call of ``apply`` since the first batch."""
        return self._clock.asked() != self._seen_before

    def begin_epoch(self, callback: object) -> None:
        """Count batches from 0 again, as Keras does, and trace the next snapshot beforehand."""
        self._begun.add(callback)
        self._get_ready(count=True)
        self._clock.begin_epoch()
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
        due = self._due_at(self._clock.begin_batch(batch))
        if due and not self._optimizer.built:  # Keras builds it in the first step.
            self._before = self._snapshots.before_build(self._asked[asker].what for asker in due)
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
        if self._count_may_fall and self._optimizer.built:
            self._count_may_fall = False
            if self._clock.asked() < self._clock.seen:
                self._begin_at(0)
        due = self._due_at(self._clock.end_batch(batch))
        if not due or not self._optimizer.built:
            return
        self._find_layers(again=False)
        taken = self._snapshot(due).take(self._before)
        self._clock.seen = taken.steps
        step = self._clock.step
        were = due
        due = [asker for asker in were if self._due[asker] <= step]
        if not due:
            return  # Loss scaling skipped a step: look again after the next batch.
        if due != were:  # The last execution of an epoch did fewer steps than Keras reports.
            taken = self._snapshot(due).take(self._before)
        self._record(step, due, taken)
        for asker in due:
            self._due[asker] = self._asked[asker].when.next_after(step)

    def end_epoch(self) -> None:
        """Let TensorBoard see the epoch."""
        self._log.flush()

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
            self._log.close()

    def _get_ready(self, count: bool) -> None:
        """Before the first step, after all that another callback may have restored: go on there.

        Args:
            count: Whether no step has been taken since ``start``.
        """
        if self._ready:
            return
        self._ready = True
        if count:
            self._count_may_fall = not self._optimizer.built
            self._begin_at(self._clock.asked())
        else:
            self._open()

    def _begin_at(self, seen: int) -> None:
        if seen < self._clock.seen:
            self._log.close()  # It was to go on at a step that the training has not reached.
        self._clock.seen = self._seen_before = seen
        self.begun_at = self._clock.step
        for asker, request in self._asked.items():
            self._due[asker] = request.when.next_after(self._clock.step)
        self._open()

    def _open(self) -> None:
        if self._records and not self._log.is_open:
            paths = paths_of(self.variables)
            names = self._log.open(self._clock.step, paths, watched_by.method_of(self._optimizer))
            self._snapshots.rename(names)
            if names:
                self._shown.clear()

    def _drives(self, callback: object) -> bool:
        if not self._records:
            return False
        if self._driver is None:
            self._driver = callback
            for stale in self._asked.keys() - self._begun if self._begun else ():
                # Its fit ended before the first epoch, by an exception.
                del self._asked[stale], self._due[stale]
        return callback is self._driver

    def _due_at(self, step: int) -> list[object]:
        return [asker for asker, next_step in self._due.items() if next_step <= step]

    def _find_layers(self, again: bool = True) -> None:
        if (again or not self._snapshots.layers) and self._snapshots.find_layers():
            self._shown.clear()

    def _snapshot(self, askers: Iterable[object]) -> Snapshot:
        return self._snapshots.of({self._asked[asker].what for asker in askers})

    def _record(self, step: int, due: list[object], taken: Taken) -> None:
        scalars: dict[str, float] = dict(taken.rates)
        of_writers: dict[Guarded, dict[str, float]] = {}
        marks: list[Mapping[str, Any]] = []
        for asker in due:
            request = self._asked[asker]
            if self._log.is_open:
                self._log.preface(asker, request.prefaces, self._snapshots.layers)
            elif not request.writers:
                continue
            shown = self._shown.setdefault(asker, Shown(request.scalars))
            chosen = shown.scalars(taken, self._snapshots.series_of(request.what))
            # Charts of layers of which nothing was left out would only hide the others.
            chosen = {tag: x for tag, x in chosen.items() if x or SKIPPED not in tag}
            scalars |= chosen
            of_writers |= {w: {**taken.rates, **chosen} for w in request.writers}
        for asker in due:
            for listener in self._asked[asker].listeners:
                marks += listener(step, taken.tables) or ()
        if not self._skips_said:
            quantity = f"accumulator/{SKIPPED}"
            self._skips_said = warn_of_left_out(step, taken.tables, quantity)
        self._log.write(step, scalars, taken.tables, marks)
        for writer, found in of_writers.items():
            writer.write(step, found, taken.tables, marks)
