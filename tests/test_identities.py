"""What must hold between methods, and properties that follow from the papers."""

import keras
import numpy as np
import pytest

import tfadaopt

from .cases import RATE
from .trajectories import ONE, displacement_error, problem, train


def same(actual, expected, tolerance=1e-12):
    """Whether two optimizers take the same path, in float64."""
    starts, gradients = problem(shapes=ONE)
    paths = [train(o, starts, gradients, dtype="float64") for o in (actual, expected)]
    assert displacement_error(*paths) <= tolerance


def constant_gradients(value, steps=100):
    return [np.zeros(3, "float32")], [np.full((steps, 3), value, "float32")]


# Two names of one rule, in the given settings.
ALIKE = {
    "AdEMAMix without α is Adam": (
        lambda: tfadaopt.AdEMAMix(RATE, alpha=0.0),
        lambda: tfadaopt.Adam(RATE),
    ),
    "MARS without γ is Adam on clipped gradients": (
        lambda: tfadaopt.MARS(RATE, 0.9, 0.999, gamma=0.0),
        lambda: tfadaopt.Adam(RATE, clipnorm=1.0),
    ),
    "Lion with equal means is Signum": (
        lambda: tfadaopt.Lion(RATE, 0.9, 0.9),
        lambda: tfadaopt.Signum(RATE, 0.9),
    ),
    "SGDP without projection is Momentum": (
        lambda: tfadaopt.SGDP(RATE, cosine=0.0),
        lambda: tfadaopt.Momentum(RATE),
    ),
    "AdamP without projection is Adam": (
        lambda: tfadaopt.AdamP(RATE, cosine=0.0),
        lambda: tfadaopt.Adam(RATE),
    ),
    "AdaBound with wide bounds is Adam": (
        lambda: tfadaopt.AdaBound(RATE, epsilon=0.0, gamma=1e-30),
        lambda: tfadaopt.Adam(RATE, epsilon=0.0),
    ),
    "AdaBound with close bounds is a running mean": (
        lambda: tfadaopt.AdaBound(RATE, gamma=1e30, final_rate=0.625),
        lambda: tfadaopt.Momentum(0.0625),
    ),
    "Ftrl without strengths is Adagrad": (
        lambda: tfadaopt.Ftrl(RATE),
        lambda: tfadaopt.Adagrad(RATE, epsilon=0.0),
    ),
}


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("name", ALIKE)
def test_methods_that_are_alike(name):
    one, other = ALIKE[name]
    same(one(), other(), tolerance=1e-10)


@pytest.mark.parametrize("method", [tfadaopt.SGDP, tfadaopt.AdamP])
def test_a_projected_step_is_orthogonal_to_each_channel(method):
    random = np.random.default_rng(0)
    start = random.normal(size=(3, 2, 4))
    w = keras.Variable(start, dtype="float64")
    optimizer = method(0.5, cosine=10.0)
    optimizer.apply([random.normal(size=start.shape)], [w])
    moved = w.numpy() - start
    assert np.abs(moved).min() > 1e-3
    np.testing.assert_allclose((moved * start).sum(axis=(0, 1)), 0, atol=1e-7)


def test_steps_of_lion_have_one_size():
    starts, gradients = problem(shapes=ONE)
    path = train(tfadaopt.Lion(RATE), starts, gradients, dtype="float64", reset=True)
    assert set(np.unique(np.abs(path.thetas[0][1:]))) <= {0.0, RATE}


def test_ftrl_stays_where_the_rate_alone_changes():
    """θ is made from sums that have the old η in them: a lower one must not shrink it."""
    w = keras.Variable([1.0, -2.0], dtype="float64")
    optimizer = tfadaopt.Ftrl(0.5)
    optimizer.apply([np.array([0.3, 0.1])], [w])
    before = w.numpy()
    for rate in (0.25, 0.0, 1.0):
        optimizer.learning_rate = rate
        optimizer.apply([np.zeros(2)], [w])
        np.testing.assert_allclose(w.numpy(), before, rtol=1e-14)


@pytest.mark.parametrize("method", [tfadaopt.Momentum, tfadaopt.Nesterov])
def test_no_momentum_is_gradient_descent(method):
    same(method(momentum=0.0), tfadaopt.SGD())


def test_momentum_zero_leaves_rmsprop_as_it_is():
    same(tfadaopt.RMSprop(momentum=0.0), tfadaopt.RMSprop())


def test_tiny_momentum_of_rmsprop_changes_little():
    """The path with a momentum buffer meets the path without one."""
    same(tfadaopt.RMSprop(momentum=1e-14), tfadaopt.RMSprop(), tolerance=1e-10)


def test_adagrad_epsilon_is_an_initial_accumulator():
    same(
        tfadaopt.Adagrad(initial_accumulator_value=0.25, epsilon=0.0),
        tfadaopt.Adagrad(initial_accumulator_value=0.0, epsilon=0.25),
    )


def test_rmsprop_without_memory_steps_by_the_sign():
    starts, gradients = problem(shapes=ONE)
    optimizer = tfadaopt.RMSprop(learning_rate=RATE, rho=0.0, epsilon=0.0)
    path = train(optimizer, starts, gradients, dtype="float64", reset=True)
    np.testing.assert_allclose(-path.thetas[0][1:], RATE * np.sign(gradients[0]), rtol=1e-12)


def test_rmsprop_is_adagrad_over_a_mean():
    """ρ_t = 1 − 1/t would make v the mean of r: with one step, v = (1 − ρ) r."""
    starts, gradients = problem(steps=1, shapes=ONE)
    rmsprop = train(tfadaopt.RMSprop(0.5, rho=0.75, epsilon=0.0), starts, gradients, reset=True)
    adagrad = train(tfadaopt.Adagrad(1.0, epsilon=0.0), starts, gradients, reset=True)
    np.testing.assert_allclose(rmsprop.thetas[0][1:], adagrad.thetas[0][1:], rtol=1e-6)


def test_adagrad_rate_never_rises_at_constant_eta():
    path = train(tfadaopt.Adagrad(), *problem())
    for rate in path.rates:
        assert (np.diff(rate, axis=0) <= 0).all()
    assert (np.diff(path.rates[1], axis=0) < 0).any()


def test_rmsprop_rate_rises_again():
    path = train(tfadaopt.RMSprop(), *problem(shapes=ONE))
    assert (np.diff(path.rates[0], axis=0) > 0).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfadaopt.Adagrad(epsilon=0.0),
        lambda: tfadaopt.RMSprop(epsilon=0.0),
        lambda: tfadaopt.RMSprop(epsilon=0.0, momentum=0.9),
    ],
    ids=["adagrad", "rmsprop", "rmsprop-momentum"],
)
def test_without_epsilon_the_scale_of_the_loss_does_not_matter(make):
    starts, gradients = problem(shapes=ONE)
    path = train(make(), starts, gradients, dtype="float64")
    larger = train(make(), starts, [g.astype("float64") * 1e3 for g in gradients], dtype="float64")
    assert displacement_error(larger, path) <= 1e-12


def test_first_step_of_adagrad():
    """η g / √(ε + g²): by hand, 3/5 and 0; without ε, η itself in every coordinate."""
    w = keras.Variable([0.0, 0.0])
    tfadaopt.Adagrad(learning_rate=1.0, epsilon=16.0).apply([np.array([3.0, 0.0], "float32")], [w])
    np.testing.assert_allclose(w.numpy(), [-0.6, 0.0], rtol=1e-6)
    w = keras.Variable([0.0, 0.0, 0.0])
    gradient = np.array([1e-12, -1e6, 0.0], "float32")
    tfadaopt.Adagrad(learning_rate=0.5, epsilon=0.0).apply([gradient], [w])
    np.testing.assert_allclose(w.numpy(), [-0.5, 0.5, 0.0], rtol=1e-6)


def test_adagrad_slows_as_the_root_of_time():
    path = train(tfadaopt.Adagrad(learning_rate=1.0, epsilon=0.0), *constant_gradients(2.0))
    t = np.arange(1, 101)[:, None]
    np.testing.assert_allclose(path.rates[0], 1 / (2 * np.sqrt(t)) + np.zeros(3), rtol=1e-6)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("epsilon", [0.0, 1e-7])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("mode", ["function", "jit"])
def test_centered_rmsprop_survives_a_constant_gradient(epsilon, momentum, mode):
    """There v − a² tends to zero, and rounding may bring it below."""
    optimizer = tfadaopt.RMSprop(centered=True, rho=0.5, epsilon=epsilon, momentum=momentum)
    starts, gradients = [np.zeros(64, "float32")], problem(steps=1, shapes=((64,),), seed=3)[1]
    path = train(optimizer, starts, [np.repeat(gradients[0], 200, axis=0)], mode=mode)
    assert np.isfinite(path.thetas[0]).all()
    assert np.isfinite(path.rates[0]).all()


@pytest.mark.parametrize(
    ("make", "before", "after"),
    [
        # b = 1, then 1.5: one step of η b each; keeping η inside would move −0.505 then.
        (lambda eta: tfadaopt.Momentum(eta, momentum=0.5), 1.0, 0.01 * 1.5),
        (lambda eta: tfadaopt.Nesterov(eta, momentum=0.5), 1.5, 0.01 * (1 + 0.5 * 1.5)),
        # ρ = 0, ε = 0: g is divided by its size, so that b is as above.
        (lambda eta: tfadaopt.RMSprop(eta, 0.0, 0.5, 0.0), 1.0, 0.01 * 1.5),
    ],
    ids=["momentum", "nesterov", "rmsprop"],
)
def test_a_lower_rate_takes_effect_at_once(make, before, after):
    eta = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.01])
    path = train(make(eta), *constant_gradients(1.0, steps=2), reset=True)
    np.testing.assert_allclose(-path.thetas[0][1:, 0], [before, after], rtol=1e-6)


def test_nesterov_is_a_look_ahead():
    """θ of the class is w + μ v of Sutskever's form, which takes its gradient at w + μ v."""
    mu, eta, w, v = 0.9, 0.125, 1.0, 0.0
    theta = keras.Variable(1.0, dtype="float64")
    optimizer = tfadaopt.Nesterov(learning_rate=eta, momentum=mu)
    for _ in range(30):
        v = mu * v - eta * 3 * (w + mu * v)  # the loss 1.5 w²
        w = w + v
        optimizer.apply([3 * theta.value], [theta])
        assert theta.numpy() == pytest.approx(w + mu * v, rel=1e-12)


def test_momentum_ten_times_as_long_in_the_end():
    path = train(tfadaopt.Momentum(1.0, 0.9), *constant_gradients(1.0, steps=300), reset=True)
    assert -path.thetas[0][-1, 0] == pytest.approx(10.0, rel=1e-5)
