"""Bad arguments are refused at construction, by name; whatever is a number is taken as one."""

import inspect
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import FULLEST, each_method, each_shape_with_a_rate

NO_NUMBER = ["0.1", True, [0.1], {}, 1j, np.array([0.1])]
NOT_NEGATIVE = [-1, -1e-9, np.float32(-1), math.nan, math.inf, *NO_NUMBER]
POSITIVE = [0, 0.0, *NOT_NEGATIVE]
SHARE = [-0.1, 1.0, 1, 2, math.nan, math.inf, *NO_NUMBER]

COUNT = [-1, 0.5, 2.0, "3", None, True, [1]]

BAD_OWN = {
    "learning_rate": [None, *NOT_NEGATIVE],
    "initial_accumulator_value": [None, *NOT_NEGATIVE],
    "momentum": [None, *SHARE],
    "rho": [None, *SHARE],
    "epsilon": [None, *NOT_NEGATIVE],
    "centered": [None, 1, 0.0, "False"],
    "beta_1": [None, *SHARE],
    "beta_2": [None, *SHARE],
    "psi": NOT_NEGATIVE,
    "threshold": [None, 3.9, *NOT_NEGATIVE],
    "bias_correction": [None, 1, 0.0, "False"],
    "weight_decay": NOT_NEGATIVE,
    "beta": [None, 0.0, *SHARE],
    "beta_3": [None, *SHARE],
    "clip": [None, 1, 0.0, "False"],
    "trust_coefficient": [None, *POSITIVE],
    "skip_vectors": [None, 1, 0.0, "False"],
    "warmup_steps": COUNT,
    "initial_distance": [None, *POSITIVE],
    "distance_coefficient": [None, *POSITIVE],
    "growth_rate": [1.0, 0.5, *NOT_NEGATIVE],
    "averaging": NOT_NEGATIVE,
    "safeguard_warmup": [None, 1, 0.0, "False"],
    "refresh_every": [0, *COUNT],
    "max_dimension": [0, *COUNT],
}
WHOLE = {"warmup_steps", "refresh_every", "max_dimension"}
SWITCHES = {name for name, bad in BAD_OWN.items() if "False" in bad}
NOT_HALF = {"learning_rate", "threshold", "growth_rate", *SWITCHES, *WHOLE}
BAD_COMMON = {
    "weight_decay": NOT_NEGATIVE,
    "clipnorm": POSITIVE,
    "clipvalue": POSITIVE,
    "global_clipnorm": POSITIVE,
    "loss_scale_factor": POSITIVE,
    "gradient_accumulation_steps": [0, 1, -2, 2.5, "2", True, [2]],
}


def own_arguments(method) -> list[str]:
    parameters = inspect.signature(method).parameters.values()
    return [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]


def refused(method, argument: str, value) -> None:
    with pytest.raises((TypeError, ValueError)) as error:
        method(**{argument: value})
    message = str(error.value)
    assert method.__name__ in message
    assert argument in message
    assert str(value) in message  # what came


def test_every_argument_of_every_method_is_tried():
    methods = [method.cls for method in tfadaopt.methods()]
    assert {name for method in methods for name in own_arguments(method)} == set(BAD_OWN)


def bad_values():
    """All that are bad for an argument, for the first method that has it; for others, one."""
    tried, count = set(), 0
    for method in tfadaopt.methods():
        for argument in own_arguments(method.cls):
            values, count = BAD_OWN[argument], count + 1
            if argument in tried:
                values = [values[count % len(values)]]
            tried.add(argument)
            for value in values:
                yield pytest.param(
                    method.cls, argument, value, id=f"{method.name}-{argument}-{value}"
                )


@pytest.mark.parametrize(("method", "argument", "value"), bad_values())
def test_bad_value_is_refused(method, argument, value):
    refused(method, argument, value)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        pytest.param(argument, value, id=f"{argument}-{value}")
        for argument, values in BAD_COMMON.items()
        for value in values
    ],
)
def test_bad_value_of_a_common_keyword_is_refused(argument, value):
    for method in tfadaopt.methods():
        refused(method.cls, argument, value)


def test_two_clips_are_refused():
    with pytest.raises(ValueError, match=r"clipnorm.*clipvalue"):
        tfadaopt.SGD(clipnorm=1.0, clipvalue=1.0)


@each_method
def test_unknown_keyword_is_refused(case):
    with pytest.raises((TypeError, ValueError), match="lerning_rate"):
        case.make(lerning_rate=0.1)


def test_sgd_has_no_momentum():
    with pytest.raises((TypeError, ValueError), match="momentum"):
        tfadaopt.SGD(momentum=0.9)


@pytest.mark.parametrize("pattern", ["(", "*"])
def test_bad_pattern_is_refused(pattern):
    with pytest.raises(Exception, match=r"position 0|unterminated"):
        tfadaopt.SGD(weight_decay=0.1, exclude_from_weight_decay=[pattern])


GOOD = [1, 0.5, np.float32(0.5), np.float64(0.5), np.int64(1), np.array(0.5), np.float16(0.5)]


def after_one_step(optimizer) -> float:
    w = keras.Variable(0.0)
    optimizer.apply([tf.constant(1.0)], [w])
    return float(w.numpy())


@pytest.mark.parametrize("rate", GOOD, ids=lambda rate: f"{type(rate).__name__}-{rate}")
def test_any_real_number_is_a_rate(rate):
    assert after_one_step(tfadaopt.SGD(rate)) == -float(rate)


@pytest.mark.parametrize("name", sorted(BAD_OWN.keys() - NOT_HALF))
@pytest.mark.parametrize("value", GOOD[1:4] + GOOD[5:], ids=lambda v: type(v).__name__)
def test_any_real_number_is_an_argument(name, value):
    for method in tfadaopt.methods():
        if name in own_arguments(method.cls):
            config = method.cls(**{name: value}).get_config()
            assert type(config[name]) is float
            assert config[name] == 0.5


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_any_whole_number_is_a_count(name):
    for method in tfadaopt.methods():
        if name in own_arguments(method.cls):
            value = method.cls(**{name: np.int32(3)}).get_config()[name]
            assert type(value) is int
            assert value == 3


def test_numpy_bool_is_a_bool():
    assert tfadaopt.RMSprop(centered=np.True_).get_config()["centered"] is True


@each_method
def test_zero_rate_stands_still(case):
    assert after_one_step(case.make(learning_rate=0)) == 0.0


@each_method
def test_defaults_are_the_signature(case):
    """``Class()`` is what its signature says, and ``get_config`` gives all of it back."""
    method = getattr(tfadaopt, case.name)
    config = method().get_config()
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert config[parameter.name] == pytest.approx(parameter.default)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "function"])
@each_shape_with_a_rate
def test_callable_rate_follows_its_variable(case, compiled):
    eta, w = tf.Variable(1.0), keras.Variable(0.0)
    optimizer = case.make(learning_rate=lambda: eta)
    optimizer.build([w])

    def step():
        optimizer.apply([tf.constant(1.0)], [w])
        return tfadaopt.effective_learning_rate(optimizer, w)

    step = tf.function(step) if compiled else step
    step()  # in which ADOPT does not move
    full, moved = float(step()), float(w.numpy())
    assert full > 0
    assert moved < 0
    eta.assign(0.0)
    assert float(step()) == 0.0
    # These apply a sum or a buffer with η inside again in each step, as their docstrings say.
    if case.name not in ("MADGRAD", "DAdaptAdam"):
        assert float(w.numpy()) == moved
    eta.assign(1.0)
    before = float(w.numpy())
    step()
    assert float(w.numpy()) < before


def test_callable_number_and_schedule():
    assert after_one_step(tfadaopt.SGD(lambda: 0.5)) == -0.5
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.25])
    assert after_one_step(tfadaopt.SGD(schedule)) == -0.5


def test_every_method_is_tried():
    assert {case.name for case in FULLEST} == {method.name for method in tfadaopt.methods()}
