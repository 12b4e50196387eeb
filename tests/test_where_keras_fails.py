"""Where Keras' optimizers go wrong without a word, these work or say so: both are shown."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import SHAPES, THREE, each_shape, quick


def values(variables):
    return [v.numpy() for v in variables]


def constant(*rows):
    return [tf.constant(row) for row in rows]


# The moving average of the weights


def average_while_accumulating(method):
    """The average after one update and after the next batch, which moves no weight."""
    w = keras.Variable([1.0])
    optimizer = method(0.5, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2)
    for _ in range(4):
        optimizer.apply(constant([1.0]), [w])
    after_updates = averaged(optimizer, w)
    optimizer.apply(constant([1.0]), [w])
    return after_updates, averaged(optimizer, w)


def averaged(optimizer, w):
    kept = w.numpy()
    optimizer.finalize_variable_values([w])
    average = w.numpy()
    w.assign(kept)
    return float(average[0])


def test_average_stands_still_while_gradients_accumulate():
    before, after = average_while_accumulating(keras.optimizers.SGD)
    assert after != before
    before, after = average_while_accumulating(tfadaopt.SGD)
    assert after == before == 0.5 * 0.5 + 0.5 * 0.0  # the weights went from 1 to 1/2 to 0


@pytest.mark.parametrize(("method", "expected"), [("keras", -1.0), ("tfadaopt", 0.0)])
def test_average_is_of_constrained_weights(method, expected):
    layer = keras.layers.Dense(1, kernel_constraint="non_neg", use_bias=False)
    layer.build((None, 1))
    layer.kernel.assign([[1.0]])
    package = keras.optimizers if method == "keras" else tfadaopt
    optimizer = package.SGD(1.0, use_ema=True)
    optimizer.apply(constant([[2.0]]), [layer.kernel])
    assert layer.kernel.numpy() == 0.0
    optimizer.finalize_variable_values([layer.kernel])
    assert layer.kernel.numpy() == expected


# Rules


@pytest.mark.parametrize(("package", "left"), [(keras.optimizers, 0.046236), (tfadaopt, 0.999)])
def test_ftrl_keeps_the_weights_it_starts_from(package, left):
    w = keras.Variable([1.0])
    package.Ftrl(0.001).apply(constant([0.1]), [w])
    np.testing.assert_allclose(w.numpy(), left, rtol=1e-4)


@pytest.mark.parametrize(("package", "moved"), [(keras.optimizers, 0.5**0.5), (tfadaopt, 1.0)])
def test_adafactor_takes_the_rate_it_is_given(package, moved):
    w, optimizer = keras.Variable([1.0]), package.Adafactor(1.0, relative_step=False)
    for _ in range(2):
        w.assign([1.0])
        optimizer.apply(constant([1.0]), [w])
    np.testing.assert_allclose(1 - w.numpy(), moved, rtol=1e-6)


# Embeddings and missing gradients


@pytest.mark.parametrize("repeat", [1, 3])
def test_loss_scale_with_an_embedding(repeat):
    rows = tf.IndexedSlices(tf.ones((repeat, 2)), tf.ones(repeat, "int32"), (3, 2))
    with pytest.raises(TypeError):
        keras.optimizers.SGD(1.0, loss_scale_factor=2.0).apply([rows], [keras.Variable([[0.0]])])
    table = keras.Variable(np.zeros((3, 2), "float32"))
    tfadaopt.SGD(1.0, loss_scale_factor=2.0).apply([rows], [table])
    np.testing.assert_array_equal(table.numpy(), [[0, 0], [-repeat / 2] * 2, [0, 0]])


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(("package", "moved"), [(keras.optimizers, 0.0), (tfadaopt, 0.5)])
def test_accumulated_gradient_survives_a_batch_without_one(package, moved):
    a, b = keras.Variable([0.0]), keras.Variable([0.0])
    optimizer = package.SGD(1.0, gradient_accumulation_steps=2)
    optimizer.apply(constant([1.0], [1.0]), [a, b])
    optimizer.apply([tf.constant([1.0]), None], [a, b])
    assert -a.numpy() == 1.0
    assert -b.numpy() == moved


# State in files


def small_model(optimizer, trainable=True):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, trainable=trainable), keras.layers.Dense(1)]
    )
    model.compile(optimizer, "mse", run_eagerly=True)
    return model


def train(model, steps):
    random = np.random.default_rng(steps)
    x, y = random.normal(size=(8, 2)).astype("float32"), np.ones((8, 1), "float32")
    for _ in range(steps):
        model.train_on_batch(x, y)


def frozen_file(optimizer, path):
    """A model whose first layer was frozen after some steps, saved."""
    model = small_model(optimizer)
    train(model, 2)
    model.layers[0].trainable = False
    model.compile(model.optimizer, "mse")
    model.save(path)


def test_state_that_does_not_fit_is_said(tmp_path):
    """The model is there, and what was not taken, with the reason and what to do."""
    frozen_file(keras.optimizers.SGD(0.1, momentum=0.9), tmp_path / "keras.keras")
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        loaded = keras.models.load_model(tmp_path / "keras.keras")
    assert int(loaded.optimizer.iterations.numpy()) == 0  # starts anew, silently but for that
    frozen_file(tfadaopt.Momentum(0.1), tmp_path / "ours.keras")
    with pytest.warns(UserWarning, match=r"fresh state.*of 4 trainable.*has 2.*frozen.*compile"):
        loaded = keras.models.load_model(tmp_path / "ours.keras")
    assert int(loaded.optimizer.iterations.numpy()) == 0


@each_shape
def test_weights_loaded_before_build_resume_bit_for_bit(case, tmp_path):
    model = small_model(case.make())
    train(model, 3)
    model.save_weights(tmp_path / "model.weights.h5")
    train(model, 3)
    resumed = small_model(case.make())
    assert not resumed.optimizer.built
    resumed.load_weights(tmp_path / "model.weights.h5")
    train(resumed, 3)
    assert int(resumed.optimizer.iterations.numpy()) == 6
    for a, b in zip(values(model.weights), values(resumed.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keras_forgets_state_loaded_before_build(tmp_path):
    model = small_model(keras.optimizers.SGD(0.1, momentum=0.9))
    train(model, 3)
    model.save_weights(tmp_path / "model.weights.h5")
    resumed = small_model(keras.optimizers.SGD(0.1, momentum=0.9))
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        resumed.load_weights(tmp_path / "model.weights.h5")
    assert int(resumed.optimizer.iterations.numpy()) == 0


def test_waiting_state_that_does_not_fit_is_a_warning(tmp_path):
    """Weights are often loaded to go on from, with other layers frozen."""
    model = small_model(tfadaopt.Momentum(0.1))
    train(model, 1)
    model.save_weights(tmp_path / "model.weights.h5")
    other = small_model(tfadaopt.Momentum(0.1), trainable=False)
    other.load_weights(tmp_path / "model.weights.h5")
    with pytest.warns(UserWarning, match="fresh state"):
        train(other, 1)
    assert int(other.optimizer.iterations.numpy()) == 1


# NaN and infinity


@pytest.mark.parametrize(
    ("case", "bad", "mode"),
    [
        *(quick(case, np.nan, mode) for case in SHAPES for mode in ("eager", "jit")),
        *((case, bad, "eager") for case in THREE for bad in (np.inf, -np.inf)),
    ],
)
def test_gradient_that_is_not_finite_is_skipped(case, bad, mode):
    """The variable and its state stay; the other variable goes on."""
    optimizer, expected = case.make(), case.make()
    a, b = (keras.Variable([1.0, 2.0], name=n) for n in "ab")
    c, d = (keras.Variable([1.0, 2.0], name=n) for n in "cd")
    for o, variables in ((optimizer, [a, b]), (expected, [c, d])):
        o.build(variables)
    good, poisoned = tf.constant([0.5, -1.0]), tf.constant([0.5, bad])

    def step(g):
        optimizer.apply([g, good], [a, b])

    step = tf.function(step, jit_compile=True) if mode == "jit" else step
    step(good)
    state = tfadaopt.accumulators(optimizer, a)
    kept = a.numpy()
    step(poisoned)
    np.testing.assert_array_equal(a.numpy(), kept)
    after = tfadaopt.accumulators(optimizer, a)
    assert after.pop("skipped_updates") == 1
    for name, slot in after.items():
        if name not in optimizer.shared():
            np.testing.assert_array_equal(slot, state[name])
    expected.apply([good, good], [c, d])
    expected.apply([tf.zeros(2), good], [c, d])
    np.testing.assert_allclose(b.numpy(), d.numpy(), rtol=1e-6)


def test_not_finite_is_computed_with_on_request():
    w = keras.Variable([1.0])
    optimizer = tfadaopt.Momentum(nonfinite="ignore")
    optimizer.apply(constant([np.nan]), [w])
    assert np.isnan(w.numpy()).all()
    assert tfadaopt.Momentum.from_config(optimizer.get_config()).nonfinite == "ignore"


@pytest.mark.parametrize("value", [None, True, "raise", 1])
def test_bad_nonfinite_is_refused(value):
    with pytest.raises(ValueError, match=r"SGD: nonfinite=.*'skip'.*'ignore'"):
        tfadaopt.SGD(nonfinite=value)


# Half precision


def test_small_steps_of_bfloat16_are_right_on_average():
    """At 1 the next smaller bfloat16 is 1/256 away: rounding loses each of these steps."""
    size = 4096
    plain, ours = (keras.Variable(np.ones(size), dtype="bfloat16") for _ in range(2))
    g = tf.ones(size, "bfloat16")
    keras_sgd, sgd = keras.optimizers.SGD(2.0**-12), tfadaopt.SGD(2.0**-12)
    for _ in range(64):
        keras_sgd.apply([g], [plain])
        sgd.apply([g], [ours])
    assert (plain.numpy().astype("float32") == 1).all()
    assert ours.numpy().astype("float32").mean() == pytest.approx(1 - 64 * 2.0**-12, abs=1e-3)


# Several devices


def on_two_devices(strategy):
    def step(optimizer, w):
        @tf.function
        def on_each():
            strategy.run(lambda: optimizer.apply([tf.constant([3.0])], [w]))

        on_each()

    found = {}
    for package, name in ((keras.optimizers, "keras"), (tfadaopt, "tfadaopt")):
        of_package = found[name] = {}
        for clip in ("clipnorm", "global_clipnorm", "clipvalue"):
            with strategy.scope():
                w = keras.Variable([0.0])
                optimizer = package.SGD(1.0, **{clip: 1.0})
                optimizer.build([w])
            step(optimizer, w)
            of_package[clip] = -float(w.numpy()[0])
        with strategy.scope():
            w = keras.Variable([0.0])
            optimizer = package.SGD(1.0, gradient_accumulation_steps=2)
            optimizer.build([w])
        try:
            step(optimizer, w)
            of_package["accumulation"] = "no error"
        except (RuntimeError, ValueError) as error:
            of_package["accumulation"] = str(error)
    return found


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_is_of_the_sum_over_replicas(clip, two_devices):
    """Two replicas with a gradient of 3 each: the clipped sum is 1, not 1 + 1."""
    assert two_devices["keras"][clip] == 2.0
    assert two_devices["tfadaopt"][clip] == 1.0


def test_compiled_accumulation_under_a_strategy_says_what_to_do(two_devices):
    assert "merge_call" in two_devices["keras"]["accumulation"]
    assert "run_eagerly=True" in two_devices["tfadaopt"]["accumulation"]
