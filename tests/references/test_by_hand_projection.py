"""The twins of SGDP and AdamP, by hand and by identities."""

import math

import numpy as np
import pytest

from .adam import Adam
from .adamp import AdamP
from .momentum import Momentum
from .nesterov import Nesterov
from .sgdp import SGDP


def close(actual, expected, rtol=1e-13, atol=0.0):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def path(twin, *gradients, start=0.0):
    """Values after each of these scalar gradients."""
    thetas = [np.array([start])]
    for g in gradients:
        thetas.append(twin.step(thetas[-1], [g]))
    return [float(theta[0]) for theta in thetas[1:]]


def same_path(one, other, shape=(5,), steps=30, rtol=1e-10):
    """Both twins go the same way, and go."""
    random = np.random.default_rng(0)
    a = b = theta = random.normal(size=shape)
    for _ in range(steps):
        g = random.normal(size=shape)
        a, b = one.step(a, g), other.step(b, g)
        close(a, b, rtol=rtol, atol=1e-13)
    assert np.any(a != theta)


def test_sgdp_by_hand():
    twin = SGDP(learning_rate=0.5, momentum=0.5, epsilon=0.0)
    theta = twin.step(np.eye(2), [[0.0, 1.0], [1.0, 0.0]])
    close(theta, [[1.0, -0.5], [-0.5, 1.0]])
    # b = 0.5 g_1 + g_2; of its column (0.5, 1.5), -0.25 / 1.25 of (1, -0.5) is along the weights.
    theta = twin.step(theta, [[0.5, 1.0], [1.0, 0.5]])
    close(theta, [[0.65, -1.2], [-1.2, 0.65]])
    close(twin.direction, [[0.7, 1.4], [1.4, 0.7]])
    close(twin.accumulators["momentum"], [[0.5, 1.5], [1.5, 0.5]])  # not projected


def test_sgdp_projects_channels_or_else_the_whole_array():
    diagonal = np.diag([1.0, -1.0])
    settings = {"learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.5}
    # Along each column, but at right angles to the whole: the decay is a tenth.
    close(SGDP(**settings).step(np.eye(2), diagonal), 0.95 * np.eye(2) - diagonal)
    # Along the whole: no projection, the whole decay.
    close(SGDP(**settings).step(np.eye(2), np.eye(2)), -0.5 * np.eye(2), rtol=1e-7)
    # One column along its weights keeps all of them from being projected.
    g = np.array([[2.0, 1.0], [0.0, 0.0]])
    close(SGDP(**settings).step(np.eye(2), g), 0.5 * np.eye(2) - g)
    # epsilon is added to the norms: of one along the weights, (1 / 2)^2 goes.
    twin = SGDP(learning_rate=1.0, momentum=0.0, cosine=100.0, epsilon=1.0)
    close(twin.step(np.eye(2), np.eye(2)), 0.25 * np.eye(2))
    # The decay is divided by 1 - momentum.
    twin = SGDP(**{**settings, "momentum": 0.5}, wd_ratio=0.2)
    close(twin.step(np.eye(2), diagonal), 0.8 * np.eye(2) - diagonal)


def test_projection_needs_a_cosine_below_a_tenth_over_the_root_of_the_length():
    for cosine, projected in ((0.049, True), (0.051, False)):
        g = 7 * np.array([[cosine], [math.sqrt(1 - cosine**2)], [0.0], [0.0]])
        theta = np.array([[2.0], [0.0], [0.0], [0.0]])
        for twin in (SGDP(learning_rate=1.0), AdamP(learning_rate=1.0)):
            step = theta - twin.step(theta, g)  # 0.1 / sqrt(4)
            assert (abs(step[0, 0]) < 1e-8) == projected
    # Vectors are left alone.
    same_path(SGDP(), Momentum())
    same_path(AdamP(), Adam())
    same_path(SGDP(nesterov=True), Nesterov())


@pytest.mark.parametrize(("method", "power"), [(SGDP, 2), (AdamP, 1)])
def test_projected_steps_are_at_right_angles_and_small_for_large_weights(method, power):
    random = np.random.default_rng(0)
    axes = (0, 1, 2)
    angles = {}
    for size in (1.0, 3.0):
        theta = size * np.random.default_rng(1).normal(size=(3, 3, 2, 4))
        twin = method(learning_rate=0.01, epsilon=1e-14, cosine=100.0)
        g = np.random.default_rng(2).normal(size=theta.shape) / size  # of a scale-free loss
        new = twin.step(theta, g)
        close(np.sum((new - theta) * theta, axis=axes), 0.0, atol=1e-12)
        norms = np.linalg.norm(theta.reshape(-1, 4), axis=0)
        angles[size] = np.linalg.norm((new - theta).reshape(-1, 4), axis=0) / norms
        for _ in range(5):
            theta, new = new, twin.step(new, random.normal(size=theta.shape))
            close(np.sum((new - theta) * theta, axis=axes), 0.0, atol=1e-12)
    close(angles[1.0] / angles[3.0], 3.0**power, rtol=1e-9)


def test_adamp_with_nesterov_by_hand():
    twin = AdamP(learning_rate=1.0, beta_1=0.5, beta_2=0.75, epsilon=0.0, nesterov=True)
    # m = 2, v_hat = 16: (1 + 2) / 4 / 0.5, where plain Adam has 2 / 4 / 0.5
    close(path(twin, 4.0), [-1.5])
    decayed = AdamP(learning_rate=0.5, weight_decay=0.5)
    close(decayed.step([[4.0]], [[0.0]]), [[4.0 - 0.1]])  # 0.5 * 0.5 * 0.1 of 4
    close(AdamP(learning_rate=0.5, weight_decay=0.5).step([4.0], [0.0]), [3.0])
