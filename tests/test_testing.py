"""What users run on optimizers of their own catches faults by name, and passes what holds."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.testing import CONTRACTS, ContractError, Report, check_optimizer
from tfadaopt.testing.subject import BrokenContractError, agree
from tfadaopt.testing.trajectories import Trajectory, accumulator_error

from .broken_optimizers import BROKEN, MeansOverReplicas
from .cases import BY_ID, SHAPES, THREE
from .references import REFERENCES

ROOT = Path(__file__).resolve().parents[1]
# Run on every fault besides those that have to name it: each takes a tenth of a second.
CHEAP = {"configuration", "clipping", "weight_decay", "embedding_rows", "not_finite"}
# What other tests hold for each shape of hooks: test_modes and test_updates.
HELD_ELSEWHERE = ("compiled_step", "xla", "several_steps_per_execution", "twin")
# Faults that are named in every run; ``make audit`` has the others.
QUICK = ("an argument is not in get_config", "clips are ignored", "it states twice its rate")


RECORD = json.loads((ROOT / "benchmarks" / "checked.json").read_text(encoding="utf-8"))


def only(*names):
    """What to leave out so that these contracts are tried."""
    return sorted(CONTRACTS.keys() - set(names))


def failed_contracts(make, reference=None, leave_out=()) -> set[str]:
    """Names of the contracts that fail; the error lists each with what came of it."""
    with pytest.raises(ContractError) as error:
        check_optimizer(make, reference, leave_out=leave_out)
    for outcome in error.value.report.failed:
        assert outcome.contract in str(error.value)
        assert outcome.text in str(error.value)
    return {outcome.contract for outcome in error.value.report.failed}


@pytest.mark.parametrize(
    "what",
    [pytest.param(x, marks=() if x in QUICK else pytest.mark.audit) for x in BROKEN],
)
def test_each_fault_is_named_by_its_contracts_and_by_no_other(what):
    cls, arguments, expected = BROKEN[what]
    reference = REFERENCES["Adam"] if "twin" in expected else None
    leave_out = only(*expected, *CHEAP)
    assert failed_contracts(lambda: cls(**arguments), reference, leave_out) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [pytest.param(x, id=str(x), marks=() if x in THREE else pytest.mark.audit) for x in SHAPES],
)
def test_each_shape_of_hooks_holds_all_contracts(case):
    leave_out = () if case in THREE else HELD_ELSEWHERE
    report = check_optimizer(case.make, case.twin, leave_out=leave_out)
    assert len(report.passed) + len(report.not_tried) == len(CONTRACTS) - len(leave_out)
    without = {outcome.contract for outcome in report.not_tried}
    rates = set() if case.has_rate else {"reading", "rate_times_direction"}
    assert without == {"two_devices", *rates}


@pytest.mark.slow
def test_optimizers_of_keras_hold_all_but_what_keras_decides():
    """What all of them fail is recorded; of these, one is tried again."""
    failed = failed_contracts(lambda: keras.optimizers.Adam(0.01), leave_out=HELD_ELSEWHERE)
    assert failed == RECORD["optimizers"]["keras.Adam"]["failed"].keys()


def test_record_is_of_all_contracts_and_all_methods_and_none_of_ours_fails():
    assert RECORD["contracts"] == list(CONTRACTS)
    found = RECORD["optimizers"]
    assert {name for name in found if "." not in name} == {m.name for m in tfadaopt.methods()}
    for name, outcome in found.items():
        tried = {*outcome["failed"], *outcome["not_tried"]}
        assert outcome["hold"] == len(CONTRACTS) - len(tried), name
        assert not outcome["failed"] or name.startswith("keras."), name


def test_what_keras_decides_is_said():
    with pytest.raises(ContractError, match=r"tfadaopt\.optimizers\.Optimizer has them put right"):
        check_optimizer(keras.optimizers.Adam, leave_out=only("not_finite"))


def test_a_twin_is_a_class_a_function_or_an_object():
    twin = REFERENCES["Momentum"]
    leave_out = only("twin", "rate_times_direction")
    for reference in (twin, lambda: twin(0.5, 0.25), twin(0.5, 0.25)):
        report = check_optimizer(
            lambda: tfadaopt.Momentum(0.5, 0.25), reference, leave_out=leave_out
        )
        assert len(report.passed) == 2, report


class OnlyStep:
    """A twin that says nothing but where a step leads."""

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate

    def step(self, theta, g):
        return np.asarray(theta, "float64") - self.learning_rate * np.asarray(g, "float64")


def test_a_twin_needs_no_more_than_a_step():
    leave_out = only("twin", "rate_times_direction")
    report = check_optimizer(lambda: tfadaopt.SGD(0.5), OnlyStep, leave_out=leave_out)
    assert [outcome.contract for outcome in report.passed] == ["twin"]
    assert "says no direction" in report.not_tried[0].text
    assert failed_contracts(lambda: tfadaopt.Adam(0.5), OnlyStep, only("twin")) == {"twin"}


class OnlyStepAtOneRate:
    """A twin whose rate is in its rule."""

    def step(self, theta, g):
        return np.asarray(theta, "float64") - 0.5 * np.asarray(g, "float64")


def test_a_twin_may_have_no_rate_of_its_own():
    report = check_optimizer(lambda: tfadaopt.SGD(0.5), OnlyStepAtOneRate, leave_out=only("twin"))
    assert len(report.passed) == 1


class RateOfSmall(tfadaopt.SGD):
    """It states a rate of few coordinates only."""

    def effective_learning_rate(self, variable):
        if np.prod(variable.shape) > 6:
            raise tfadaopt.UnsupportedOptimizerError("of few coordinates only")
        return super().rule().rate({}, tf.ones([]), tf.convert_to_tensor(self.learning_rate))


class NoConfiguration(tfadaopt.SGD):
    def get_config(self):
        raise RuntimeError("on purpose")


def scheduled():
    return tfadaopt.Momentum(keras.optimizers.schedules.ExponentialDecay(0.1, 9, 0.5))


@pytest.mark.parametrize(
    ("make", "reference", "contract", "why"),
    [
        (scheduled, None, "weight_decay", "its learning rate is a schedule"),
        (NoConfiguration, None, "clipping", "it needs a copy"),
        (keras.optimizers.SGD, None, "rate_times_direction", "neither a twin nor the method"),
        (tfadaopt.Shampoo, None, "rate_times_direction", "no effective learning rate"),
        (RateOfSmall, REFERENCES["SGD"], "rate_times_direction", "of a matrix of 5 × 6"),
    ],
)
def test_what_cannot_be_tried_is_no_fault(make, reference, contract, why):
    (outcome,) = check_optimizer(make, reference, leave_out=only(contract)).not_tried
    assert why in outcome.text


def test_the_direction_that_a_method_says_is_tried_without_a_twin():
    for make in (tfadaopt.Adam, scheduled):
        report = check_optimizer(make, leave_out=only("rate_times_direction"))
        assert len(report.passed) == 1
    assert len(check_optimizer(RateOfSmall, leave_out=only("reading")).passed) == 1


def test_a_step_that_raises_is_a_fault_with_its_error():
    class Raises(tfadaopt.SGD):
        def direction(self, state, g, t):
            raise RuntimeError("on purpose")

    with pytest.raises(ContractError, match=r"clipping .*: raised RuntimeError: on purpose"):
        check_optimizer(Raises, leave_out=only("clipping"))


def test_decay_of_a_method_that_waits_begins_when_it_moves():
    assert len(check_optimizer(tfadaopt.ADOPT, leave_out=only("weight_decay")).passed) == 1


def test_more_arrays_or_other_names_than_expected_are_a_fault():
    with pytest.raises(BrokenContractError, match="state: received 1 arrays, expected 2"):
        agree("state", [np.ones(2)], [np.ones(2)] * 2)
    of_a, of_b = (Trajectory([], [], [{name: np.ones((2, 1))}], []) for name in "ab")
    assert accumulator_error(of_a, of_b) == np.inf
    assert accumulator_error(of_a, of_a) == 0


def test_a_report_says_what_was_not_tried_and_why():
    report = check_optimizer(tfadaopt.SGD, leave_out=only("twin", "clipping"))
    assert isinstance(report, Report)
    lines = str(report).splitlines()
    assert lines[0] == "SGD: 1 of 2 contracts hold"
    assert lines[1].split() == ["passed", "clipping"]
    assert "not tried  twin: no reference was given" in lines[2]


ONE = tfadaopt.SGD()


@pytest.mark.parametrize(
    ("make", "reference", "match"),
    [
        (ONE, None, "function that returns a new optimizer"),
        (lambda: "adam", None, "no Keras optimizer"),
        (lambda: ONE, None, "same optimizer twice"),
        (tfadaopt.SGD, "adam", "is no twin"),
        (tfadaopt.SGD, dict, "is no twin"),
    ],
)
def test_what_is_no_optimizer_or_twin_is_refused(make, reference, match):
    with pytest.raises(TypeError, match=match):
        check_optimizer(make, reference)


def test_an_unknown_contract_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'clipnig', which is no contract; .*clipping"):
        check_optimizer(tfadaopt.SGD, leave_out=["clipnig"])


def test_two_devices_are_tried_where_there_are_two(two_devices):
    assert two_devices == {"Momentum": [], "MeansOverReplicas": ["two_devices"]}


def on_two_devices(strategy) -> dict:
    """Which contracts fail, by optimizer."""
    assert len(tf.config.list_logical_devices("CPU")) == 2
    found = {}
    for cls in (tfadaopt.Momentum, MeansOverReplicas):
        try:
            report = check_optimizer(cls, leave_out=only("two_devices"))
            assert len(report.passed) == 1
        except ContractError as error:
            report = error.report
        found[cls.__name__] = [outcome.contract for outcome in report.failed]
    return found


def test_settings_of_the_optimizer_that_change_a_step_are_no_fault():
    case = BY_ID["momentum"]
    make = lambda: case.make(clipnorm=0.5, use_ema=True, gradient_accumulation_steps=2)  # noqa: E731
    leave_out = only(
        "clipping", "moving_average", "gradient_accumulation", "configuration", "resume"
    )
    assert len(check_optimizer(make, case.twin, leave_out=leave_out).passed) == 5
