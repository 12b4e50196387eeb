"""Bad arguments are refused at construction, by name; whatever is a number is taken as one."""

import inspect
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import FULLEST, SHAPES, THREE, each_method, each_shape, quick

NO_NUMBER = ["0.1", True, [0.1], {}, 1j, np.array([0.1])]
NOT_NEGATIVE = [-1, -1e-9, np.float32(-1), math.nan, math.inf, *NO_NUMBER]
POSITIVE = [0, 0.0, *NOT_NEGATIVE]
SHARE = [-0.1, 1.0, 1, 2, math.nan, math.inf, *NO_NUMBER]
COUNT = [-1, 0.5, 2.0, "3", None, True, [1]]
SWITCH = [None, 1, 0.0, "False"]
PATTERNS = [1, 2.5]

# All that one check refuses, for one argument that it checks.
REFUSED = {
    "learning_rate": [None, *NOT_NEGATIVE],
    "weight_decay": NOT_NEGATIVE,
    "epsilon": [None, *NOT_NEGATIVE],
    "momentum": [None, *SHARE],
    "trust_coefficient": [None, *POSITIVE],
    "centered": SWITCH,
    "refresh_every": [0, *COUNT],
}
# What a laxer check would let through: each method is tried with these for each of its arguments.
EDGES = {
    "learning_rate": [None, -1e-9],
    "initial_accumulator_value": [None, -1e-9],
    "momentum": [None, -1e-9, 1.0],
    "rho": [None, -1e-9, 1.0],
    "epsilon": [None, -1e-9],
    "centered": SWITCH,
    "beta_1": [None, -1e-9, 1.0],
    "beta_2": [None, -1e-9, 1.0],
    "psi": [-1e-9],
    "initial_step": [None, 0.0],
    "increase": [None, 1.0],
    "decrease": [None, 0.0, 1.0],
    "smallest": [None, 0.0],
    "largest": [None, 1e-9],
    "beta_2_decay": [None, 1e-9],
    "epsilon_1": [None, -1e-9],
    "epsilon_2": [None, -1e-9],
    "clip_threshold": [None, 0.0],
    "relative_step": SWITCH,
    "scale_parameter": SWITCH,
    "min_dim_size_to_factor": [None, 0, 0.5],
    "threshold": [None, 3.9],
    "bias_correction": SWITCH,
    "weight_decay": [-1e-9],
    "beta": [None, 0.0, 1.0],
    "beta_3": [None, -1e-9, 1.0],
    "clip": SWITCH,
    "trust_coefficient": [None, 0.0],
    "skip_vectors": SWITCH,
    "warmup_steps": [None, -1, 0.5],
    "initial_distance": [None, 0.0],
    "distance_coefficient": [None, 0.0],
    "growth_rate": [1.0],
    "averaging": [-1e-9],
    "safeguard_warmup": SWITCH,
    "refresh_every": [None, 0, 0.5],
    "max_dimension": [None, 0, 0.5],
    "alpha": [None, -1e-9],
    "alpha_warmup_steps": [0, 0.5],
    "beta_3_warmup_steps": [0, 0.5],
    "final_rate": [None, 0.0],
    "gamma": [None, -1e-9],
    "amsbound": SWITCH,
    "as_published": SWITCH,
    "grad_averaging": SWITCH,
    "nesterov": SWITCH,
    "cosine": [None, -1e-9],
    "wd_ratio": [None, -1e-9],
    "first_difference": SWITCH,
    "learning_rate_power": [None, 1e-9],
    "l1_regularization_strength": [None, -1e-9],
    "l2_regularization_strength": [None, -1e-9],
    "l2_shrinkage_regularization_strength": [None, -1e-9],
    "steps": [None, 0, 0.5],
    "scale": [None, "orginal", 1],
    "normalize": ["rows", True],
    "muon_weight": [None, -1e-9],
    "sgd_weight": [None, -1e-9],
    "adamw_ratio": [None, -1e-9],
    "adamw_beta_1": [None, -1e-9, 1.0],
    "adamw_beta_2": [None, -1e-9, 1.0],
    "adamw_epsilon": [None, -1e-9],
    "only_adamw": PATTERNS,
    "only_muon": PATTERNS,
}
# Of a method in which a name means something else.
EDGES_OF = {("Ftrl", "beta"): [None, -1e-9]}
WORDS = {"scale", "normalize", "only_adamw", "only_muon"}
WHOLE = {
    "steps",
    "min_dim_size_to_factor",
    "beta_3_warmup_steps",
    "alpha_warmup_steps",
    "warmup_steps",
    "refresh_every",
    "max_dimension",
}
SWITCHES = {name for name, bad in EDGES.items() if bad is SWITCH}
NOT_HALF = {
    "beta_2_decay",
    "increase",
    "learning_rate_power",
    "learning_rate",
    "threshold",
    "growth_rate",
    *SWITCHES,
    *WHOLE,
    *WORDS,
}
# The base class refuses these, for all methods.
BAD_COMMON = {
    "weight_decay": [-1e-9, "0.1"],
    "clipnorm": POSITIVE,
    "clipvalue": [0.0, "0.1"],
    "global_clipnorm": [0.0, "0.1"],
    "loss_scale_factor": [0.0, "0.1"],
    "gradient_accumulation_steps": [0, 1, -2, 2.5, "2", True, [2]],
}


def own_arguments(method) -> list[str]:
    parameters = inspect.signature(method).parameters.values()
    return [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]


def refused(method, argument: str, value) -> None:
    __tracebackhide__ = True
    try:
        method(**{argument: value})
        pytest.fail(f"{method.__name__} takes {argument}={value!r}")
    except (TypeError, ValueError) as caught:
        error = caught
    message = str(error)
    assert method.__name__ in message
    assert argument in message
    assert str(value) in message  # what came


def methods_with(argument: str) -> list[type]:
    classes = [method.cls for method in tfadaopt.methods()]
    return [cls for cls in classes if argument in own_arguments(cls)]


def test_every_argument_of_every_method_is_tried():
    methods = [method.cls for method in tfadaopt.methods()]
    assert {name for method in methods for name in own_arguments(method)} == set(EDGES)


@pytest.mark.parametrize("argument", REFUSED)
def test_bad_value_is_refused(argument):
    for value in REFUSED[argument]:
        refused(methods_with(argument)[0], argument, value)


@pytest.mark.parametrize("record", tfadaopt.methods(), ids=lambda record: record.name)
def test_method_refuses_what_is_past_the_edge(record):
    for argument in own_arguments(record.cls):
        bad = EDGES_OF.get((record.name, argument), EDGES[argument])
        for value in (*bad, math.nan, *(() if bad is PATTERNS else ("0.1",))):
            refused(record.cls, argument, value)


@pytest.mark.parametrize("argument", BAD_COMMON)
def test_bad_value_of_a_common_keyword_is_refused(argument):
    for value in BAD_COMMON[argument]:
        refused(tfadaopt.SGD, argument, value)


def test_two_clips_are_refused():
    with pytest.raises(ValueError, match=r"clipnorm.*clipvalue"):
        tfadaopt.SGD(clipnorm=1.0, clipvalue=1.0)


@each_shape
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


def taken(method, name, value):
    return method(**{name: value}).get_config()[name]


@pytest.mark.parametrize("value", GOOD[1:4] + GOOD[5:], ids=lambda v: type(v).__name__)
def test_any_real_number_is_an_argument(value):
    assert taken(tfadaopt.Adam, "epsilon", value) == 0.5


@pytest.mark.parametrize(
    ("names", "value", "kind"),
    [(EDGES.keys() - NOT_HALF, np.float16(0.5), float), (WHOLE, np.int32(3), int)],
    ids=["floats", "counts"],
)
def test_every_method_keeps_a_number_as_one_of_python(names, value, kind):
    for name in sorted(names):
        for method in methods_with(name):
            kept = taken(method, name, value)
            assert type(kept) is kind, f"{method.__name__} keeps {name}={kept!r}"
            assert kept == value


def test_numpy_bool_is_a_bool():
    assert tfadaopt.RMSprop(centered=np.True_).get_config()["centered"] is True


@each_method
def test_zero_rate_stands_still(case):
    assert after_one_step(case.make(learning_rate=0)) == 0.0


def test_defaults_are_the_signature():
    """``Class()`` is what its signature says, and ``get_config`` gives all of it back."""
    for cls in (record.cls for record in tfadaopt.methods()):
        config, parameters = cls().get_config(), inspect.signature(cls).parameters
        for name in own_arguments(cls):
            said = f"{cls.__name__} has {name}={config[name]!r}"
            assert config[name] == pytest.approx(parameters[name].default), said


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    ("case", "mode"),
    [
        *(quick(case, "function") for case in SHAPES if case.has_rate),
        *(quick(case, "eager") for case in THREE if case.has_rate),
    ],
)
def test_callable_rate_follows_its_variable(case, mode):
    eta, w = tf.Variable(1.0), keras.Variable(0.0)
    optimizer = case.make(learning_rate=lambda: eta)
    optimizer.build([w])

    def step():
        optimizer.apply([tf.constant(1.0)], [w])
        return tfadaopt.effective_learning_rate(optimizer, w)

    step = tf.function(step) if mode == "function" else step
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
