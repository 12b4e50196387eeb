"""Methods whose result is a mean of the weights: train, validate and save at the right ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import AveragedWeights

from .cases import BY_ID, quick
from .references import averages
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
    with pytest.raises(ValueError, match=r"has no state yet\. Train one step first"):
        optimizer.averaged(w)
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
        pytest.raises(tfadaopt.UnsupportedOptimizerError, match=r"WeightAverage\(tfadaopt\.Adam"),
        tfadaopt.averaged_weights(model),
    ):
        pass


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match=r"'best\.keras' was received"):
        AveragedWeights(at_average=["best.keras"])
    with pytest.raises(ValueError, match="batches=0"):
        AveragedWeights(batches=0)


# Of any optimizer

INNER = {
    "ours": lambda: tfadaopt.Adam(0.05),
    "keras": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
}
MEANS = {
    "ema": {"decay": 0.5},
    "ema-plain": {"decay": 0.5, "warmup": False, "start": 2},
    "swa": {"average": "swa", "start": 2, "every": 2},
    "tail": {"average": "tail", "share": 0.5, "steps": 6},
}
MODES = {
    "eager": {"run_eagerly": True},
    "graph-3-steps": {"jit_compile": False, "steps_per_execution": 3},
    "jit": {"jit_compile": True},
}


def path_of(inner) -> list[list[np.ndarray]]:
    """The weights after each update."""
    model, path = make_model(INNER[inner](), run_eagerly=True), []
    for first in range(0, 24, 4):
        model.train_on_batch(X[first : first + 4], Y[first : first + 4])
        path.append([v.numpy() for v in model.trainable_variables])
    return path


TWINS = {
    "ema": lambda thetas: averages.exponential_average(thetas, 0.5, warm_up=True),
    "ema-plain": lambda thetas: averages.exponential_average(thetas[1:], 0.5),
    "swa": lambda thetas: averages.stochastic_weight_average(thetas, 2, 2),
    "tail": lambda thetas: averages.tail_average(thetas, 0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inner", "mean", "mode"),
    [
        *(("ours", mean, "eager") for mean in MEANS),
        ("keras", "ema", "graph-3-steps"),
        pytest.param("keras", "swa", "jit", marks=pytest.mark.slow),
        pytest.param("ours", "tail", "graph-3-steps", marks=pytest.mark.slow),
    ],
)
def test_mean_of_any_optimizer_is_that_of_its_path(inner, mean, mode):
    path = path_of(inner)
    model = make_model(tfadaopt.WeightAverage(INNER[inner](), **MEANS[mean]), **MODES[mode])
    fit(model)
    means = [TWINS[mean](thetas) for thetas in zip(*path, strict=True)]
    for v, theta, average in zip(model.trainable_variables, path[-1], means, strict=True):
        np.testing.assert_allclose(v.numpy(), theta, rtol=2e-5, atol=1e-7)
        found = model.optimizer.averaged(v)
        np.testing.assert_allclose(found, average, rtol=2e-5, atol=1e-7)
        assert np.abs(average - theta).max() > 1e-3


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("inner", INNER)
def test_training_is_bit_for_bit_what_it_is_without(inner):
    models = [
        make_model(optimizer, jit_compile=False)
        for optimizer in (INNER[inner](), tfadaopt.WeightAverage(INNER[inner]()))
    ]
    for model in models:
        fit(model)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(a, b)


def test_averages_count_updates_and_not_batches():
    inner = tfadaopt.SGD(1.0, gradient_accumulation_steps=2)
    w, optimizer = keras.Variable([0.0]), tfadaopt.WeightAverage(inner, "swa")
    means = []
    for _ in range(6):
        optimizer.apply([tf.constant([-1.0])], [w])
        means.append(float(optimizer.averaged(w)[0]))
    assert means == [0.0, 1.0, 1.0, 1.5, 1.5, 2.0]  # 0: the weight itself, before any


def test_mean_of_a_constant_is_it():
    w = keras.Variable([0.1, 3.7])
    for arguments in MEANS.values():
        optimizer = tfadaopt.WeightAverage(tfadaopt.SGD(0.0), **arguments)
        for _ in range(6):
            optimizer.apply([tf.constant([1.0, 1.0])], [w])
        np.testing.assert_array_equal(optimizer.averaged(w), w.numpy())


@pytest.mark.slow
def test_a_file_keeps_the_mean(tmp_path):
    through = make_model(tfadaopt.WeightAverage("sgd", **MEANS["ema"]))
    fit(through)
    through.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for model in (through, loaded):
        fit(model)
    for v, w in zip(through.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_allclose(
            through.optimizer.averaged(v), loaded.optimizer.averaged(w), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"average": "mean"}, "average='mean'"),
        ({"decay": 1.0}, "decay=1"),
        ({"start": 0}, "start=0"),
        ({"every": 0}, "every=0"),
        ({"share": 0.0, "average": "tail"}, "share=0"),
        ({"share": 1.5, "average": "tail"}, r"share=1\.5"),
        ({"average": "tail"}, "steps"),
        ({"warmup": 1}, "warmup"),
    ],
)
def test_bad_means_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"WeightAverage.*{message}"):
        tfadaopt.WeightAverage("sgd", **arguments)


# Recalibration


def normalized():
    keras.utils.set_random_seed(3)
    layers = [
        keras.layers.Dense(5, name="hidden"),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.Dropout(0.5, seed=1),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((4,)), keras.Sequential(layers)])
    model.compile(tfadaopt.WeightAverage(tfadaopt.SGD(0.1), "swa"), "mse", jit_compile=False)
    return model


BATCHES = tf.data.Dataset.from_tensor_slices((X, Y)).batch(6)


def statistics(model):
    layer = model.layers[-1].layers[1]
    return layer.moving_mean.numpy(), layer.moving_variance.numpy()


def test_recalibration_is_the_plain_mean_and_is_put_back():
    model = normalized()
    fit(model, epochs=2)
    before = [v.numpy() for v in model.variables]
    with tfadaopt.averaged_weights(model, recalibrate=BATCHES.repeat(), batches=3):
        hidden = [model.layers[-1].layers[0](X[i : i + 6]).numpy() for i in (0, 6, 12)]
        mean, variance = statistics(model)
        twin = averages.recalibrated([h.mean(0) for h in hidden], [h.var(0) for h in hidden])
        np.testing.assert_allclose(mean, twin[0], rtol=1e-5)
        np.testing.assert_allclose(variance, twin[1], rtol=1e-4)
        assert np.abs(mean - before[4]).max() > 1e-3
    for v, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)
    assert model.layers[-1].layers[1].momentum == 0.9


class Batches(keras.utils.PyDataset):
    """The same batches as Keras' own kind of a data set."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return X[6 * i : 6 * i + 6], Y[6 * i : 6 * i + 6]


def test_batches_of_a_py_dataset_are_as_good():
    model, found = normalized(), []
    fit(model)
    for data in (BATCHES, Batches()):
        for batches in (2, 100):
            with tfadaopt.averaged_weights(model, data, batches):
                found.append(np.concatenate(statistics(model)))
    np.testing.assert_array_equal(found[2:], found[:2])
    assert not np.array_equal(found[0], found[1])


@pytest.mark.slow
def test_recalibration_in_fit_leaves_training_as_it_is(tmp_path):
    """It reaches validation and what is saved."""
    path = tmp_path / "at_average.keras"
    save = keras.callbacks.ModelCheckpoint(path)
    plain, model = normalized(), normalized()
    fit(plain, epochs=2)
    averaged = AveragedWeights([save], recalibrate=BATCHES, batches=4)
    history = fit(model, averaged, validation_data=(X, Y), epochs=2).history
    for a, b in zip(plain.variables, model.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with tfadaopt.averaged_weights(model, BATCHES):
        seen = model.evaluate(X, Y, verbose=0)
        expected = statistics(model)
    assert history["val_loss"][-1] == pytest.approx(seen, rel=1e-6)
    for a, b in zip(statistics(keras.models.load_model(path)), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_batch_is_an_error_that_gives_back():
    model = normalized()
    fit(model)
    before = [v.numpy() for v in model.variables]
    with (
        pytest.raises(ValueError, match="has no batch"),
        tfadaopt.averaged_weights(model, recalibrate=BATCHES.take(0)),
    ):
        pass
    for v, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)


# Two devices

WRAPPED = {
    "ema": lambda: tfadaopt.WeightAverage(tfadaopt.Adam(0.01), "ema"),
    "swa": lambda: tfadaopt.WeightAverage(keras.optimizers.SGD(0.05), "swa"),
    "muon": lambda: tfadaopt.WeightAverage(tfadaopt.Muon(), "ema"),
}


def on_two_devices(strategy):
    """Weights and their means after two epochs, on one device and on two."""
    found = {}
    for name, make in WRAPPED.items():
        found[name] = []
        for scope in (tf.distribute.get_strategy(), strategy):
            with scope.scope():
                model = make_model(make())
            fit(model, batch_size=8, epochs=2)
            means = [model.optimizer.averaged(v).numpy() for v in model.trainable_variables]
            found[name].append([x.tolist() for x in (*model.get_weights(), *means)])
    return found


@pytest.mark.parametrize("name", WRAPPED)
def test_means_on_two_devices_equal_those_on_one(name, two_devices):
    for one, two in zip(*two_devices[name], strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
