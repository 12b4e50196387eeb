"""Training runs on the digits: one trace per method serves all its rates and seeds."""

import errno
import functools
import math
import shutil
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfadaopt.callbacks import AccumulatorMagnitude, EffectiveLearningRate
from tfadaopt.catalog import METHODS
from tfadaopt.experiments.configs import Lecture
from tfadaopt.experiments.problems.data import Split, digits
from tfadaopt.experiments.problems.models import digits_cnn
from tfadaopt.experiments.problems.restart import Restart
from tfadaopt.experiments.runs.logged import logged_series
from tfadaopt.experiments.training.batches import Shuffled, dense
from tfadaopt.experiments.training.checkpoints import Checkpoints
from tfadaopt.experiments.training.fitting import Limits, fit
from tfadaopt.experiments.training.strategies import check_batches, strategy_of

# The tuning run shares no seed with the runs that are reported.
TUNING_SEED = 1_000


class Trainer:
    """Trains the CNN with one method, again and again: each run starts from fresh weights."""

    def __init__(self, method: str, config: Lecture):
        cls = next(record.cls for record in METHODS if record.name == method)
        self._config = config
        self._data = digits(config.train_size, config.validation_size, config.split_seed)
        train = self._data["train"]
        self._train = dense((train.images, train.labels))
        strategy = strategy_of(config.strategy)
        check_batches(strategy, len(train.labels), config.batch_size)
        with strategy.scope():
            self._model = digits_cnn()
            self._model.compile(
                optimizer=cls(learning_rate=1.0),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
            )
            self._restart = Restart(digits_cnn, self._model, self._model.optimizer)

    def train(
        self,
        learning_rate: float,
        seed: int,
        log_dir: Path | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> dict[str, object]:
        """Train once and return the learning curves, and the logged series where there is a log.

        Args:
            learning_rate: η of this run.
            seed: Seed of the weights and of the order of batches.
            log_dir: Folder for TensorBoard, or None: a tuning run, which never sees the test split.
            checkpoints: Where it is kept how far the run is, and where it may go on; or None.
        """
        self._restart(learning_rate, seed)
        progress = None
        if checkpoints is not None:
            progress = checkpoints.restore(self._model, self._build_metrics)
            if progress is None:
                self._restart(learning_rate, seed)  # Of a damaged one, a part may be taken.
        callbacks: list[keras.callbacks.Callback] = []
        if log_dir is not None:
            if progress is None and log_dir.exists():
                shutil.rmtree(log_dir)  # Left by a run that was interrupted.
            callbacks += [
                EffectiveLearningRate(log_dir, every=self._config.every),
                AccumulatorMagnitude(log_dir, every=self._config.every),
            ]
        epochs = self._config.epochs
        progress = fit(
            self._model,
            Shuffled(self._train, self._config.batch_size, seed),
            Limits(epochs, seconds=self._config.time_limit),
            callbacks,
            checkpoints,
            progress,
            validation_data=_whole(self._data["validation"]),
            validation_freq=1 if log_dir is not None else epochs,
        )
        rows: list[dict[str, Any]] = [
            {"epoch": done["epoch"], "split": split}
            | {name: done[f"{prefix}{name}"] for name in ("loss", "accuracy")}
            for split, prefix in (("train", ""), ("validation", "val_"))
            for done in progress.epochs
            if f"{prefix}loss" in done
        ]
        last = progress.epochs[-1]["loss"]
        diverged = progress.diverged is not None or not math.isfinite(last)
        result: dict[str, Any] = {"rows": rows, "diverged": diverged}
        if progress.stopped is not None:
            result["stopped"] = progress.stopped
        if log_dir is not None:
            test = self._model.evaluate(_whole(self._data["test"]), verbose=0, return_dict=True)
            rows.append({"epoch": progress.epoch, "split": "test", **test})
            result["series"] = logged_series(log_dir)
            self._check_log(log_dir, result["series"])
        return result

    def _build_metrics(self) -> None:
        self._model.evaluate(_whole(self._data["validation"]), verbose=0)

    def _check_log(self, log_dir: Path, series: list[dict[str, Any]]) -> None:
        # A callback that cannot write lets the training go on: half a log is no result.
        every, done = self._config.every, int(self._model.optimizer.iterations.numpy())
        last = done // every * every
        if last and not any(last in each["steps"] for each in series):
            raise OSError(
                errno.EIO, "the log of this run is incomplete; is room left?", str(log_dir)
            )


@functools.lru_cache(maxsize=32)
def trainer(method: str, config: Lecture) -> Trainer:
    """Return the trainer of a method: each process traces it once."""
    return Trainer(method, config)


def _whole(split: Split) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensors((split.images, split.labels))
    return data.with_options(_no_autotune())


def _no_autotune() -> tf.data.Options:
    # Autotuning holds a short fit for up to a second after its last batch.
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
