"""Lookahead around our optimizers and Keras' follows a loop by hand, in every way of training."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import AveragedWeights, OptimizerMonitor

from .cases import BY_ID
from .logged import curves
from .references.lookahead import Lookahead as Twin
from .support.models import X, Y, fit, make_model
from .trajectories import Trajectory, displacement_error, problem, train

INNER = {
    "ours": lambda: tfadaopt.Adam(0.05),
    "keras": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
}
MODES = {
    "eager": {"run_eagerly": True},
    "graph-3-steps": {"jit_compile": False, "steps_per_execution": 3},
    "jit": {"jit_compile": True},
}
each_inner = pytest.mark.parametrize("inner", INNER)


def weights_of(model):
    return [v.numpy() for v in model.trainable_variables]


def same(actual, expected, rtol=1e-6):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=rtol, atol=1e-7)


def by_hand(inner, period=2, alpha=0.25, epochs=1):
    """The same training step by step, in NumPy around the optimizer alone."""
    model = make_model(INNER[inner](), run_eagerly=True)
    slow = weights_of(model)
    for step in range(1, 6 * epochs + 1):
        first = (step - 1) % 6 * 4
        model.train_on_batch(X[first : first + 4], Y[first : first + 4])
        if step % period == 0:
            slow = [s + alpha * (v - s) for s, v in zip(slow, weights_of(model), strict=True)]
            for v, s in zip(model.trainable_variables, slow, strict=True):
                v.assign(s)
    return weights_of(model), slow


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_follows_its_twin(dtype, tolerance, worst):
    case = BY_ID["adam"]
    starts, gradients = problem()
    twin, thetas = Twin(case.twin, len(starts)), starts
    path = [thetas := twin.step_all(thetas, g) for g in zip(*gradients, strict=True)]
    actual = train(tfadaopt.Lookahead(case.make()), starts, gradients, dtype=dtype)
    expected = [np.stack(x) for x in zip(starts, *path, strict=True)]
    error = displacement_error(actual, Trajectory(expected, [], [], []))
    assert error <= tolerance
    worst(f"worst displacement error against the twin, {dtype}", "Lookahead", error)


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    ("inner", "mode"),
    [
        ("ours", "eager"),
        pytest.param("ours", "jit", marks=pytest.mark.slow),
        ("keras", "graph-3-steps"),
    ],
)
def test_fit_is_the_loop_by_hand(inner, mode):
    model = make_model(tfadaopt.Lookahead(INNER[inner](), 4, 0.25), **MODES[mode])
    fit(model)
    fast, slow = by_hand(inner, period=4)
    same(weights_of(model), fast, 2e-5)
    same([model.optimizer.averaged(v).numpy() for v in model.trainable_variables], slow, 2e-5)
    assert int(model.optimizer.iterations.numpy()) == 6


@pytest.mark.quick_rows(1)
@each_inner
def test_alpha_1_is_the_optimizer(inner):
    wrapped = make_model(tfadaopt.Lookahead(INNER[inner](), 2, 1.0), jit_compile=False)
    alone = make_model(INNER[inner](), jit_compile=False)
    for model in (wrapped, alone):
        fit(model)
    for a, b in zip(weights_of(wrapped), weights_of(alone), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_sync_at_each_step_of_sgd_scales_its_rate():
    models = (
        make_model(tfadaopt.Lookahead(tfadaopt.SGD(0.5), 1, 0.25)),
        make_model(tfadaopt.SGD(0.125)),
    )
    for model in models:
        fit(model)
    same(*map(weights_of, models))


def test_counts_updates_and_not_batches():
    inner = tfadaopt.SGD(1.0, gradient_accumulation_steps=2)
    w, optimizer = keras.Variable([0.0]), tfadaopt.Lookahead(inner, 2, 0.5)
    path = []
    for _ in range(4):
        optimizer.apply([tf.constant([-1.0])], [w])
        path.append(float(w.numpy()[0]))
    assert path == [0.0, 1.0, 1.0, 1.0]
    optimizer.apply([tf.constant([-1.0])])  # to the variables that it knows
    assert w.numpy().tolist() == [1.0]
    optimizer.apply([tf.constant([-1.0])])
    assert w.numpy().tolist() == [2.0]


def test_what_does_not_train_is_not_pulled():
    w, count = keras.Variable([0.0]), keras.Variable([3], dtype="int32")
    optimizer = tfadaopt.Lookahead(tfadaopt.SGD(1.0), 1, 0.5)
    optimizer.build([w, count])
    optimizer.apply([tf.constant([-4.0]), None])
    assert (w.numpy().tolist(), count.numpy().tolist()) == ([2.0], [3])
    assert (float(optimizer.sync_distance(w)), optimizer.sync_distance(count)) == (4.0, None)
    assert optimizer.averaged(count).numpy().tolist() == [3]
    with pytest.raises(ValueError, match="has no state of 'other'"):
        optimizer.averaged(keras.Variable([0.0], name="other"))


def test_weights_loaded_after_build_are_where_it_begins():
    w = keras.Variable([0.0])
    optimizer = tfadaopt.Lookahead(tfadaopt.SGD(1.0), 1, 0.5)
    optimizer.build([w])
    w.assign([8.0])
    np.testing.assert_array_equal(optimizer.averaged(w), [8.0])
    optimizer.apply([tf.constant([2.0])], [w])
    assert w.numpy().tolist() == [7.0]


def test_what_is_read_is_the_optimizers():
    model = make_model(tfadaopt.Lookahead(tfadaopt.Adagrad(0.5)))
    fit(model)
    inner = model.optimizer.inner_optimizer
    for v in model.trainable_variables:
        for read in (
            tfadaopt.effective_learning_rate,
            lambda o, v: tfadaopt.accumulators(o, v)["accumulator"],
        ):
            np.testing.assert_array_equal(read(model.optimizer, v), read(inner, v))
    assert float(model.optimizer.learning_rate.numpy()) == 0.5
    model.optimizer.learning_rate = 0.25
    assert float(inner.learning_rate.numpy()) == 0.25
    model.optimizer.loss_scale_factor = 8.0
    assert inner.loss_scale_factor == 8.0


def test_the_log_has_the_distance_of_the_last_sync(tmp_path):
    model = make_model(tfadaopt.Lookahead(tfadaopt.SGD(0.1), 2), jit_compile=False)
    fit(model, OptimizerMonitor(tmp_path, every=1, preset="light"))
    logged = curves(tmp_path)["sync_distance", "value"]
    assert set(logged[1].values()) == {0.0}
    assert logged[3] == logged[2] != logged[4]
    expected = make_model(tfadaopt.SGD(0.1), jit_compile=False)
    start = weights_of(expected)
    fit(expected, x=X[:8], y=Y[:8])
    for path, old, new in zip(logged[2], start, weights_of(expected), strict=True):
        assert logged[2][path] == pytest.approx(np.linalg.norm(new - old), rel=1e-5)


def test_one_condition_for_all_variables():
    variables = [keras.Variable(np.zeros(n, "float32")) for n in (2, 3, 4)]
    optimizer = tfadaopt.Lookahead(tfadaopt.SGD(nonfinite="ignore"))
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(*g):
        optimizer.apply(list(g), variables)

    graph = step.get_concrete_function(*(tf.zeros(v.shape) for v in variables)).graph
    nodes = graph.as_graph_def().node
    assert sum(node.op in ("If", "StatelessIf") for node in nodes) == 2  # it begins, it syncs


@pytest.mark.quick_rows(1)
@each_inner
def test_a_file_goes_on_where_training_was(inner, tmp_path):
    through = make_model(tfadaopt.Lookahead(INNER[inner](), 4))
    fit(through)
    through.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config()["period"] == 4
    for model in (through, loaded):
        fit(model)
    same(weights_of(loaded), weights_of(through))


def test_state_waits_until_there_are_variables():
    model = make_model(tfadaopt.Lookahead("sgd", 4))
    fit(model)
    store, again = {}, {}
    model.optimizer.save_own_variables(store)
    other = tfadaopt.Lookahead("sgd", 4)
    other.save_own_variables(again)
    assert again == {}
    other.load_own_variables(store)
    other.load_own_variables({})  # of a model that was saved before training
    other.save_own_variables(again)
    assert again.keys() == store.keys()
    other.build(model.trainable_variables)
    for v in model.trainable_variables:
        np.testing.assert_array_equal(other.averaged(v), model.optimizer.averaged(v))


def test_another_models_file_is_refused(tmp_path):
    model = make_model(tfadaopt.Lookahead("sgd"))
    fit(model)
    store = {}
    model.optimizer.save_own_variables(store)
    other = tfadaopt.Lookahead("sgd")
    other.build([keras.Variable([1.0])])
    with pytest.warns(UserWarning, match="does not fit and was not taken"):
        other.load_own_variables(store)


def test_mixed_precision_scales_the_loss_around_it():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make_model(tfadaopt.Lookahead(INNER["ours"](), 2, 0.25))
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.optimizer.initial_scale = 256.0  # at 2^15 the first steps overflow and are skipped
    fit(model)
    same(weights_of(model), by_hand("ours")[0], 0.1)
    v = model.trainable_variables[0]
    assert tfadaopt.effective_learning_rate(model.optimizer, v).shape == v.shape
    np.testing.assert_array_equal(model.optimizer.inner_optimizer.averaged(v), v.numpy())


def test_loss_scaling_of_its_own_goes_through():
    models = [
        make_model(tfadaopt.Lookahead(tfadaopt.SGD(0.1, loss_scale_factor=f)), jit_compile=False)
        for f in (None, 64.0)
    ]
    for model in models:
        fit(model)
    same(*map(weights_of, models))


def test_validation_and_block_see_the_slow_weights():
    model = make_model(tfadaopt.Lookahead(tfadaopt.SGD(0.1), 4))
    history = fit(model, AveragedWeights(), validation_data=(X, Y)).history
    fast = model.evaluate(X, Y, verbose=0)
    with tfadaopt.averaged_weights(model):
        assert history["val_loss"] == [pytest.approx(model.evaluate(X, Y, verbose=0))]
    assert history["val_loss"] != [pytest.approx(fast)]


def test_constraint_holds_after_a_sync():
    w = keras.Variable(np.array([[3.0], [4.0]]) / 5)
    w.constraint = keras.constraints.UnitNorm(axis=0)
    optimizer = tfadaopt.Lookahead(tfadaopt.SGD(0.5), 1, 0.5)
    optimizer.apply([tf.constant([[1.0], [-1.0]])], [w])
    assert np.linalg.norm(w.numpy()) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"period": 0}, "period=0"),
        ({"alpha": 0.0}, "alpha=0"),
        ({"alpha": 1.5}, "at most 1"),
        ({"optimizer": 3}, "optimizer=3"),
        (
            {"optimizer": keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())},
            "loss scaling",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"Lookahead.*{message}"):
        tfadaopt.Lookahead(**{"optimizer": "sgd", **arguments})


def test_two_devices_are_one(two_devices):
    for error in two_devices.values():
        assert error <= 1e-5


def on_two_devices(strategy) -> dict:
    """Largest differences of weights and slow weights between one device and two."""

    def trained(inner, within):
        with within:
            model = make_model(tfadaopt.Lookahead(INNER[inner](), 4, 0.25), jit_compile=False)
        fit(model)
        slow = [model.optimizer.averaged(v).numpy() for v in model.trainable_variables]
        return [*weights_of(model), *slow]

    found = {}
    for inner in INNER:
        one, two = trained(inner, contextlib.nullcontext()), trained(inner, strategy.scope())
        found[inner] = max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True))
    return found
