"""Keywords that change the step of single variables: factors, masks, transformed gradients."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor
from tfadaopt.callbacks.history import read
from tfadaopt.optimizers.rule import writes

from .cases import FULLEST, RATE, SHAPES, each_shape_with_a_rate, quick, rows, three_methods
from .references.cautious import cautious_factor
from .references.transforms import centralize, clip_adaptively
from .steps import WAYS, each_way, step_of
from .support.models import X, Y, fit, make_model

SHAPES_OF_TWO = [(5, 3), (3,)]


def variables(dtype="float32"):
    random = np.random.default_rng(5)
    return [
        keras.Variable(random.normal(size=shape), dtype=dtype, name=name)
        for shape, name in zip(SHAPES_OF_TWO, ("kernel", "bias"), strict=True)
    ]


def gradients(steps=6, dtype="float32"):
    random = np.random.default_rng(6)
    return [
        [tf.constant(random.normal(size=shape), dtype) for shape in SHAPES_OF_TWO]
        for _ in range(steps)
    ]


def logged(folder, quantity):
    """Means of the last snapshot, by layer."""
    table = read(folder)["."].quantities[quantity, "mean"]
    return dict(zip(table.layers, table.values[-1], strict=True))


def trained(optimizer, way="eager", dtype="float32"):
    found = variables(dtype)
    step = step_of(optimizer, found, way)
    for g in gradients(dtype=dtype):
        step(*g)
    return found


# Factors


def alone(case):
    """A step of one variable depends on no other."""
    return not writes(case.make(), "shared")


@pytest.mark.slow
@each_way
@pytest.mark.parametrize("case", rows([case for case in SHAPES if alone(case)]))
def test_a_factor_is_a_rate_of_its_own(case, way):
    kernel, bias = trained(case.make(learning_rate_multipliers={"^ker": 0.25, "e": 0.5}), way)
    for found, i, factor in ((kernel, 0, 0.25), (bias, 1, 1.0)):
        expected = trained(case.make(learning_rate=case.rate * factor), way)[i]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@each_shape_with_a_rate
def test_a_factor_is_in_the_rate_that_is_read(case):
    rates = []
    for factors in (None, {"kernel": 0.25}):
        optimizer, found = case.make(learning_rate_multipliers=factors), variables()
        step_of(optimizer, found)(*gradients(1)[0])
        rates.append([tfadaopt.effective_learning_rate(optimizer, v).numpy() for v in found])
    plain, scaled = rates
    np.testing.assert_allclose(scaled[0], 0.25 * plain[0], rtol=1e-5)
    np.testing.assert_allclose(scaled[1], plain[1], rtol=1e-5)


def test_a_monitor_reads_the_factor_of_layers_that_are_alike(tmp_path):
    model = make_model(tfadaopt.Adagrad(0.5, learning_rate_multipliers={"outputs": 0.0}))
    fit(model, OptimizerMonitor(tmp_path, every=1), epochs=1)
    by_layer = logged(tmp_path, "effective_learning_rate")
    assert by_layer["outputs/kernel"] == by_layer["outputs/bias"] == 0
    assert by_layer["hidden/kernel"] > 0


def test_a_pattern_without_variables_is_reported():
    with pytest.warns(UserWarning, match=r"'encoder' of learning_rate_multipliers matches none"):
        tfadaopt.SGD(learning_rate_multipliers={"encoder": 0.1}).build(variables())


@pytest.mark.parametrize(
    ("factors", "error"),
    [({"a": -1.0}, ValueError), ({"a": "b"}, TypeError), (["a"], TypeError), ({1: 2.0}, TypeError)],
)
def test_bad_factors_are_refused(factors, error):
    with pytest.raises(error, match=r"SGD: learning_rate_multipliers"):
        tfadaopt.SGD(learning_rate_multipliers=factors)


# Cautious steps


def straying(case):
    try:
        case.make(cautious=True)
    except ValueError:
        return False
    return True


CAUTIOUS = [case for case in FULLEST if straying(case)]


def test_methods_without_cautious_steps():
    refused = {case.name for case in FULLEST} - {case.name for case in CAUTIOUS}
    sizes_only = {"SGD", "Adagrad", "AdaGradNorm", "Adadelta", "Rprop"}
    one_rate_or_mean = {"DoG", "DoWG", "Prodigy", "DAdaptAdam", "ScheduleFreeSGD"}
    assert refused == {*sizes_only, *one_rate_or_mean, "ScheduleFreeAdamW"}


@pytest.mark.parametrize("case", rows(CAUTIOUS))
def test_cautious_steps_are_the_masked_steps(case):
    # The next step of the same state, with and without the mask.
    plain, masked = (case.make(weight_decay=None, cautious=x) for x in (False, True))
    one, two = variables(), variables()
    for g in gradients():
        before = [v.numpy() for v in one]
        step_of(plain, one)(*g)
        for v, start in zip(two, before, strict=True):
            v.assign(start)
        step_of(masked, two)(*g)
        for a, b, x, start in zip(one, two, g, before, strict=True):
            u, moved = start - a.numpy(), start - b.numpy()
            factor = cautious_factor(u, x.numpy())
            np.testing.assert_allclose(moved, u * factor, rtol=1e-3, atol=2e-6)
            caution = tfadaopt.accumulators(masked, b)["caution"].numpy()
            np.testing.assert_allclose(caution, factor, rtol=1e-6)


# SOAP's basis of a space without gradients is arbitrary, and another one under XLA.
@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("case", [quick(c) for c in SHAPES if c in CAUTIOUS and c.has_rate])
def test_cautious_steps_are_the_same_in_each_way(case):
    # In float64: a rounding that turns a sign would turn a mask.
    eager, function, xla = (
        trained(case.make(weight_decay=None, cautious=True), way, "float64") for way in WAYS
    )
    for a, b, c in zip(eager, function, xla, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        np.testing.assert_allclose(a, c, rtol=1e-6)


def test_the_mask_is_in_the_rate_and_not_in_the_decay():
    optimizer = tfadaopt.AdamW(RATE, weight_decay=0.5, cautious=True)
    found = variables()
    step = step_of(optimizer, found)
    for g in gradients():
        before = [v.numpy() for v in found]
        step(*g)
    rates = [tfadaopt.effective_learning_rate(optimizer, v).numpy() for v in found]
    assert any((rate == 0).any() for rate in rates)
    for start, v, rate in zip(before, found, rates, strict=True):
        m = tfadaopt.accumulators(optimizer, v)["momentum"].numpy()
        np.testing.assert_allclose(start * (1 - RATE * 0.5) - v, rate * m, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("method", ["Adan", "LAMB", "LARS"])
def test_a_decay_inside_the_step_and_a_mask_are_refused(method):
    with pytest.raises(ValueError, match=r"cautious=True with weight_decay=0.1"):
        getattr(tfadaopt, method)(weight_decay=0.1, cautious=True)


# Transformed gradients


@each_way
def test_a_unit_is_clipped_against_its_weights(way):
    clip = tfadaopt.AdaptiveClip(0.9, exclude=[])
    optimizer, found = tfadaopt.SGD(1.0, gradient_transforms=[clip]), variables()
    step = step_of(optimizer, found, way)
    for g in gradients():
        before = [v.numpy() for v in found]
        step(*g)
        for start, v, x in zip(before, found, g, strict=True):
            expected, clipped = clip_adaptively(start, x.numpy(), 0.9)
            np.testing.assert_allclose(start - v.numpy(), expected, rtol=1e-4, atol=1e-6)
            kept = tfadaopt.accumulators(optimizer, v)["clipped_share"]
            np.testing.assert_allclose(kept, clipped.mean(), rtol=1e-6)


def test_the_last_layer_is_not_clipped():
    model = make_model(tfadaopt.SGD(1e-9, gradient_transforms=[tfadaopt.AdaptiveClip(1e-9)]))
    fit(model, epochs=1)
    shares = [
        float(tfadaopt.accumulators(model.optimizer, v)["clipped_share"])
        for v in model.trainable_variables
    ]
    assert shares == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("shape", [(), (3,), (5, 3), (2, 2, 4, 3)])
def test_each_rank_has_units(shape):
    clip = tfadaopt.AdaptiveClip(0.5, exclude=[])
    g, share = clip(tf.fill(shape, 4.0), tf.fill(shape, 2.0))
    np.testing.assert_allclose(g, np.full(shape, 1.0), rtol=1e-6)
    assert float(share) == 1


@pytest.mark.parametrize("value", [np.inf, 1e30, np.nan])
def test_a_gradient_that_does_not_fit_is_still_left_out(value):
    clip = tfadaopt.AdaptiveClip(0.01, exclude=[])
    optimizer, found = tfadaopt.Adam(gradient_transforms=[clip]), variables()
    before = [v.numpy() for v in found]
    bad = np.ones(SHAPES_OF_TWO[0], "float32")
    bad[0, 0] = value
    optimizer.apply([tf.constant(bad), gradients(1)[0][1]], found)
    np.testing.assert_array_equal(found[0], before[0])
    assert (found[1].numpy() != before[1]).all()
    assert int(tfadaopt.accumulators(optimizer, found[0])["skipped_updates"]) == 1


@pytest.mark.parametrize("shape", [(5, 3), (2, 2, 4, 3)])
def test_a_centralized_gradient_is_the_twin_s(shape):
    g = np.random.default_rng(0).normal(size=shape)
    found, _ = tfadaopt.Centralize()(tf.constant(g), tf.constant(g))
    np.testing.assert_allclose(found, centralize(g), rtol=1e-12)


def test_small_gradients_are_not_taken_for_none():
    optimizer, w = tfadaopt.Momentum(1.0, cautious=True), keras.Variable([0.0, 0.0])
    optimizer.apply([tf.constant([1e-30, -1e-30])], [w])
    assert tfadaopt.accumulators(optimizer, w)["caution"].numpy().tolist() == [1.0, 1.0]


def test_a_centralized_gradient_moves_no_sum():
    optimizer = tfadaopt.Momentum(RATE, gradient_transforms=[tfadaopt.Centralize()])
    before, found = [v.numpy() for v in variables()], trained(optimizer)
    np.testing.assert_allclose(found[0].numpy().sum(0), before[0].sum(0), rtol=1e-5)
    assert abs(found[1].numpy().sum() - before[1].sum()) > 1e-3


def test_transforms_come_in_their_order():
    clip, center = tfadaopt.AdaptiveClip(0.1, exclude=[]), tfadaopt.Centralize()
    one = trained(tfadaopt.SGD(1.0, gradient_transforms=[clip, center]))[0]
    other = trained(tfadaopt.SGD(1.0, gradient_transforms=[center, clip]))[0]
    assert np.abs(one.numpy() - other.numpy()).max() > 1e-3


def test_rows_of_an_embedding_are_transformed_as_a_whole():
    table = keras.Variable(np.ones((4, 2), "float32"))
    clip = tfadaopt.AdaptiveClip(0.5, exclude=[])
    optimizer = tfadaopt.Adagrad(gradient_transforms=[clip])
    slices = tf.IndexedSlices(tf.constant([[3.0, 0.0]]), tf.constant([1]), tf.constant([4, 2]))
    optimizer.apply([slices], [table])
    sums = tfadaopt.accumulators(optimizer, table)["accumulator"].numpy()
    np.testing.assert_allclose(sums[1], [1.0, 0.0], rtol=1e-6)  # 0.5 · ‖(1, 1, 1, 1)‖, squared


# All three, in fit and in files


ALL = {
    "cautious": True,
    "learning_rate_multipliers": {"hidden": 0.5},
    "gradient_transforms": [tfadaopt.AdaptiveClip(0.02), tfadaopt.Centralize()],
}


@pytest.mark.slow
@three_methods
def test_a_file_keeps_them(case, tmp_path):
    more = {k: v for k, v in ALL.items() if k != "cautious" or case in CAUTIOUS}
    model = make_model(case.make(**more))
    fit(model, epochs=1)
    json.dumps(model.optimizer.get_config())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, again):
        fit(one, epochs=1)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_goes_on_where_a_transform_was_taken_away(tmp_path):
    clip = tfadaopt.AdaptiveClip(0.02)
    model = make_model(tfadaopt.Momentum(RATE, gradient_transforms=[clip]))
    fit(model, epochs=1)
    model.save_weights(tmp_path / "x.weights.h5")
    for transforms in ([], [clip]):
        other = make_model(tfadaopt.Momentum(RATE, gradient_transforms=transforms))
        other.load_weights(tmp_path / "x.weights.h5")
        fit(other, steps_per_epoch=1, epochs=1)
        assert int(other.optimizer.iterations) == len(X) // 4 + 1


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"jit_compile": True}, {"steps_per_execution": 3}], ids=str)
def test_fit_does_the_same_in_each_mode(how):
    weights = []
    for arguments in ({}, how):
        model = make_model(tfadaopt.Adam(RATE, **ALL), **arguments)
        fit(model, epochs=2)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_clipped_share_of_each_layer_is_logged(tmp_path):
    clip = tfadaopt.AdaptiveClip(1e-6)
    model = make_model(tfadaopt.Momentum(RATE, gradient_transforms=[clip]))
    fit(model, OptimizerMonitor(tmp_path, every=1), epochs=1)
    assert logged(tmp_path, "accumulator/clipped_share") == {
        "hidden/kernel": 1.0,
        "hidden/bias": 1.0,
        "outputs/kernel": 0.0,
        "outputs/bias": 0.0,
    }


@pytest.mark.parametrize("given", ["clip", [1], [tfadaopt.AdaptiveClip], 3])
def test_what_is_no_transform_is_refused(given):
    with pytest.raises(TypeError, match=r"SGD: gradient_transforms"):
        tfadaopt.SGD(gradient_transforms=given)


@pytest.mark.parametrize("bad", [{"clipping": 0.0}, {"epsilon": -1.0}, {"exclude": ["("]}])
def test_bad_arguments_of_a_clip_are_refused(bad):
    with pytest.raises(Exception, match=r"AdaptiveClip|missing \)"):
        tfadaopt.AdaptiveClip(**bad)


# Two devices


def on_two_devices(strategy):
    """Weights and shares after steps with all three keywords, on one device and on two."""
    found = []
    for scope in (tf.distribute.get_strategy(), strategy):
        with scope.scope():
            model = make_model(tfadaopt.Adam(RATE, **ALL))
        fit(model, x=X, y=Y, batch_size=8, epochs=2)
        shares = [
            float(tfadaopt.accumulators(model.optimizer, v)["clipped_share"])
            for v in model.trainable_variables
        ]
        found.append([*(w.tolist() for w in model.get_weights()), shares])
    return found


@pytest.mark.slow
def test_two_devices_equal_one(two_devices):
    one, two = two_devices
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["SOAP", "Muon"])
def test_cautious_steps_of_a_subclass_are_those_of_its_base(name):
    base, ends = getattr(tfadaopt, name), []
    for cls in (base, type(f"My{name}", (base,), {"__module__": __name__})):
        w = keras.Variable(np.linspace(-1, 1, 6, dtype="float32").reshape(3, 2))
        optimizer = cls(0.1, cautious=True)
        for g in np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32"):
            optimizer.apply([tf.constant(g)], [w])
        ends.append(w.numpy())
    np.testing.assert_allclose(*ends, rtol=1e-5)
