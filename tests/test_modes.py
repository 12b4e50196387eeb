"""Every way of training: eager, compiled, several steps at once, low precision, frozen layers."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import RATE, SHAPES, THREE, each_shape, quick, slots_of, three_methods
from .support import models
from .support.models import X, Y, make_model


def fit(model):
    models.fit(model)
    return [np.array(v.numpy(), "float64") for v in model.trainable_variables]


@functools.cache
def by_twin(case):
    """The same training with gradients from a tape and the float64 twins for the updates."""
    model = make_model("sgd")
    variables = model.trainable_variables
    twins = case.twins(len(variables))
    thetas = [np.array(v.numpy(), "float64") for v in variables]

    @tf.function
    def gradients(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        return tape.gradient(loss, [v.value for v in variables])

    for first in range(0, 24, 4):
        g = gradients(X[first : first + 4], Y[first : first + 4])
        thetas = twins.step(thetas, g)
        for v, theta in zip(variables, thetas, strict=True):
            v.assign(theta)
    return thetas


def same(actual, expected, tolerance):
    """Whether the weights are where they should be, relative to how far they should have gone."""
    starts = [v.numpy() for v in make_model("sgd").trainable_variables]
    for a, e, start in zip(actual, expected, starts, strict=True):
        far = np.max(np.abs(e - start))
        assert far > 1e-4
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * far)


MODES = {
    "eager": {"run_eagerly": True},
    "graph": {"jit_compile": False},
    "graph-3-steps": {"jit_compile": False, "steps_per_execution": 3},
    "jit": {"jit_compile": True},
    "jit-3-steps": {"jit_compile": True, "steps_per_execution": 3},
}


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize(
    ("case", "mode"),
    [
        *(quick(case, mode) for case in SHAPES for mode in ("eager", "jit-3-steps")),
        *(quick(case, mode, only=False) for case in THREE for mode in ("graph", "graph-3-steps")),
        *(quick(case, "jit", only=False) for case in THREE),
    ],
)
def test_fit_equals_the_twin(case, mode):
    expected = by_twin(case)
    model = make_model(case.make(), **MODES[mode])
    same(fit(model), expected, max(1e-4, case.tolerance["float32"]))
    assert int(model.optimizer.iterations.numpy()) == 6


@pytest.mark.quick_rows(1)
@each_shape
def test_mixed_precision_scales_the_loss(case):
    """The weights are float32; the gradients went through float16."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make_model(case.make(), run_eagerly=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.optimizer.initial_scale = 256.0  # at 2^15 the first steps overflow and are skipped
    trained = fit(model)
    same(trained, by_twin(case), 0.05)
    for v in model.trainable_variables if case.has_rate else ():
        rate = tfadaopt.effective_learning_rate(model.optimizer, v)
        assert rate.shape == v.shape
        assert rate.dtype == tf.float32
        assert (rate.numpy() > 0).all()


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *(quick(case, "float16") for case in SHAPES),
        *(quick(case, "bfloat16", only=False) for case in THREE),
    ],
)
def test_state_of_half_precision_weights_is_float32(case, dtype):
    """1e-4² is zero in float16, and 1e3² infinite: the state must not be half precision."""
    variable = keras.Variable([1e-2, -1e-2, 0.0, 0.0], dtype=dtype)
    optimizer = case.make()
    optimizer.build([variable])
    twin = case.twin()
    for size in (1.0, -0.5, 2.0):
        g = tf.cast(tf.constant([1e-4, 1e-3, 1.0, 1e3]) * size, dtype)
        theta = np.array(tf.cast(variable.value, "float64"))  # what rounding has made of it
        theta = twin.step(theta, np.array(tf.cast(g, "float64")))
        optimizer.apply([g], [variable])
    if case.has_rate:
        rate = tfadaopt.effective_learning_rate(optimizer, variable)
        assert rate.dtype == tf.float32
        np.testing.assert_allclose(rate, twin.effective_learning_rate, rtol=1e-5)
    for name, slot in slots_of(optimizer, variable).items():
        assert slot.dtype == tf.float32
        if name.startswith("root"):
            continue  # of matrices whose small eigenvalues float32 cannot tell from rounding
        # The squares of these gradients are too far apart for a matrix in float32.
        size = np.abs(twin.accumulators[name]).max()
        atol = 1e-12 if case.has_rate else 1e-2 * size
        np.testing.assert_allclose(slot, twin.accumulators[name], rtol=1e-5, atol=atol)
    moved, expected = np.array(tf.cast(variable.value, "float64")), theta
    np.testing.assert_allclose(moved, expected, rtol=0.03, atol=1e-4)


@pytest.mark.parametrize(
    ("case", "policy"),
    [
        *(quick(case, "bfloat16") for case in SHAPES),
        *(quick(case, "float16", only=False) for case in THREE),
    ],
)
def test_half_precision_model_trains(case, policy):
    model = make_model(case.make(), policy=policy, run_eagerly=True)
    start = [v.numpy() for v in model.trainable_variables]
    trained = fit(model)
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.trainable_variables} == {policy}
    for a, b in zip(trained, start, strict=True):
        assert np.isfinite(a).all()
        assert not np.array_equal(a, b.astype("float64"))


def test_rate_and_accumulator_of_adagrad_do_not_saturate_in_bfloat16():
    """A bfloat16 sum of ones stops at 256."""
    w = keras.Variable([0.0], dtype="bfloat16")
    optimizer = tfadaopt.Adagrad()
    optimizer.build([w])

    @tf.function
    def steps():
        for _ in tf.range(400):
            optimizer.apply([tf.ones([1], "bfloat16")], [w])

    steps()
    assert tfadaopt.accumulators(optimizer, w)["accumulator"].numpy() == [400.0]


# Frozen layers


@three_methods
def test_frozen_layer_stays(case):
    model = make_model(case.make())
    model.get_layer("hidden").trainable = False
    model.compile(model.optimizer, "mse", run_eagerly=True)
    before = [v.numpy() for v in model.get_layer("hidden").weights]
    fit(model)
    for v, old in zip(model.get_layer("hidden").weights, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)


@three_methods
def test_layer_frozen_after_a_while_keeps_the_rest_going(case):
    model = make_model(case.make(), run_eagerly=True)
    model.train_on_batch(X[:4], Y[:4])
    model.get_layer("hidden").trainable = False
    model.compile(model.optimizer, "mse", run_eagerly=True)
    frozen = model.get_layer("hidden").kernel
    before = frozen.numpy()
    model.train_on_batch(X[4:8], Y[4:8])
    np.testing.assert_array_equal(frozen.numpy(), before)
    assert int(model.optimizer.iterations.numpy()) == 2
    if case.has_rate:
        assert tfadaopt.effective_learning_rate(model.optimizer, frozen).shape == frozen.shape


@three_methods
def test_unfrozen_layer_is_an_error_that_names_the_fix(case):
    model = make_model(case.make())
    model.get_layer("hidden").trainable = False
    model.compile(model.optimizer, "mse", run_eagerly=True)
    model.train_on_batch(X[:4], Y[:4])
    model.get_layer("hidden").trainable = True
    model.compile(model.optimizer, "mse", run_eagerly=True)
    with pytest.raises(ValueError, match=r"hidden/kernel(.|\n)*compile the model with a new"):
        model.train_on_batch(X[:4], Y[:4])


# Custom loops


@pytest.mark.quick_rows(1)
@each_shape
def test_custom_loop_without_build(case):
    """The first call of ``apply``, inside a function, makes the state; later calls use it."""
    model = make_model("sgd")
    optimizer = case.make()

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    for first in range(0, 24, 4):
        step(tf.constant(X[first : first + 4]), tf.constant(Y[first : first + 4]))
    actual = [v.numpy() for v in model.trainable_variables]
    # Eigenvectors in float32 are less exact than sums.
    same(actual, by_twin(case), 1e-4 if case.has_rate else 1e-3)


@three_methods
def test_apply_gradients_of_pairs(case):
    a, b = keras.Variable([1.0, 2.0]), keras.Variable([1.0, 2.0])
    g = tf.constant([0.5, -3.0])
    case.make().apply_gradients([(g, a)])
    case.make().apply([g], [b])
    np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_two_optimizers_of_two_models_do_not_mix():
    first, second = (make_model(tfadaopt.Adagrad(RATE), run_eagerly=True) for _ in range(2))
    alone = fit(make_model(tfadaopt.Adagrad(RATE), run_eagerly=True))
    for start in range(0, 24, 4):
        for model in (first, second):
            model.train_on_batch(X[start : start + 4], Y[start : start + 4])
    for model in (first, second):
        same([v.numpy() for v in model.trainable_variables], alone, 1e-6)


def test_the_first_step_is_traced_once():
    """Keras' own is traced twice, as its state is made in the first trace."""
    traces = []

    class Counted(keras.Sequential):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    model = Counted([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(tfadaopt.Adam(use_ema=True, gradient_accumulation_steps=2), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert len(traces) == 1
