"""The twins of Adam's family against arithmetic done by hand and identities from the papers."""

import math

import numpy as np
import pytest

from . import (
    AdaBelief,
    Adadelta,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Nadam,
    NadamW,
    RAdam,
    RMSprop,
    Yogi,
)

HALVES = {"learning_rate": 1.0, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0}


def close(actual, expected, rtol=1e-13):
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=0)


def path(twin, *gradients, start=0.0):
    """Values after each of these scalar gradients."""
    thetas = [np.array([start])]
    for g in gradients:
        thetas.append(twin.step(thetas[-1], [g]))
    return [float(theta[0]) for theta in thetas[1:]]


def test_adam_by_hand():
    twin = Adam(**HALVES)
    # m = 2, 3; m_hat = 4, 4; v = 4, 7; v_hat = 16, 16
    close(path(twin, 4.0, 4.0), [-1.0, -2.0])
    close(twin.accumulators["momentum"], [3.0])
    close(twin.accumulators["velocity"], [7.0])
    close(path(twin, 0.0), [-(1.5 / 0.875) / math.sqrt(5.25 / (1 - 0.75**3))])
    close(path(Adam(**{**HALVES, "epsilon": 4.0}), 4.0), [-0.5])  # 4 / (4 + 4)


def test_first_adam_step_of_a_tiny_slope():
    for epsilon, expected in ((1e-8, 0.990), (1e-7, 0.909)):
        (moved,) = path(Adam(learning_rate=1.0, epsilon=epsilon), 1e-6)
        assert round(-moved, 3) == expected


def test_adam_without_momentum_is_rmsprop_corrected_for_its_start():
    gradients = np.random.default_rng(0).normal(size=20)
    adam = Adam(learning_rate=0.1, beta_1=0.0, beta_2=0.9, epsilon=0.0)
    plain = RMSprop(
        learning_rate=lambda step: 0.1 * math.sqrt(1 - 0.9 ** (step + 1)), rho=0.9, epsilon=0.0
    )
    close(path(adam, *gradients), path(plain, *gradients), rtol=1e-11)


def test_decay_by_hand():
    for twin in (AdamW(weight_decay=0.25, **HALVES), NadamW(weight_decay=0.25, **HALVES)):
        close(path(twin, 0.0, 0.0, start=16.0), [12.0, 9.0])
    free = AdamW(weight_decay=None, **HALVES)
    close(path(free, 4.0, -1.0, start=2.0), path(Adam(**HALVES), 4.0, -1.0, start=2.0))


def test_amsgrad_by_hand():
    twin = AMSGrad(**{**HALVES, "beta_2": 0.0})
    # v = 16, 1; the largest stays 16; m = 2, 1.5
    close(path(twin, 4.0, 1.0), [-0.5, -0.875])
    close(twin.accumulators["velocity_hat"], [16.0])
    close(twin.accumulators["velocity"], [1.0])
    twin = AMSGrad(bias_correction=True, **{**HALVES, "beta_2": 0.0})
    close(path(twin, 4.0, 1.0), [-1.0, -1.5])  # m_hat = 4, 2


def test_amsgrad_never_forgets():
    gradients = np.random.default_rng(1).normal(size=(100, 5))
    twin, adam, rate, theta = AMSGrad(), Adam(), np.inf, np.zeros(5)
    for g in gradients:
        twin.step(theta, g)
        adam.step(theta, g)
        assert (twin.accumulators["velocity_hat"] >= adam.accumulators["velocity"]).all()
        assert (twin.effective_learning_rate <= rate).all()
        rate = twin.effective_learning_rate


def test_adamax_by_hand():
    twin = Adamax(**HALVES)
    # u = 4, 3, 2.25; m = 2, 1.5, 0.75; m_hat = 4, 2, 6/7
    close(path(twin, 4.0, 1.0, 0.0), [-1.0, -1 - 2 / 3, -1 - 2 / 3 - 6 / 7 / 2.25])
    close(twin.accumulators["norm"], [2.25])


def test_nadam_by_hand():
    twin = Nadam(psi=None, **HALVES)
    # m = 2; 0.5 * 2 / (1 - 1/4) + 0.5 * 4 / (1 - 1/2) = 4/3 + 4; v_hat = 16
    close(path(twin, 4.0), [-4 / 3])
    close(twin.accumulators["momentum_product"], 0.5)
    # 0.96^0 = 1: the momentum is a quarter always
    twin = Nadam(psi=0.0, **HALVES)
    # m = 3; 0.25 * 3 / (1 - 1/16) + 0.75 * 4 / 0.75 = 0.8 + 4
    close(path(twin, 4.0), [-1.2])
    assert Nadam(psi=1.0).mu(1) == pytest.approx(0.9 * 0.52)


def test_radam_by_hand():
    twin = RAdam(**{**HALVES, "beta_1": 0.0, "beta_2": 0.9})
    longest, waited = 19.0, []
    for t in range(1, 8):
        length = longest - 2 * t * 0.9**t / (1 - 0.9**t)
        if length > 4:
            break
        waited.append(length)
    close(path(twin, *[4.0] * len(waited)), [-4.0 * n for n in range(1, len(waited) + 1)])
    rectified = math.sqrt((length - 4) * (length - 2) * 19 / (15 * 17 * length))
    close(path(twin, 4.0), [-rectified], rtol=1e-12)  # v_hat = 16: a step of r


def test_radam_waits_as_long_as_its_threshold():
    for threshold, first in ((4.0, 5), (5.0, 6)):
        twin = RAdam(learning_rate=1.0, beta_1=0.0, threshold=threshold)
        rates = [twin.step([0.0], [4.0]) is not None and twin.effective_learning_rate[0]]
        while rates[-1] == 1.0:
            twin.step([0.0], [4.0])
            rates.append(twin.effective_learning_rate[0])
        assert len(rates) == first


def test_adabelief_by_hand():
    twin = AdaBelief(**{**HALVES, "epsilon": 0.0})
    # m = 2, s = 0.25 * 4 = 1, s_hat = 4
    close(path(twin, 4.0), [-2.0])
    twin = AdaBelief(learning_rate=1.0, beta_1=0.0, beta_2=0.5, epsilon=1.0)
    # g = m: s = 1, 1.5; s_hat = 2, 2
    close(path(twin, 4.0, 4.0), [-4 / (math.sqrt(2) + 1), -8 / (math.sqrt(2) + 1)])


def test_yogi_by_hand():
    twin = Yogi(learning_rate=1.0, beta_1=0.0, beta_2=0.75, epsilon=1.0)
    twin.v = np.float64(8.0)
    # v = 8 + 4, then 12 - 1/4
    close(
        path(twin, 4.0, 1.0),
        [-4 / (math.sqrt(12) + 1), -4 / (math.sqrt(12) + 1) - 1 / (math.sqrt(11.75) + 1)],
    )
    close(twin.accumulators["velocity"], [11.75])
    corrected = Yogi(**HALVES, initial_accumulator_value=0.0, bias_correction=True)
    close(path(corrected, 4.0), [-1.0])


def test_adadelta_by_hand():
    twin = Adadelta(rho=0.75, epsilon=5.0)
    # E_g = 4: a step of sqrt(5)/3 * 4; E_x = 0.25 * 80/9
    close(path(twin, 4.0), [-4 * math.sqrt(5) / 3])
    close(twin.accumulators["accumulated_delta_var"], [20 / 9])
    close(twin.effective_learning_rate, [math.sqrt(20 / 9 + 5) / 3])
    # E_g = 3 + 1
    moved = path(twin, 2.0)[0]
    close(moved, -2 * math.sqrt(65 / 9) / 3)


def test_first_adadelta_step_is_its_epsilon():
    (moved,) = path(Adadelta(), 1.0)
    assert round(-moved, 4) == 0.0045
