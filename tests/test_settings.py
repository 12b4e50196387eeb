"""Settings that cannot work, and rates given later: each error says what to do."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import BY_ID, THREE, quick
from .steps import step_of

X, Y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")


def make_model(optimizer, dtype=None, size=1, **arguments):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(size, dtype=dtype)])
    model.compile(optimizer, "mse", **arguments)
    return model


def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0"])


# Under a strategy


def test_what_the_error_on_averages_advises_works():
    for common, arguments in (({"ema_overwrite_frequency": 2}, {"run_eagerly": True}), ({}, {})):
        with mirrored().scope():
            model = make_model(tfadaopt.SGD(use_ema=True, **common), **arguments)
        model.fit(X, Y, batch_size=1, verbose=0)


# A rate that is no number of its own


class Half(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.5


RATES = {"callable": lambda: 0.5, "LearningRateSchedule": Half()}
each_rate = pytest.mark.parametrize("kind", RATES)


@each_rate
@pytest.mark.parametrize(
    "callback",
    [
        lambda: keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e9, min_lr=0),
        lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
    ],
    ids=["plateau", "scheduler"],
)
def test_callback_over_a_callable_or_schedule_says_what_to_do(callback, kind):
    model = make_model(tfadaopt.SGD(RATES[kind]))
    with pytest.raises(TypeError, match=r"such as ReduceLROnPlateau\. Make it with a number"):
        model.fit(X, Y, epochs=4, verbose=0, callbacks=[callback()])


def test_what_the_error_on_callables_advises_works():
    eta = tf.Variable(0.5)
    model = make_model(tfadaopt.SGD(lambda: eta))
    halve = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: eta.assign(eta / 2))
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[halve])
    assert float(model.optimizer.learning_rate) == 0.125


# Rates given later


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_bad_rate_of_a_callback_is_refused(value):
    model = make_model(tfadaopt.SGD())
    weights = model.get_weights()
    with pytest.raises(ValueError, match=rf"learning_rate={value} is not allowed"):
        model.fit(
            X, Y, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda _: value)]
        )
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


GIVEN = ("assigned", "callable", "number", "schedule")


class Given(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, value):
        self.value = value

    def __call__(self, step):
        return tf.constant(self.value)


@pytest.mark.parametrize(
    ("case", "way", "value"),
    [
        *(quick(case, way, math.nan) for case in THREE for way in GIVEN),
        *(quick(BY_ID["momentum"], way, value) for way in GIVEN for value in (-1.0, math.inf)),
    ],
)
def test_bad_rate_that_an_eager_step_meets_is_refused(case, way, value):
    w, start = keras.Variable([1.0]), 0.5
    rates = {
        "assigned": start,
        "callable": lambda: tf.constant(value),
        "number": lambda: value,
        "schedule": Given(value),
    }
    optimizer = case.make(learning_rate=rates[way])
    step = step_of(optimizer, [w])
    if way == "assigned":
        optimizer.learning_rate.assign(value)
    with pytest.raises(ValueError, match=rf"learning_rate={value} is not allowed"):
        step(tf.constant([1.0]))
    assert w.numpy() == 1


@pytest.mark.parametrize("value", [None, "0.1", -1.0])
def test_callable_that_returns_no_rate_is_refused_where_a_step_is_traced(value):
    optimizer = tfadaopt.SGD(lambda: value)
    step = step_of(optimizer, [keras.Variable([1.0])], "function")
    with pytest.raises((TypeError, ValueError), match="learning_rate"):
        step(tf.constant([1.0]))


# float8


def test_averages_with_float8_say_what_to_do():
    model = make_model(tfadaopt.Adam(use_ema=True), "float8_from_float32", 16)
    with pytest.raises(ValueError, match=r"use_ema=True does not work with float8.*Leave use_ema"):
        model.fit(X, np.ones((4, 16)), verbose=0)
    w = keras.Variable([1.0])
    w.overwrite_with_gradient = True
    with pytest.raises(ValueError, match="Leave use_ema out"):
        tfadaopt.SGD(use_ema=True).apply([tf.constant([1.0])], [w])
