"""Claims 2.8 to 2.20: numbers beside theory, and verdicts that can come out otherwise."""

import importlib
import inspect

import keras
import numpy as np
import pytest

import tfadaopt
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems import logistic, online, private_features
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.intervals import Sensitivity

FEW = Claims(seeds=3)
OF_WALK = set(inspect.signature(walk).parameters) - {"arguments"}


def module_of(name):
    return importlib.import_module(f"tfadaopt.experiments.claims.{name}")


def run(monkeypatch, name, settings=FEW, **smaller):
    module = module_of(name)
    for constant, value in smaller.items():
        monkeypatch.setattr(module, constant, value)
    return module.CLAIM.run(settings)


def swap(monkeypatch, name, methods, **always):
    """Let a claim's walks take other methods, with those arguments that these know."""

    def other(method, rates, *args, **more):
        method = methods.get(method, method)
        more |= always
        known = OF_WALK | set(inspect.signature(getattr(tfadaopt, method)).parameters)
        return walk(method, rates, *args, **{k: v for k, v in more.items() if k in known})

    walks_in = private_features if name == "generalization" else module_of(name)
    monkeypatch.setattr(walks_in, "walk", other)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# What the full runs find, on fewer seeds and smaller problems where that shows the same.
@pytest.mark.parametrize(
    ("name", "verdict", "smaller"),
    [
        ("one_rate", "confirmed", {}),
        ("scale_factor", "confirmed", {}),
        slow("stability_limits", "confirmed", {}),
        slow("scale_free", "depends", {}),
        slow("rotation", "depends", {"STEPS": {100: 2000, 1000: 4000}}),
        slow("steep_and_flat", "depends", {"STEPS": 100_000}),
        slow("root_of_time", "confirmed", {}),
        slow("convex", "depends", {}),
        slow("regret", "confirmed", {"HORIZONS": (50, 5000)}),
        slow("short_memory", "refuted", {}),
        slow("rare_gradients", "depends", {}),
        slow("sparse_features", "confirmed", {"ROUNDS": 2000}),
        slow("sparse_words", "confirmed", {}),
        slow("plateau", "confirmed", {}),
        slow("stop_learning", "depends", {}),
        slow("low_precision", "depends", {}),
        slow("saddle", "depends", {}),
        slow("generalization", "depends", {}),
    ],
)
def test_numbers_agree_with_theory(monkeypatch, name, verdict, smaller):
    finding = run(monkeypatch, name, **smaller)
    assert [n for n in finding.numbers if n.agrees is False] == []
    assert any(n.agrees for n in finding.numbers) or name.startswith("sparse_")
    assert finding.verdict == verdict
    assert finding.figures


@pytest.mark.parametrize(
    ("name", "methods", "always", "verdict"),
    [
        ("one_rate", {"SGD": "Adagrad"}, {}, "refuted"),
        ("scale_factor", {"Adagrad": "RMSprop"}, {}, "refuted"),
        slow("stability_limits", {"SGD": "Momentum"}, {}, "refuted"),
        slow("scale_free", {}, {"initial_accumulator_value": 0.1}, "refuted"),
        slow("scale_free", {}, {"epsilon": 0.0}, "confirmed"),
        slow("rotation", {}, {"initial_accumulator_value": 1.0}, "refuted"),
        slow("steep_and_flat", {"Adagrad": "RMSprop"}, {}, "refuted"),
        slow("root_of_time", {"Adagrad": "RMSprop"}, {}, "refuted"),
        slow("convex", {"Momentum": "SGD", "Nesterov": "SGD"}, {}, "confirmed"),
        slow("short_memory", {"Adam": "AMSGrad", "RMSprop": "Adagrad"}, {}, "confirmed"),
        slow("short_memory", {"RMSprop": "Adagrad"}, {}, "depends"),
        slow(
            "rare_gradients",
            dict.fromkeys(("Adadelta", "Nadam", "RAdam", "AdaBelief"), "AMSGrad"),
            {},
            "confirmed",
        ),
        slow("plateau", {"Adagrad": "RMSprop"}, {}, "refuted"),
        slow("stop_learning", {"Adagrad": "SGD"}, {"schedule": lambda t: t**-2}, "confirmed"),
        slow("stop_learning", {"Adagrad": "SGD"}, {}, "refuted"),
        slow("generalization", {"SGD": "Adagrad"}, {}, "refuted"),
    ],
)
def test_another_method_gets_another_verdict(monkeypatch, name, methods, always, verdict):
    if name == "rotation":
        monkeypatch.setattr(module_of(name), "STEPS", {100: 500, 1000: 500})
    if name == "steep_and_flat":
        monkeypatch.setattr(module_of(name), "STEPS", 5000)
    swap(monkeypatch, name, methods, **always)
    assert run(monkeypatch, name).verdict == verdict


@pytest.mark.slow
def test_a_method_that_does_not_learn_breaks_the_regret_bound(monkeypatch):
    monkeypatch.setattr(
        online,
        "walk",
        lambda method, rate, *args, **more: walk(method, 1e-9, *args, **more),
    )
    finding = run(monkeypatch, "regret", HORIZONS=(50, 5000))
    assert finding.verdict == "refuted"


@pytest.mark.slow
def test_a_saddle_that_nobody_leaves(monkeypatch):
    assert run(monkeypatch, "saddle", OFF=0.0).verdict == "refuted"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "measure"),
    [("sparse_features", "hinge_losses"), ("sparse_words", "errors_on_new_texts")],
)
def test_the_worse_method_does_not_win(monkeypatch, name, measure):
    real = getattr(module_of(name), measure)
    other = {"SGD": "Adagrad", "Adagrad": "SGD"}
    monkeypatch.setattr(module_of(name), measure, lambda m, *args, **more: real(other[m], *args))
    smaller = {"ROUNDS": 1000} if name == "sparse_features" else {"RATES": np.logspace(-1, 2, 4)}
    assert run(monkeypatch, name, **smaller).verdict in ("refuted", "depends")


@pytest.mark.slow
@pytest.mark.parametrize("random", [False, True])
def test_low_precision_depends_on_the_rounding(monkeypatch, random):
    module = module_of("low_precision")
    if random:  # both of them round at random: none stops
        monkeypatch.setattr(keras.optimizers, "Adagrad", lambda rate, **_: tfadaopt.Adagrad(rate))
        expected = "refuted"
    else:  # both round to nearest: both stop

        class Package:
            Adagrad = staticmethod(lambda rate: keras.optimizers.Adagrad(rate, 0.0))

        monkeypatch.setattr(module, "tfadaopt", Package)
        expected = "confirmed"
    assert module.CLAIM.run(FEW).verdict == expected


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((-0.9, -0.8, -0.7), "confirmed"),
        ((0.9, 0.5, -0.7), "depends"),
        ((0.9, 0.8, 0.7), "refuted"),
    ],
)
def test_the_rule_of_long_memory(monkeypatch, ends, verdict):
    module = module_of("long_memory")
    at = dict(zip(module.MEMORIES, ends, strict=True))
    monkeypatch.setattr(module, "play", lambda m, s, beta_2=0.99, **_: np.full((2, 3), at[beta_2]))
    finding = run(monkeypatch, "long_memory", ROUNDS=10)
    assert finding.verdict == verdict
    assert [f"{end:.2f}" in finding.condition for end in ends] == [True] * 3


@pytest.mark.slow
def test_adam_ends_on_the_wrong_side_with_a_short_memory():
    module = module_of("long_memory")
    chance = np.random.default_rng(0).random((module.ROUNDS, 5))
    slopes = np.where(chance < 0.01, 1010.0, -10.0)
    adam = module.play("Adam", slopes, beta_2=0.99)
    assert np.all(adam > 0.9)
    assert np.all(np.median(module.play("AMSGrad", slopes, beta_2=0.99), axis=1) < 0.5)


def sensitivity(width, good):
    return Sensitivity(0.1, 0.3, False, width, good, failed=0, tried=25)


@pytest.mark.parametrize(
    ("ours", "sgd", "moves_better", "verdict"),
    [
        (
            (sensitivity(6.25, 25), sensitivity(6.25, 25)),
            (sensitivity(1, 4),) * 2,
            True,
            "confirmed",
        ),
        ((sensitivity(2, 8), sensitivity(1, 4)), (sensitivity(1, 4),) * 2, True, "depends"),
        ((sensitivity(2, 8), sensitivity(1, 4)), (sensitivity(1, 4),) * 2, False, "refuted"),
        ((sensitivity(2, 8), sensitivity(0.5, 2)), (sensitivity(1, 4),) * 2, True, "refuted"),
    ],
)
def test_the_rule_of_no_tuning(ours, sgd, moves_better, verdict):
    assert module_of("no_tuning").verdict(ours, sgd, moves_better) == verdict


@pytest.mark.slow
def test_methods_of_one_rate_walk_as_others_do():
    # AdaGrad-Norm in one dimension is Adagrad, so that both ways to train must agree.
    rates, scales = np.array([0.01, 0.1, 1.0]), np.ones(logistic.DIMENSIONS)
    tuned = logistic.final_losses("SGD", rates, 3, scales)
    alone = logistic.final_losses("AdaGradNorm", rates, 3, scales)
    assert tuned.shape == alone.shape == (3, 3)
    # The same seeds mean the same data: the lowest losses are alike, seed by seed.
    np.testing.assert_allclose(tuned.min(axis=1), alone.min(axis=1), rtol=0.05)
