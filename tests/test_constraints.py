"""Means of weights that have a constraint are of the constrained weights, and stay inside."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import BY_ID, each_shape, quick
from .steps import WAYS, average_of, each_way, step_of

averaging = pytest.mark.parametrize(
    "case", [quick(BY_ID[i]) for i in ("schedulefreesgd", "schedulefreeadamw", "dog")]
)
RATE = {"ScheduleFreeSGD": 0.1, "ScheduleFreeAdamW": 0.1, "DoG": 1.0}
CONSTRAINTS = {"non_neg": keras.constraints.NonNeg(), "max_norm": keras.constraints.MaxNorm(1.0)}
each_constraint = pytest.mark.parametrize("constraint", CONSTRAINTS.values(), ids=CONSTRAINTS)


def kernel(constraint, dtype="float32"):
    layer = keras.layers.Dense(2, kernel_constraint=constraint, use_bias=False, dtype=dtype)
    layer.build((None, 3))
    layer.kernel.assign([[0.5, 0.25], [0.5, 0.75], [0.125, 0.25]])
    return layer.kernel


def gradients(steps):
    """Some that drive the weights out, and noise."""
    random = np.random.default_rng(0)
    out = np.array([[1.0, -1.0], [0.5, 0.25], [-0.5, 1.0]])
    return [(out + random.normal(size=(3, 2))).astype("float32") for _ in range(steps)]


def inside(constraint, w, tolerance=1e-5):
    np.testing.assert_allclose(constraint(tf.constant(w)), w, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("constraint", "way"), [*(("non_neg", way) for way in WAYS), ("max_norm", "eager")]
)
@pytest.mark.parametrize("jit_compile", [False, True], ids=["readable", "compiled"])
@averaging
def test_means_are_of_constrained_weights(case, jit_compile, constraint, way):
    constraint = CONSTRAINTS[constraint]
    w = kernel(constraint)
    optimizer = case.make(learning_rate=RATE[case.name], jit_compile=jit_compile)
    step = step_of(optimizer, [w], way)
    mean, beta = np.zeros((3, 2)), getattr(optimizer, "beta", getattr(optimizer, "beta_1", 0.9))
    for t, g in enumerate(gradients(12), 1):
        step(tf.constant(g))
        state = tfadaopt.accumulators(optimizer, w)
        seen = w.numpy() if case.name == "DoG" else state["z"].numpy()
        inside(constraint, seen)
        kept = (t - 1) / (t + 8 if case.name == "DoG" else t)
        mean = kept * mean + (1 - kept) * seen
        np.testing.assert_allclose(optimizer.averaged(w), mean, rtol=0, atol=2e-5)
        inside(constraint, optimizer.averaged(w).numpy())
        if case.name != "DoG":
            np.testing.assert_allclose(w, (1 - beta) * seen + beta * mean, rtol=0, atol=2e-5)


@each_constraint
@averaging
def test_there_is_something_to_hold(case, constraint):
    w = kernel(None)
    step = step_of(case.make(learning_rate=RATE[case.name]), [w])
    for g in gradients(12):
        step(tf.constant(g))
    assert np.abs(constraint(w.value) - w.numpy()).max() > 0.05


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@averaging
def test_means_in_other_dtypes(case, dtype):
    w, full = kernel("non_neg", dtype), kernel("non_neg")
    optimizers = [case.make(learning_rate=RATE[case.name]) for _ in range(2)]
    for optimizer, v in zip(optimizers, (w, full), strict=True):
        step = step_of(optimizer, [v])
        for g in gradients(10):
            step(tf.cast(g, v.dtype))
        assert (optimizer.averaged(v).numpy() >= 0).all()
    averages = (o.averaged(v) for o, v in zip(optimizers, (w, full), strict=True))
    np.testing.assert_allclose(*averages, rtol=0, atol=0.03)


@averaging
def test_gradient_that_is_left_out_moves_no_mean(case):
    w = kernel("non_neg")
    optimizer = case.make(learning_rate=RATE[case.name])
    step = step_of(optimizer, [w])
    for g in gradients(5):
        step(tf.constant(g))
    before, mean = w.numpy(), optimizer.averaged(w).numpy()
    step(tf.fill([3, 2], np.nan))
    np.testing.assert_array_equal(w.numpy(), before)
    np.testing.assert_array_equal(optimizer.averaged(w).numpy(), mean)


@averaging
def test_variable_whose_first_gradient_is_left_out_stays(case):
    """The zeros that its state begins with are no weights: no constraint is put on them."""
    w = kernel(lambda x: tf.clip_by_value(x, 0.1, 1.0))
    before = w.numpy()
    step_of(case.make(learning_rate=RATE[case.name]), [w])(tf.fill([3, 2], np.nan))
    np.testing.assert_array_equal(w.numpy(), before)


def test_without_a_mean_the_weights_are_held():
    constraint = CONSTRAINTS["non_neg"]
    optimizer = tfadaopt.DoG(initial_distance=1.0, averaging=None)
    w = kernel(constraint)
    for g in gradients(6):
        optimizer.apply([tf.constant(g)], [w])
        inside(constraint, w.numpy())
        np.testing.assert_array_equal(optimizer.averaged(w), w.numpy())
    assert (w.numpy() == 0).any()


@pytest.mark.parametrize("where", ["here", "mirrored"])
@averaging
def test_model_of_fit_has_its_mean_inside(case, where):
    """y = −x with w ≥ 0: the best weight is 0, and z without a bound would run away."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"]) if where == "mirrored" else None
    with (strategy or tf.distribute.get_strategy()).scope():
        layer = keras.layers.Dense(1, use_bias=False, kernel_constraint="non_neg")
        model = keras.Sequential([keras.Input((1,)), layer])
        model.compile(case.make(learning_rate=0.1), "mae")
    layer.kernel.assign([[0.5]])
    model.fit(np.ones((60, 1)), -np.ones((60, 1)), batch_size=1, verbose=0)
    with tfadaopt.averaged_weights(model):
        assert 0 <= layer.kernel.numpy()[0, 0] <= 0.07
    assert 0 <= layer.kernel.numpy()[0, 0] <= 0.07


def follows_its_weights(case, constraint, way):
    w = kernel(constraint)
    optimizer = case.make(use_ema=True, ema_momentum=0.5, learning_rate=0.5)
    step = step_of(optimizer, [w], way)
    mean = None
    for g in gradients(5):
        step(tf.constant(g))
        mean = w.numpy() if mean is None else (mean + w.numpy()) / 2
    np.testing.assert_allclose(average_of(optimizer), mean, rtol=0, atol=1e-5)
    optimizer.finalize_variable_values([w])
    inside(constraint, w.numpy())


@each_shape
def test_moving_averages_stay_inside(case):
    follows_its_weights(case, CONSTRAINTS["non_neg"], "eager")


@each_way
@each_constraint
def test_moving_averages_stay_inside_however_a_step_is_taken(constraint, way):
    follows_its_weights(BY_ID["momentum"], constraint, way)
