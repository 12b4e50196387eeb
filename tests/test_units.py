"""Quantities that are off by default: angles, zero gradients, units that say nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor, UpdateRatio
from tfadaopt.callbacks.changes import PIECE, Updates, WeightNorms, weights_before
from tfadaopt.callbacks.layers import Layer, View
from tfadaopt.callbacks.optimizer_monitor import ALSO
from tfadaopt.callbacks.quantities import GradientNorms
from tfadaopt.callbacks.sampled import SMALL
from tfadaopt.callbacks.sources import read_rows
from tfadaopt.callbacks.zeros import ZeroGradients

from . import logged
from .support.models import X, Y, fit


def relu_model(optimizer, norm=True, **arguments):
    """Eight hidden ReLUs of which some are off whatever comes, then a batch norm and four more."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", name="first"),
        keras.layers.Dense(4, name="second"),
        *([keras.layers.BatchNormalization(name="norm")] if norm else []),
        keras.layers.ReLU(),
        keras.layers.Dense(1, name="out"),
    ]
    model = keras.Sequential(layers, name="net")
    bias = np.zeros(8, "float32")
    bias[:2] = -100
    model.get_layer("first").bias.assign(bias)
    if norm:
        model.get_layer("norm").beta.assign([-100, 0, 0, 0])
    model.compile(optimizer, "mse", **arguments)
    return model


def of_step(folder, name, step):
    """Numbers of a step, by the end of the path of the layer."""
    return {
        path.removeprefix("net/"): number
        for path, number in logged.curves(folder)[name, "value"][step].items()
    }


def monitor(folder, *names, **arguments):
    probe = X if "dead_units" in names else None
    return OptimizerMonitor(folder, also=names, probe=probe, **{"every": 1, **arguments})


@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        ({"run_eagerly": True}, [1, 2]),
        pytest.param({"jit_compile": True}, [1, 2], marks=pytest.mark.slow),
        pytest.param({"steps_per_execution": 3, "jit_compile": True}, [3], marks=pytest.mark.slow),
    ],
    ids=["eager", "xla", "several steps"],
)
def test_dead_units_are_those_of_the_activations(mode, steps, tmp_path):
    model = relu_model(tfadaopt.SGD(0.0), **mode)
    fit(model, monitor(tmp_path, "dead_units"))
    hidden = model.get_layer("first")(X).numpy()
    expected = np.mean(np.ptp(hidden, axis=0) == 0)
    assert expected == 2 / 8
    for step in steps:
        found = of_step(tmp_path, "dead_units", step)
        assert found == {"first/kernel": expected, "norm/gamma": 1 / 4}


def test_the_model_is_as_it_was_after_it_was_looked_at(tmp_path):
    plain, seen = (relu_model(tfadaopt.Adam(0.01), run_eagerly=True) for _ in range(2))
    fit(plain)
    fit(seen, monitor(tmp_path / "logs", *ALSO, "dead_units"))
    for a, b in zip(plain.weights, seen.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert all("call" not in vars(layer) for layer in seen.layers)
    seen.save(tmp_path / "model.keras")


class Subclassed(keras.Model):
    """Calls one layer twice, and is no graph of layers."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(6, activation="relu", name="hidden")
        self.out = keras.layers.Dense(1, name="out")

    def call(self, x):
        return self.out(self.hidden(x) + self.hidden(-x))


def test_of_a_model_of_ones_own_all_calls_of_a_layer_count(tmp_path):
    model = Subclassed()
    model(X)
    model.hidden.kernel.assign(np.ones((4, 6), "float32"))
    model.hidden.bias.assign(np.array([-100, 0, 0, 0, 0, 0], "float32"))
    model.compile(tfadaopt.SGD(0.0), "mse", run_eagerly=True)
    fit(model, monitor(tmp_path, "dead_units", every=6))
    (share,) = logged.curves(tmp_path)["dead_units", "value"][6].values()
    assert share == np.float32(1 / 6)


class Looping(Subclassed):
    """Calls one layer in a loop, and another not at all."""

    def __init__(self):
        super().__init__()
        self.looped = keras.layers.Dense(3, activation="relu", name="looped")
        self.unused = keras.layers.Dense(3, activation="relu", name="unused")
        for layer in (self.looped, self.unused):
            layer.build((None, 4))

    def call(self, x):
        return super().call(x) + tf.reduce_sum(tf.map_fn(self.looped, x[None]))


def test_of_a_layer_whose_calls_are_not_seen_nothing_is_known(tmp_path):
    model = Looping()
    model(X)
    model.compile(tfadaopt.SGD(0.0), "mse", run_eagerly=True)
    fit(model, monitor(tmp_path, "dead_units", every=6))
    found = logged.curves(tmp_path)["dead_units", "value"][6]
    shares = {path.split("/")[-2]: share for path, share in found.items()}
    assert shares == pytest.approx({"hidden": 0.0, "looped": np.nan, "unused": np.nan}, nan_ok=True)


@pytest.mark.slow
def test_units_of_a_recurrent_layer_and_of_what_is_excluded(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 5, 3)).astype("float32")
    layers = [
        keras.Input((5, 3)),
        keras.layers.GRU(4, name="gru"),
        keras.layers.Dense(3, name="left_out"),
        keras.layers.ReLU(),
        keras.layers.Dense(2, "relu", name="last"),
    ]
    model = keras.Sequential(layers, name="net")
    model.get_layer("last").bias.assign([-100, -100])
    model.compile(tfadaopt.SGD(0.0), "mse", run_eagerly=True)
    arguments = {"every": 2, "also": ["dead_units"], "exclude": ["left_out"]}
    watching = OptimizerMonitor(tmp_path, probe=x, **arguments)
    other = OptimizerMonitor(tmp_path, 2, also=["dead_units"], probe=x[:4], include=["last"])
    model.fit(x, np.ones((8, 2)), batch_size=4, verbose=0, callbacks=[watching, other])
    found = of_step(tmp_path, "dead_units", 2)
    assert {path.split("/")[0]: share for path, share in found.items()} == {"gru": 0.0, "last": 1.0}


def test_channels_are_units_of_a_convolution(tmp_path):
    images = np.random.default_rng(0).normal(size=(12, 6, 6, 1)).astype("float32")
    layers = [keras.Input((6, 6, 1)), keras.layers.Conv2D(5, 3, activation="relu", name="conv")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential(layers, name="net")
    model.layers[0].bias.assign([-100, -100, 0, 0, 0])
    model.compile(tfadaopt.Adam(0.0), "mse", run_eagerly=True)
    names = ["dead_units", "units_without_gradient"]
    watching = OptimizerMonitor(tmp_path, 3, also=names, probe=images[:4])
    model.fit(images, Y[:12], batch_size=4, verbose=0, callbacks=[watching])
    assert of_step(tmp_path, "dead_units", 3)["conv/kernel"] == np.float32(2 / 5)
    assert of_step(tmp_path, "units_without_gradient", 3)["conv/kernel"] == np.float32(2 / 5)


class Backward(keras.callbacks.Callback):
    """Where the gradient of each batch is zero, from a backward pass before its step."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.zero = x, y, []

    def on_train_batch_begin(self, batch, logs=None):
        rows = slice(4 * batch, 4 * batch + 4)
        kernel, bias = self.model.get_layer("first").trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.model(self.x[rows], training=True) - self.y[rows]) ** 2)
        self.zero.append([g.numpy() == 0 for g in tape.gradient(loss, [kernel.value, bias.value])])


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    "optimizer",
    [tfadaopt.Adam, tfadaopt.Momentum, tfadaopt.Adagrad, keras.optimizers.Adam],
    ids=lambda cls: f"{cls.__module__.split('.')[0]}-{cls.__name__}",
)
def test_zero_gradients_are_those_of_a_backward_pass(optimizer, tmp_path):
    """Units are off in some batches or in all; in the second one, an input is 0 for once."""
    x = X[:12].copy()
    x[4:8, 0] = 0
    model = relu_model(optimizer(1e-3), norm=False, run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    beside = Backward(x, Y[:12])
    watching = monitor(tmp_path, "zero_gradients", "units_without_gradient")
    fit(model, beside, watching, x=x, y=Y[:12])
    assert np.mean(beside.zero[1][0]) > np.mean(beside.zero[0][0]) >= 2 / 8
    for step, (kernel, bias) in enumerate(beside.zero, start=1):
        found = of_step(tmp_path, "zero_gradients", step)
        assert found["first/kernel"] == pytest.approx(np.mean(kernel))
        assert found["first/bias"] == pytest.approx(np.mean(bias))
        found = of_step(tmp_path, "units_without_gradient", step)
        assert found["first/kernel"] == pytest.approx(np.mean(kernel.all(axis=0)))
        assert "first/bias" not in found


def test_angles_are_those_of_the_weights(tmp_path):
    model = relu_model(tfadaopt.SGD(0.05), run_eagerly=True)
    before = model.get_layer("first").kernel.numpy().ravel().astype("float64")
    fit(model, monitor(tmp_path, "angular_update", every=1), x=X[:4], y=Y[:4])
    after = model.get_layer("first").kernel.numpy().ravel().astype("float64")
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    found = of_step(tmp_path, "angular_update", 1)["first/kernel"]
    np.testing.assert_allclose(found, np.degrees(np.arccos(cosine)), rtol=1e-4)


@pytest.mark.parametrize("size", [12, 5000, PIECE + 3], ids=["row", "alone", "in pieces"])
@pytest.mark.parametrize("angle", [1e-4, 0.5, 90.0, 180.0])
def test_small_and_large_angles_are_exact(size, angle):
    """An angle of 1e-4 degrees has a cosine of 1 in float32; growing longer is no turn."""
    random = np.random.default_rng(0)
    old = random.normal(size=size)
    across = random.normal(size=size)
    across -= old * (across @ old) / (old @ old)
    across *= np.linalg.norm(old) / np.linalg.norm(across)
    new = 1.01 * (np.cos(np.radians(angle)) * old + np.sin(np.radians(angle)) * across)
    w = keras.Variable(old)
    optimizer = tfadaopt.SGD()
    optimizer.build([w])
    (series,) = Updates("angular_update")(View((Layer("w", w, optimizer),)))
    together = series.together
    needed = together.before([series]) if together else series.before
    kept = {key: read() for key, read in needed.items()}
    w.assign(new)
    found = together.read([series], kept, read_rows)[0] if together else series.read(kept)
    exact = np.radians(angle) * np.linalg.norm(old) * 2.0**-24  # what rounding the weights allows
    assert float(found) == pytest.approx(angle, rel=max(2e-3, exact))


@pytest.mark.parametrize("size", [PIECE, PIECE + 3], ids=["whole", "in pieces"])
def test_large_updates_are_measured_to_the_last_coordinate(size):
    w = keras.Variable(np.full(size, 2.0, "float32"))
    optimizer = tfadaopt.SGD()
    optimizer.build([w])
    view = View((Layer("w", w, optimizer),))
    (norm,), (ratio,) = Updates("update_norm")(view), Updates("update_ratio")(view)
    kept = {key: read() for key, read in norm.before.items()}
    new = np.full(size, 2.0, "float32")
    new[[0, -1]] = 5.0, -2.0
    w.assign(new)
    assert float(norm.read(kept)) == 5.0
    assert float(ratio.read(kept)) == pytest.approx(5.0 / (2 * np.sqrt(size)), rel=1e-5)


def test_before_a_first_step_only_large_weights_are_kept_whole():
    small, large = (keras.Variable(np.zeros(n, "float32")) for n in (SMALL, SMALL + 1))
    kept = weights_before([small, large], ["small", "large"], [Updates("update_norm")])
    assert [key for key in kept if key[0] == "weights"] == [("weights", "large")]
    assert len(kept) == 2
    assert weights_before([small, large], ["small", "large"], [WeightNorms()]) == {}


def test_several_steps_at_once_do_not_tell_their_gradient():
    w, optimizer = keras.Variable(np.ones((3, 2), "float32")), tfadaopt.Momentum()
    optimizer.build([w])
    for quantity in (GradientNorms(), ZeroGradients(), ZeroGradients(of_units=True)):
        layers = (Layer("w", w, optimizer),)
        assert len(quantity(View(layers))) == 1
        assert quantity(View(layers, steps_per_execution=2)) == []


def test_off_by_default_and_refused_where_unknown(tmp_path):
    fit(relu_model(tfadaopt.SGD(0.1), run_eagerly=True), OptimizerMonitor(tmp_path, 6, "full"))
    assert not {name for name, _ in logged.curves(tmp_path)} & {*ALSO, "dead_units"}
    for arguments, match in [
        ({"also": ["dead_unit"]}, "'dead_units'"),
        ({"also": "angular_update"}, "give a list"),
        ({"also": ["dead_units"]}, "go together"),
        ({"probe": X}, "go together"),
        ({"also": ["dead_units"], "probe": X[:1]}, "at least 2"),
        ({"also": ["dead_units"], "probe": "x"}, "no batch of inputs"),
    ]:
        with pytest.raises(ValueError, match=match):
            OptimizerMonitor(tmp_path, **arguments)


def test_loops_of_ones_own_have_no_units(tmp_path):
    w = keras.Variable(np.ones((3, 2), "float32"), name="w")
    optimizer = tfadaopt.Momentum(0.1)
    with monitor(tmp_path, *ALSO, "dead_units").watch(optimizer, [w]) as watch:
        for _ in range(2):
            optimizer.apply([tf.ones((3, 2))], [w])
            watch.step()
    names = {name for name, _ in logged.curves(tmp_path)}
    assert {*ALSO} <= names
    assert "dead_units" not in names


def test_callbacks_of_one_folder_share_what_they_ask_for(tmp_path):
    model = relu_model(tfadaopt.Adam(0.01), run_eagerly=True)
    fit(model, monitor(tmp_path, "angular_update", every=2), UpdateRatio(tmp_path, 3))
    assert list(logged.curves(tmp_path)["angular_update", "value"]) == [2, 4, 6]
