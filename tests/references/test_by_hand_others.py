"""The twins of the joint, layer-wise and matrix methods, by hand and against identities."""

import math

import numpy as np
import pytest

from .adagrad import Adagrad
from .adagradnorm import AdaGradNorm
from .adam import Adam
from .adamw import AdamW
from .adan import Adan
from .adopt import ADOPT
from .dadaptadam import DAdaptAdam
from .dog import DoG
from .dowg import DoWG
from .lamb import LAMB
from .lars import LARS
from .madgrad import MADGRAD
from .momentum import Momentum
from .prodigy import Prodigy
from .schedulefreeadamw import ScheduleFreeAdamW
from .schedulefreesgd import ScheduleFreeSGD
from .shampoo import Shampoo
from .sm3 import SM3
from .soap import SOAP

JOINT = [AdaGradNorm, DoG, DoWG, DAdaptAdam, Prodigy]


def close(actual, expected, rtol=1e-13, atol=0.0):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def path(twin, *gradients, start=0.0):
    """Values after each of these scalar gradients."""
    thetas = [np.array([start])]
    for g in gradients:
        thetas.append(twin.step(thetas[-1], [g]))
    return [float(theta[0]) for theta in thetas[1:]]


def same_path(one, other, shape=(5,), steps=30, rtol=1e-10, start=None):
    """Both twins go the same way, and go."""
    random = np.random.default_rng(0)
    theta = random.normal(size=shape) if start is None else start
    a = b = theta
    for _ in range(steps):
        g = random.normal(size=shape)
        a, b = one.step(a, g), other.step(b, g)
        close(a, b, rtol=rtol, atol=1e-13)
    assert np.any(a != theta)


@pytest.mark.parametrize("method", JOINT)
def test_joint_methods_see_one_long_array(method):
    random = np.random.default_rng(0)
    shapes = [(), (3,), (0, 3), (2, 2)]
    thetas = [random.normal(size=shape) for shape in shapes]
    twin, long, alone = method(), method(), method()
    theta = np.concatenate([np.ravel(a) for a in thetas])
    last = thetas[-1]
    for _ in range(20):
        gs = [random.normal(size=shape) for shape in shapes]
        thetas = twin.step_all(thetas, gs)
        theta = long.step(theta, np.concatenate([np.ravel(g) for g in gs]))
        last = alone.step(last, gs[-1])
        close(np.concatenate([np.ravel(a) for a in thetas]), theta, rtol=1e-11)
    for name, slot in long.accumulators.items():
        slots = [slots[name] for slots in twin.all_accumulators]
        if np.shape(slot):
            slot_as_one = np.concatenate([np.ravel(s) for s in slots])
            close(slot_as_one, slot, rtol=1e-9, atol=1e-20)
        else:
            close(slots, [slot] * len(shapes), rtol=1e-10)
    assert [rate.shape for rate in twin.effective_learning_rates] == shapes
    assert [direction.shape for direction in twin.directions] == shapes
    assert np.any(last != thetas[-1])  # the other arrays matter
    assert twin.joint


# Adan.


ADAN = {"learning_rate": 1.0, "beta_1": 0.5, "beta_2": 0.5, "beta_3": 0.75, "epsilon": 0.0}


def test_adan_by_hand():
    twin = Adan(**ADAN, bias_correction=False)
    # m = 2, 5; v = 0, 2; n = 4, 3 + (8 + 2)^2 / 4 = 28
    close(path(twin, 4.0, 8.0), [-1.0, -1.0 - 6 / math.sqrt(28)])
    close(twin.accumulators["momentum"], [5.0])
    close(twin.accumulators["difference"], [2.0])
    close(twin.accumulators["velocity"], [28.0])
    close(twin.accumulators["previous_gradient"], [8.0])
    close(twin.effective_learning_rate, [1 / math.sqrt(28)])
    close(twin.direction, [6.0])
    # m = 4, 20 / 3; v = 0, 8 / 3; n = 16, 64
    close(path(Adan(**ADAN), 4.0, 8.0), [-1.0, -2.0])
    close(path(Adan(**{**ADAN, "epsilon": 4.0}), 4.0), [-0.5])


def test_adan_shrinks_after_the_step():
    close(path(Adan(**ADAN, weight_decay=0.25), 4.0, start=2.0), [0.8])  # (2 - 1) / 1.25
    twin = Adan(**{**ADAN, "learning_rate": 0.5}, weight_decay=1.0)
    close(path(twin, 4.0, start=2.0), [1.0])  # (2 - 0.5) / 1.5
    close(twin.effective_learning_rate, [0.125])
    close(twin.direction, [8.0])


def test_adan_that_forgets_all_differences_is_adam():
    same_path(Adan(beta_1=0.9, beta_2=0.0, beta_3=0.999), Adam())


def test_adan_under_a_constant_gradient_moves_by_eta():
    close(path(Adan(learning_rate=0.1, epsilon=0.0), *[-7.0] * 5), [0.1, 0.2, 0.3, 0.4, 0.5])


# ADOPT.


ADOPTED = {"learning_rate": 1.0, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0}


def test_adopt_by_hand():
    twin = ADOPT(**ADOPTED)
    close(path(twin, 2.0), [0.0])
    close(twin.accumulators["momentum"], [0.0])
    close(twin.accumulators["velocity"], [4.0])
    close(twin.effective_learning_rate, [0.5])
    # u = 1 / 2; v = 3 + 1 / 4; u = 100 / sqrt(v), at most 2^(1/4)
    small = 2**0.25
    close(path(ADOPT(**ADOPTED), 2.0, 1.0, 100.0), [0.0, -0.25, -0.375 - 0.5 * small])
    close(path(ADOPT(**ADOPTED), 2.0, 1.0, -100.0), [0.0, -0.25, -0.375 + 0.5 * small])
    free = ADOPT(**ADOPTED, clip=False)
    close(path(free, 2.0, 1.0, 100.0)[-1], -0.375 - 50 / math.sqrt(3.25))
    close(free.accumulators["velocity"], [0.75 * 3.25 + 2500])
    close(free.effective_learning_rate, [1 / math.sqrt(0.75 * 3.25 + 2500)])


def test_adopt_clips_at_one_when_it_first_moves():
    close(path(ADOPT(**ADOPTED), 2.0, 100.0), [0.0, -0.5])


def test_adopt_divides_by_epsilon_or_the_root():
    twin = ADOPT(**{**ADOPTED, "epsilon": 4.0})
    close(path(twin, 2.0, 2.0), [0.0, -0.25])  # u = 2 / max(2, 4)
    close(twin.effective_learning_rate, [0.25])


def test_adopt_without_clip_is_linear_in_the_current_gradient():
    steps = [
        path(ADOPT(**{**ADOPTED, "beta_1": 0.0}, clip=False), 2.0, g)[-1] for g in (3.0, 300.0)
    ]
    close(steps, [-1.5, -150.0])


# LARS and LAMB.


def test_lars_by_hand():
    twin = LARS(learning_rate=lambda step: [1.0, 2.0][step], momentum=0.5, trust_coefficient=0.1)
    theta = twin.step([3.0, 4.0], [0.0, 10.0])
    close(twin.accumulators["trust_ratio"], 0.05)  # 0.1 * 5 / 10
    close(theta, [3.0, 3.5])
    close(twin.effective_learning_rate, [0.05, 0.05])
    close(twin.direction, [0.0, 10.0])
    theta = twin.step([6.0, 8.0], [-1.0, 0.0])
    close(twin.accumulators["momentum"], [-1.0, 0.25])  # ratio 1, half of 0.5
    close(theta, [8.0, 7.5])


def test_lars_with_weight_decay_by_hand():
    twin = LARS(learning_rate=1.0, trust_coefficient=0.3, weight_decay=1.0)
    close(twin.step([3.0, 4.0], [0.0, 10.0]), [2.7, 2.6])  # 0.3 * 5 / (10 + 5) = 0.1
    close(twin.accumulators["momentum"], [0.3, 1.4])


def test_lars_with_ratio_one_is_momentum():
    same_path(LARS(skip_vectors=True, momentum=0.8), Momentum(learning_rate=0.1, momentum=0.8))
    twin = LARS(learning_rate=1.0, momentum=0.8)
    close(twin.step([0.0, 0.0], [1.0, 2.0]), [-1.0, -2.0])
    assert twin.accumulators["trust_ratio"] == 1
    close(LARS(weight_decay=0.5, learning_rate=1.0).step([2.0], [0.0]), [1.0])
    matrix = np.ones((2, 2))
    one, other = LARS(skip_vectors=True), LARS()
    close(one.step(matrix, matrix), other.step(matrix, matrix))
    assert one.accumulators["trust_ratio"] == 0.001


def test_lars_does_not_know_the_size_of_the_gradients():
    random = np.random.default_rng(0)
    one, other = LARS(), LARS()
    a = b = random.normal(size=(3, 2))
    for _ in range(10):
        g = random.normal(size=(3, 2))
        a, b = one.step(a, g), other.step(b, 1000 * g)
        close(a, b)


def test_lamb_by_hand():
    twin = LAMB(learning_rate=0.1, epsilon=0.0)
    ratio = 5 / math.sqrt(2)
    close(twin.step([3.0, 4.0], [5.0, -7.0]), [3 - 0.1 * ratio, 4 + 0.1 * ratio])
    close(twin.accumulators["trust_ratio"], ratio)
    close(twin.effective_learning_rate, [ratio / 5, ratio / 7])  # 0.1 / (1 - 0.9) is 1
    close(twin.direction, [0.5, -0.7])
    twin = LAMB(learning_rate=0.1, epsilon=0.0, weight_decay=0.5)
    r = np.array([2.5, 1.0])  # (1, -1) + (1.5, 2)
    close(twin.step([3.0, 4.0], [5.0, -7.0]), [3.0, 4.0] - 0.1 * 5 / math.sqrt(7.25) * r)


def test_lamb_with_ratio_one_is_adam():
    same_path(LAMB(epsilon=1e-8, skip_vectors=True), Adam())
    same_path(LAMB(skip_vectors=True, weight_decay=0.1), AdamW(epsilon=1e-6, weight_decay=0.1))
    close(LAMB(learning_rate=1.0, epsilon=0.0).step([0.0], [2.0]), [-1.0])


def test_lamb_moves_by_eta_times_the_norm():
    random = np.random.default_rng(0)
    twin = LAMB(learning_rate=0.1, weight_decay=0.3)
    theta = random.normal(size=(3, 4))
    for _ in range(10):
        before, theta = theta, twin.step(theta, random.normal(size=(3, 4)))
        close(np.linalg.norm(before - theta), 0.1 * np.linalg.norm(before))


# AdaGrad-Norm and SM3.


def test_adagradnorm_by_hand():
    twin = AdaGradNorm(learning_rate=1.5, initial_accumulator_value=0.0)
    thetas = twin.step_all([[1.0], [1.0, 1.0]], [[3.0], [0.0, 4.0]])
    close(thetas[0], [1 - 0.9])
    close(thetas[1], [1.0, 1 - 1.2])
    assert [slots["accumulator"] for slots in twin.all_accumulators] == [25.0, 25.0]
    close(twin.effective_learning_rates[1], [0.3, 0.3])
    twin.step_all(thetas, [[0.0], [12.0, 0.0]])
    assert twin.accumulators["accumulator"] == 169.0
    assert AdaGradNorm().accumulators == {"accumulator": 0.01}


def test_adagradnorm_of_one_number_is_adagrad():
    other = Adagrad(learning_rate=1.0, initial_accumulator_value=0.01, epsilon=0.0)
    same_path(AdaGradNorm(), other, shape=())


def test_sm3_by_hand():
    twin = SM3(learning_rate=1.0, momentum=0.0)
    theta = twin.step(np.zeros((2, 2)), [[1.0, -2.0], [3.0, 4.0]])
    close(theta, [[-1.0, 1.0], [-1.0, -1.0]])
    close(twin.accumulators["accumulator_0"], [4.0, 16.0])
    close(twin.accumulators["accumulator_1"], [9.0, 16.0])
    close(twin.effective_learning_rate, [[1 / 2, 1 / 2], [1 / 3, 1 / 4]])
    nu = np.array([[5.0, 5.0], [10.0, 17.0]])
    close(twin.step(theta, np.ones((2, 2))), theta - 1 / np.sqrt(nu))
    close(twin.accumulators["accumulator_0"], [5.0, 17.0])
    close(twin.accumulators["accumulator_1"], [10.0, 17.0])


def test_sm3_momentum_and_epsilon_by_hand():
    twin = SM3(learning_rate=1.0, momentum=0.75, epsilon=7.0)
    close(path(twin, 3.0), [-0.1875])  # 3 / sqrt(9 + 7) / 4
    close(twin.accumulators["momentum"], [0.1875])
    close(twin.effective_learning_rate, [0.25])
    close(path(SM3(learning_rate=1.0, momentum=0.75), 3.0, -4.0), [-0.25, -0.2375])


def test_sm3_of_a_vector_is_adagrad():
    for shape in ((), (5,), (1, 5)):
        same_path(SM3(momentum=0.0), Adagrad(learning_rate=0.1, epsilon=0.0), shape=shape)


def test_sm3_never_takes_longer_steps_than_adagrad():
    random = np.random.default_rng(0)
    one, other = SM3(momentum=0.0), Adagrad(learning_rate=0.1, epsilon=0.0)
    rate = np.inf
    for _ in range(20):
        g = random.normal(size=(3, 4, 2))
        one.step(g, g), other.step(g, g)
        assert np.all(one.effective_learning_rate <= other.effective_learning_rate)
        assert np.all(one.effective_learning_rate <= rate)
        rate = one.effective_learning_rate
    assert np.any(rate < other.effective_learning_rate)
    shapes = [one.accumulators[f"accumulator_{k}"].shape for k in range(3)]
    assert shapes == [(3,), (4,), (2,)]


# MADGRAD.


def test_madgrad_by_hand():
    twin = MADGRAD(learning_rate=1.0, momentum=0.0, epsilon=0.0)
    close(path(twin, 8.0, 1.0, start=3.0)[0], 1.0)  # 3 - 8 / 4
    root = math.sqrt(2)
    close(twin.accumulators["gradient_sum"], [8 + root])
    close(twin.accumulators["velocity"], [64 + root])
    close(twin.accumulators["start"], [3.0])
    close(twin.effective_learning_rate, [root / (64 + root) ** (1 / 3)])
    twin = MADGRAD(learning_rate=1.0, momentum=0.75, epsilon=12.0)
    close(path(twin, 8.0, start=3.0), [2.875])  # a quarter of 8 / (4 + 12)
    close(twin.effective_learning_rate, [1 / 64])
    close(twin.direction, [8.0])


def test_madgrad_without_momentum_is_at_z():
    random = np.random.default_rng(0)
    still, slow = MADGRAD(momentum=0.0), MADGRAD(momentum=0.9)
    start = a = b = random.normal(size=4)
    for _ in range(10):
        g = random.normal(size=4)
        before = b
        a, b = still.step(a, g), slow.step(b, g)
        slots = still.accumulators
        z = start - slots["gradient_sum"] / (np.cbrt(slots["velocity"]) + 1e-6)
        close(a, z)
        close(b, 0.9 * before + 0.1 * z)


def test_madgrad_grows_with_the_cube_root_of_the_gradients():
    gradients = np.random.default_rng(0).normal(size=10)
    one = path(MADGRAD(epsilon=0.0), *gradients)
    close(path(MADGRAD(epsilon=0.0), *(1000 * gradients)), 10 * np.array(one), rtol=1e-12)


# Schedule-Free.


def test_schedule_free_sgd_by_hand():
    twin = ScheduleFreeSGD(beta=0.5)
    # z = -2, -1; x = -2, (-2 - 1) / 2
    close(path(twin, 2.0, -1.0), [-2.0, -1.25])
    close(twin.accumulators["z"], [-1.0])
    close(twin.average, [-1.5])
    assert twin.accumulators["weight_sum"] == 2.0
    close(twin.direction, [-0.75])
    close(path(ScheduleFreeSGD(beta=0.5, weight_decay=0.5), 1.0, start=4.0), [1.0])


def test_schedule_free_warmup_by_hand():
    twin = ScheduleFreeSGD(beta=0.5, warmup_steps=2)
    # gamma = 1/2, 1; z = -1, -2; c = 1, 1 / 1.25; x = -1, -1.8
    close(path(twin, 2.0, 1.0), [-1.0, -1.9])
    close(twin.average, [-1.8])
    close(twin.effective_learning_rate, [1.0])
    twin.step([0.0], [1.0])
    assert twin.accumulators["weight_sum"] == 2.25
    twin = ScheduleFreeAdamW(learning_rate=1.0, warmup_steps=4, epsilon=0.0)
    close(path(twin, -5.0), [0.25])
    close(twin.effective_learning_rate, [0.05])


@pytest.mark.parametrize("method", [ScheduleFreeSGD, ScheduleFreeAdamW])
def test_schedule_free_average_is_the_mean_of_z(method):
    random = np.random.default_rng(0)
    twin = method(learning_rate=0.1, weight_decay=0.2)
    theta, points = random.normal(size=4), []
    for _ in range(20):
        theta = twin.step(theta, random.normal(size=4))
        points.append(twin.accumulators["z"])
        close(twin.average, np.mean(points, axis=0), rtol=1e-11)
        close(theta, 0.1 * points[-1] + 0.9 * np.mean(points, axis=0), rtol=1e-11)


def test_schedule_free_weights_are_squared_rates():
    twin = ScheduleFreeSGD(learning_rate=lambda step: [0.0, 3.0, 1.0][step], beta=0.9)
    theta, points = np.array([1.0]), []
    for g in (1.0, 2.0, -3.0):
        theta = twin.step(theta, [g])
        points.append(twin.accumulators["z"])
    close(points[0], [1.0])
    close(twin.average, 0.9 * points[1] + 0.1 * points[2])


def test_schedule_free_adamw_by_hand():
    twin = ScheduleFreeAdamW(learning_rate=1.0, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    # v_hat = 16, 16; z = -1, -2; x = -1, -1.5
    close(path(twin, 4.0, 4.0), [-1.0, -1.75])
    close(twin.accumulators["velocity"], [7.0])
    close(twin.effective_learning_rate, [0.25])
    close(twin.direction, [3.0])
    twin = ScheduleFreeAdamW(learning_rate=0.5, epsilon=4.0, weight_decay=0.25)
    close(path(twin, 4.0, start=4.0), [3.25])  # 4 - (4 / 8 + 1) / 2


# DoG and DoWG.


def test_dog_by_hand():
    twin = DoG(initial_distance=0.2, epsilon=0.0)
    first = twin.step([3.0, 4.0], [0.0, 2.0])
    close(twin.accumulators["max_distance"], 1.2)  # 0.2 (1 + 5)
    close(first, [3.0, 2.8])
    close(twin.accumulators["average"], first)
    second = twin.step(first, [1.5, 0.0])
    assert twin.accumulators["gradient_sum"] == 6.25
    close(second, [3 - 1.2 / 2.5 * 1.5, 2.8])
    close(twin.accumulators["average"], 0.1 * first + 0.9 * second)
    twin.step(second, [0.0, 0.0])
    close(twin.accumulators["max_distance"], math.hypot(0.72, 1.2))
    close(twin.accumulators["start"], [3.0, 4.0])
    close(DoG(initial_distance=1.0, epsilon=16.0).step([0.0], [3.0]), [-0.6])


def test_dog_starts_with_a_step_of_the_initial_distance():
    random = np.random.default_rng(0)
    theta, g = random.normal(size=(2, 3)), 1e5 * random.normal(size=(2, 3))
    moved = np.linalg.norm(DoG(initial_distance=1e-3, learning_rate=3.0).step(theta, g) - theta)
    close(moved, 3e-3 * (1 + np.linalg.norm(theta)), rtol=1e-10)


def test_dog_average_of_degree_zero_is_the_mean():
    random = np.random.default_rng(0)
    twin = DoG(averaging=0.0, initial_distance=0.1)
    theta, points = random.normal(size=3), []
    for _ in range(10):
        theta = twin.step(theta, random.normal(size=3))
        points.append(theta)
    close(twin.accumulators["average"], np.mean(points, axis=0))


def test_dowg_by_hand():
    twin = DoWG(initial_distance=0.5, epsilon=0.0)
    assert twin.accumulators["squared_distance"] == 0.25
    second = -0.5 - 0.25 / math.sqrt(1.25)
    close(path(twin, 2.0, 1.0, start=3.0), [2.5, 3 + second])  # V = 1, 1.25
    twin.step([3 + second], [1.0])
    close(twin.accumulators["squared_distance"], second**2)
    close(twin.accumulators["gradient_sum"], 1.25 + second**2)
    close(twin.effective_learning_rate, [second**2 / math.sqrt(1.25 + second**2)])
    close(path(DoWG(initial_distance=0.5, epsilon=1.0), 2.0), [-0.25])  # 0.25 / (1 + 1) * 2


@pytest.mark.parametrize("method", [DoG, DoWG])
def test_distances_do_not_know_the_size_of_the_gradients(method):
    gradients = np.random.default_rng(0).normal(size=20)
    arguments = {"epsilon": 0.0, "initial_distance": 0.1}
    one = path(method(**arguments), *gradients)
    close(path(method(**arguments), *(1000 * gradients)), one, rtol=1e-11)
    assert abs(one[-1]) > 0.1


# D-Adaptation and Prodigy.


QUARTER = {"beta_1": 0.5, "beta_2": 0.25, "epsilon": 0.0, "initial_distance": 1.0}


def test_dadaptadam_by_hand():
    twin = DAdaptAdam(**QUARTER)
    # m = s = 2, 3, 3.5; v = 12, 15, 15.75; r = 0, 4 / sqrt(12), ...
    third = 2 / math.sqrt(12) + 3 / math.sqrt(15) + 3.5 / math.sqrt(15.75)
    close(path(twin, 4.0, 4.0, 4.0)[-1], -third)
    r = 2 / math.sqrt(12) + 6 / math.sqrt(15)
    close(twin.accumulators["numerator"], r)
    close(twin.accumulators["gradient_sum"], [3.5])
    close(twin.accumulators["distance"], r / 1.75)
    assert twin.accumulators["previous_distance"] == 1.0
    close(twin.effective_learning_rate, [1 / math.sqrt(15.75)])
    close(twin.direction, [3.5])
    twin.step([0.0], [4.0])
    close(twin.accumulators["momentum"], [1.75 + 2 * r / 1.75])  # the new distance
    close(twin.accumulators["velocity"], [15.75 / 4 + 12])


def test_prodigy_by_hand():
    twin = Prodigy(**QUARTER)
    moves = [2 / math.sqrt(12), 3 / math.sqrt(15), 3.5 / math.sqrt(15.75)]
    thetas = [0.0, *-np.cumsum(moves)]
    close(path(twin, 4.0, 4.0, 4.0, start=1.0), np.array(thetas[1:]) + 1)
    assert twin.accumulators["distance"] == 1.0
    twin.step([thetas[-1] + 1], [4.0])
    r = 2 * (-thetas[1] / 4 - thetas[2] / 2 - thetas[3])
    close(twin.accumulators["numerator"], r)
    close(twin.accumulators["gradient_sum"], [3.75])
    d = r / 3.75
    assert d > 1.5
    close(twin.accumulators["distance"], d)
    close(twin.accumulators["start"], [1.0])
    v = 15.75 / 4 + 12
    close(twin.effective_learning_rate, [1 / math.sqrt(v)])
    twin.step([thetas[-1]], [4.0])
    close(twin.accumulators["momentum"], [3.75 / 2 + 2 * d])
    close(twin.accumulators["velocity"], [v / 4 + 12 * d**2])
    close(twin.effective_learning_rate, [d**2 / math.sqrt(v / 4 + 12 * d**2)])
    twin = Prodigy(**QUARTER, distance_coefficient=2.0)
    path(twin, 4.0, 4.0, 4.0)
    close(twin.accumulators["distance"], 4 * (-thetas[1] / 2 - thetas[2]) / 3.5)


def test_dadaptadam_epsilon_is_outside_the_root():
    twin = DAdaptAdam(**{**QUARTER, "epsilon": 4.0, "beta_2": 0.75})
    close(path(twin, 4.0), [-1 / 3])  # 2 / (2 + 4)
    close(twin.effective_learning_rate, [1 / 6])
    twin.step([0.0], [4.0])
    q = math.sqrt(0.75)
    close(twin.accumulators["numerator"], (1 - q) ** 2 * 16 / 6)


@pytest.mark.parametrize("method", [DAdaptAdam, Prodigy])
def test_distance_does_not_fall_and_grows_as_fast_as_allowed(method):
    random = np.random.default_rng(0)
    minimum = 10 + random.normal(size=5)
    factors = {}
    for growth in (None, 1.5):
        twin = method(growth_rate=growth)
        theta, distance, factors[growth] = np.zeros(5), 1e-6, [1.0]
        for _ in range(300):
            theta = twin.step(theta, theta - minimum + 0.1 * random.normal(size=5))
            assert twin.accumulators["previous_distance"] == distance
            factors[growth].append(twin.accumulators["distance"] / distance)
            distance = twin.accumulators["distance"]
        assert min(factors[growth]) == 1.0
        assert 0.5 < distance < 3 * np.linalg.norm(minimum)  # an estimate, from 1e-6
    close(max(factors[1.5]), 1.5)
    assert max(factors[None]) > 1.5


@pytest.mark.parametrize("method", [DAdaptAdam, Prodigy])
def test_with_a_fixed_distance_it_is_adam_without_correction(method):
    random = np.random.default_rng(0)
    twin = method(initial_distance=0.01, learning_rate=0.3, growth_rate=1.0, weight_decay=0.2)
    adam = Adam()
    theta = random.normal(size=4)
    for _ in range(20):
        g = random.normal(size=4)
        adam.step(theta, g)
        m, v = adam.accumulators["momentum"], adam.accumulators["velocity"]
        expected = theta - 0.003 * (m / (np.sqrt(v) + 1e-8) + 0.2 * theta)
        theta = twin.step(theta, g)
        close(theta, expected, rtol=1e-12)
    assert twin.accumulators["distance"] == 0.01


def test_bias_correction_of_the_distance_methods():
    bc = math.sqrt(0.75) / 0.5
    for method in (DAdaptAdam, Prodigy):
        twin = method(**QUARTER, bias_correction=True, learning_rate=0.5)
        # bc m / sqrt(v) is m_hat / sqrt(v_hat) = 1 at the first step
        close(path(twin, 4.0), [-0.5])
        close(twin.accumulators["gradient_sum"], [bc])  # (1 - 1 / 2) bc / 2 * 4
    arguments = {"epsilon": 0.0, "initial_distance": 0.01, "growth_rate": 1.0}
    prodigy = Prodigy(**arguments, bias_correction=True)
    same_path(prodigy, Adam(learning_rate=0.01, epsilon=0.0))


def test_prodigy_safeguard_leaves_the_rate_out_of_the_sum():
    for safe, expected in ((False, 1.0), (True, 2.0)):
        twin = Prodigy(**QUARTER, learning_rate=0.5, safeguard_warmup=safe)
        path(twin, 4.0)
        close(twin.accumulators["gradient_sum"], [expected])
        twin.step([-1.0], [4.0])
        close(twin.accumulators["numerator"], 1.0)  # the rate is in it either way


def test_prodigy_epsilon_is_in_units_of_the_distance():
    twin = Prodigy(beta_1=0.0, beta_2=0.75, epsilon=2.0, initial_distance=0.1)
    close(path(twin, 4.0), [-0.1])  # 0.1 * 0.4 / (0.2 + 0.2)
    close(twin.effective_learning_rate, [0.025])


# Shampoo.


def test_shampoo_of_diagonal_gradients_is_adagrad():
    twin, adagrad = Shampoo(epsilon=0.0), Adagrad(learning_rate=0.1, epsilon=0.0)
    theta, diagonal = np.zeros((3, 3)), np.zeros(3)
    for g in ([3.0, -1.0, 0.0], [4.0, 2.0, 0.0], [-12.0, 0.0, 0.0]):
        theta = twin.step(theta, np.diag(g))
        diagonal = adagrad.step(diagonal, g)
        close(theta, np.diag(diagonal), atol=1e-16)
    close(twin.accumulators["statistics_0"], np.diag([169.0, 5.0, 0.0]))


def test_first_shampoo_step_has_singular_values_one():
    random = np.random.default_rng(0)
    g = random.normal(size=(4, 3))
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    twin = Shampoo(learning_rate=1.0, epsilon=0.25)
    close(twin.step(np.zeros((4, 3)), g), -u @ np.diag(s / np.sqrt(s**2 + 0.25)) @ vt, rtol=1e-10)
    close(twin.accumulators["statistics_0"], g @ g.T)
    close(twin.accumulators["statistics_1"], g.T @ g)
    fourth = np.linalg.matrix_power(twin.accumulators["root_1"], 4)
    close(fourth @ (g.T @ g + 0.25 * np.eye(3)), np.eye(3), atol=1e-12)


def test_shampoo_of_a_vector_by_hand():
    twin = Shampoo(learning_rate=1.0, epsilon=11.0)
    close(twin.step([0.0, 0.0], [3.0, 4.0]), [-0.5, -2 / 3], rtol=1e-12)  # / sqrt(25 + 11)
    close(twin.accumulators["statistics_0"], [[9.0, 12.0], [12.0, 16.0]])
    assert set(twin.accumulators) == {"statistics_0", "root_0", "updates"}
    twin.step([0.0, 0.0], [0.0, 1.0])
    total = np.array([[20.0, 12.0], [12.0, 28.0]])
    root = twin.accumulators["root_0"]
    close(root @ total @ root, np.eye(2), atol=1e-13)


def test_shampoo_of_a_long_vector_is_adagrad():
    twin = Shampoo(max_dimension=4, epsilon=0.2)
    same_path(twin, Adagrad(learning_rate=0.1, epsilon=0.2))
    assert twin.accumulators["root_0"].shape == (5,)
    twin = Shampoo(learning_rate=1.0, max_dimension=2, epsilon=0.0)
    g = np.array([[1.0, 0.0], [0.0, 4.0], [0.0, 3.0]])
    expected = g / np.sqrt([[1.0], [4.0], [3.0]]) / np.sqrt([1.0, 5.0])
    close(twin.step(np.zeros((3, 2)), g), -expected, rtol=1e-12)
    close(twin.accumulators["statistics_0"], [1.0, 16.0, 9.0])
    assert twin.accumulators["statistics_1"].shape == (2, 2)


def test_shampoo_shapes():
    random = np.random.default_rng(0)
    g = random.normal(size=(2, 3, 4))
    one, other = Shampoo().step(0 * g, g), Shampoo().step(np.zeros((6, 4)), g.reshape(6, 4))
    close(one, other.reshape(2, 3, 4))
    vector = Shampoo().step(np.zeros(4), g[0, 0])
    for shape in ((4, 1), (1, 4), (2, 2, 1), (1, 1, 4)):
        twin = Shampoo()
        close(twin.step(np.zeros(shape), g[0, 0].reshape(shape)), vector.reshape(shape))
        assert "root_1" not in twin.accumulators
    twin = Shampoo(epsilon=0.0, learning_rate=1.0)
    close(twin.step([[2.0]], [[-9.0]]), [[3.0]])
    assert twin.accumulators["statistics_0"].shape == (1, 1)
    twin.step(np.zeros((0, 3)), np.zeros((0, 3)))
    assert set(twin.accumulators) == {"updates"}


def test_shampoo_keeps_old_roots():
    twin = Shampoo(learning_rate=1.0, epsilon=0.0, refresh_every=2)
    # roots of 9, 9, 9 + 16 + 144, made in the first and third update
    close(path(twin, 3.0, 4.0, 12.0), [-1.0, -1 - 4 / 3, -1 - 4 / 3 - 12 / 13])
    close(twin.accumulators["statistics_0"], [[169.0]])


# SOAP.


def test_soap_of_a_vector_is_adam():
    betas = {"beta_1": 0.95, "beta_2": 0.95}
    same_path(SOAP(weight_decay=None), Adam(learning_rate=0.003, **betas))
    decayed = AdamW(learning_rate=0.003, weight_decay=0.01, **betas)
    same_path(SOAP(), decayed, shape=(5, 1))
    twin = SOAP(max_dimension=2)
    same_path(twin, AdamW(learning_rate=0.003, weight_decay=0.01, **betas), shape=(3, 4))
    assert set(twin.accumulators) == {"momentum", "velocity", "updates"}


def test_soap_only_learns_its_bases_first():
    g = np.random.default_rng(0).normal(size=(4, 3))
    twin = SOAP(learning_rate=0.5, weight_decay=0.1)
    close(twin.step(np.full((4, 3), 2.0), g), 2.0)
    slots = twin.accumulators
    close(slots["momentum"], np.zeros((4, 3)))
    close(slots["velocity"], np.zeros((4, 3)))
    close(slots["statistics_0"], 0.05 * g @ g.T)
    close(slots["statistics_1"], 0.05 * g.T @ g)
    for i in (0, 1):
        q = slots[f"basis_{i}"]
        turned = q.T @ slots[f"statistics_{i}"] @ q
        close(turned, np.diag(np.diag(turned)), atol=1e-15)
        assert np.all(np.diff(np.diag(turned)) < 1e-15)


def test_second_soap_step_has_singular_values_near_one():
    g = np.random.default_rng(0).normal(size=(4, 3))
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    twin = SOAP(learning_rate=1.0, weight_decay=None, epsilon=0.5)
    theta = twin.step(np.zeros((4, 3)), g)
    close(twin.step(theta, g), -u @ np.diag(s / (s + 0.5)) @ vt, rtol=1e-10)
    close(twin.accumulators["statistics_0"], (1 - 0.95**2) * g @ g.T)


@pytest.mark.parametrize("refresh_every", [1, 2, 100])
def test_soap_of_diagonal_gradients_is_adam_from_the_second_on(refresh_every):
    twin = SOAP(weight_decay=None, refresh_every=refresh_every, beta_2=0.5)
    adam = Adam(learning_rate=0.003, beta_1=0.95, beta_2=0.5)
    theta, diagonal = np.zeros((3, 3)), np.zeros(3)
    theta = twin.step(theta, np.diag([1.0, 3.0, 2.0]))
    orders = set()
    for g in ([2.0, -1.0, 4.0], [-7.0, 0.5, 3.0], [0.1, 9.0, -9.5], [5.0, 1.0, 2.0]):
        theta = twin.step(theta, np.diag(g))
        diagonal = adam.step(diagonal, g)
        close(theta, np.diag(diagonal), atol=1e-15)
        orders.add(tuple(np.argmax(np.abs(twin.accumulators["basis_0"]), axis=0)))
    assert len(orders) > 1 or refresh_every == 100


def test_soap_turns_with_the_gradients():
    shape = (4, 4)  # of full rank from the first gradient on: the eigenvectors are unique
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.normal(size=(n, n)))[0] for n in shape)
    one, other = (SOAP(refresh_every=3, epsilon=1e-3) for _ in range(2))
    a = random.normal(size=shape)
    b = left @ a @ right
    for _ in range(12):
        g = random.normal(size=shape)
        a, b = one.step(a, g), other.step(b, left @ g @ right)
        close(b, left @ a @ right, rtol=1e-9, atol=1e-12)
    assert np.abs(one.accumulators["basis_0"]).max() < 0.999


def test_soap_refresh_by_hand():
    random = np.random.default_rng(0)
    twin = SOAP(refresh_every=2)
    theta = random.normal(size=(3, 3))
    bases = []
    for _ in range(5):
        theta = twin.step(theta, random.normal(size=(3, 3)))
        bases.append(twin.accumulators["basis_1"])
    close(bases[1], bases[0])
    close(bases[3], bases[2])
    assert np.abs(bases[2] - bases[1]).max() > 0.01
    assert np.abs(bases[4] - bases[3]).max() > 0.01
    close(bases[4].T @ bases[4], np.eye(3), atol=1e-14)


def test_soap_with_one_long_side_turns_the_other():
    random = np.random.default_rng(0)
    twin = SOAP(max_dimension=3, weight_decay=None, epsilon=1e-3)
    right = np.linalg.qr(random.normal(size=(3, 3)))[0]
    other = SOAP(max_dimension=3, weight_decay=None, epsilon=1e-3)
    a, b = np.zeros((5, 3)), np.zeros((5, 3))
    for _ in range(12):
        g = random.normal(size=(5, 3))
        a, b = twin.step(a, g), other.step(b, g @ right)
        close(b, a @ right, rtol=1e-9, atol=1e-13)
    names = {"momentum", "velocity", "statistics_1", "basis_1", "updates"}
    assert set(twin.accumulators) == names
    left = SOAP(max_dimension=3)
    left.step(np.zeros((2, 5)), random.normal(size=(2, 5)))
    assert set(left.accumulators) == {n.replace("_1", "_0") for n in names}


def test_soap_shapes():
    random = np.random.default_rng(0)
    one, other = SOAP(), SOAP()
    a = random.normal(size=(2, 3, 4))
    b = a.reshape(6, 4)
    for _ in range(3):
        g = random.normal(size=(2, 3, 4))
        a, b = one.step(a, g), other.step(b, g.reshape(6, 4))
        close(a, b.reshape(2, 3, 4))
    assert one.accumulators["momentum"].shape == (2, 3, 4)
    assert one.accumulators["velocity"].shape == (6, 4)
