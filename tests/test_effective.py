"""What can be read from an optimizer: its rate, its accumulators, and why not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import (
    CASES,
    FULLEST,
    RATE,
    each_method,
    each_shape_with_a_rate,
    rows,
    slots_of,
    three_methods,
)

PIECES = [1.0, 0.5, 0.25]


def pieces():
    """One rate per step: 1, 1/2, 1/4, …"""
    return keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], PIECES)


def trained(optimizer, steps=1):
    """The optimizer's variable after some steps with a gradient of 1."""
    w = keras.Variable([0.0, 0.0], name="w")
    optimizer.build([w])
    for _ in range(steps):
        optimizer.apply([tf.constant([1.0, 0.5])], [w])
    return w


# Without ε there is a zero to divide by until the first gradient.
AT_FIRST = [c for c in CASES if c in FULLEST or c.arguments.get("epsilon") == 0]


@pytest.mark.parametrize("case", rows([case for case in AT_FIRST if case.has_rate]))
def test_before_the_first_step(case):
    """The rate is what the initial state implies; the accumulators are what it is."""
    optimizer = case.make()
    w = trained(optimizer, steps=0)
    rate = tfadaopt.effective_learning_rate(optimizer, w).numpy()
    assert rate.shape == (2,)
    assert np.isfinite(rate).all()
    assert (rate >= 0).all()
    fresh = case.twin().accumulators
    for name, slot in slots_of(optimizer, w).items():
        # A fresh twin knows no shape yet, and so not which slots that calls for: they begin at 0.
        np.testing.assert_allclose(slot, np.zeros(slot.shape) + fresh.get(name, 0.0))


@each_method
def test_keys_are_the_twin_s(case):
    optimizer = case.make()
    w = trained(optimizer)
    twin = case.twin()
    twin.step(np.zeros(2), np.array([1.0, 0.5]))
    slots = slots_of(optimizer, w)
    assert slots.keys() == twin.accumulators.keys()
    for name, slot in slots.items():
        assert isinstance(slot, tf.Tensor)
        np.testing.assert_allclose(slot, twin.accumulators[name], rtol=1e-6)


@each_shape_with_a_rate
def test_reading_changes_nothing(case):
    read, unread = case.make(), case.make()
    a, b = trained(read, 3), trained(unread, 3)
    before = [v.numpy() for v in read.variables]
    tfadaopt.effective_learning_rate(read, a)
    tfadaopt.accumulators(read, a)
    for old, v in zip(before, read.variables, strict=True):
        np.testing.assert_array_equal(old, v.numpy())
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@three_methods
def test_accumulators_are_a_copy(case):
    optimizer = case.make()
    w = trained(optimizer)
    old = {name: slot.numpy() for name, slot in tfadaopt.accumulators(optimizer, w).items()}
    kept = tfadaopt.accumulators(optimizer, w)
    optimizer.apply([tf.constant([3.0, 3.0])], [w])
    for name in old:
        np.testing.assert_array_equal(kept[name], old[name])


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_under_a_schedule_it_is_the_rate_just_applied(steps):
    optimizer = tfadaopt.SGD(pieces())
    w = trained(optimizer, steps)
    rate = tfadaopt.effective_learning_rate(optimizer, w)
    np.testing.assert_array_equal(rate, [PIECES[max(steps - 1, 0)]] * 2)


def test_under_accumulation_it_is_the_rate_of_the_last_update():
    """A schedule counts batches, also those that only accumulate, as Keras does."""
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)  # 1 − batch / 10
    optimizer = tfadaopt.SGD(schedule, gradient_accumulation_steps=2)
    w, before = trained(optimizer, 0), np.zeros(2)
    for batch in range(8):
        optimizer.apply([tf.constant([1.0, 0.5])], [w])
        if batch % 2:  # an update happened
            moved, before = before - w.numpy(), w.numpy()
        if batch:
            rate = tfadaopt.effective_learning_rate(optimizer, w).numpy()
            np.testing.assert_allclose(rate * [1.0, 0.5], moved, rtol=1e-5)


@each_shape_with_a_rate
def test_accumulation_does_not_shift_the_state(case):
    accumulated, plain = case.make(gradient_accumulation_steps=3), case.make()
    a, b = trained(accumulated, 6), trained(plain, 2)
    for read in (tfadaopt.effective_learning_rate, tfadaopt.accumulators):
        tf.nest.map_structure(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6),
            read(accumulated, a),
            read(plain, b),
        )


def test_assigning_the_rate_takes_effect():
    optimizer = tfadaopt.SGD(1.0)
    w = trained(optimizer)
    optimizer.learning_rate = 0.25
    np.testing.assert_array_equal(tfadaopt.effective_learning_rate(optimizer, w), [0.25] * 2)


@each_shape_with_a_rate
def test_inside_a_function(case):
    optimizer = case.make()
    w = trained(optimizer)

    @tf.function
    def read():
        return tfadaopt.effective_learning_rate(optimizer, w), tfadaopt.accumulators(optimizer, w)

    for _ in range(2):  # not frozen at the first trace
        rate, slots = read()
        np.testing.assert_allclose(rate, tfadaopt.effective_learning_rate(optimizer, w), rtol=1e-6)
        for name, slot in tfadaopt.accumulators(optimizer, w).items():
            np.testing.assert_array_equal(slots[name], slot)
        optimizer.apply([tf.constant([2.0, 2.0])], [w])


@each_shape_with_a_rate
def test_native_variables(case):
    """A ``tf.Variable`` does as well, and one may ask by a Keras variable's ``.value``."""
    optimizer, native = case.make(), tf.Variable([0.0, 0.0])
    optimizer.build([native])
    optimizer.apply([tf.constant([1.0, 0.5])], [native])
    other = case.make()
    w = trained(other)
    np.testing.assert_array_equal(native.numpy(), w.numpy())
    rates = [
        tfadaopt.effective_learning_rate(o, v)
        for o, v in ((optimizer, native), (other, w), (other, w.value))
    ]
    np.testing.assert_array_equal(rates[0], rates[1])
    np.testing.assert_array_equal(rates[0], rates[2])


@each_shape_with_a_rate
def test_loss_scaling_is_unwrapped(case):
    inner = case.make()
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    w = keras.Variable([0.0, 0.0])
    optimizer.build([w])
    optimizer.apply([tf.constant([4.0, 2.0])], [w])  # scaled gradients of 1 and 1/2
    plain = case.make()
    expected = trained(plain)
    np.testing.assert_allclose(
        tfadaopt.effective_learning_rate(optimizer, w),
        tfadaopt.effective_learning_rate(plain, expected),
    )
    assert tfadaopt.accumulators(optimizer, w).keys() == tfadaopt.accumulators(inner, w).keys()


# What cannot be read

READ = pytest.mark.parametrize("read", [tfadaopt.effective_learning_rate, tfadaopt.accumulators])


class Mine(keras.optimizers.SGD):
    """A rule of its own, of which nothing is known."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * tf.sign(gradient))


@READ
@pytest.mark.parametrize(
    "make",
    [
        lambda: Mine(),
        lambda: keras.optimizers.LossScaleOptimizer(Mine()),
        lambda: "adagrad",
        lambda: None,
    ],
    ids=["Mine", "LossScale-Mine", "str", "None"],
)
def test_unsupported_optimizer_is_a_type_error_that_names_the_supported(read, make):
    optimizer = make()
    with pytest.raises(tfadaopt.UnsupportedOptimizerError) as error:
        read(optimizer, keras.Variable([1.0]))
    assert isinstance(error.value, TypeError)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    assert type(inner).__name__ in str(error.value)
    for method in tfadaopt.methods():
        assert f"tfadaopt.{method.name}" in str(error.value)


@pytest.mark.parametrize("case", rows([case for case in FULLEST if not case.has_rate]))
def test_a_method_without_rates_says_so(case):
    optimizer, w = case.make(), keras.Variable(np.zeros((5, 4)))
    optimizer.apply([tf.ones((5, 4))], [w])
    with pytest.raises(tfadaopt.UnsupportedOptimizerError, match=r"matrix.*accumulators"):
        tfadaopt.effective_learning_rate(optimizer, w)
    assert slots_of(optimizer, w)


@READ
@three_methods
def test_not_built(read, case):
    optimizer = case.make()
    with pytest.raises(ValueError, match=r"optimizer\.build\("):
        read(optimizer, keras.Variable([1.0]))


@READ
@three_methods
def test_unknown_variable(read, case):
    optimizer = case.make(learning_rate=RATE)
    trained(optimizer)
    with pytest.raises(ValueError, match=r"not built for the variable 'stranger'.*knows: w"):
        read(optimizer, keras.Variable([1.0, 2.0], name="stranger"))
