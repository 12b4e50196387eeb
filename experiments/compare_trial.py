"""One run of a comparison, in a worker: the user's model, one method, one rate, one seed."""

import contextlib
import functools
import json
import math
import shutil
import time
import traceback
from pathlib import Path

import keras
import tensorflow as tf

from tfadaopt.averages import averaged_weights, averaging_optimizer
from tfadaopt.callbacks import AveragedWeights, EffectiveLearningRate
from tfadaopt.effective import broadcastable_rate, readable
from tfadaopt.experiments import contenders, problem
from tfadaopt.experiments.cells import Cell
from tfadaopt.experiments.restart import Restart
from tfadaopt.experiments.store import Store
from tfadaopt.experiments.training import logged_series
from tfadaopt.optimizers.base import UnsupportedOptimizerError

# Snapshots of the effective rates in a run that is reported.
SNAPSHOTS = 40
# Steps that are allowed when only the number of steps ends a run.
_NO_END = 1_000_000


def compute(cell: Cell, settings: dict, folder: Path) -> None:
    """Compute a cell and keep its result; one that raises leaves its reason, and raises."""
    try:
        if cell["kind"] == "check":
            result = check(Path(settings["file"]), settings)
        else:
            log_dir = None
            if cell["kind"] == "final":
                log_dir = folder / "logs" / cell["method"] / f"seed-{cell['seed']}"
            key = json.dumps(settings, sort_keys=True)
            result = runner(cell["method"], key).run(cell["learning_rate"], cell["seed"], log_dir)
    except Exception as error:
        traceback.print_exc()  # into worker.log
        if not isinstance(error, problem.ProblemError):
            # An exception of the user's own class might not survive the way to the parent.
            raise RuntimeError(problem.told(error, Path(settings["file"]))) from None
        raise
    Store(folder).put(cell, result)


def check(path: Path, settings: dict) -> dict:
    """Look at a problem before anything is trained, and say what it is.

    Raises:
        ProblemError: Something is wrong with it.
        ConfigError: A method of Keras or the objective does not exist.
    """
    found = problem.load(path)
    keras.utils.set_random_seed(0)
    model = problem.made_model(found, path)
    default_rates = {
        name: contenders.maker(name, model.optimizer)[1] for name in settings["methods"]
    }
    _, parts = _loaded(path, settings["file_sha256"])
    train, batch_size = parts["train"], settings["batch_size"]
    steps = _steps_per_epoch(train, batch_size)
    if steps is None and settings["steps"] is None:
        raise problem.ProblemError(
            f"{path}: data(): the train data set never ends, so an epoch has no length: give the "
            "budget in steps, such as --steps 500."
        )
    try:
        first = model.evaluate(
            *_arguments(_first_batch(train, batch_size)), steps=1, verbose=0, return_dict=True
        )
    except Exception as error:
        raise problem.ProblemError(
            f"{path}: the model cannot be evaluated on the first training batch: "
            f"{problem.told(error, path)}"
        ) from error
    if not math.isfinite(first["loss"]):
        raise problem.ProblemError(
            f"{path}: the loss on the first training batch is {first['loss']} before any training, "
            "so no optimizer can help. Look for NaN or infinity in the inputs, targets out of "
            "range, and a logarithm or division in the loss."
        )
    if settings["objective"] not in first:
        raise problem.ProblemError(
            f"{path}: the objective {settings['objective']!r} is no metric of the model; it has "
            f"{', '.join(first)}. Name one of these with --objective, or compile the metric."
        )
    return {
        "model": model.name,
        "parameters": int(sum(math.prod(v.shape) for v in model.trainable_variables)),
        "loss": _name(model.loss),
        "metrics": [name for name in first if name != "loss"],
        "optimizer": type(model.optimizer).__name__,
        "steps_per_epoch": steps,
        "has_test": "test" in parts,
        # Of the first model in a process: those after it are numbered on, as conv2d_7.
        "variables": [variable.path for variable in model.trainable_variables],
        "first": first,
        "default_rates": default_rates,
    }


class Runner:
    """Trains the user's model with one method, again and again; it is traced once."""

    def __init__(self, method: str, settings: dict):
        path = Path(settings["file"])
        self._settings = settings
        self._problem, self._parts = _loaded(path, settings["file_sha256"])
        self._batch = _first_batch(self._parts["train"], settings["batch_size"])
        keras.utils.set_random_seed(0)
        self._model = self._fresh()
        make, default = contenders.maker(method, self._model.optimizer)
        optimizer = make(default)
        if isinstance(self._model.optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        self._model.optimizer = optimizer
        self._restart = Restart(self._fresh, self._model, optimizer)

    def run(self, learning_rate: float, seed: int, log_dir: Path | None) -> dict:
        """Train once.

        Args:
            learning_rate: η of the run.
            seed: Seed of the weights and of the order of the data.
            log_dir: Folder for TensorBoard, or None: a tuning run, which never sees the test part.

        Returns:
            ``epochs``, a record of each; ``validation`` and ``test``, losses and metrics at the
            end; ``diverged``, why the run counts as failed, or None; ``rates``, median effective
            rate of each kernel over the steps, by its place among the trainable variables.
        """
        self._restart(learning_rate, seed)
        parts = self._parts
        if not all(map(problem.is_arrays, parts.values())):
            # A data set draws the seed of its shuffling when it is made.
            parts = problem.made_data(self._problem, Path(self._settings["file"]))
        ends, clock = _Ends(self._settings["steps"]), _Clock()
        callbacks: list[keras.callbacks.Callback] = [ends, clock, *self._averaging()]
        logs = log_dir is not None and self._has_rates()
        if logs:
            if log_dir.exists():
                shutil.rmtree(log_dir)  # Left by a run that was interrupted.
            callbacks.append(EffectiveLearningRate(log_dir, every=self._every(parts["train"])))
        history = self._model.fit(
            *_arguments(parts["train"]),
            batch_size=self._batch_size(parts["train"]),
            epochs=self._settings["epochs"] if self._settings["steps"] is None else _NO_END,
            steps_per_epoch=self._steps_per_epoch(parts["train"]),
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
        result = {"epochs": epochs, "validation": validation, "test": None, "diverged": diverged}
        if log_dir is not None:
            if "test" in parts:
                result["test"] = self._evaluate(parts["test"])
            result["rates"] = self._rates(log_dir) if logs else {}
        return result

    def _fresh(self) -> keras.Model:
        model = problem.made_model(self._problem, Path(self._settings["file"]))
        if not model.built:
            x = self._batch[0] if problem.is_arrays(self._batch) else next(iter(self._batch))[0]
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
            optimizer = readable(self._model.optimizer)
            broadcastable_rate(optimizer, self._model.trainable_variables[0])
        except UnsupportedOptimizerError:
            return False
        return True

    def _rates(self, log_dir: Path) -> dict:
        logged = {series["tag"]: series for series in logged_series(log_dir)}
        found = {}
        for i, variable in enumerate(self._model.trainable_variables):
            # A rate that all coordinates share has no median, only its value.
            tags = [f"effective_learning_rate/{variable.path}/{name}" for name in ("p50", "mean")]
            series = next((logged[tag] for tag in tags if tag in logged), None)
            if len(variable.shape) > 1 and series is not None:
                found[str(i)] = {name: series[name] for name in ("steps", "values")}
        return found

    def _evaluate(self, part: object) -> dict[str, float]:
        size = self._batch_size(part)
        with averaged_weights(self._model) if self._averaging() else contextlib.nullcontext():
            values = self._model.evaluate(
                *_arguments(part), batch_size=size, verbose=0, return_dict=True
            )
        return {name: float(value) for name, value in values.items()}

    def _batch_size(self, part: object) -> int | None:
        return self._settings["batch_size"] if problem.is_arrays(part) else None

    def _steps_per_epoch(self, train: object) -> int | None:
        steps = self._settings["steps"]
        endless = _steps_per_epoch(train, self._settings["batch_size"]) is None
        return steps if endless else None

    def _every(self, train: object) -> int:
        per_epoch = _steps_per_epoch(train, self._settings["batch_size"]) or 0
        total = self._settings["steps"] or per_epoch * self._settings["epochs"]
        return max(1, total // SNAPSHOTS)


@functools.lru_cache(maxsize=4)
def runner(method: str, settings: str) -> Runner:
    """Return the runner of a method; settings are JSON. A worker keeps some, to trace them once."""
    return Runner(method, json.loads(settings))


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, _sha256: str) -> tuple[problem.Problem, dict[str, object]]:
    """Return a problem and its data, which all runners of a worker share."""
    found = problem.load(path)
    return found, problem.made_data(found, path)


class _Ends(keras.callbacks.Callback):
    """End a run where its loss is no number any more, or where its steps are used up."""

    def __init__(self, steps: int | None):
        super().__init__()
        self.diverged: str | None = None
        self._steps, self._done = steps, 0

    def on_train_batch_end(self, batch, logs=None):
        self._done += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            self.diverged = f"training loss {loss} in step {self._done}"
            self.model.stop_training = True
        if self._done == self._steps:
            self.model.stop_training = True


class _Clock(keras.callbacks.Callback):
    """Note the seconds of training in each epoch, without validation, and its last step."""

    def __init__(self):
        super().__init__()
        self.seconds: list[float] = []
        self.steps: list[int] = []
        self._done = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._began = self._last = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._done += 1
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(self._last - self._began)
        self.steps.append(self._done)


def _arguments(part: object) -> tuple:
    """Return a part of the data as the arguments of ``fit`` and ``evaluate``."""
    return tuple(part) if problem.is_arrays(part) else (part,)


def _first_batch(train: object, batch_size: int) -> object:
    if problem.is_arrays(train):
        return keras.tree.map_structure(lambda array: array[:batch_size], tuple(train))
    return train.take(1) if isinstance(train, tf.data.Dataset) else [train[0][0], *train[0][1:]]


def _steps_per_epoch(train: object, batch_size: int) -> int | None:
    """Return the batches of an epoch, 0 where that is unknown, None where there is no end."""
    if problem.is_arrays(train):
        return -(-len(keras.tree.flatten(train)[0]) // batch_size)
    batches = int(train.cardinality()) if isinstance(train, tf.data.Dataset) else train.num_batches
    if batches is None or batches == tf.data.INFINITE_CARDINALITY:
        return None
    return max(0, int(batches))


def _name(loss: object) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "name", None) or type(loss).__name__
