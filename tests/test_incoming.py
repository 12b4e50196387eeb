"""Which variable, which dtype, which number: what comes into a step, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import SHAPES, THREE, quick, three_methods

MODES = ["eager", "function", "jit"]


def stepped(mode, step):
    """A step as it is, in a function, or in one that XLA compiles."""
    return step if mode == "eager" else tf.function(step, jit_compile=mode == "jit")


# Half precision


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    ("dtype", "mode", "batches"),
    [*(("bfloat16", mode, 512) for mode in MODES), ("float16", "function", 4096)],
)
def test_half_precision_adds_up_many_batches(dtype, mode, batches):
    """A bfloat16 sum of ones stops at 256, a float16 one at 2048."""
    w = keras.Variable([0.0], dtype=dtype)
    optimizer = tfadaopt.SGD(1.0, gradient_accumulation_steps=batches)
    optimizer.build([w])
    step = stepped(mode, lambda g: optimizer.apply([g], [w]))
    for _ in range(batches):
        step(tf.ones([1], dtype))
    assert float(w.numpy()[0]) == -1.0


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    ("dtype", "mode"), [*(("bfloat16", mode) for mode in MODES), ("float16", "function")]
)
def test_half_precision_averages_move(dtype, mode):
    """In half precision, 0.999 of an average and 0.001 of a weight are the average again."""
    w = keras.Variable([1.0], dtype=dtype)
    optimizer = tfadaopt.SGD(0.0, use_ema=True, ema_momentum=0.999)
    optimizer.build([w])
    step = stepped(mode, lambda: optimizer.apply([tf.zeros([1], dtype)], [w]))
    step()
    w.assign([2.0])
    for _ in range(1000):
        step()
    optimizer.finalize_variable_values([w])
    assert float(w.numpy()[0]) == pytest.approx(2 - 0.999**1000, rel=0.01)


CLIPS = [
    ({"clipnorm": 1.0}, 300.0, 1 / 2),
    ({"global_clipnorm": 1.0}, 300.0, 1 / 2),
    ({"clipvalue": 0.5}, 300.0, 0.5),
    ({"loss_scale_factor": 1024.0}, 1024.0, 1.0),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("keywords", "size", "moved"), CLIPS, ids=[str(c[0]) for c in CLIPS])
def test_half_precision_is_clipped_and_unscaled(keywords, size, moved, mode):
    """A norm above 256 has a square that float16 does not hold."""
    w = keras.Variable(np.zeros(4), dtype="float16")
    optimizer = tfadaopt.SGD(1.0, **keywords)
    optimizer.build([w])
    step = stepped(mode, lambda: optimizer.apply([tf.fill([4], tf.cast(size, "float16"))], [w]))
    step()
    np.testing.assert_allclose(w.numpy().astype("float32"), -moved, rtol=2e-3)


# Which variable


def same_names():
    return [keras.Variable([1.0], name="twin") for _ in range(2)]


@three_methods
def test_a_variable_that_is_named_twice_is_refused(case):
    a, b = same_names()
    g = tf.constant([1.0])
    with pytest.raises(ValueError, match=r"'twin' is named twice; give each variable once"):
        case.make().apply([g, g, g], [a, b, a])
    assert a.numpy() == b.numpy() == 1.0


def test_one_of_two_with_one_name_is_excluded_from_decay():
    a, b = same_names()
    optimizer = tfadaopt.SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[b])
    optimizer.apply([tf.constant([0.0])] * 2, [a, b])
    assert (a.numpy(), b.numpy()) == (0.5, 1.0)


def test_averages_find_their_variable_after_a_layer_was_frozen():
    a, b, c = (keras.Variable([float(i)]) for i in range(3))
    optimizer = tfadaopt.SGD(0.0, use_ema=True, ema_momentum=0.5)
    optimizer.build([a, b, c])
    zero = tf.constant([0.0])
    optimizer.apply([zero] * 3, [a, b, c])
    c.assign([10.0])
    optimizer.apply([zero], [c])  # a and b are frozen from here on
    optimizer.finalize_variable_values([c])
    assert (a.numpy(), b.numpy(), c.numpy()) == (0.0, 1.0, 6.0)


# Which gradient


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 2)])
@three_methods
def test_a_gradient_of_another_shape_is_refused(case, shape):
    w = keras.Variable([1.0, 1.0], name="w")
    with pytest.raises(ValueError, match=r"the gradient of 'w' has the shape .* \(2,\); give"):
        case.make().apply([tf.ones(shape)], [w])
    assert w.numpy().tolist() == [1.0, 1.0]


def test_calls_without_variables_say_what_to_give():
    optimizer = tfadaopt.Adam(0.1)
    w = keras.Variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"adam\w* has no state yet.*Train one step first"):
        tfadaopt.accumulators(optimizer, w)
    with pytest.raises(ValueError, match="received no variables and has none yet"):
        optimizer.apply([tf.ones([2])])
    with pytest.raises(ValueError, match="received no pair of a gradient and a variable"):
        optimizer.apply_gradients([])
    optimizer.apply([])
    assert not optimizer.built
    optimizer.apply([tf.ones([2])], [w])
    optimizer.apply([tf.ones([2])])
    assert int(optimizer.iterations) == 2


@pytest.mark.parametrize("count", [1, 3])
def test_more_or_fewer_gradients_than_variables_are_refused(count):
    variables = [keras.Variable([1.0]) for _ in range(2)]
    with pytest.raises(ValueError, match=rf"received {count} gradients for 2 variables"):
        tfadaopt.SGD().apply([tf.ones([1])] * count, variables)


def by_apply(optimizer, gradients, variables):
    optimizer.apply(gradients, variables)


def by_apply_without_variables(optimizer, gradients, variables):
    optimizer.build(variables)
    optimizer.apply(gradients)


def by_pairs(optimizer, gradients, variables):
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("way", [by_apply, by_apply_without_variables, by_pairs])
@pytest.mark.parametrize("last", [False, True])
def test_a_gradient_that_is_missing_in_a_batch_counts_as_zero(way, last):
    a, b = keras.Variable([0.0]), keras.Variable([0.0])
    optimizer = tfadaopt.SGD(1.0, gradient_accumulation_steps=2)
    one = tf.constant([1.0])
    batches = [[one, one], [one, None]]
    for gradients in batches if last else batches[::-1]:
        way(optimizer, gradients, [a, b])
    assert (a.numpy(), b.numpy()) == (-1.0, -0.5)


# Which dtype


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    ("case", "mode"),
    [
        *(quick(case, "eager") for case in SHAPES),
        *(quick(case, mode) for case in THREE for mode in ("function", "jit")),
    ],
)
def test_whole_numbers_and_switches_stay(case, mode):
    w, alone = keras.Variable([1.0, 2.0]), keras.Variable([1.0, 2.0])
    count, switch = (keras.Variable([3, 1], dtype=dtype) for dtype in ("int32", "bool"))
    optimizer, expected = case.make(), case.make()
    optimizer.build([w, count, switch])
    expected.build([alone])
    g = tf.constant([1.0, -0.5])
    step = stepped(mode, lambda: optimizer.apply([g, None, None], [w, count, switch]))
    for _ in range(3):
        step()
        expected.apply([g], [alone])
    np.testing.assert_allclose(w.numpy(), alone.numpy(), rtol=1e-6)
    assert count.numpy().tolist() == [3, 1]
    assert switch.numpy().tolist() == [True, True]


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_averages_leave_whole_numbers_alone():
    w, count = keras.Variable([1.0]), keras.Variable([3], dtype="int32")
    optimizer = tfadaopt.SGD(0.5, use_ema=True)
    optimizer.apply([tf.constant([1.0]), None], [w, count])
    optimizer.finalize_variable_values([w, count])
    assert (w.numpy(), count.numpy()) == (0.5, 3)


@three_methods
def test_complex_weights_are_refused(case):
    w = tf.Variable([1 + 1j])
    with pytest.raises(TypeError, match=r"complex, for which .* two variables"):
        case.make().build([w])


# Rates that come later


@pytest.mark.parametrize("value", [-1, -1e-9, np.nan, np.inf, "0.1", None, [0.1]])
def test_a_bad_rate_is_refused_when_it_is_given_later(value):
    optimizer = tfadaopt.SGD(0.5)
    with pytest.raises((TypeError, ValueError), match="learning_rate"):
        optimizer.learning_rate = value
    assert float(optimizer.learning_rate) == 0.5


@pytest.mark.parametrize("value", [0, 1, np.float32(0.25), np.array(0.25), tf.constant(0.25)])
def test_any_number_is_a_rate_later(value):
    optimizer = tfadaopt.SGD(0.5)
    optimizer.learning_rate = value
    assert float(optimizer.learning_rate) == float(value)


def test_a_rate_may_be_computed_in_the_graph_of_a_step():
    w, optimizer = keras.Variable([0.0]), tfadaopt.SGD(0.5)
    optimizer.build([w])

    def step(rate):
        optimizer.learning_rate = 2 * rate
        optimizer.apply([tf.ones([1])], [w])

    tf.function(step, autograph=False)(tf.constant(0.125))
    assert w.numpy().tolist() == [-0.25]


each_callable_rate = pytest.mark.parametrize(
    "rate",
    [lambda: 0.25, keras.optimizers.schedules.ExponentialDecay(0.25, 10, 0.5)],
    ids=["callable", "schedule"],
)


@each_callable_rate
def test_a_callable_rate_may_be_given_later(rate):
    w, optimizer = keras.Variable([0.0]), tfadaopt.SGD(0.5)
    optimizer.build([w])
    optimizer.learning_rate = rate
    optimizer.apply([tf.ones([1])], [w])
    assert w.numpy().tolist() == [-0.25]


@each_callable_rate
def test_no_number_over_a_callable_rate(rate):
    optimizer = tfadaopt.SGD(rate)
    with pytest.raises(TypeError, match=r"ReduceLROnPlateau.*tf\.Variable"):
        optimizer.learning_rate = 0.5


def test_reduce_on_plateau_says_what_to_do_with_a_callable_rate():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(tfadaopt.SGD(lambda: 1e-6), "mse")
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1.0)
    with pytest.raises((TypeError, ValueError), match=r"learning_rate|callable"):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=4, verbose=0, callbacks=[plateau])


# Keywords


class Thing:
    """A callable that wants an argument."""

    def __call__(self, step):
        return 0.1


REFUSED = [
    ("use_ema", "False"),
    ("use_ema", 1),
    ("use_ema", None),
    ("ema_momentum", np.nan),
    ("ema_momentum", 1.5),
    ("ema_momentum", "0.9"),
    ("ema_overwrite_frequency", 0),
    ("ema_overwrite_frequency", -1),
    ("ema_overwrite_frequency", 2.5),
    ("clipnorm", 1e39),
    ("clipnorm", 1e-50),
    ("global_clipnorm", np.inf),
    ("clipvalue", 1e-50),
    ("loss_scale_factor", 1e39),
    ("weight_decay", 1e39),
    ("learning_rate", 1e39),
    ("learning_rate", int),
    ("learning_rate", keras.optimizers.schedules.ExponentialDecay),
    ("learning_rate", Thing()),
    ("learning_rate", lambda step: 0.1),
    ("gradient_accumulation_steps", 2**70),
    ("name", 3),
]


IDS = [f"{keyword}-{number}" for number, (keyword, _) in enumerate(REFUSED)]


@pytest.mark.parametrize(("keyword", "value"), REFUSED, ids=IDS)
def test_a_keyword_that_cannot_work_is_refused_and_named(keyword, value):
    more = {"use_ema": True} if keyword.startswith("ema") else {}
    with pytest.raises((TypeError, ValueError), match=keyword):
        tfadaopt.SGD(**{**more, keyword: value})


def test_averages_are_not_kept_for_numbers_without_them():
    """``use_ema`` off: the other two are no numbers that anything is computed with."""
    assert tfadaopt.SGD(ema_momentum=0.5).get_config()["ema_momentum"] == 0.5


# Strategies


def test_an_optimizer_made_outside_the_scope_is_named():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    optimizer = tfadaopt.SGD()
    with strategy.scope():
        w = keras.Variable([1.0])
        with pytest.raises((ValueError, RuntimeError), match="scope"):
            optimizer.build([w])


@pytest.mark.parametrize(
    "keywords",
    [{"gradient_accumulation_steps": 2}, {"ema_overwrite_frequency": 2, "use_ema": True}],
)
def test_what_fails_in_a_compiled_step_under_a_strategy_is_refused(keywords):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        w, optimizer = keras.Variable([1.0]), tfadaopt.SGD(**keywords)
        optimizer.build([w])
        step = tf.function(lambda: optimizer.apply([tf.ones([1])], [w]), autograph=False)
        name, value = next(iter(keywords.items()))
        with pytest.raises(ValueError, match=f"{name}={value} does not work in a compiled step"):
            step()


def test_replacing_weights_by_averages_is_refused_under_a_strategy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(tfadaopt.SGD(use_ema=True, ema_overwrite_frequency=2), "mse")
    with pytest.raises(ValueError, match=r"ema_overwrite_frequency=2 does not(.|\n)*run_eagerly"):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0)
