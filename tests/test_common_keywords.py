"""The keywords that all optimizers share do what they say, for every method."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.testing import common, incoming
from tfadaopt.testing.steps import KERNEL_AND_BIAS, apply_all, some_gradients, some_variables
from tfadaopt.testing.subject import Subject

from .cases import FULLEST, RATE, SHAPES, THREE, each_shape, quick, rows, three_methods


def same(actual, expected, rtol=1e-6):
    for a, e in zip(actual, expected, strict=True):
        a, e = (x.numpy() if isinstance(x, keras.Variable) else x for x in (a, e))
        np.testing.assert_allclose(a, e, rtol=rtol, atol=1e-7)


# Weight decay


# These papers decay otherwise: a row with a decay holds each to its twin. DoG measures how far the
# weights go, decay included.
DECAY = {
    "Adan",
    "LARS",
    "LAMB",
    "ScheduleFreeSGD",
    "ScheduleFreeAdamW",
    "DAdaptAdam",
    "Prodigy",
    "StableAdamW",
    "NovoGrad",
    "SGDP",
    "AdamP",
}


# The first update of these moves nothing, decay included: tests/test_fitting.py.
LATER = {"ADOPT", "SOAP"}
# Its decay has the rate of the step, which for a part is another: tests/test_muon.py.
PARTS = {"Muon"}


@pytest.mark.parametrize(
    "case", rows([c for c in FULLEST if c.name not in {*DECAY, *LATER, *PARTS, "DoG"}])
)
def test_weight_decay_shrinks_before_the_step(case):
    def decay(variables):
        for v in variables:
            v.assign(v * (1 - RATE * 0.5))

    steps = some_gradients(3)
    actual = apply_all(case.make(weight_decay=0.5), steps)
    same(actual, apply_all(case.make(weight_decay=None), steps, before=decay))


def small_model():
    inputs = keras.Input((2,))
    x = keras.layers.Dense(3, name="dense", bias_initializer="ones")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name="dense_knee", bias_initializer="ones")(x))


def shrunk(optimizer, model) -> set[str]:
    """Paths of the variables that decay: with zero gradients nothing else moves."""
    before = [v.numpy() for v in model.trainable_variables]
    zeros = [tf.zeros(v.shape) for v in model.trainable_variables]
    for _ in range(2):  # the first update of some moves nothing
        optimizer.apply(zeros, model.trainable_variables)
    pairs = zip(model.trainable_variables, before, strict=True)
    return {v.path for v, old in pairs if not np.array_equal(v.numpy(), old)}


EVERYTHING = {"dense/kernel", "dense/bias", "dense_knee/kernel", "dense_knee/bias"}


@pytest.mark.parametrize("way", ["keyword", "method"])
@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        ([], set()),
        (["bias"], {"dense/bias", "dense_knee/bias"}),
        (["^dense/bias$"], {"dense/bias"}),
        (["dense"], EVERYTHING),
        (["ee"], {"dense_knee/kernel", "dense_knee/bias"}),  # a search, not a match of names
        (["/kernel$", "^dense/"], EVERYTHING - {"dense_knee/bias"}),
        (["nothing"], set()),
    ],
)
def test_patterns_exclude_from_weight_decay(patterns, excluded, way):
    if way == "keyword":
        optimizer = tfadaopt.SGD(0.1, weight_decay=0.1, exclude_from_weight_decay=patterns)
    else:
        optimizer = tfadaopt.SGD(0.1, weight_decay=0.1)
        optimizer.exclude_from_weight_decay(var_names=patterns)
    assert shrunk(optimizer, small_model()) == EVERYTHING - excluded


def test_variables_are_excluded_by_identity_and_calls_add_up():
    model = small_model()
    optimizer = tfadaopt.SGD(0.1, weight_decay=0.1, exclude_from_weight_decay=["kernel"])
    optimizer.exclude_from_weight_decay(var_list=[model.get_layer("dense").bias])
    assert shrunk(optimizer, model) == {"dense_knee/bias"}


def test_exclusion_after_build_is_refused():
    optimizer = tfadaopt.SGD(weight_decay=0.1)
    optimizer.build(some_variables())
    with pytest.raises(ValueError, match="already built"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])


def test_what_is_excluded_already_may_be_excluded_again():
    """Under a strategy each replica calls, and the first one builds."""
    kept, decays = keras.Variable([1.0], name="kept"), keras.Variable([1.0], name="decays")
    optimizer = tfadaopt.SGD(0.1, weight_decay=0.1)
    for _ in range(2):
        optimizer.exclude_from_weight_decay(var_list=[kept], var_names=["never"])
        optimizer.apply([keras.ops.zeros(1)] * 2, [kept, decays])
    assert kept.numpy() == [1.0]
    assert decays.numpy() < [1.0]
    with pytest.raises(ValueError, match="already built"):
        optimizer.exclude_from_weight_decay(var_list=[kept, decays])


@each_shape
def test_exclusion_survives_config_and_file(case, tmp_path):
    optimizer = case.make(weight_decay=0.1, exclude_from_weight_decay=["bias"])
    copy = type(optimizer).from_config(optimizer.get_config())
    kernels = {"dense/kernel", "dense_knee/kernel"}
    assert shrunk(copy, small_model()) == kernels
    model = small_model()
    model.compile(optimizer, "mse", run_eagerly=True)
    model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config()["exclude_from_weight_decay"] == ["bias"]
    if case.name == "SGD":  # others keep moving by what they remember
        assert shrunk(loaded.optimizer, loaded) == kernels


def test_without_weight_decay_nothing_shrinks():
    assert shrunk(tfadaopt.SGD(0.1), small_model()) == set()


# Clipping


@three_methods
@pytest.mark.parametrize("keyword", common.BY_HAND)
def test_clipping(case, keyword):
    common.clips(Subject(case.make), keyword)


# Averages, accumulation, scaling


@three_methods
def test_moving_average_of_the_weights(case):
    common.moving_average(Subject(case.make))


@three_methods
def test_accumulated_gradients_equal_the_large_batch(case):
    common.gradient_accumulation(Subject(case.make))


@three_methods
def test_gradients_are_divided_by_the_loss_scale(case):
    common.loss_scale(Subject(case.make))


# Embeddings


COMMON = {"plain": {}, "clipnorm": {"clipnorm": 1.0}, "scaled": {"loss_scale_factor": 4.0}}


@pytest.mark.parametrize(
    ("case", "keyword"),
    [
        *(quick(case, "plain") for case in SHAPES),
        *(quick(case, keyword) for case in THREE for keyword in ("clipnorm", "scaled")),
    ],
)
def test_repeated_rows_of_an_embedding_are_summed(case, keyword):
    incoming.rows_are_summed(Subject(case.make), **COMMON[keyword])


@pytest.mark.parametrize(
    ("case", "mode"),
    [
        *(quick(case, "eager") for case in SHAPES),
        *(quick(case, mode, only=mode == "jit") for case in THREE for mode in ("function", "jit")),
    ],
)
def test_gradient_of_an_embedding_layer(case, mode):
    """What the tape gives for repeated ids, against a lookup by matrix product."""
    ids = tf.constant([[0, 2], [2, 2]])
    layer = keras.layers.Embedding(4, 3)
    layer.build()
    start = layer.embeddings.numpy()
    table = keras.Variable(start)
    sparse, dense = case.make(), case.make()
    sparse.build([layer.embeddings])
    dense.build([table])

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(ids) ** 2)
        (gradient,) = tape.gradient(loss, [layer.embeddings.value])
        assert isinstance(gradient, tf.IndexedSlices)
        sparse.apply([gradient], [layer.embeddings])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((tf.one_hot(ids, 4) @ table.value) ** 2)
        dense.apply(tape.gradient(loss, [table.value]), [table])

    step = step if mode == "eager" else tf.function(step, jit_compile=mode == "jit")
    for _ in range(2):
        step()
    np.testing.assert_allclose(layer.embeddings.numpy(), table.numpy(), rtol=1e-5)
    assert not np.array_equal(table.numpy(), start)


@pytest.mark.parametrize(
    ("case", "mode"),
    [*(quick(case, "eager") for case in SHAPES), *(quick(case, "jit") for case in THREE)],
)
def test_lazy_rows_without_gradient_stay(case, mode):
    """State and decay, too; the rows that have one move as ever."""
    common = {} if case.name == "SGD" else {"weight_decay": 0.1}
    lazy = case.make(lazy_rows=["table"], **common)
    random = np.random.default_rng(2)
    table = keras.Variable(random.normal(size=(4, 3)).astype("float32"), name="table")
    bias = keras.Variable([1.0, 1.0, 1.0], name="bias")
    lazy.build([table, bias])

    def step(rows, ids):
        slices = tf.IndexedSlices(rows, ids, (4, 3))
        lazy.apply([slices, tf.constant([1.0, 0.0, 1.0])], [table, bias])

    step = tf.function(step, jit_compile=True) if mode == "jit" else step
    rows = tf.constant(random.normal(size=(3, 3)).astype("float32"))
    for _ in range(2):
        step(rows, tf.constant([0, 2, 3]))
    before, slots = table.numpy(), tfadaopt.accumulators(lazy, table)
    biases = bias.numpy()
    step(rows, tf.constant([0, 2, 2]))
    np.testing.assert_array_equal(table.numpy()[[1, 3]], before[[1, 3]])
    assert (table.numpy()[[0, 2]] != before[[0, 2]]).all()
    for name, slot in tfadaopt.accumulators(lazy, table).items():
        if slot.shape == (4, 3):
            np.testing.assert_array_equal(slot[3], slots[name][3])
    assert bias.numpy()[0] != biases[0]


def test_rows_are_lazy_on_request_only():
    plain, lazy = (keras.Variable([[1.0], [1.0]], name="table") for _ in range(2))
    optimizers = tfadaopt.Momentum(0.5), tfadaopt.Momentum(0.5, lazy_rows="table")
    for optimizer, w in zip(optimizers, (plain, lazy), strict=True):
        optimizer.apply([tf.constant([[1.0], [1.0]])], [w])
        optimizer.apply([tf.constant([[1.0], [0.0]])], [w])
    assert plain.numpy()[1, 0] < lazy.numpy()[1, 0] == 0.5
    assert plain.numpy()[0, 0] == lazy.numpy()[0, 0]
    assert optimizers[1].get_config()["lazy_rows"] == ["table"]
    assert "lazy_rows" not in optimizers[0].get_config()


def test_bad_pattern_of_lazy_rows_is_refused():
    with pytest.raises(TypeError, match="SGD: lazy_rows takes regular expressions, but 3"):
        tfadaopt.SGD(lazy_rows=[3])


# Missing gradients


@each_shape
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_variable_without_gradient_stays(case):
    steps = some_gradients(2)
    without, zero, unused = case.make(), case.make(), case.make()
    # The second variable is 0, as DoG measures all weights that have a gradient.
    a, b, c = (
        [keras.Variable(v) for v in (some_variables()[0], np.zeros(KERNEL_AND_BIAS[1], "float32"))]
        for _ in range(3)
    )
    for optimizer, variables in ((without, a), (zero, b), (unused, c)):
        optimizer.build(variables)
    for g, _ in steps:
        without.apply([tf.constant(g), None], a)
        zero.apply([tf.constant(g), tf.zeros(KERNEL_AND_BIAS[1])], b)
    same(a[:1], b[:1])
    same(a[1:], c[1:], rtol=0)
    expected = tfadaopt.accumulators(unused, c[1])
    for name, slot in tfadaopt.accumulators(without, a[1]).items():
        if name not in without.shared():
            np.testing.assert_array_equal(slot, expected[name])


@three_methods
def test_no_gradient_at_all_is_an_error(case):
    variables = some_variables()
    for steps in (None, 2):
        with pytest.raises(ValueError, match="No gradients"):
            case.make(gradient_accumulation_steps=steps).apply([None, None], variables)


def test_docstring_names_every_keyword():
    for keyword in ("weight_decay", "clipnorm", "use_ema", "gradient_accumulation_steps"):
        assert re.search(rf"^ +{keyword}: ", type(tfadaopt.SGD()).__mro__[1].__doc__, re.MULTILINE)
