"""Methods whose result is a mean of the weights: train, validate and save at the right ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import AveragedWeights

from .cases import BY_ID, quick
from .support.models import X, Y, fit, make_model

SCHEDULE_FREE = BY_ID["schedulefreesgd"]
# "dog" starts at a distance of 1: its mean is then far from what it trains.
averaging = pytest.mark.parametrize(
    "case", [quick(BY_ID[i]) for i in ("schedulefreesgd", "schedulefreeadamw", "dog")]
)


def trained(case, *callbacks):
    model = make_model(case.make(learning_rate=0.1))
    fit(model, *callbacks, epochs=3)
    return model


@averaging
def test_average_is_the_twin_s(case):
    """Ten steps with the same gradients."""
    random = np.random.default_rng(5)
    start = random.normal(size=(3, 2))
    w, twin, theta = keras.Variable(start, dtype="float64"), case.twin(), start
    optimizer = case.make()
    for _ in range(10):
        g = random.normal(size=(3, 2))
        optimizer.apply([tf.constant(g)], [w])
        theta = twin.step(theta, g)
    expected = twin.accumulators["average"] if case.name == "DoG" else twin.average
    np.testing.assert_allclose(optimizer.averaged(w), expected, rtol=1e-10)
    assert np.abs(expected - theta).max() > 1e-3


@averaging
def test_average_before_the_first_step_is_the_weight(case):
    optimizer, w = case.make(), keras.Variable([1.0, -2.0])
    optimizer.build([w])
    w.assign([5.0, 6.0])  # as loading weights does
    np.testing.assert_array_equal(optimizer.averaged(w), [5.0, 6.0])


@averaging
def test_weights_loaded_after_build_are_the_start(case):
    """Nothing is remembered of what the weights were when the state was made."""
    moved, expected = keras.Variable([0.0, 0.0]), keras.Variable([3.0, -4.0])
    optimizers = case.make(), case.make()
    optimizers[0].build([moved])
    moved.assign([3.0, -4.0])
    for _ in range(3):
        for optimizer, w in zip(optimizers, (moved, expected), strict=True):
            optimizer.apply([tf.constant([1.0, 2.0])], [w])
    np.testing.assert_array_equal(moved.numpy(), expected.numpy())
    np.testing.assert_array_equal(optimizers[0].averaged(moved), optimizers[1].averaged(expected))


@averaging
def test_block_shows_the_average_and_gives_back(case):
    model = trained(case)
    before = model.get_weights()
    averages = [model.optimizer.averaged(v).numpy() for v in model.trainable_variables]
    with tfadaopt.averaged_weights(model):
        for shown, average, old in zip(model.get_weights(), averages, before, strict=True):
            np.testing.assert_array_equal(shown, average)
            assert not np.array_equal(shown, old)
    for after, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(after, old)


def test_block_gives_back_after_an_error():
    model = trained(SCHEDULE_FREE)
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="inside"), tfadaopt.averaged_weights(model):
        raise RuntimeError("inside")
    for after, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(after, old)


@averaging
def test_callback_validates_at_the_average_and_leaves_training_alone(case):
    plain = trained(case)
    model = make_model(case.make(learning_rate=0.1))
    history = fit(model, AveragedWeights(), validation_data=(X, Y), epochs=3).history
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with tfadaopt.averaged_weights(model):
        at_average = model.evaluate(X, Y, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(at_average, rel=1e-6)
    assert history["val_loss"][-1] != pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)


@pytest.mark.slow
def test_checkpoints_hold_the_average(tmp_path):
    path = tmp_path / "best.weights.h5"
    save = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    model = trained(SCHEDULE_FREE, AveragedWeights(at_average=[save]))
    saved = make_model("sgd")
    saved.load_weights(path, skip_mismatch=False)
    for a, v in zip(saved.get_weights(), model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, model.optimizer.averaged(v))


@pytest.mark.slow
def test_export_holds_the_average(tmp_path):
    model = trained(SCHEDULE_FREE)
    with tfadaopt.averaged_weights(model):
        model.save(tmp_path / "model.keras")
        expected = model.predict(X, verbose=0)
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), expected)


def test_interrupted_validation_is_put_right():
    model = trained(SCHEDULE_FREE)
    before, callback = model.get_weights(), AveragedWeights()
    callback.set_model(model)
    callback.on_test_begin()  # and no end
    callback.on_train_begin()
    for after, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(after, old)


def test_frozen_layer_keeps_its_weights():
    model = make_model(SCHEDULE_FREE.make())
    model.layers[1].trainable = False
    model.compile(model.optimizer, "mse")
    fit(model)
    kernel = model.layers[1].kernel.numpy()
    with tfadaopt.averaged_weights(model):
        np.testing.assert_array_equal(model.layers[1].kernel.numpy(), kernel)


def test_other_methods_are_refused_by_name():
    model = make_model(tfadaopt.Adam())
    with pytest.raises(tfadaopt.UnsupportedOptimizerError, match=r"Adam.*ScheduleFreeSGD"):
        fit(model, AveragedWeights())
    with (
        pytest.raises(tfadaopt.UnsupportedOptimizerError, match="use_ema"),
        tfadaopt.averaged_weights(model),
    ):
        pass


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match=r"'best\.keras' was received"):
        AveragedWeights(at_average=["best.keras"])
