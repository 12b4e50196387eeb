"""One run of a comparison, in a worker: the user's model, one method, one rate, one seed."""

import contextlib
import functools
import json
import math
import shutil
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadaopt.averages import averaged_weights, averaging_optimizer
from tfadaopt.callbacks import AveragedWeights, EffectiveLearningRate
from tfadaopt.effective import effective_learning_rate
from tfadaopt.experiments.compare import parts_of_data, problem
from tfadaopt.experiments.compare.check import check, loaded
from tfadaopt.experiments.compare.contenders import CONSTANT, Arm
from tfadaopt.experiments.compare.paced import paced
from tfadaopt.experiments.problems.restart import Restart
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.logged import logged_series
from tfadaopt.experiments.runs.store import Store
from tfadaopt.optimizers.rule import UnsupportedOptimizerError

# Snapshots of the effective rates in a run that is reported.
SNAPSHOTS = 40
# Steps that are allowed when only the number of steps ends a run.
_NO_END = 1_000_000


def compute(cell: Cell, settings: Mapping[str, Any], folder: Path) -> None:
    """Compute a cell and keep its result; one that raises leaves its reason, and raises."""
    of_cell: Mapping[str, Any] = cell
    try:
        if cell["kind"] == "check":
            result = check(Path(settings["file"]), settings)
        else:
            arm = Arm(of_cell["method"], of_cell.get("schedule", CONSTANT))
            log_dir = None
            if cell["kind"] == "final":
                log_dir = folder / "logs" / arm.label.replace(" ", "-") / f"seed-{cell['seed']}"
            key = json.dumps(settings, sort_keys=True)
            trainer = runner(arm, of_cell.get("weight_decay"), key)
            result = trainer.run(of_cell["learning_rate"], of_cell["seed"], log_dir)
    except Exception as error:
        traceback.print_exc()  # into worker.log
        if not isinstance(error, problem.ProblemError):
            # An exception of the user's own class might not survive the journey to the parent.
            raise RuntimeError(problem.described(error, Path(settings["file"]))) from None
        raise
    Store(folder).put(cell, result)


class Runner:
    """Trains the user's model with one method, again and again; it is traced once.

    Args:
        arm: Method and schedule.
        decay: Weight decay λ, or None for what the method has by itself.
        settings: Settings of the comparison.
    """

    def __init__(self, arm: Arm, decay: float | None, settings: Mapping[str, Any]):
        path = Path(settings["file"])
        self._settings = settings
        self._problem, self._parts = loaded(path, settings["file_sha256"])
        train = self._parts["train"]
        self._batch = parts_of_data.first_batch(train, settings["batch_size"])
        steps = parts_of_data.total_steps(train, settings) if arm.schedule != CONSTANT else 0
        keras.utils.set_random_seed(0)
        self._model = self._fresh()
        found = paced(arm, decay, self._model, steps)
        self._model.optimizer = found.optimizer
        self._restart = Restart(self._fresh, self._model, found)

    def run(self, learning_rate: float, seed: int, log_dir: Path | None) -> dict[str, Any]:
        """Train once.

        Args:
            learning_rate: Highest η of the run.
            seed: Seed of the weights and of the order of the data.
            log_dir: Folder for TensorBoard, or None: a tuning run, which never sees the test part.

        Returns:
            ``epochs``, a record of each; ``validation`` and ``test``, losses and metrics at the
            end; ``diverged``, why the run counts as failed, or None; ``rates``, median effective
            rate of each kernel over the steps, by its place among the trainable variables.
        """
        self._restart(learning_rate, seed)
        parts = self._parts
        if not all(map(parts_of_data.is_arrays, parts.values())):
            # A data set draws the seed of its shuffling when it is made.
            parts = parts_of_data.made_data(self._problem, Path(self._settings["file"]))
        ends, clock = _Ends(self._settings["steps"]), _Clock()
        callbacks: list[keras.callbacks.Callback] = [ends, clock, *self._averaging()]
        logged = log_dir if log_dir is not None and self._has_rates() else None
        if logged is not None:
            if logged.exists():
                shutil.rmtree(logged)  # Left by a run that was interrupted.
            callbacks.append(EffectiveLearningRate(logged, every=self._every(parts["train"])))
        history = self._model.fit(
            *parts_of_data.arguments(parts["train"]),
            batch_size=self._batch_size(parts["train"]),
            epochs=self._settings["epochs"] if self._settings["steps"] is None else _NO_END,
            steps_per_epoch=self._steps_of_endless(parts["train"]),
            validation_data=parts["validation"] if log_dir is not None else None,
            validation_batch_size=self._batch_size(parts["validation"]),
            callbacks=callbacks,
            shuffle=not isinstance(parts["train"], tf.data.Dataset),
            verbose=0,
        ).history
        columns = {name: values for name, values in history.items() if len(values)}
        epochs = [
            {name: float(values[i]) for name, values in columns.items() if i < len(values)}
            | {"epoch": i + 1, "step": clock.steps[i], "seconds": clock.seconds[i]}
            for i in range(len(history["loss"]))
        ]
        validation = self._evaluate(parts["validation"])
        diverged = ends.diverged
        if diverged is None and not math.isfinite(validation["loss"]):
            diverged = f"validation loss {validation['loss']}"
        result: dict[str, Any] = {"epochs": epochs, "validation": validation}
        result |= {"test": None, "diverged": diverged}
        if log_dir is not None:
            if "test" in parts:
                result["test"] = self._evaluate(parts["test"])
            result["rates"] = {} if logged is None else self._rates(logged)
        return result

    def _fresh(self) -> keras.Model:
        model = problem.made_model(self._problem, Path(self._settings["file"]))
        if not model.built:
            arrays = parts_of_data.is_arrays(self._batch)
            x, *_ = self._batch if arrays else next(iter(self._batch))
            model(x)
        return model

    def _averaging(self) -> list[keras.callbacks.Callback]:
        try:
            averaging_optimizer(self._model)
        except UnsupportedOptimizerError:
            return []
        return [AveragedWeights()]

    def _has_rates(self) -> bool:
        try:
            effective_learning_rate(self._model.optimizer, self._model.trainable_variables[0])
        except UnsupportedOptimizerError:
            return False
        return True

    def _rates(self, log_dir: Path) -> dict[str, Any]:
        logged = {series["tag"]: series for series in logged_series(log_dir)}
        found = {}
        for i, variable in enumerate(self._model.trainable_variables):
            # A rate that all coordinates share has no median, only its value.
            tags = [f"effective_learning_rate/{variable.path}/{name}" for name in ("p50", "mean")]
            series = next((logged[tag] for tag in tags if tag in logged), None)
            if len(variable.shape) > 1 and series is not None:
                found[str(i)] = {name: series[name] for name in ("steps", "values")}
        return found

    def _evaluate(self, part: Any) -> dict[str, float]:
        size = self._batch_size(part)
        with averaged_weights(self._model) if self._averaging() else contextlib.nullcontext():
            values = self._model.evaluate(
                *parts_of_data.arguments(part), batch_size=size, verbose=0, return_dict=True
            )
        return {name: float(value) for name, value in values.items()}

    def _batch_size(self, part: Any) -> int | None:
        return self._settings["batch_size"] if parts_of_data.is_arrays(part) else None

    def _steps_of_endless(self, train: Any) -> int | None:
        steps = self._settings["steps"]
        endless = parts_of_data.steps_per_epoch(train, self._settings["batch_size"]) is None
        return steps if endless else None

    def _every(self, train: Any) -> int:
        per_epoch = parts_of_data.steps_per_epoch(train, self._settings["batch_size"]) or 0
        total = self._settings["steps"] or per_epoch * self._settings["epochs"]
        return max(1, total // SNAPSHOTS)


@functools.lru_cache(maxsize=4)
def runner(arm: Arm, decay: float | None, settings: str) -> Runner:
    """Return the runner of a method; settings are JSON. A worker keeps some, to trace them once."""
    return Runner(arm, decay, json.loads(settings))


class _Ends(keras.callbacks.Callback):
    """End a run where its loss is no number any more, or where its steps are used up."""

    def __init__(self, steps: int | None):
        super().__init__()
        self.diverged: str | None = None
        self._steps, self._done = steps, 0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._done += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self.diverged = f"training loss {loss} in step {self._done}"
            self.model.stop_training = True
        if self._done == self._steps:
            self.model.stop_training = True


class _Clock(keras.callbacks.Callback):
    """Note the seconds of training in each epoch, without validation, and its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.steps: list[int] = []
        self._done = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._began = self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._done += 1
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.seconds.append(self._last - self._began)
        self.steps.append(self._done)
