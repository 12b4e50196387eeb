"""The sweep over learning rates: what it finds, and that it leaves a model as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .support.models import X, Y, fit, make_model
from .versions import needs

pytestmark = pytest.mark.slow


def linear(optimizer, curvature=1.0, noise=0.0):
    """A model of one weight w with the loss curvature · ((w − 1)² + noise²) / 2, from w = 0."""
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[0.0]])
    model.compile(optimizer, loss="mse")
    x = np.full((64, 1), np.sqrt(curvature / 2), "float32")
    return model, (x, x * (1 + noise * np.random.default_rng(0).normal(size=x.shape)))


def whole_state(model):
    metrics = [v for metric in model.metrics for v in metric.variables]
    return [
        (v, keras.ops.convert_to_numpy(v))
        for v in [*model.variables, *model.optimizer.variables, *metrics]
    ]


def unchanged(state):
    for variable, value in state:
        np.testing.assert_array_equal(variable, value)


def rich_model(optimizer, **compile_arguments):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input([4]), *layers, keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"], **compile_arguments)
    return model


@pytest.mark.parametrize("curvature", [1.0, 100.0])
def test_the_sweep_ends_where_the_method_diverges(curvature):
    # w ← (1 − η λ) w diverges from η = 2/λ on; it grows fourfold soon after.
    model, data = linear(tfadaopt.SGD(), curvature, noise=0.1)
    bounds = {"lowest": 1e-4 / curvature, "highest": 100 / curvature}
    sweep = tfadaopt.find_learning_rate(model, data, steps=200, **bounds)
    assert 2 < sweep.diverged * curvature < 10
    assert 0.01 < sweep.suggestion * curvature < 2
    assert f"{sweep.suggestion:.1e}" in str(sweep)
    assert f"{sweep.diverged:.1e}" in str(sweep)
    assert len(sweep.losses) == len(sweep.rates) < 200
    assert sweep.losses[0] == pytest.approx(curvature / 2, rel=0.1)


def test_the_rates_are_those_that_train():
    model, data = linear(tfadaopt.SGD())
    sweep = tfadaopt.find_learning_rate(model, data, lowest=1e-3, highest=1e-1, steps=40)
    w = 0.0
    for rate, loss in zip(sweep.rates, sweep.losses, strict=True):
        assert loss == pytest.approx((w - 1) ** 2 / 2, rel=1e-4)
        w -= rate * (w - 1)
    assert sweep.diverged is None
    assert sweep.rates[[0, -1]] == pytest.approx([1e-3, 1e-1])


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("how", [{}, {"jit_compile": True}, {"steps_per_execution": 2}], ids=str)
def test_a_model_is_left_as_it_was(trained, how):
    model = rich_model(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)), **how)
    if trained:
        fit(model, epochs=1)
    optimizer, before, history = model.optimizer, whole_state(model), vars(model).get("history")
    tfadaopt.find_learning_rate(model, (X, Y), batch_size=8, steps=20)
    assert model.optimizer is optimizer
    assert vars(model).get("history") is history
    unchanged(before)


def test_training_goes_on_as_if_there_had_been_no_sweep():
    weights = []
    for sweeps in (False, True):
        model = rich_model(tfadaopt.Adam(0.01))
        fit(model, epochs=1)
        if sweeps:
            tfadaopt.find_learning_rate(model, (X, Y), batch_size=8, steps=20)
        fit(model, epochs=1)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_is_left_as_it_was_when_its_training_raises():
    model = rich_model(tfadaopt.SGD())
    before = whole_state(model)

    def broken():
        yield X[:8], Y[:8]
        raise RuntimeError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone"):
        tfadaopt.find_learning_rate(model, broken(), steps=20)
    unchanged(before)


def test_weights_of_examples_count():
    model, (x, y) = linear(tfadaopt.SGD())
    arguments = {"highest": 1e-3, "steps": 20}
    plain = tfadaopt.find_learning_rate(model, (x, y), **arguments)
    heavy = tfadaopt.find_learning_rate(model, (x, y, np.full(64, 3.0)), **arguments)
    assert heavy.losses[0] == pytest.approx(3 * plain.losses[0])


def test_a_data_set_is_gone_through_again():
    model = make_model(tfadaopt.Momentum())
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    assert len(tfadaopt.find_learning_rate(model, data, highest=1e-3, steps=30).losses) == 30


def test_loss_scaling_keeps_its_settings():
    model = rich_model(keras.optimizers.LossScaleOptimizer(tfadaopt.Adam(1.0, beta_1=0.5)))
    sweep = tfadaopt.find_learning_rate(model, (X, Y), highest=0.1, steps=30)
    assert np.isfinite(sweep.losses).all()
    assert float(model.optimizer.learning_rate) == 1.0


def test_a_loss_that_never_falls_has_no_suggestion():
    model, data = linear(tfadaopt.SGD())
    sweep = tfadaopt.find_learning_rate(model, data, lowest=50.0, highest=100.0)
    assert sweep.suggestion is None
    assert f"No rate between 5.0e+01 and {sweep.rates[-1]:.1e}" in str(sweep)


def test_a_picture_is_drawn(tmp_path):
    model, data = linear(tfadaopt.SGD(), noise=0.1)
    tfadaopt.find_learning_rate(model, data).save(tmp_path / "sweep.svg")
    assert "diverges" in (tmp_path / "sweep.svg").read_text()


def test_a_picture_of_nothing_finite_says_that_no_rate_will_do(tmp_path):
    losses = np.full(3, np.nan)
    sweep = tfadaopt.RateSweep(np.array([1.0, 2.0, 3.0]), losses, losses, None, 1.0, 4.0)
    sweep.save(tmp_path / "sweep.svg")
    assert "No rate between 1.0e+00" in (tmp_path / "sweep.svg").read_text()


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"lowest": 0.0}, ValueError),
        ({"highest": 1e-8}, ValueError),
        ({"steps": 5}, ValueError),
        ({"batch_size": 0}, ValueError),
        ({"too_much": 1.0}, ValueError),
        ({"lowest": "a"}, TypeError),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(bad, error):
    model, data = linear(tfadaopt.SGD())
    with pytest.raises(error, match=f"find_learning_rate: {next(iter(bad))}"):
        tfadaopt.find_learning_rate(model, data, **bad)


def test_what_has_no_rate_is_refused():
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="not compiled"):
        tfadaopt.find_learning_rate(model, (X, Y))


@needs("MultiOptimizer")
def test_of_several_optimizers_no_rate_is_looked_for():
    several = keras.optimizers.OptimizerMap(keras.optimizers.SGD())
    model, data = linear(keras.optimizers.MultiOptimizer(several))
    optimizer = model.optimizer
    with pytest.raises(ValueError, match="MultiOptimizer has no single learning rate"):
        tfadaopt.find_learning_rate(model, data)
    assert model.optimizer is optimizer


class Silent(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        return {"other": tf.constant(1.0)}


def test_a_model_that_reports_no_loss_is_refused():
    model = Silent()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="reports no 'loss', but other"):
        tfadaopt.find_learning_rate(model, (X, Y))


def on_two_devices(strategy):
    """What a sweep finds within a strategy, and whether the training goes on after it."""
    found = []
    for scope in (tf.distribute.get_strategy(), strategy):
        with scope.scope():
            model = make_model(tfadaopt.Adam())
        sweep = tfadaopt.find_learning_rate(model, (X, Y), batch_size=8, highest=0.1, steps=20)
        fit(model, batch_size=8, epochs=1)
        found.append([sweep.losses.tolist(), model.get_weights()[0].tolist()])
    return found


def test_a_sweep_on_two_devices(two_devices):
    one, two = two_devices
    assert np.isfinite(two[0]).all()
    assert len(one[0]) == len(two[0])
    np.testing.assert_allclose(two[1], one[1], rtol=1e-4, atol=1e-6)
