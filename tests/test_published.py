"""Published runs, reproduced: DeepOBS' quadratic_deep, by the baselines that it published."""

import numpy as np
import pytest

from tfadaopt.experiments.problems.quadratic_deep import losses_of, quadratic_deep

EPOCHS = (1, 10, 50, 90, 100)
# Mean and standard deviation of ten runs, after these epochs: fsschneider/DeepOBS_Baselines.
TEN_RUNS = {
    ("SGD", 0.015848931925): (
        (105.330, 92.978, 87.669, 87.416, 87.397),
        (0.157, 0.160, 0.161, 0.160, 0.160),
    ),
    ("Momentum", 0.0025118864315): (
        (271.158, 134.261, 92.818, 87.124, 87.045),
        (2.313, 0.369, 0.285, 0.031, 0.024),
    ),
    ("Adam", 0.039810717055): (
        (141.825, 94.730, 87.394, 87.127, 87.112),
        (0.224, 0.087, 0.020, 0.023, 0.023),
    ),
}
ARGUMENTS = {
    "Momentum": {"momentum": 0.99},
    "Adagrad": {"initial_accumulator_value": 0.1, "epsilon": 0.0},
}
# One run each, of the same problem: Crowded Valley (Schmidt, Schneider and Hennig 2021), seed 43.
ONE_RUN = {
    ("Adagrad", 0.01): ((1, 10, 50, 100), (308.739, 215.353, 132.226, 112.124)),
    ("Adam", 0.001): ((90, 100), (108.545, 106.639)),
}


def test_the_problem_is_the_published_one():
    problem = quadratic_deep()
    assert problem.test_loss(np.ones(100)) == pytest.approx(353.446764265, rel=1e-7)
    assert problem.test_loss(problem.train.mean(axis=0)) == pytest.approx(87.0460, abs=5e-5)


@pytest.mark.parametrize(("method", "rate"), TEN_RUNS)
def test_ten_runs(method, rate):
    means, deviations = map(np.array, TEN_RUNS[method, rate])
    found = losses_of(method, rate, EPOCHS[-1], 10, **ARGUMENTS.get(method, {}))[list(EPOCHS)]
    error = np.sqrt((deviations**2 + found.std(axis=1, ddof=1) ** 2) / 10)
    assert (np.abs(found.mean(axis=1) - means) <= 3 * error).all(), (found.mean(axis=1), error)


@pytest.mark.parametrize(("method", "rate"), ONE_RUN)
def test_one_run(method, rate):
    epochs, published = ONE_RUN[method, rate]
    found = losses_of(method, rate, epochs[-1], 10, **ARGUMENTS.get(method, {}))[list(epochs)]
    away = np.abs(found.mean(axis=1) - published)
    assert (away <= 3 * found.std(axis=1, ddof=1)).all(), (found.mean(axis=1), found.std(axis=1))


def test_another_rule_is_not_taken_for_it():
    # Ten per cent more rate leaves the published band at the first epoch.
    means, deviations = map(np.array, TEN_RUNS["SGD", 0.015848931925])
    found = losses_of("SGD", 1.1 * 0.015848931925, 1, 10)[1]
    error = np.sqrt((deviations[0] ** 2 + found.std(ddof=1) ** 2) / 10)
    assert abs(found.mean() - means[0]) > 3 * error
