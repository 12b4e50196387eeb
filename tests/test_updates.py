"""Every method does step for step what its float64 twin does, and what peers do that agree."""

import functools
import inspect

import jax
import jax.experimental
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import tensorflow as tf
from optax import contrib

import tfadaopt

from . import cases
from .cases import (
    BY_ID,
    CASES,
    FULLEST,
    METHODS,
    QUICK,
    RATE,
    STRENGTHS,
    each_method_with_a_rate,
    quick,
)
from .references import REFERENCES
from .trajectories import (
    ONE,
    SHAPES,
    STEPS,
    Trajectory,
    check_readings,
    check_updates,
    follow,
    problem,
    problem_of,
    train,
)

SLOW = pytest.mark.slow
SCHEDULES = {
    "constant": lambda rate: rate,
    "pieces": lambda rate: keras.optimizers.schedules.PiecewiseConstantDecay(
        [50, 120], [rate, rate / 8, rate / 2]
    ),
    "exponential": lambda rate: keras.optimizers.schedules.ExponentialDecay(rate, 64, 0.5),
}


@functools.cache
def rates(schedule: str, rate: float) -> list[float]:
    """What the schedule says, as Keras computes it, for the twin."""
    eta = SCHEDULES[schedule](rate)
    return [float(eta(step)) if callable(eta) else eta for step in range(STEPS)]


def test_every_method_has_a_case_and_a_twin():
    methods = {method.name for method in tfadaopt.methods()}
    assert methods == {case.name for case in CASES} == set(REFERENCES)
    assert len(BY_ID) == len(CASES)


def test_twin_has_the_arguments_of_the_class():
    """Names, order and defaults, each written down twice."""

    def arguments(cls):
        parameters = inspect.signature(cls).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind is not p.VAR_KEYWORD]

    for name, twin in REFERENCES.items():
        assert arguments(twin) == arguments(getattr(tfadaopt, name)), name


def check_against_twin(case, mode, dtype, rate, steps, worst, shapes=SHAPES):
    starts, gradients = problem_of(case, steps, shapes)
    optimizer = case.make(learning_rate=SCHEDULES[rate](case.rate))
    actual = train(optimizer, starts, gradients, mode=mode, dtype=dtype)
    expected = follow(case, starts, gradients, rates(rate, case.rate).__getitem__)
    error = check_updates(actual, expected, case.tolerance[dtype])
    check_readings(actual, expected, case.tolerance[dtype])
    worst(f"worst displacement error against the twin, {dtype}", case.name, error)


TWINS = {"float32": ("constant", SHAPES), "float64": ("pieces", ONE)}


def in_any_shape(case) -> bool:
    """Whether a row needs other shapes than ONE: settings of element-wise methods do not."""
    return case in FULLEST or not METHODS[case.name].elementwise


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        # One row of every method is in the quick suite, too.
        pytest.param(case, dtype, id=f"{case}-{dtype}", marks=() if quick_too else SLOW)
        for dtype, (_, shapes) in TWINS.items()
        for case in CASES
        for quick_too in [case.name in QUICK or (case in FULLEST and dtype == "float32")]
        if shapes is ONE or in_any_shape(case)
    ],
)
def test_follows_its_twin(case, dtype, worst):
    rate, shapes = TWINS[dtype]
    check_against_twin(case, "function", dtype, rate, STEPS, worst, shapes)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize(
    ("case", "mode", "steps"),
    [
        *(quick(case, "eager", 16) for case in cases.SHAPES),
        *(quick(case, "jit", STEPS) for case in FULLEST),
    ],
)
def test_follows_its_twin_in_every_mode(case, mode, steps, worst):
    check_against_twin(case, mode, "float32", "exponential", steps, worst)


@each_method_with_a_rate
def test_each_step_is_rate_times_direction(case):
    starts, gradients = problem_of(case, shapes=ONE)
    actual = train(case.make(), starts, gradients, dtype="float64")
    expected = follow(case, starts, gradients)
    for theta, rate, direction in zip(
        actual.thetas, actual.rates, expected.directions, strict=True
    ):
        # A difference of two weights cannot be known better than the weights.
        known = 1e-15 * np.abs(theta).max()
        moved = -np.diff(theta, axis=0)
        if case.name in ("AdamW", "NadamW"):  # others have no decay, or have it in the direction
            moved -= RATE * case.make().weight_decay * theta[:-1]
        np.testing.assert_allclose(moved, rate * direction, 1e-9, known)


def test_momentum_of_rmsprop_takes_the_rate_from_the_new_gradient_alone():
    starts, gradients = problem(shapes=ONE)
    case = BY_ID["rmsprop-momentum"]
    actual = train(case.make(), starts, gradients, dtype="float64", reset=True)
    for theta, rate, g in zip(actual.thetas, actual.rates, gradients, strict=True):
        new, old = -theta[2:], -theta[1:-1]
        old[0] = -theta[1]
        np.testing.assert_allclose(new - 0.9 * old, rate[1:] * g[1:], rtol=1e-7, atol=1e-12)


# What Keras and Optax have that means the same method, with a constant rate. Where ε = 0 gives NaN
# because no gradient has come yet, it is left out. Keras rounds μ = 0.9 and r₀ = 0.1 to float32
# even for float64 variables, so it is compared in float32.
KERAS = {
    "sgd": lambda **kw: keras.optimizers.SGD(**kw),
    "momentum-0.5": lambda **kw: keras.optimizers.SGD(momentum=0.5, **kw),
    "momentum": lambda **kw: keras.optimizers.SGD(momentum=0.9, **kw),
    "nesterov-0.5": lambda **kw: keras.optimizers.SGD(momentum=0.5, nesterov=True, **kw),
    "nesterov": lambda **kw: keras.optimizers.SGD(momentum=0.9, nesterov=True, **kw),
    "adagrad": lambda **kw: keras.optimizers.Adagrad(initial_accumulator_value=0.0, **kw),
    "adagrad-initial": lambda **kw: keras.optimizers.Adagrad(**kw),
    "adagrad-epsilon": lambda **kw: keras.optimizers.Adagrad(
        initial_accumulator_value=0.0, epsilon=1e-2, **kw
    ),
    "adamax-epsilon": lambda **kw: keras.optimizers.Adamax(**kw),
    "rmsprop": lambda **kw: keras.optimizers.RMSprop(**kw),
    "rmsprop-rho": lambda **kw: keras.optimizers.RMSprop(rho=0.99, **kw),
    "rmsprop-momentum": lambda **kw: keras.optimizers.RMSprop(momentum=0.9, **kw),
    "rmsprop-centered": lambda **kw: keras.optimizers.RMSprop(centered=True, epsilon=1e-4, **kw),
    "rmsprop-centered-momentum": lambda **kw: keras.optimizers.RMSprop(
        centered=True, epsilon=1e-4, momentum=0.9, rho=0.95, **kw
    ),
    "lion": lambda **kw: keras.optimizers.Lion(**kw),
    "ftrl-keras": lambda **kw: keras.optimizers.Ftrl(**kw),
    "ftrl-power": lambda **kw: keras.optimizers.Ftrl(
        learning_rate_power=-0.25, initial_accumulator_value=0.0, **kw
    ),
    "ftrl-strengths": lambda **kw: keras.optimizers.Ftrl(**STRENGTHS, **kw),
    # Its kernels of convolutions are matrices per position; 1/√t binds with a rate of 0.5.
    "adafactor": lambda **kw: keras.optimizers.Adafactor(**kw),
    "adafactor-fast": lambda **kw: keras.optimizers.Adafactor(
        **{**kw, "learning_rate": 0.5}, beta_2_decay=-0.5, epsilon_2=0.1
    ),
}


def rss(initial, epsilon):
    return optax.chain(optax.scale_by_rss(initial, epsilon), optax.scale(-RATE))


OPTAX = {
    "adadelta": lambda: optax.adadelta(RATE, rho=0.95, eps=1e-6),
    "adadelta-rho": lambda: optax.adadelta(RATE, rho=0.9, eps=1e-3),
    "adam": lambda: optax.adam(RATE),
    "adam-betas": lambda: optax.adam(RATE, 0.5, 0.75, 1e-3),
    "nadam-constant": lambda: optax.nadam(RATE),
    "adamw": lambda: optax.adamw(RATE, weight_decay=0.004),
    "adamw-heavy": lambda: optax.adamw(RATE, weight_decay=0.5),
    "nadamw": lambda: optax.nadamw(RATE, weight_decay=0.004),
    "radam": lambda: optax.radam(RATE, threshold=4.0),
    "radam-threshold": lambda: optax.radam(RATE, threshold=5.0),
    "adabelief": lambda: optax.adabelief(RATE, eps=1e-16, eps_root=1e-16),
    "adabelief-epsilon": lambda: optax.adabelief(RATE, eps=1e-8, eps_root=1e-8),
    "amsgrad": lambda: optax.chain(
        optax.scale_by_amsgrad(bias_correction_mu=False, bias_correction_nu=False),
        optax.scale(-RATE),
    ),
    "sgd": lambda: optax.sgd(RATE),
    "momentum-0.5": lambda: optax.sgd(RATE, momentum=0.5),
    "momentum": lambda: optax.sgd(RATE, momentum=0.9),
    "nesterov-0.5": lambda: optax.sgd(RATE, momentum=0.5, nesterov=True),
    "nesterov": lambda: optax.sgd(RATE, momentum=0.9, nesterov=True),
    "adagrad": lambda: rss(0.0, 1e-7),
    "adagrad-initial": lambda: rss(0.1, 1e-7),
    "adagrad-epsilon": lambda: rss(0.0, 1e-2),
    "adagrad-zero-epsilon": lambda: rss(0.0, 0.0),
    "rmsprop": lambda: optax.rmsprop(RATE, eps=1e-7),
    "rmsprop-rho": lambda: optax.rmsprop(RATE, decay=0.99, eps=1e-7),
    "rmsprop-momentum": lambda: optax.rmsprop(RATE, eps=1e-7, momentum=0.9),
    "rmsprop-centered": lambda: optax.rmsprop(RATE, eps=1e-4, centered=True),
    "rmsprop-centered-momentum": lambda: optax.rmsprop(
        RATE, decay=0.95, eps=1e-4, centered=True, momentum=0.9
    ),
    "lion": lambda: optax.lion(RATE, weight_decay=0.0),
    "lion-betas": lambda: optax.lion(RATE, 0.5, 0.75, weight_decay=0.0),
    "lion-decay": lambda: optax.lion(RATE, weight_decay=0.5),
    "signum-0.5": lambda: optax.signum(RATE, beta=0.5),
    "signum": lambda: optax.signum(RATE),
    "ademamix": lambda: contrib.ademamix(RATE),
    "ademamix-decay": lambda: contrib.ademamix(RATE, alpha=2.0, weight_decay=0.5),
}


# Of these, Optax takes a power of t in float32.
IN_FLOAT32 = ("madgrad", "adafactor", "adafactor-momentum")
# In the form of Optax, with the arguments that make ours the same.
IN_OPTAX_FORM = {
    "adopt": ({}, lambda: contrib.adopt(RATE)),
    "adopt-unclipped": ({}, lambda: contrib.adopt(RATE, use_clipping=False)),
    "lars": ({}, lambda: optax.lars(RATE, trust_coefficient=1.0)),
    "lamb": ({}, lambda: optax.lamb(RATE)),
    "lamb-decay": ({}, lambda: optax.lamb(RATE, weight_decay=0.5)),
    "sm3": ({"epsilon": 1e-8}, lambda: optax.sm3(RATE)),
    # It adds ε to the rate, and takes √t in float32.
    "madgrad": ({}, lambda: contrib.madgrad(RATE - 1e-6)),
    "schedulefreesgd": ({}, lambda: contrib.schedule_free_sgd(RATE)),
    "schedulefreeadamw": ({}, lambda: contrib.schedule_free_adamw(RATE)),
    "dog": ({}, lambda: contrib.dog(RATE, ("heuristic", 1.0))),
    "dowg": ({}, lambda: contrib.dowg(RATE, 1.0)),
    "dadaptadam-corrected": ({}, lambda: contrib.dadapt_adamw(RATE, estim_lr0=0.5)),
    # It takes d ε with the new d: without ε, that makes no difference.
    "prodigy-corrected": (
        {"epsilon": 1e-100},
        lambda: contrib.prodigy(RATE, estim_lr0=0.5, eps=1e-100),
    ),
    "novograd-decay": ({}, lambda: optax.novograd(RATE, 0.95, 0.98, 1e-8, weight_decay=0.001)),
    # It knows no 1/√t.
    "adafactor": (
        {"relative_step": False},
        lambda: optax.adafactor(RATE, min_dim_size_to_factor=1),
    ),
    # Its mean is of what is subtracted, with α in it.
    "adafactor-momentum": (
        {"relative_step": False, "scale_parameter": False},
        lambda: optax.adafactor(
            RATE, min_dim_size_to_factor=1, momentum=0.9, multiply_by_parameter_scale=False
        ),
    ),
}


def train_keras(optimizer, starts, gradients) -> Trajectory:
    variables = [keras.Variable(start) for start in starts]
    optimizer.build(variables)

    @tf.function
    def step(*g):
        optimizer.apply(list(g), variables)
        return [tf.identity(v.value) for v in variables]

    steps = [starts, *(step(*g) for g in zip(*gradients, strict=True))]
    return Trajectory([np.stack(rows) for rows in zip(*steps, strict=True)], [], [], [])


# JAX has moved it.
enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64


def train_optax(transformation, starts, gradients) -> Trajectory:
    def step(carry, g):
        thetas, state = carry
        updates, state = transformation.update(g, state, thetas)
        thetas = optax.apply_updates(thetas, updates)
        return (thetas, state), thetas

    with enable_x64(True):
        starts, gradients = ([jnp.asarray(x, "float64") for x in xs] for xs in (starts, gradients))
        _, later = jax.lax.scan(step, (starts, transformation.init(starts)), gradients)
    pairs = zip(starts, later, strict=True)
    return Trajectory([np.stack([start, *thetas]) for start, thetas in pairs], [], [], [])


@pytest.mark.parametrize("case", [quick(BY_ID[i]) for i in KERAS])
def test_agrees_with_keras(case, worst):
    starts, gradients = problem(shapes=ONE)
    actual = train(case.make(), starts, gradients)
    expected = train_keras(KERAS[case.id](learning_rate=RATE), starts, gradients)
    error = check_updates(actual, expected, 1e-5)
    worst("worst displacement error against keras.optimizers, float32", case.name, error)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("case", [quick(BY_ID[i]) for i in OPTAX])
def test_agrees_with_optax(case, worst):
    starts, gradients = problem(shapes=ONE)
    actual = train(case.make(), starts, gradients, dtype="float64")
    expected = train_optax(OPTAX[case.id](), starts, gradients)
    error = check_updates(actual, expected, 1e-10)
    worst("worst displacement error against Optax, float64", case.name, error)


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_OPTAX_FORM)
def test_agrees_with_optax_in_its_form(name, worst):
    arguments, make = IN_OPTAX_FORM[name]
    case = BY_ID[name]
    starts, gradients = problem(shapes=((7,), (5, 6)))
    actual = train(case.make(**arguments), starts, gradients, dtype="float64")
    expected = train_optax(make(), starts, gradients)
    error = check_updates(actual, expected, 1e-6 if name in IN_FLOAT32 else 1e-9)
    worst("worst displacement error against Optax, float64", case.name, error)
