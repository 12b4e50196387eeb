"""A run that is killed goes on from its last checkpoint, and comes to the same, bit for bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import AveragedWeights, EffectiveLearningRate
from tfadaopt.callbacks.history import read
from tfadaopt.experiments.compare import comparison, trial
from tfadaopt.experiments.compare.contenders import Arm
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.training.batches import AsGiven, Shuffled, Streamed, dense
from tfadaopt.experiments.training.checkpoints import SECONDS, Checkpoints
from tfadaopt.experiments.training.fitting import Limits, fit

from .support import models
from .support.comparisons import write

ARRAYS = (models.X[:22], models.Y[:22])
# Six batches an epoch, the last one smaller; three epochs.
EPOCHS, STEPS = 3, 6
DAMAGE = ("versions", "log")
# In the first epoch; after its last batch; in validation; where the second begins; in the last.
DEATHS = [(3, False), (4, False), (1, True), (2, False), (8, False)]
slow = pytest.mark.slow


class Killed(BaseException):
    """Stands for kill -9: nothing that the run would still do is done."""


class Dies(keras.callbacks.Callback):
    """Dies after a number of batches, or after one of validation."""

    def __init__(self, batches: int, in_validation: bool = False):
        super().__init__()
        self.left, self.in_validation = batches, in_validation

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0 and not self.in_validation:
            raise Killed

    def on_test_batch_end(self, batch, logs=None):
        if self.left <= 0 and self.in_validation:
            raise Killed


def shuffled():
    return Shuffled(dense(ARRAYS), models.BATCH, seed=5)


def streamed():
    def make():
        data = tf.data.Dataset.from_tensor_slices(ARRAYS)
        return data.shuffle(22, seed=1, reshuffle_each_iteration=True).batch(models.BATCH)

    return Streamed(make, STEPS)


def trained(folder: Path, optimizer, batches, *dying) -> tuple[list, list, dict]:
    """The epochs, weights and log of a run that begins, or goes on, in a folder."""
    model = models.make_model(optimizer, dropout=0.2, metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(folder / "checkpoints", folder / "log")

    def build_metrics():
        model.evaluate(*(array[:2] for array in ARRAYS), verbose=0)

    progress = checkpoints.restore(model, build_metrics)
    averages = [AveragedWeights()] if isinstance(optimizer, tfadaopt.ScheduleFreeSGD) else []
    callbacks = [*averages, EffectiveLearningRate(folder / "log", 2), *dying]
    arrays = (models.X[22:], models.Y[22:])
    progress = fit(
        model,
        batches,
        Limits(EPOCHS),
        callbacks,
        checkpoints,
        progress,
        validation_data=arrays,
    )
    logged = read(folder / "log")["."].scalars
    epochs = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in progress.epochs]
    weights = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    return epochs, weights, {tag: [x.tolist() for x in pair] for tag, pair in logged.items()}


def same(found, expected) -> None:
    epochs, weights, log = found
    assert epochs == expected[0]
    for a, b in zip(weights, expected[1], strict=True):
        np.testing.assert_array_equal(a, b)
    # Names that Keras numbers on within one process.
    assert list(log.values()) == list(expected[2].values())
    assert len(epochs) == EPOCHS


OPTIMIZERS = {
    "adam": lambda: tfadaopt.Adam(0.05),
    # ``fit`` puts the averages of this one in the place of the weights, whenever it ends.
    "averages": lambda: keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.5),
    "schedule-free": lambda: tfadaopt.ScheduleFreeSGD(0.05),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "deaths"),
    [
        ("adam", shuffled, [(9, False)]),
        *(
            pytest.param(name, data, DEATHS, marks=slow)
            for name, data in (("averages", streamed), ("schedule-free", shuffled))
        ),
    ],
)
def test_a_run_goes_on_bit_for_bit(name, data, deaths, tmp_path, monkeypatch):
    monkeypatch.setenv(SECONDS, "0")
    expected = trained(tmp_path / "undisturbed", OPTIMIZERS[name](), data())
    for dying in (Dies(*death) for death in deaths):
        with pytest.raises(Killed):
            trained(tmp_path / "killed", OPTIMIZERS[name](), data(), dying)
    same(trained(tmp_path / "killed", OPTIMIZERS[name](), data()), expected)


@slow
def test_what_was_logged_after_the_checkpoint_is_logged_once(tmp_path, monkeypatch):
    expected = trained(tmp_path / "undisturbed", tfadaopt.Adam(0.05), shuffled())
    saved = Checkpoints.save_if_due

    def save_the_fourth(self, model, progress):
        if progress.step == 4:
            self._least = self._cost = 0.0
            saved(self, model, progress)

    monkeypatch.setattr(Checkpoints, "save_if_due", save_the_fourth)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", tfadaopt.Adam(0.05), shuffled(), Dies(11))
    assert read(tmp_path / "killed" / "log")["."].steps.tolist() == [2, 4, 6, 8, 10]
    same(trained(tmp_path / "killed", tfadaopt.Adam(0.05), shuffled()), expected)
    assert len(list((tmp_path / "killed" / "log").iterdir())) == 3  # files, one of each part


@pytest.mark.parametrize("damage", ["data", *(pytest.param(x, marks=slow) for x in DAMAGE)])
def test_a_checkpoint_that_cannot_be_used_begins_the_run_anew(
    damage, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv(SECONDS, "0")
    with pytest.raises(Killed):
        trained(tmp_path, tfadaopt.Adam(0.05), shuffled(), Dies(8))
    if damage == "data":
        (data,) = (tmp_path / "checkpoints").glob("*.data-*")
        data.write_bytes(b"\0" * data.stat().st_size)
    elif damage == "versions":
        monkeypatch.setattr(
            "tfadaopt.experiments.training.checkpoints.versions", lambda: {"keras": "2"}
        )
    else:
        (log,) = (tmp_path / "log").glob("*tfevents*")
        log.write_bytes(log.read_bytes()[:100])
    model = models.make_model(tfadaopt.Adam(0.05), dropout=0.2, metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    found = Checkpoints(tmp_path / "checkpoints", tmp_path / "log").restore(model, lambda: None)
    assert found is None
    assert "this run begins anew" in caplog.text
    assert not (tmp_path / "checkpoints").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    model = models.make_model(tfadaopt.SGD(0.05))
    assert Checkpoints(tmp_path / "checkpoints").restore(model, lambda: None) is None
    assert not (tmp_path / "checkpoints").exists()


def test_files_of_a_log_that_began_after_the_checkpoint_go(tmp_path):
    for name in ("1.tfevents", "2.tfevents", "notes.txt"):
        (tmp_path / name).write_text("0123456789")
    Checkpoints(tmp_path / "checkpoints", tmp_path)._cut_log({"1.tfevents": 4})
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {"1.tfevents": 4, "notes.txt": 10}


def test_seconds_that_are_none_are_refused(tmp_path, monkeypatch):
    for text in ("soon", "-1", "nan"):
        monkeypatch.setenv(SECONDS, text)
        with pytest.raises(ConfigError, match="or 0 for one after each batch"):
            Checkpoints(tmp_path)


def test_checkpoints_are_written_at_intervals_that_cost_little(tmp_path):
    now = iter(range(1_000))
    model = models.make_model(tfadaopt.Adam(0.05))
    model.optimizer.build(model.trainable_variables)
    fit(model, shuffled(), Limits(60), checkpoints=Checkpoints(tmp_path, clock=lambda: next(now)))
    # Each look at this clock takes a second, and so does a save: after 30 s, then 100 s apart.
    assert 3 <= int(tf.train.latest_checkpoint(tmp_path).rpartition("-")[2]) <= 5


# What ends a run


def test_a_time_limit_ends_a_run_and_is_recorded():
    now = iter(range(1_000))
    model = models.make_model(tfadaopt.SGD(0.01))
    limits = Limits(EPOCHS, seconds=10.0, clock=lambda: float(next(now)))
    progress = fit(model, shuffled(), limits)
    assert 2 < progress.step < EPOCHS * STEPS
    assert progress.stopped == f"time limit of 10 s passed in step {progress.step}"
    assert progress.diverged is None
    assert progress.epochs[-1]["step"] == progress.step


def test_a_loss_that_is_no_number_ends_a_run_and_is_recorded():
    model = models.make_model(tfadaopt.SGD(1e30))
    progress = fit(model, shuffled(), Limits(EPOCHS))
    assert progress.diverged == f"training loss {progress.epochs[-1]['loss']} in step 2"
    assert progress.stopped is None


# The order of the data


def test_the_order_is_one_of_the_epoch_and_the_seed():
    x, y = np.arange(10), np.arange(10) * 2.0

    def epochs(seed, epoch, batch=0):
        data = Shuffled(dense((x, y)), 4, seed).at(epoch, batch)["x"]
        return [batch[0].numpy().tolist() for batch in data.take(6)]

    first = epochs(0, 0)
    assert [len(batch) for batch in first] == [4, 4, 2] * 2
    for epoch in (first[:3], first[3:]):
        assert sorted(i for batch in epoch for i in batch) == list(range(10))
    assert first[:3] != first[3:] != epochs(1, 1)[:3]
    assert epochs(0, 1)[:3] == first[3:]
    assert epochs(0, 0, 2)[:4] == first[2:]
    for a, b in Shuffled(dense((x, y)), 4, 0).at(0, 0)["x"].take(3):
        np.testing.assert_array_equal(2 * a.numpy(), b.numpy())
        assert b.dtype == "float32"


def test_what_batches_cannot_be_gathered_from_is_left_to_keras():
    assert dense(([1.0, 2.0],)) is None
    assert dense((np.array(["a", None], dtype=object),)) is None
    assert dense((tf.sparse.eye(3),)) is None
    assert AsGiven(x=1, shuffle=True).at(0, 0) == {"x": 1, "shuffle": True}


# Comparisons


@slow
@pytest.mark.parametrize("damaged", [False, True])
def test_a_run_of_a_comparison_goes_on_where_it_was(damaged, tmp_path, monkeypatch):
    """Or begins anew, where only a part of the checkpoint can be read."""
    config = comparison.settings(write(tmp_path), ["Adam"], batch_size=8)
    cell = comparison.cell_of(config, "final", Arm("Adam"), None, 0.05, 0)
    folders = [tmp_path / name for name in ("undisturbed", "killed")]
    for folder in folders:
        (folder / "cells").mkdir(parents=True)
    trial.compute(cell, vars(config), folders[0])
    monkeypatch.setenv(SECONDS, "0")
    saved = Checkpoints.save_if_due

    def save_and_die(self, model, progress):
        saved(self, model, progress)
        if progress.step in (5, 11) and progress.step not in died:
            died.append(progress.step)
            raise Killed

    died: list[int] = []
    monkeypatch.setattr(Checkpoints, "save_if_due", save_and_die)
    for _ in range(2):
        trial.runner.cache_clear()  # as in another process
        with pytest.raises(Killed):
            trial.compute(cell, vars(config), folders[1])
    trial.runner.cache_clear()
    if damaged:
        restored = Checkpoints._restored

        def damaged_at_its_end(self, model, build_metrics):
            restored(self, model, build_metrics)
            raise tf.errors.DataLossError(None, None, "checksum does not match")

        monkeypatch.setattr(Checkpoints, "_restored", damaged_at_its_end)
    trial.compute(cell, vars(config), folders[1])
    first, second = (Store(folder).get(cell) for folder in folders)
    for result in (first, second):
        for epoch in result["epochs"]:
            assert epoch.pop("seconds") > 0
    assert first == second
    assert died == [5, 11]
    assert not (folders[1] / "checkpoints").exists()


def test_a_run_that_passes_its_time_limit_counts_as_failed(tmp_path):
    config = comparison.settings(write(tmp_path), ["SGD"], batch_size=8, time_limit=1e-3)
    cell = comparison.cell_of(config, "tune", Arm("SGD"), None, 0.01, 1_000)
    (tmp_path / "cells").mkdir()
    trial.compute(cell, vars(config), tmp_path)
    result = Store(tmp_path).get(cell)
    assert result["diverged"] == result["stopped"] == "time limit of 0.001 s passed in step 1"
    assert cell["time_limit"] == 1e-3
    without = comparison.settings(write(tmp_path), ["SGD"], batch_size=8)
    assert "time_limit" not in comparison.cell_of(without, "tune", Arm("SGD"), None, 0.01, 1_000)


# From outside


@slow
def test_kill_9_of_a_worker_or_of_all(tmp_path):
    """The same command again, until it is through: the same tables, the same log."""
    settings = "methods=Adagrad learning_rates=0.05 seeds=1 epochs=40 train_size=320 every=7"
    words = [*settings.split(), "surface_steps=2", "surface_learning_rates=0.1"]
    start = "import sys; from tfadaopt.experiments import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "run", "lecture", "--jobs", "1"]
    command += [part for word in words for part in ("--set", word)]
    environment = {**os.environ, SECONDS: "0"}
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run([*command, "--out", undisturbed], check=True, capture_output=True, timeout=600)
    draw = random.Random(0)
    for _ in range(2):
        process = subprocess.Popen(
            [*command, "--out", killed], env=environment, stdout=subprocess.DEVNULL
        )
        begun = time.time()
        marks = killed / "checkpoints"
        while not any(p.stat().st_mtime > begun for p in marks.glob("*/checkpoint")):
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, "--out", killed], check=True, capture_output=True, timeout=600)
    for name in ("results.csv", "chosen.csv", "layers.csv"):
        assert (killed / name).read_bytes() == (undisturbed / name).read_bytes(), name
    runs = [read(folder / "logs" / "Adagrad" / "seed-0")["."] for folder in (killed, undisturbed)]
    first, second = (json.dumps(run.steps.tolist()) for run in runs)
    assert first == second
    assert not (killed / "checkpoints").exists()
