"""The twins against arithmetic done by hand and against identities from the papers."""

import math

import numpy as np
import pytest

from . import SGD, Adagrad, Momentum, Nesterov, RMSprop


def close(actual, expected, rtol=1e-14):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0)


# Numbers by hand.


def test_sgd_by_hand():
    twin = SGD(learning_rate=lambda step: [0.1, 0.1, 0.01][step])
    theta = twin.step([1.0, -2.0], [0.5, 4.0])
    close(theta, [0.95, -2.4])
    theta = twin.step(theta, [-1.0, 0.0])
    close(theta, [1.05, -2.4])
    theta = twin.step(theta, [5.0, -10.0])
    close(theta, [1.0, -2.3])
    close(twin.effective_learning_rate, [0.01, 0.01])
    close(twin.direction, [5.0, -10.0])
    assert twin.accumulators == {}


def test_momentum_by_hand():
    twin = Momentum(learning_rate=lambda step: [0.1, 0.1, 0.01][step], momentum=0.5)
    theta = twin.step([1.0], [1.0])
    close(theta, [0.9])
    theta = twin.step(theta, [2.0])
    close(twin.accumulators["momentum"], [2.5])
    close(theta, [0.65])
    theta = twin.step(theta, [-1.0])
    close(twin.accumulators["momentum"], [0.25])
    close(theta, [0.6475])  # the whole memory at the new rate; eta in the buffer would give 0.535
    close(twin.effective_learning_rate, [0.01])
    close(twin.direction, [0.25])


def test_nesterov_by_hand():
    twin = Nesterov(learning_rate=lambda step: [0.1, 0.1, 0.01][step], momentum=0.5)
    theta = twin.step([1.0], [1.0])
    close(theta, [0.85])  # 1 - 0.1 (1 + 0.5 * 1)
    theta = twin.step(theta, [2.0])
    close(twin.direction, [3.25])  # 2 + 0.5 * 2.5
    close(theta, [0.525])
    theta = twin.step(theta, [-1.0])
    close(twin.accumulators["momentum"], [0.25])
    close(twin.direction, [-0.875])  # -1 + 0.5 * 0.25
    close(theta, [0.53375])
    close(twin.effective_learning_rate, [0.01])


def test_adagrad_by_hand():
    twin = Adagrad(learning_rate=0.5, epsilon=0.0)
    theta = twin.step([1.0], [3.0])
    close(theta, [0.5])  # the first step is eta, whatever g
    theta = twin.step(theta, [-4.0])
    close(twin.accumulators["accumulator"], [25.0])  # 3, 4, 5
    close(twin.effective_learning_rate, [0.1])
    close(theta, [0.9])
    theta = twin.step(theta, [12.0])
    close(twin.accumulators["accumulator"], [169.0])  # 5, 12, 13
    close(theta, [0.9 - 0.5 * 12 / 13])


def test_adagrad_by_hand_with_epsilon_and_a_start():
    twin = Adagrad(
        learning_rate=lambda step: [0.5, 1.3][step], initial_accumulator_value=7.0, epsilon=2.0
    )
    theta = twin.step([1.0], [4.0])
    close(twin.accumulators["accumulator"], [23.0])  # without epsilon
    close(twin.effective_learning_rate, [0.1])  # 0.5 / sqrt(2 + 7 + 16)
    close(theta, [0.6])
    theta = twin.step(theta, [12.0])
    close(twin.effective_learning_rate, [0.1])  # 1.3 / sqrt(25 + 144)
    close(theta, [-0.6])
    close(twin.direction, [12.0])


def test_rmsprop_by_hand():
    twin = RMSprop(learning_rate=0.1, rho=0.75, epsilon=5.0)
    theta = twin.step([1.0], [4.0])
    close(twin.accumulators["velocity"], [4.0])
    close(twin.effective_learning_rate, [0.1 / 3])  # sqrt(4 + 5)
    close(theta, [1 - 0.4 / 3])
    theta = twin.step(theta, [2.0])
    close(twin.accumulators["velocity"], [4.0])  # 3 + 1
    close(theta, [1 - 0.6 / 3])
    theta = twin.step(theta, [-8.0])
    close(twin.accumulators["velocity"], [19.0])  # 3 + 16
    close(theta, [0.8 + 0.8 / math.sqrt(24)])
    assert list(twin.accumulators) == ["velocity"]


def test_rmsprop_centered_by_hand():
    twin = RMSprop(learning_rate=0.1, rho=0.75, epsilon=1.0, centered=True)
    theta = twin.step([1.0], [4.0])
    close(twin.accumulators["velocity"], [4.0])
    close(twin.accumulators["average_gradient"], [1.0])
    close(theta, [0.8])  # 1 - 0.1 * 4 / sqrt(4 - 1 + 1)
    theta = twin.step(theta, [8.0])
    close(twin.accumulators["velocity"], [19.0])  # 3 + 16
    close(twin.accumulators["average_gradient"], [2.75])  # 0.75 + 2
    close(twin.effective_learning_rate, [0.1 / math.sqrt(12.4375)])  # 19 - 7.5625 + 1
    close(theta, [0.8 - 0.8 / math.sqrt(12.4375)])
    close(twin.direction, [8.0])
    assert list(twin.accumulators) == ["velocity", "average_gradient"]


def test_rmsprop_momentum_by_hand():
    twin = RMSprop(
        learning_rate=lambda step: [0.1, 0.1, 0.01][step], rho=0.75, momentum=0.5, epsilon=5.0
    )
    theta = twin.step([1.0], [4.0])
    close(twin.accumulators["momentum"], [4 / 3])
    close(theta, [1 - 0.4 / 3])
    theta = twin.step(theta, [2.0])
    close(twin.accumulators["momentum"], [4 / 3])  # 2/3 + 2/3
    close(twin.effective_learning_rate, [0.1 / 3])
    close(twin.direction, [4.0])  # 4/3 * 3
    close(theta, [1 - 0.8 / 3])
    theta = twin.step(theta, [-8.0])
    close(twin.accumulators["momentum"], [2 / 3 - 8 / math.sqrt(24)])
    close(twin.effective_learning_rate, [0.01 / math.sqrt(24)])
    close(theta, [1 - 0.8 / 3 - 0.01 * (2 / 3 - 8 / math.sqrt(24))])
    assert list(twin.accumulators) == ["velocity", "momentum"]


def test_rmsprop_centered_with_momentum_by_hand():
    twin = RMSprop(learning_rate=0.1, rho=0.75, momentum=0.5, epsilon=1.0, centered=True)
    theta = twin.step([1.0], [4.0])
    close(twin.accumulators["momentum"], [2.0])
    close(theta, [0.8])
    theta = twin.step(theta, [8.0])
    close(twin.accumulators["momentum"], [1 + 8 / math.sqrt(12.4375)])
    close(theta, [0.7 - 0.8 / math.sqrt(12.4375)])
    assert list(twin.accumulators) == ["velocity", "average_gradient", "momentum"]


# Momentum and Nesterov.


HESSIAN = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 0.2]])
MINIMUM = np.array([5.0, -4.0, 6.0])
START = np.array([6.0, -5.0, 7.0])


def gradient(w):
    return HESSIAN @ (w - MINIMUM)


def test_heavy_ball_in_two_step_form():
    eta, mu = 0.05, 0.9
    twin = Momentum(learning_rate=eta, momentum=mu)
    before, now = START, START
    theta = START
    for _ in range(200):
        before, now = now, now - eta * gradient(now) + mu * (now - before)
        theta = twin.step(theta, gradient(theta))
        close(theta, now, rtol=1e-12)
    assert np.linalg.norm(theta - START) > 1


def test_nesterov_is_the_look_ahead_point():
    eta, mu = 0.05, 0.9
    twin = Nesterov(learning_rate=eta, momentum=mu)
    theta = START
    w, v = START, np.zeros(3)
    apart = 0.0
    for _ in range(200):
        v = mu * v - eta * gradient(w + mu * v)
        w = w + v
        theta = twin.step(theta, gradient(theta))
        close(theta, w + mu * v, rtol=1e-12)
        apart = max(apart, np.linalg.norm(theta - w))
    assert apart > 0.1


@pytest.mark.parametrize("method", [Momentum, Nesterov])
def test_without_momentum_it_is_sgd(method):
    plain, twin = SGD(learning_rate=0.05), method(learning_rate=0.05, momentum=0.0)
    a = b = START
    for _ in range(20):
        a, b = plain.step(a, gradient(a)), twin.step(b, gradient(b))
        close(b, a)


# Adagrad.


@pytest.mark.parametrize(
    ("size", "printed", "digits"),
    [
        (1.0, 1.000, 3),
        (1e-2, 0.9995, 4),
        (1e-3, 0.953, 3),
        (3.16e-4, 0.707, 3),
        (1e-4, 0.302, 3),
        (1e-5, 0.0316, 4),
    ],
)
def test_first_adagrad_step(size, printed, digits):
    eta = 0.01
    for g in (size, -size):
        move = -Adagrad(learning_rate=eta).step([0.0], [g])
        close(move, [eta * g / math.sqrt(1e-7 + g * g)])
        assert round(abs(move[0]) / eta, digits) == printed


def test_adagrad_displacement_under_a_constant_gradient():
    eta = 0.01
    for g in (1.0, -1e-3):
        twin = Adagrad(learning_rate=eta, epsilon=0.0)
        theta = np.zeros(1)
        for _ in range(10_000):
            theta = twin.step(theta, [g])
        moved = -math.copysign(1, g) * theta[0] / eta
        close(moved, math.fsum(1 / math.sqrt(t) for t in range(1, 10_001)), rtol=1e-11)
        assert round(moved, 2) == 198.54


def test_adagrad_epsilon_is_the_same_as_a_start():
    random = np.random.default_rng(1)
    one = Adagrad(epsilon=0.3)
    other = Adagrad(initial_accumulator_value=0.3, epsilon=0.0)
    a = b = np.ones(4)
    rate = np.inf
    for _ in range(100):
        g = random.normal(size=4)
        a, b = one.step(a, g), other.step(b, g)
        close(a, b, rtol=1e-12)
        assert np.all(one.effective_learning_rate <= rate)
        rate = one.effective_learning_rate


# RMSprop.


def test_first_rmsprop_step_has_no_bias_correction():
    for rho, gain in ((0.9, 3.16), (0.99, 10.0)):
        move = -RMSprop(learning_rate=1.0, rho=rho, epsilon=0.0).step([0.0], [-2.0])
        assert round(-move[0], 2) == gain


def test_centered_root_is_clamped():
    # A constant gradient has variance 0; rounding makes s - m^2 negative, by more than epsilon.
    g = np.linspace(1e5, 2e5, 64)
    twin = RMSprop(learning_rate=1e-3, centered=True)
    theta = np.zeros(64)
    lowest = 0.0
    for _ in range(600):
        theta = twin.step(theta, g)
        s, m = twin.accumulators["velocity"], twin.accumulators["average_gradient"]
        lowest = min(lowest, (s - m * m).min())
    assert lowest < -1e-7
    assert np.all(np.isfinite(theta))
    close(twin.effective_learning_rate.max(), 1e-3 / math.sqrt(1e-7), rtol=1e-12)
