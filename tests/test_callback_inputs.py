"""Bad input to the callbacks: an error that says what to do, before the first step."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import (
    AccumulatorMagnitude,
    EffectiveLearningRate,
    OptimizerMonitor,
    StallWarning,
)

from . import events

each_callback = pytest.mark.parametrize("callback", [EffectiveLearningRate, AccumulatorMagnitude])

X, Y = np.ones([8, 4], "float32"), np.zeros([8, 1], "float32")


def make_model(optimizer=None):
    """Not compiled unless an optimizer is given."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="dense")(inputs))
    if optimizer is not None:
        model.compile(optimizer, "mse", run_eagerly=True)
    return model


def fit(model, *callbacks):
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=list(callbacks))


class Batches(keras.callbacks.Callback):
    """Counts the batches that were begun."""

    begun = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.begun += 1


def refuses(error, match, model, callback, *others):
    """Whether fit raises before its first step, with the weights as they were."""
    before = [v.numpy() for v in model.variables]
    batches = Batches()
    with pytest.raises(error, match=match) as raised:
        fit(model, *others, callback, batches)
    assert batches.begun == 0
    for v, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)
    return raised.value


# every


@pytest.mark.parametrize("every", [0, -1, np.int64(0), -(10**12)])
@each_callback
def test_every_below_1(callback, every, tmp_path):
    with pytest.raises(ValueError, match=rf"every={every} .*at least 1"):
        callback(tmp_path / "logs", every=every)
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    "every",
    [2.5, 10.0, "10", True, None, [10], np.float32(3), float("nan"), float("inf")],
    ids=repr,
)
@each_callback
def test_every_that_is_no_whole_number(callback, every, tmp_path):
    with pytest.raises(TypeError, match="every must be a whole number") as error:
        callback(tmp_path / "logs", every=every)
    assert repr(every) in str(error.value)
    assert type(every).__name__ in str(error.value)
    assert not (tmp_path / "logs").exists()


# What is asked for


def test_layers_that_are_all_left_out(tmp_path):
    callback = OptimizerMonitor(tmp_path / "logs", include=["conv"])
    refuses(ValueError, r"include=\['conv'\].*dense", make_model(tfadaopt.Adam()), callback)
    assert events.files(tmp_path) == []


@pytest.mark.parametrize("what", [3, "print", [print]], ids=repr)
def test_on_warning_that_cannot_be_called(what, tmp_path):
    with pytest.raises(TypeError, match="on_warning must be a function of a mark"):
        StallWarning(tmp_path / "logs", on_warning=what)


def test_hparams_of_other_kinds(tmp_path):
    OptimizerMonitor(tmp_path / "logs", hparams={"layers": np.int64(3), "name": "x"})
    with pytest.raises(TypeError, match="hparams"):
        OptimizerMonitor(tmp_path / "logs", hparams={"layers": [3]})
    assert not (tmp_path / "logs").exists()


def test_arguments_that_cannot_be_read_cost_the_row_of_hparams_alone(tmp_path):
    class Silent(tfadaopt.SGD):
        def get_config(self):
            raise NotImplementedError("later")

    with pytest.warns(UserWarning, match="HParams has no row .*later"):
        fit(make_model(Silent(0.1)), OptimizerMonitor(tmp_path / "logs", 2, hparams={"layers": 3}))
    assert events.read(tmp_path / "logs")


# The model


@each_callback
def test_model_that_is_not_compiled(callback, tmp_path):
    """As a loop of one's own calls the hooks: ``fit`` itself refuses such a model earlier."""
    hooks = callback(tmp_path / "logs")
    hooks.set_model(make_model())
    with pytest.raises(ValueError, match=r"compile") as error:
        hooks.on_train_begin()
    assert callback.__name__ in str(error.value)
    assert events.files(tmp_path) == []


@each_callback
def test_callback_without_a_model(callback, tmp_path):
    with pytest.raises(ValueError, match=r"compile"):
        callback(tmp_path / "logs").on_train_begin()
    assert events.files(tmp_path) == []


class Mine(keras.optimizers.SGD):
    """A rule of its own, of which nothing is known."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * tf.sign(gradient))


@pytest.mark.parametrize(
    "make",
    [Mine, lambda: keras.optimizers.LossScaleOptimizer(Mine())],
    ids=["plain", "wrapped"],
)
@each_callback
def test_optimizer_that_cannot_be_read(callback, make, tmp_path):
    model = make_model(make())
    error = refuses(
        tfadaopt.UnsupportedOptimizerError, "cannot be read", model, callback(tmp_path / "logs")
    )
    assert "tfadaopt.Adagrad" in str(error)
    assert "test_callback_inputs.Mine" in str(error)
    assert events.files(tmp_path) == []


# The folder


def below_a_file(tmp_path):
    (tmp_path / "file").write_text("kept")
    return tmp_path / "file" / "logs"


def a_file(tmp_path):
    (tmp_path / "file").write_text("kept")
    return tmp_path / "file"


def not_a_disk(tmp_path):
    return Path("/proc/tfadaopt/logs")


def goes_on(model, *hooks) -> str:
    """Train although nothing can be logged; the one warning that says so."""
    before = int(model.optimizer.iterations)
    with pytest.warns(UserWarning, match="log_dir") as told:
        fit(model, *hooks)
    assert int(model.optimizer.iterations) == before + 4
    found = [str(w.message) for w in told if "log_dir" in str(w.message)]
    assert len(found) == 1
    return found[0]


def name_too_long(tmp_path):
    return tmp_path / ("x" * 300)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("folder", [below_a_file, a_file, not_a_disk, name_too_long])
@each_callback
def test_folder_that_cannot_be_written(callback, folder, tmp_path):
    log_dir = folder(tmp_path)
    told = goes_on(make_model(tfadaopt.SGD()), callback(log_dir))
    assert str(log_dir) in told
    assert events.files(tmp_path) == []
    if log_dir.is_relative_to(tmp_path / "file"):
        assert (tmp_path / "file").read_text() == "kept"


@each_callback
def test_folder_that_can_be_written_after_all(callback, tmp_path):
    """The callback that could not write serves once the obstacle is gone."""
    log_dir = below_a_file(tmp_path)
    model, hooks = make_model(tfadaopt.SGD()), callback(log_dir, every=2)
    goes_on(model, hooks)
    log_dir.parent.unlink()
    fit(model, hooks)
    assert events.steps(log_dir) == [6, 8]


@pytest.mark.parametrize("log_dir", [None, 5, b"logs"], ids=repr)
@each_callback
def test_folder_that_is_no_path(callback, log_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match="log_dir"):
        callback(log_dir)
    assert list(tmp_path.iterdir()) == []


def test_one_of_two_callbacks_cannot_write(tmp_path):
    """The other one logs what there is."""
    model = make_model(tfadaopt.SGD())
    other = EffectiveLearningRate(tmp_path / "logs", every=2)
    goes_on(model, AccumulatorMagnitude(below_a_file(tmp_path)), other)
    assert events.steps(tmp_path / "logs") == [2, 4]


@each_callback
def test_folder_is_made_when_training_begins(callback, tmp_path):
    log_dir = tmp_path / "not" / "yet" / "there"
    hooks = callback(log_dir, every=4)
    assert not log_dir.exists()
    fit(make_model(tfadaopt.SGD()), hooks)
    assert events.steps(log_dir) == [4]
