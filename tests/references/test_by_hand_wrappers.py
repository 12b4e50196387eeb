"""What goes around a method, or before it: by hand and by identities."""

import numpy as np

from tfadaopt.testing.twins import Twins

from .adam import Adam
from .adamw import AdamW
from .averages import (
    exponential_average,
    recalibrated,
    stochastic_weight_average,
    tail_average,
)
from .cautious import cautious_decay, cautious_factor, cautious_step
from .lion import Lion
from .lookahead import Lookahead
from .momentum import Momentum
from .sgd import SGD
from .sharpness import climb, sharpness_aware_step
from .transforms import centralize, clip_adaptively


def close(actual, expected, rtol=1e-13, atol=0.0):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


# Cautious.


def test_cautious_factor_by_hand():
    u, g = np.array([1.0, -1.0, 2.0, 0.0]), np.array([3.0, 2.0, 1e-300, 5.0])
    close(cautious_factor(u, g), [2.0, 0.0, 2.0, 0.0])
    close(cautious_factor(1e-300 * u, g), [2.0, 0.0, 2.0, 0.0])
    close(cautious_factor(u, g, first_version=True), [4 / 3, 0.0, 4 / 3, 0.0])
    np.testing.assert_array_equal(cautious_factor(u, -g), [0.0, 4.0, 0.0, 0.0])
    few = np.where(np.arange(10_000) == 3, 1.0, -1.0)
    assert cautious_factor(few, np.ones(10_000)).max() == 1000.0  # not 10,000


def test_a_cautious_step_never_goes_up_and_keeps_its_mean_rate():
    random = np.random.default_rng(0)
    for make in (lambda: Momentum(0.1), lambda: AdamW(0.1, weight_decay=0.5), lambda: Lion(0.1)):
        twin, theta = make(), random.normal(size=50)
        for _ in range(20):
            g = random.normal(size=50)
            decay = 0.05 if isinstance(twin, AdamW) else 0.0
            new, rate = cautious_step(twin, theta, g)
            step = (1 - decay) * theta - new
            assert np.all(step * g >= -1e-14)
            close(step, rate * twin.direction, atol=1e-15)
            close(np.mean(rate / twin.effective_learning_rate), 1.0)
            theta = new
        assert np.any(rate == 0)
    agreeing = Adam(0.1), Adam(0.1)
    close(cautious_step(agreeing[0], np.ones(3), np.ones(3))[0], agreeing[1].step(np.ones(3), 1.0))


def test_cautious_decay_by_hand():
    theta, u = [2.0, 2.0, -2.0, -2.0, 2.0], [1.0, -1.0, 1.0, -1.0, 0.0]
    close(cautious_decay(theta, u, 0.25), [1.5, 2.0, -2.0, -1.5, 1.5])


# Lookahead.


def test_lookahead_by_hand():
    twin = Lookahead(lambda: SGD(1.0), period=2, alpha=0.25)
    thetas, seen = [np.array([8.0])], []
    for g in (2.0, 2.0, 1.0, 3.0):
        thetas = twin.step_all(thetas, [[g]])
        seen.append(thetas[0][0])
    close(seen, [6.0, 7.0, 6.0, 6.0])  # 8 - 4 / 4, then 7 - 4 / 4
    close(twin.slow, [[6.0]])


def run(twin, steps=20):
    """Where two arrays go under the same gradients."""
    random = np.random.default_rng(0)
    thetas = [random.normal(size=3), random.normal(size=(2, 2))]
    for _ in range(steps):
        thetas = twin(thetas, [random.normal(size=theta.shape) for theta in thetas])
    return thetas


def test_lookahead_that_goes_all_the_way_is_the_inner_method():
    for make in (lambda: Adam(0.1), lambda: Momentum(0.1)):
        whole = run(Lookahead(make, 2, period=5, alpha=1.0).step_all)
        for a, b in zip(whole, run(Twins(make, 2).step), strict=True):
            close(a, b)
        reset = run(Lookahead(make, 2, period=5, alpha=1.0, reset_state=True).step_all)
        assert np.all(reset[0] != whole[0])
    every = run(Lookahead(lambda: SGD(0.1), 2, period=1, alpha=0.3).step_all)
    for a, b in zip(every, run(Twins(lambda: SGD(0.03), 2).step), strict=True):
        close(a, b, rtol=1e-12)


# Averages.


def test_averages_by_hand():
    thetas = [np.full(2, float(t * t)) for t in range(1, 11)]
    close(stochastic_weight_average(thetas, start=4, every=3), (16 + 49 + 100) / 3)
    close(exponential_average(thetas[:3], 0.5), 0.5 * (0.5 * 1 + 0.5 * 4) + 0.5 * 9)
    # d = 2/11, 3/12 and, from then on, 0.25 at most
    warm = (3 / 12) * ((2 / 11) * 1 + (9 / 11) * 4) + (9 / 12) * 9
    close(exponential_average(thetas[:3], 0.5, warm_up=True), warm)
    close(exponential_average(thetas[:4], 0.25, warm_up=True), 0.25 * warm + 0.75 * 16)
    close(tail_average(thetas, 0.3), (64 + 81 + 100) / 3)
    close(tail_average(thetas, 0.01), 100.0)
    close(tail_average(thetas, 1.0), 38.5)
    for mean in (
        stochastic_weight_average([thetas[0]] * 7, 1, 2),
        exponential_average([thetas[0]] * 7, 0.9, warm_up=True),
        tail_average([thetas[0]] * 7, 0.4),
    ):
        close(mean, thetas[0])
    mean, variance = recalibrated(
        [[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]], [[1.0, 1.0], [2.0, 1.0], [6.0, 1.0]]
    )
    close(mean, [3.0, 3.0])
    close(variance, [3.0, 1.0])


# Sharpness.


def test_sam_by_hand():
    a, b = climb([[1.0, 2.0], [[3.0]]], [[1.0, 2.0], [[2.0]]], rho=0.3)  # a norm of 3
    close(a, [1.1, 2.2], rtol=1e-11)
    close(b, [[3.2]], rtol=1e-11)
    # T = 1 of the vector, 0.5 of the matrix: T g = (1, 2), 2 and T^2 g = (1, 2), 1
    a, b = climb([[1.0, 2.0], [[-0.25]]], [[1.0, 2.0], [[4.0]]], 0.3, adaptive=True, eta=0.25)
    close(a, [1.1, 2.2])
    close(b, [[-0.25 + 0.3 * 1.0 / 3]])
    close(climb([[1.0]], [[0.0]]), [[1.0]])
    close(climb([[1.0]], [[0.0]], adaptive=True), [[1.0]])


def test_adaptive_climb_knows_no_scale():
    random = np.random.default_rng(0)
    w, v = random.normal(size=(2, 3, 3))
    g, h = random.normal(size=(2, 3, 3))
    plain = climb([w, v], [g, h], rho=0.5, adaptive=True, eta=0.0)
    scaled = climb([7 * w, v / 7], [g / 7, 7 * h], rho=0.5, adaptive=True, eta=0.0)
    close(scaled[0], 7 * plain[0])
    close(scaled[1], plain[1] / 7)


def test_sharpness_aware_steps():
    curvature = np.array([1.0, 10.0])

    def gradients(thetas):
        return [curvature * thetas[0]]

    # g = (3, 40) at (3, 4), normed; the gradient from above, the step from below
    start, rho = np.array([3.0, 4.0]), 0.5
    g = curvature * start
    above = start + rho * g / np.linalg.norm(g)
    (new,) = sharpness_aware_step(Twins(lambda: SGD(0.01), 1), [start], gradients, rho)
    close(new, start - 0.01 * curvature * above, rtol=1e-11)
    inner, outer = Twins(lambda: Adam(0.1), 1), Twins(lambda: Adam(0.1), 1)
    a = b = [start]
    for _ in range(10):
        a = sharpness_aware_step(outer, a, gradients, rho=0.0)
        b = inner.step(b, gradients(b))
        close(a[0], b[0])


# Gradient transforms.


def test_adaptive_clipping_by_hand():
    theta = np.array([[3.0, 0.0, 30.0], [4.0, 0.0, 40.0]])
    g = np.array([[0.6, 6e-6, 0.3], [0.8, 8e-6, 0.4]])
    clipped, which = clip_adaptively(theta, g)
    # allowed 0.05, 1e-5 and 0.5; norms 1, 1e-5 and 0.5
    close(clipped, [[0.03, 6e-6, 0.3], [0.04, 8e-6, 0.4]])
    np.testing.assert_array_equal(which, [[True, False, False]])
    clipped, which = clip_adaptively(np.array([3.0, 4.0]), np.array([0.0, 1.0]), limit=0.1)
    close(clipped, [0.0, 0.5])
    assert which.tolist() == [True]
    clipped, which = clip_adaptively(2.0, -3.0, limit=0.5)
    close(clipped, -1.0)
    random = np.random.default_rng(0)
    kernel, g = random.normal(size=(2, 3, 3, 4, 5))
    clipped, which = clip_adaptively(kernel, g)
    assert which.all()
    norms = [np.linalg.norm(a.reshape(-1, 5), axis=0) for a in (clipped, kernel)]
    close(norms[0], 0.01 * norms[1])
    assert clip_adaptively(np.zeros((3, 2)), np.zeros((3, 2)))[0].tolist() == [[0.0, 0.0]] * 3


def test_centralized_gradients_have_no_mean():
    close(centralize([[1.0, 5.0], [3.0, 7.0]]), [[-1.0, -1.0], [1.0, 1.0]])
    close(centralize([1.0, 5.0]), [1.0, 5.0])
    g = np.random.default_rng(0).normal(size=(3, 3, 4, 5))
    close(centralize(g).reshape(-1, 5).mean(axis=0), 0.0, atol=1e-16)
    close(centralize(centralize(g)), centralize(g), atol=1e-16)
    close(centralize(g + np.arange(5.0)), centralize(g), atol=1e-14)
