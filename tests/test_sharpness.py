"""SharpnessAware: a training by hand, and what ``fit`` must leave as it is."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor

from .logged import curves
from .references.sharpness import climb
from .support.models import X, Y, fit

MODES = {
    "eager": {"run_eagerly": True},
    "graph-3-steps": {"jit_compile": False, "steps_per_execution": 3},
    "jit": {"jit_compile": True},
}


def network(normalized=False, dropout=0.0, seed=3, **dense):
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((4,))
    x = keras.layers.Dense(5, activation="tanh", name="hidden", **dense)(x)
    if normalized:
        x = keras.layers.BatchNormalization(momentum=0.5)(x)
    if dropout:
        x = keras.layers.Dropout(dropout, seed=1)(x)
    return keras.Model(inputs, keras.layers.Dense(1, name="outputs")(x))


def trained(model=None, rho=0.1, adaptive=False, optimizer=None, wrap=True, **compiled):
    model = network() if model is None else model
    outer = tfadaopt.SharpnessAware(model, rho, adaptive) if wrap else model
    outer.compile(tfadaopt.SGD(0.1) if optimizer is None else optimizer, "mse", **compiled)
    fit(outer)
    return model


def weights_of(model):
    return [np.asarray(v) for v in model.weights]


def same(actual, expected, rtol=1e-5):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=rtol, atol=1e-6)


def gradients(model, x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    return [np.asarray(g) for g in tape.gradient(loss, model.trainable_variables)]


def by_hand(rho=0.1, adaptive=False):
    """The weights by the twin, from gradients at both places."""
    model = network()
    for first in range(0, 24, 4):
        x, y = X[first : first + 4], Y[first : first + 4]
        theta = [v.numpy() for v in model.trainable_variables]
        g = gradients(model, x, y)
        for v, above in zip(model.trainable_variables, climb(theta, g, rho, adaptive), strict=True):
            v.assign(above)
        nearby = gradients(model, x, y)
        for v, value, b in zip(model.trainable_variables, theta, nearby, strict=True):
            v.assign(value - 0.1 * b)
    return weights_of(model)


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize(
    "mode", ["eager", *(pytest.param(x, marks=pytest.mark.slow) for x in ("graph-3-steps", "jit"))]
)
def test_fit_is_the_training_by_hand(mode, adaptive):
    expected = by_hand(0.3, adaptive)
    same(weights_of(trained(rho=0.3, adaptive=adaptive, **MODES[mode])), expected)
    plain = weights_of(trained(wrap=False))
    assert max(float(np.abs(a - b).max()) for a, b in zip(plain, expected, strict=True)) > 1e-2


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    "kind", [{}, {"normalized": True}, {"dropout": 0.5}, {"kernel_regularizer": "l2"}]
)
def test_distance_0_is_the_training_without(kind):
    """Statistics move once, the same units are dropped, penalties count."""
    models = [
        trained(network(**kind), rho=0.0, wrap=wrap, run_eagerly=True) for wrap in (True, False)
    ]
    same(*map(weights_of, models))


def test_statistics_are_those_of_the_first_pass():
    model = network(normalized=True)
    outer = tfadaopt.SharpnessAware(model, 5.0)
    outer.compile(tfadaopt.SGD(0.1), "mse")
    hidden = keras.Model(model.inputs, model.get_layer("hidden").output)
    mean = np.mean(hidden.predict(X[:4], verbose=0), axis=0)
    outer.train_on_batch(X[:4], Y[:4])
    same([np.asarray(model.layers[2].moving_mean)], [0.5 * mean])


def test_penalties_are_seen_nearby():
    """The gradient of ‖θ‖² at θ + ε̂, and not at θ."""
    layer = keras.layers.Dense(
        1, use_bias=False, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5)
    )
    outer = tfadaopt.SharpnessAware(keras.Sequential([keras.Input((1,)), layer]), 0.5)
    outer.compile(tfadaopt.SGD(1.0), "mse")
    outer.fit(np.zeros((4, 1)), np.zeros((4, 1)), verbose=0)
    np.testing.assert_allclose(layer.kernel.numpy(), [[1 - 1.5]], rtol=1e-6)


def test_what_is_reported_is_at_the_weights():
    outer = tfadaopt.SharpnessAware(network(), 0.5)
    outer.compile(tfadaopt.SGD(0.0), "mse", metrics=["mae"])
    history = fit(outer).history
    loss, error = outer.evaluate(X, Y, verbose=0)
    assert history["loss"] == [pytest.approx(loss, rel=1e-5)]
    assert history["mae"] == [pytest.approx(error, rel=1e-5)]


def test_callbacks_see_the_layers_of_the_model(tmp_path):
    model = network()
    outer = tfadaopt.SharpnessAware(model)
    outer.compile(tfadaopt.Adagrad(0.1), "mse")
    fit(outer, OptimizerMonitor(tmp_path, every=2))
    logged = curves(tmp_path)["effective_learning_rate", "p50"]
    assert set(logged[6]) == {v.path for v in model.trainable_variables}


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network()
        outer = tfadaopt.SharpnessAware(model, 0.3)
    finally:
        keras.config.set_dtype_policy("float32")
    outer.compile(keras.optimizers.LossScaleOptimizer(tfadaopt.SGD(0.1), 256.0), "mse")
    fit(outer)
    assert int(outer.optimizer.iterations.numpy()) == 6
    same(weights_of(model), by_hand(0.3), 0.05)


@pytest.mark.slow
def test_a_file_goes_on_where_training_was(tmp_path):
    outer = tfadaopt.SharpnessAware(network(normalized=True), 0.3, adaptive=True)
    outer.compile(tfadaopt.Adam(0.1), "mse")
    fit(outer)
    outer.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.rho, loaded.adaptive) == (0.3, True)
    for model in (outer, loaded):
        fit(model)
    same(weights_of(loaded), weights_of(outer))


@pytest.mark.parametrize("how", ["build", "eager", "graph"])
def test_a_model_may_be_built_later(how):
    keras.utils.set_random_seed(3)
    inner = keras.Sequential([keras.layers.Dense(5), keras.layers.Dense(1)])
    outer = tfadaopt.SharpnessAware(inner)
    outer.compile(tfadaopt.SGD(0.1), "mse", run_eagerly=how == "eager", jit_compile=False)
    if how == "build":
        outer.build((None, 4))
    fit(outer, x=X[:4], y=Y[:4])
    assert [tuple(v.shape) for v in outer.trainable_variables] == [(4, 5), (5,), (5, 1), (1,)]
    before = weights_of(inner)
    outer.build((None, 4))  # once more changes nothing
    same(weights_of(inner), before, 0)
    assert np.abs(before[1]).max() > 0  # a bias that was 0


def test_a_frozen_layer_and_an_embedding():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(4, 3), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,), dtype="int32"), *layers])
    layers[2].trainable = False
    before = weights_of(model)
    outer = tfadaopt.SharpnessAware(model, 0.1)
    outer.compile(tfadaopt.SGD(0.1), "mse")
    outer.fit(np.array([[0, 1], [1, 2]]), np.ones((2, 1)), verbose=0)
    after = weights_of(model)
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_cost_is_said():
    assert "twice" in tfadaopt.SharpnessAware(network()).cost()
    assert "twice" in tfadaopt.SharpnessAware.__doc__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"rho": -1}, "rho=-1"), ({"adaptive": "yes"}, "adaptive"), ({"model": "cnn"}, "model='cnn'")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"SharpnessAware.*{message}"):
        tfadaopt.SharpnessAware(**{"model": network(), **arguments})


def test_two_devices_with_the_same_half_are_one(two_devices):
    assert two_devices["error"] <= 1e-5
    assert two_devices["moved"] > 1e-3


def on_two_devices(strategy) -> dict:
    """Each replica has the same half of the batch, so that its ε̂ is that of one device."""

    def weights(within, x, y):
        with within:
            model = network(normalized=True)
            outer = tfadaopt.SharpnessAware(model, 0.3)
            outer.compile(tfadaopt.SGD(0.1), "mse", jit_compile=False)
        outer.fit(x, y, batch_size=len(x), epochs=3, verbose=0, shuffle=False)
        return weights_of(model)

    one = weights(contextlib.nullcontext(), X, Y)
    two = weights(strategy.scope(), np.concatenate([X, X]), np.concatenate([Y, Y]))
    start = weights_of(network(normalized=True))
    return {
        "error": max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True)),
        "moved": max(float(np.abs(a - b).max()) for a, b in zip(one, start, strict=True)),
    }
