"""One run of a comparison, in a worker: the user's model, one method, one rate, one seed."""

import contextlib
import functools
import json
import math
import shutil
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadaopt.averages import averaged_weights, averaging_optimizer
from tfadaopt.callbacks import AveragedWeights, EffectiveLearningRate
from tfadaopt.callbacks.folder import names_in
from tfadaopt.effective import effective_learning_rate
from tfadaopt.experiments.compare import parts_of_data, problem
from tfadaopt.experiments.compare.check import check, loaded
from tfadaopt.experiments.compare.contenders import CONSTANT, Arm
from tfadaopt.experiments.compare.paced import paced
from tfadaopt.experiments.problems.restart import Restart
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.logged import logged_series
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.training.batches import AsGiven, Batches, Shuffled, Streamed, dense
from tfadaopt.experiments.training.checkpoints import Checkpoints, checkpoints_of
from tfadaopt.experiments.training.fitting import Limits, fit
from tfadaopt.experiments.training.strategies import strategy_of
from tfadaopt.optimizers.rule import UnsupportedOptimizerError

# Snapshots of the effective rates in a run that is reported.
SNAPSHOTS = 40


def compute(cell: Cell, settings: Mapping[str, Any], folder: Path) -> None:
    """Compute a cell and keep its result; one that raises leaves its reason, and raises."""
    of_cell: Mapping[str, Any] = cell
    store, checkpoints = Store(folder), None
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
            checkpoints = checkpoints_of(store, cell, log_dir)
            result = trainer.run(of_cell["learning_rate"], of_cell["seed"], log_dir, checkpoints)
    except Exception as error:
        traceback.print_exc()  # into worker.log
        if not isinstance(error, problem.ProblemError):
            # An exception of the user's own class might not survive the journey to the parent.
            raise RuntimeError(problem.described(error, Path(settings["file"]))) from None
        raise
    store.put(cell, result)
    if checkpoints is not None:
        checkpoints.remove()


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
        arrays = parts_of_data.is_arrays(train)
        self._tensors = dense(parts_of_data.arguments(train)) if arrays else None
        steps = parts_of_data.total_steps(train, settings) if arm.schedule != CONSTANT else 0
        strategy = strategy_of(settings.get("strategy"))
        keras.utils.set_random_seed(0)
        with strategy.scope():
            self._model = self._fresh()
            found = paced(arm, decay, self._model, steps)
            self._model.optimizer = found.optimizer
            self._restart = Restart(self._fresh, self._model, found)

    def run(
        self,
        learning_rate: float,
        seed: int,
        log_dir: Path | None,
        checkpoints: Checkpoints | None = None,
    ) -> dict[str, Any]:
        """Train once.

        Args:
            learning_rate: Highest η of the run.
            seed: Seed of the weights and of the order of the data.
            log_dir: Folder for TensorBoard, or None: a tuning run, which never sees the test part.
            checkpoints: Where it is kept how far the run is, and where it may go on; or None.

        Returns:
            ``epochs``, a record of each; ``validation`` and ``test``, losses and metrics at the
            end; ``diverged``, why the run counts as failed, or None; ``stopped``, the same where it
            was a time limit, else absent; ``rates``, median effective rate of each kernel over the
            steps, by its place among the trainable variables.
        """
        settings = self._settings
        self._restart(learning_rate, seed)
        progress = None
        if checkpoints is not None:
            progress = checkpoints.restore(self._model, self._build_metrics)
            if progress is None:
                self._restart(learning_rate, seed)  # Of a damaged one, a part may be taken.
        keras.utils.set_random_seed(seed)  # Whatever that has drawn.
        parts = self._made()
        callbacks: list[keras.callbacks.Callback] = self._averaging()
        logged = log_dir if log_dir is not None and self._has_rates() else None
        if logged is not None:
            if progress is None and logged.exists():
                shutil.rmtree(logged)  # Left by a run that was interrupted.
            callbacks.append(EffectiveLearningRate(logged, every=self._every(parts["train"])))
        epochs = settings["epochs"] if settings["steps"] is None else None
        progress = fit(
            self._model,
            self._batches(parts["train"], seed),
            Limits(epochs, settings["steps"], settings.get("time_limit")),
            callbacks,
            checkpoints,
            progress,
            validation_data=parts["validation"] if log_dir is not None else None,
            validation_batch_size=self._batch_size(parts["validation"]),
        )
        validation = self._evaluate(parts["validation"])
        diverged = progress.diverged or progress.stopped
        if diverged is None and not math.isfinite(validation["loss"]):
            diverged = f"validation loss {validation['loss']}"
        result: dict[str, Any] = {"epochs": progress.epochs, "validation": validation}
        result |= {"test": None, "diverged": diverged}
        if progress.stopped is not None:
            result["stopped"] = progress.stopped
        if log_dir is not None:
            if "test" in parts:
                result["test"] = self._evaluate(parts["test"])
            result["rates"] = {} if logged is None else self._rates(logged)
        return result

    def _made(self) -> dict[str, Any]:
        """Return the data of a run, just after the seed was set."""
        if all(map(parts_of_data.is_arrays, self._parts.values())):
            return self._parts
        # A data set draws the seed of its shuffling when it is made.
        return parts_of_data.made_data(self._problem, Path(self._settings["file"]))

    def _batches(self, train: Any, seed: int) -> Batches:
        """Return the batches of a run, from whose data Keras need not count those of an epoch."""
        steps = parts_of_data.steps_per_epoch(train, self._settings["batch_size"])
        one_by_one = self._model.steps_per_execution == 1  # Else Keras reads beyond an epoch.
        if self._tensors is not None and one_by_one:
            return Shuffled(self._tensors, self._settings["batch_size"], seed)
        if isinstance(train, tf.data.Dataset) and steps != 0 and one_by_one:
            made = [train]

            def make() -> tf.data.Dataset:
                if made:
                    return made.pop()
                keras.utils.set_random_seed(seed)
                return self._made()["train"]

            return Streamed(make, steps or self._settings["steps"])
        names = ("x", "y", "sample_weight")
        return AsGiven(
            **dict(zip(names, parts_of_data.arguments(train), strict=False)),
            batch_size=self._batch_size(train),
            steps_per_epoch=self._settings["steps"] if steps is None else None,
            shuffle=not isinstance(train, tf.data.Dataset),
        )

    def _build_metrics(self) -> None:
        self._model.evaluate(*parts_of_data.arguments(self._batch), steps=1, verbose=0)

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
        logged: dict[str, Any] = {str(each["tag"]): each for each in logged_series(log_dir)}
        quantity = "effective_learning_rate/"
        known = {tag.removeprefix(quantity).rpartition("/")[0] for tag in logged}
        variables = self._model.trainable_variables
        # A run that went on in another process is logged with the names of the first one.
        names = names_in([variable.path for variable in variables], known - {""})
        found = {}
        for i, variable in enumerate(variables):
            # A rate that all coordinates share has no median, only its value.
            layer = names.get(variable.path, variable.path)
            tags = [f"{quantity}{layer}/{name}" for name in ("p50", "mean")]
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

    def _every(self, train: Any) -> int:
        per_epoch = parts_of_data.steps_per_epoch(train, self._settings["batch_size"]) or 0
        total = self._settings["steps"] or per_epoch * self._settings["epochs"]
        return max(1, total // SNAPSHOTS)


@functools.lru_cache(maxsize=4)
def runner(arm: Arm, decay: float | None, settings: str) -> Runner:
    """Return the runner of a method; settings are JSON. A worker keeps some, to trace them once."""
    return Runner(arm, decay, json.loads(settings))
