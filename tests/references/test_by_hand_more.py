"""The twins of the sign and factored methods and of Adam's later kin, by hand and by identities."""

import math

import numpy as np

from .adabound import AdaBound
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .ademamix import AdEMAMix
from .ftrl import Ftrl
from .lion import Lion
from .mars import MARS
from .momentum import Momentum
from .novograd import NovoGrad
from .rprop import Rprop
from .signum import Signum
from .stableadamw import StableAdamW


def close(actual, expected, rtol=1e-13, atol=0.0):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def path(twin, *gradients, start=0.0):
    """Values after each of these scalar gradients."""
    thetas = [np.array([start])]
    for g in gradients:
        thetas.append(twin.step(thetas[-1], [g]))
    return [float(theta[0]) for theta in thetas[1:]]


def same_path(one, other, shape=(5,), steps=30, rtol=1e-10, change=lambda g: g):
    """Both twins go the same way, and go; the other one gets changed gradients."""
    random = np.random.default_rng(0)
    a = b = theta = random.normal(size=shape)
    for _ in range(steps):
        g = random.normal(size=shape)
        a, b = one.step(a, g), other.step(b, change(g))
        close(a, b, rtol=rtol, atol=1e-13)
    assert np.any(a != theta)


def test_novograd_by_hand():
    twin = NovoGrad(learning_rate=0.1, beta_1=0.5, beta_2=0.75, epsilon=0.0, weight_decay=0.5)
    theta = twin.step([2.0, 0.0], [3.0, 4.0])  # v = 25; d = (0.6 + 1, 0.8)
    close(theta, [1.84, -0.08])
    close(twin.accumulators["velocity"], 25.0)
    theta = twin.step(theta, [0.0, 11.0])  # v = 18.75 + 30.25 = 49; d = (0.92, 11/7 - 0.04)
    close(theta, [1.84 - 0.172, -0.08 - 0.1 * (0.4 + 11 / 7 - 0.04)])
    close(twin.accumulators["velocity"], 49.0)
    close(twin.effective_learning_rate, [0.1 / 7, 0.1 / 7])
    close(NovoGrad(0.5, epsilon=5.0, weight_decay=None).step([0.0, 0.0], [3.0, 4.0]), [-0.15, -0.2])
    averaging = NovoGrad(learning_rate=1.0, beta_1=0.75, grad_averaging=True, weight_decay=None)
    close(averaging.step([0.0, 0.0], [3.0, 4.0]), [-0.15, -0.2], rtol=1e-8)


def test_adafactor_by_hand():
    g = np.array([[1.0, 2.0], [3.0, 4.0]])
    twin = Adafactor(learning_rate=1.0, epsilon_1=0.0, clip_threshold=0.5 * math.sqrt(0.96))
    theta = np.full((2, 2), 3.0)
    # R = (2.5, 12.5), C = (5, 10), mean R = 7.5; u^2 = 0.6, 1.2, 1.08, 0.96, whose mean is 0.96
    v = np.array([[5.0, 10.0], [25.0, 50.0]]) / 3
    new = twin.step(theta, g)
    close(new, theta - 3.0 * g / np.sqrt(v) / 2)  # clipped to a half
    close(twin.accumulators["row_velocity"], [2.5, 12.5])
    close(twin.accumulators["column_velocity"], [5.0, 10.0])
    close(twin.accumulators["step_rms"], math.sqrt(0.96))
    twin.step(theta, np.ones((2, 2)))
    close(twin.accumulators["row_velocity"], [1 + 1.5 * (1 - 2**-0.8), 1 + 11.5 * (1 - 2**-0.8)])
    # A vector has all of V; t = 1: V = g^2, a step of rho max(0.001, RMS(theta)).
    twin = Adafactor()
    close(twin.step([0.0, 0.0], [5.0, -1.0]), [-1e-5, 1e-5])
    close(Adafactor().step([1.0, 7.0], [5.0, -1.0]), [0.95, 7.05])  # RMS 5


def test_adafactor_steps_relative_to_the_time():
    vector = Adafactor(learning_rate=1.0, scale_parameter=False, clip_threshold=9.0)
    moved = np.diff([0.0, *path(vector, *[2.0] * 5)])
    close(moved, [-1 / math.sqrt(t) for t in range(1, 6)], rtol=1e-12)
    plain = Adafactor(0.25, scale_parameter=False, relative_step=False)
    close(path(plain, 2.0, 2.0, 2.0), [-0.25, -0.5, -0.75])
    slow = Adafactor(0.5, scale_parameter=False, relative_step=False, beta_1=0.5, epsilon_1=12.0)
    close(path(slow, 2.0, 2.0), [-0.125, -0.3125])  # V = 16, u = 1/2; m = 1/4, 3/8
    assert set(slow.accumulators) == {"velocity", "momentum", "step_rms", "parameter_scale"}


def test_adafactor_is_exact_for_gradients_of_rank_one():
    random = np.random.default_rng(0)
    settings = {"relative_step": False, "scale_parameter": False}
    # A matrix of 6 by 8.
    whole, factored = (Adafactor(**settings, min_dim_size_to_factor=least) for least in (7, 6))
    a = b = random.normal(size=(2, 3, 8))
    rows, columns = random.normal(size=6), random.normal(size=8)
    for t in range(20):
        g = np.outer(rows, columns).reshape(a.shape) * (1 + t)
        a, b = whole.step(a, g), factored.step(b, g)
        close(a, b, rtol=1e-11)
    assert whole.accumulators["velocity"].shape == a.shape
    assert factored.accumulators["row_velocity"].shape == (2, 3)
    assert factored.accumulators["column_velocity"].shape == (8,)


def test_ademamix_by_hand():
    twin = AdEMAMix(1.0, beta_1=0.5, beta_2=0.75, beta_3=0.875, alpha=2.0, epsilon=0.0)
    # m1_hat = 4, 4; m2 = 0.5, 0.4375 + 0.5; v_hat = 16
    close(path(twin, 4.0, 4.0), [-1.25, -1.25 - 5.875 / 4])
    decayed = AdEMAMix(0.5, weight_decay=0.5)
    close(decayed.step([4.0], [0.0]), [3.0])
    same_path(AdEMAMix(0.01, alpha=0.0, weight_decay=0.1), AdamW(0.01, weight_decay=0.1))


def test_ademamix_warms_up():
    twin = AdEMAMix(alpha_warmup_steps=4, beta_3_warmup_steps=100)
    seen = []
    for _ in range(120):
        twin.step([0.0], [1.0])
        seen.append((twin.alpha_now(), twin.beta_3_now()))
    close([alpha for alpha, _ in seen[:6]], [1.25, 2.5, 3.75, 5.0, 5.0, 5.0])
    # The half-life of the slow mean grows evenly.
    lives = [math.log(0.5) / math.log(beta) for _, beta in seen]
    start, end = (math.log(0.5) / math.log(beta) for beta in (0.9, 0.9999))
    close(lives[:100], start + (end - start) * np.arange(1, 101) / 100, rtol=1e-9)
    assert {beta for _, beta in seen[99:]} == {0.9999}
    # The limits of the formula: a mean of nothing but the last gradient, first or in the end.
    for first, last, expected in ((0.0, 0.8, 0.8**2), (1e-300, 0.8, 0.8**2), (0.5, 0.0, 0.0)):
        twin = AdEMAMix(beta_1=first, beta_3=last, beta_3_warmup_steps=2)
        twin.step([0.0], [1.0])
        close(twin.beta_3_now(), expected, rtol=1e-3)
    # beta_3 never exceeds its end, even from a larger beta_1.
    twin = AdEMAMix(beta_1=0.9, beta_3=0.5, beta_3_warmup_steps=4)
    twin.step([0.0], [1.0])
    assert twin.beta_3_now() == 0.5


def test_mars_by_hand():
    twin = MARS(learning_rate=1.0, beta_1=0.5, beta_2=0.0, gamma=0.5, epsilon=0.0)
    # c = 0.25, then 0.5 + 0.5 * 0.25 = 0.625, then 1 + 0.25, clipped to 1; v_hat = c^2
    first, second, third = path(twin, 0.25, 0.5, 1.0)
    close(first, -1.0)
    close(second - first, -(0.0625 + 0.3125) / 0.75 / 0.625)
    close(third - second, -(0.1875 + 0.5) / 0.875)
    close(twin.accumulators["momentum"], [0.6875])
    code = MARS(first_difference=True)
    code.step([0.0], [0.5])
    close(code.accumulators["momentum"], [0.05 * 0.5 * 1.475])


def test_mars_without_gamma_is_adamw_of_clipped_gradients():
    settings = {"learning_rate": 0.01, "beta_1": 0.95, "beta_2": 0.99, "weight_decay": 0.1}
    same_path(
        MARS(gamma=0.0, **settings),
        AdamW(**settings),
        shape=(3, 2),
        change=lambda g: g / max(1.0, np.linalg.norm(g)),
    )
    vectors = {**settings, "beta_1": 0.9, "beta_2": 0.95}
    same_path(MARS(skip_vectors=True, **settings), AdamW(**vectors))
    same_path(MARS(skip_vectors=True, **settings), MARS(**settings), shape=(3, 2))


def test_lion_by_hand():
    twin = Lion(learning_rate=0.5, beta_1=0.5, beta_2=0.75)
    # c = 2, then 0.5 - 0.4 > 0, then 0.275 - 0.5 < 0; m = 1, 0.55, 0.1625
    close(path(twin, 4.0, -0.8, -1.0), [-0.5, -1.0, -0.5])
    close(twin.accumulators["momentum"], [0.75 * 0.55 - 0.25])
    close(Lion(learning_rate=0.5, weight_decay=0.5).step([4.0, 4.0], [0.0, 1.0]), [3.0, 2.5])


def test_signum_by_hand_and_as_lion():
    twin = Signum(learning_rate=0.5, momentum=0.75)
    # m = 1, 0.55, -0.0875
    close(path(twin, 4.0, -0.8, -2.0), [-0.5, -1.0, -0.5])
    close(twin.accumulators["momentum"], [-0.0875])
    both = {"learning_rate": 0.01, "weight_decay": 0.1}
    same_path(Signum(momentum=0.8, **both), Lion(beta_1=0.8, beta_2=0.8, **both))


def test_every_coordinate_of_lion_moves_by_the_rate():
    random = np.random.default_rng(0)
    for twin in (Lion(0.01), Signum(0.01)):
        theta = random.normal(size=(3, 4))
        for _ in range(20):
            new = twin.step(theta, random.normal(size=(3, 4)))
            close(np.abs(new - theta), 0.01, rtol=1e-11)
            theta = new


def test_rprop_by_hand():
    twin = Rprop(initial_step=1.0)
    # 1, 1.2, turned: 0.6 and no step, 0.6, 0.72
    close(path(twin, 3.0, 0.1, -5.0, -7.0, -0.1), [-1.0, -2.2, -2.2, -1.6, -0.88])
    close(twin.accumulators["step_size"], [0.72])
    bounded = Rprop(initial_step=1.0, increase=4.0, decrease=0.125, smallest=0.75, largest=3.0)
    close(path(bounded, 1.0, 1.0, -1.0, 1.0), [-1.0, -4.0, -4.0, -4.75])
    # Gradients so small that their product is 0; and a schedule's factor.
    tiny = Rprop(initial_step=1.0, learning_rate=lambda step: [1.0, 1.0, 0.5][step])
    close(path(tiny, 1e-200, 1e-200, 0.0), [-1.0, -2.2, -2.2])
    close(tiny.effective_learning_rate, [0.6])


def test_stableadamw_by_hand():
    twin = StableAdamW(1.0, beta_1=0.0, beta_2=0.5, epsilon=0.0, weight_decay=0.25)
    theta = twin.step([8.0, 8.0], [1.0, 1.0])
    close(theta, [5.0, 5.0])  # a quarter and 1
    # v = 1/4 and 1/4 + 25/2, v_hat = 1/3 and 17; RMS^2 = 25 / 17 / 2, below 1
    theta = twin.step(theta, [0.0, 5.0])
    close(theta, [3.75, 3.75 - 5 / math.sqrt(17)])
    close(twin.accumulators["step_rms"], 5 / math.sqrt(34))
    g, before = np.array([10.0, 10.0]), theta
    v_hat = np.array([0.125 + 50, 6.375 + 50]) / 0.875
    eta = 1 / math.sqrt(np.mean(100 / v_hat))
    assert eta < 1
    close(twin.step(theta, g), before - eta * (0.25 * before + g / np.sqrt(v_hat)))
    close(twin.accumulators["velocity"], [50.125, 56.375])
    close(twin.accumulators["step_rms"], 1 / eta)


def test_stableadamw_is_adamw_where_nothing_surprises():
    settings = {"learning_rate": 0.01, "beta_2": 0.99, "epsilon": 1e-6, "weight_decay": 0.1}
    one, other = StableAdamW(**settings), AdamW(**settings)
    a = b = np.ones(3)
    for t in range(50):
        a, b = one.step(a, np.full(3, 0.9**t)), other.step(b, np.full(3, 0.9**t))
        close(a, b, rtol=1e-12)
    close(one.accumulators["momentum"], other.accumulators["momentum"], rtol=1e-12)
    close(one.effective_learning_rate, other.effective_learning_rate, rtol=1e-12)
    close(one.direction, other.direction, rtol=1e-12)


def test_adabound_by_hand():
    settings = {"learning_rate": 1.0, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0}
    # m = 2, v = 4: 1 * 0.5 / 0.5 / 2 = 0.5; f = 0.125, gamma 1: between 0.0625 and 0.25
    twin = AdaBound(**settings, final_rate=0.125, gamma=1.0)
    # then m = 3, v = 7: 0.88 / sqrt(7) is above 0.125 * 1.5
    close(path(twin, 4.0, 4.0), [-0.5, -0.5 - 0.1875 * 3])
    # the root is 2 + 1, and the bounds are 0.001 and 10
    close(path(AdaBound(**{**settings, "epsilon": 1.0}, gamma=0.01), 4.0), [-2 / 3])
    # Published: 1 / 2 is above the bound, too; in the second step v = 7 - 3, m = 1 and sqrt(2)
    twin = AdaBound(**settings, final_rate=2.0, gamma=1.0, as_published=True)
    # lower 1, upper 4 for 1 / 2; then lower 4/3, upper 3 for 1 / sqrt(3)
    close(path(twin, 4.0, 0.0), [-2.0, -2.0 - 4 / 3 / math.sqrt(2)])
    large = AdaBound(**settings, final_rate=2.0, gamma=1.0, amsbound=True)
    large.step([0.0], [4.0])
    large.step([0.0], [0.0])
    close(large.accumulators["velocity_hat"], [4.0])
    close(large.accumulators["velocity"], [3.0])


def test_adabound_lies_between_adam_and_sgd():
    settings = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 0.0}
    same_path(AdaBound(0.01, gamma=1e-12, **settings), Adam(0.01, **settings), rtol=1e-9)
    # The bounds meet: the running mean of gradients at the rate 0.1, times what is left of eta.
    halves = AdaBound(lambda step: 1.5 if step else 3.0, gamma=1e15, **settings)
    mean = Momentum(lambda step: 0.1 * (0.05 if step else 0.1), momentum=0.9)
    same_path(halves, mean)
    # A warm-up from 0.
    warm = AdaBound(lambda step: float(step), gamma=1e15, **settings)
    close(path(warm, 1.0, 1.0, 1.0), [0.0, -0.019, -0.019 - 0.2 * 0.271])


def test_ftrl_by_hand():
    twin = Ftrl(learning_rate=0.5, l1_regularization_strength=1.0, beta=2.0)
    # z = 3 - 6 w, n = 9, s = 6, q = 6 + 4; w = 0: (1 - 3) / 10
    theta = twin.step([0.0], [3.0])
    close(theta, [-0.2])
    close(twin.accumulators["linear"], [3.0])
    # n = 25, s = 10, sigma = 4: z = 3 - 4 + 0.8 = -0.2, within l1: exactly 0
    assert twin.step(theta, [-4.0]) == [0.0]
    close(twin.accumulators["linear"], [-0.2])
    # Keras' l2 is half of the paper's lambda_2, and the shrinkage pulls at z.
    ridge = Ftrl(0.5, l2_regularization_strength=2.0, l2_shrinkage_regularization_strength=0.25)
    # z = 3 + 0.5 - 6, q = 6 + 4
    close(ridge.step([1.0], [3.0]), [0.25])
    started = Ftrl(0.5, initial_accumulator_value=16.0)
    close(started.step([1.0], [3.0]), [-0.1])  # z = 3 - (10 - 8), q = 10


def test_ftrl_without_penalties_is_adagrad():
    def eta(step):
        return 0.1 / (1 + step)

    same_path(Ftrl(0.1), Adagrad(0.1, epsilon=0.0))
    same_path(Ftrl(eta), Adagrad(eta, epsilon=0.0))
    # With a power of 0 it is SGD: what l1 = 0 leaves is w = -eta z.
    free = Ftrl(0.5, learning_rate_power=0.0, initial_accumulator_value=1.0)
    close(path(free, 1.0, 2.0, -1.0), [-0.5, -1.5, -1.0])
    still = Ftrl(lambda step: 0.0 if step == 1 else 0.1)
    moved = path(still, 1.0, 5.0)
    assert moved[0] == moved[1]
    close(still.accumulators["accumulator"], [1.0])
