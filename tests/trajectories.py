"""Run an optimizer and its float64 twin on the same gradients, and measure how far they part."""

import functools
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

import tfadaopt

from .cases import slots_of

SHAPES = ((), (7,), (2, 3, 2, 2), (0, 3))  # a scalar, a bias, a small convolution, nothing
MATRICES = ((), (7,), (2, 1, 3, 5), (4, 1), (0, 3))  # of full rank, so that eigenvectors are unique
ONE = ((5, 6),)  # where shapes do not matter: thirty coordinates at the price of one variable
STEPS = 200


@functools.cache
def problem(
    steps: int = STEPS, shapes=SHAPES, seed: int = 0, gentle: bool = False, downhill: int = 0
) -> tuple[list, list]:
    """Start values, and gradients of random sign whose sizes go from 1e-6 to 1e3, per variable.

    Each coordinate has a scale of its own and each step another three powers of ten either way; a
    gradient in sixteen is exactly zero, and one coordinate of each larger variable never has any.
    ``gentle`` sizes go from 0.3 to 3, for methods that take eigenvectors. In the first ``downhill``
    steps no sign is negative, for methods that measure how far they get.
    """
    random = np.random.default_rng(seed)
    starts, gradients = [], []
    for shape in shapes:
        scale = random.uniform(-6, 3, shape)
        size = np.clip(scale + random.uniform(-3, 3, (steps, *shape)), -6, 3)
        size = size / 9 + 1 / 6 if gentle else size
        g = random.choice([-1.0, 1.0], size.shape) * 10**size
        g[:downhill] = np.abs(g[:downhill])
        g[random.random(size.shape) < 1 / 16] = 0
        if shape and 0 not in shape:
            g[(slice(None), *(0 for _ in shape))] = 0
        start = random.uniform(-1, 1, shape) * 2.0**-7 * np.minimum(10**scale, 1)
        starts.append(np.array(start, "float32"))
        gradients.append(np.array(g, "float32"))
    return starts, gradients


def problem_of(case, steps: int = STEPS, shapes=SHAPES):
    """The problem that a case is tested on."""
    if case.has_rate:
        return problem(steps, shapes, downhill=30 if case.downhill else 0)
    return problem(steps, MATRICES if shapes is SHAPES else shapes, gentle=True)


@dataclass
class Trajectory:
    """What happened to each variable; the first axis is the step.

    Attributes:
        thetas: Values, from the start on: one more than there are steps.
        rates: Effective learning rate after each step.
        accumulators: Slots after each step, by name.
        directions: What the rate multiplied (twins only).
    """

    thetas: list
    rates: list
    accumulators: list
    directions: list


def train(optimizer, starts, gradients, *, mode="function", dtype="float32", reset=False):
    """Feed the gradients to the optimizer: "eager", or all in one "function", or that under "jit".

    ``reset`` puts the variables to zero before each step: the next value is then exactly minus what
    was subtracted.
    """
    variables = [keras.Variable(start, dtype=dtype, name=f"v{i}") for i, start in enumerate(starts)]
    gradients = [tf.constant(g, dtype) for g in gradients]
    optimizer.build(variables)

    def read():
        return [(tf.identity(v.value), rate_of(v), slots_of(optimizer, v)) for v in variables]

    def rate_of(variable):
        try:
            return tfadaopt.effective_learning_rate(optimizer, variable)
        except tfadaopt.UnsupportedOptimizerError:
            return tf.zeros([0], "float64")

    def step(g):
        if reset:
            for variable in variables:
                variable.assign(tf.zeros_like(variable.value))
        optimizer.apply(list(g), variables)
        return read()

    if mode == "eager":
        steps = [step(g) for g in zip(*gradients, strict=True)]
        rows = tf.nest.map_structure(lambda *x: tf.stack(x), *steps)
    else:
        kinds = tf.nest.map_structure(lambda x: x.dtype, read())

        @tf.function(jit_compile=mode == "jit")
        def every_step():
            return tf.map_fn(step, gradients, fn_output_signature=kinds, parallel_iterations=1)

        rows = every_step()
    thetas, rates, slots = zip(*tf.nest.map_structure(np.array, rows), strict=True)
    thetas = [np.stack([x.astype(dtype), *xs]) for x, xs in zip(starts, thetas, strict=True)]
    return Trajectory(thetas, rates, slots, [])


def follow(case, starts, gradients, rate=None) -> Trajectory:
    """The same with the float64 twins of a case."""
    twins = case.twins(len(starts), case.rate if rate is None else rate)
    thetas = [np.asarray(start, "float64") for start in starts]
    path, rates, directions, slots = [thetas], [], [], []
    for g in zip(*gradients, strict=True):
        thetas = twins.step(thetas, g)
        path.append(thetas)
        rates.append([np.zeros(0) if rate is None else rate for rate in twins.rates])
        directions.append(twins.directions)
        slots.append(tf.nest.map_structure(np.array, twins.accumulators))
    by_variable = [
        {name: np.stack([step[i][name] for step in slots]) for name in slots[0][i]}
        for i in range(len(starts))
    ]
    stacked = [
        [np.stack(steps) for steps in zip(*x, strict=True)] for x in (path, rates, directions)
    ]
    return Trajectory(stacked[0], stacked[1], by_variable, stacked[2])


def relative(actual, expected, scale) -> float:
    """Largest ``|actual − expected| / scale``; where the scale is zero, both must be equal.

    What is not finite, or has another shape, is infinitely far away.
    """
    actual = np.asarray(actual, "float64")
    if actual.shape != np.shape(expected) or not np.isfinite(actual).all():
        return np.inf
    error = np.abs(actual - expected)
    error = np.divide(error, scale, out=np.where(error > 0, np.inf, 0.0), where=scale > 0)
    return float(error.max(initial=0.0))


def displacement_error(actual: Trajectory, expected: Trajectory) -> float:
    """Worst error of θ_t − θ_0, relative to the largest displacement of that coordinate.

    Where a coordinate moves by less than itself (decay without any gradient), it is relative to
    that: each step rounds the weight itself.
    """

    def error(actual, expected):
        size = np.abs(np.asarray(expected[0], "float64"))
        actual, expected = (np.asarray(x, "float64") - x[0] for x in (actual, expected))
        scale = np.maximum(np.abs(expected).max(axis=0), size)
        scale = np.broadcast_to(scale, expected.shape)
        return relative(actual, expected, scale)

    return max(map(error, actual.thetas, expected.thetas))


def rate_error(actual: Trajectory, expected: Trajectory) -> float:
    """Worst error of an effective learning rate, relative to that very rate."""
    return max(relative(a, e, np.abs(e)) for a, e in zip(actual.rates, expected.rates, strict=True))


def accumulator_error(actual: Trajectory, expected: Trajectory) -> float:
    """Worst error of a slot, relative to the largest value of that coordinate; names must agree."""
    worst = 0.0
    for a, e in zip(actual.accumulators, expected.accumulators, strict=True):
        if a.keys() != e.keys():
            return np.inf
        for name in e:
            if name.startswith("basis_"):  # the sign of an eigenvector is arbitrary
                a, e = ({**x, name: np.abs(x[name])} for x in (a, e))
            scale = np.broadcast_to(np.abs(e[name]).max(axis=0), e[name].shape)
            worst = max(worst, relative(a[name], e[name], scale))
    return worst


def check_updates(actual: Trajectory, expected: Trajectory, tolerance: float) -> float:
    """The contract of an update: raise if a displacement is off; else return the worst error."""
    error = displacement_error(actual, expected)
    assert error <= tolerance, f"displacements differ by {error:.3g}, more than {tolerance:g}"
    return error


def check_readings(actual: Trajectory, expected: Trajectory, tolerance: float) -> None:
    """The contract of what can be read: raise if an effective rate or an accumulator is off."""
    error = rate_error(actual, expected)
    assert error <= tolerance, f"effective rates differ by {error:.3g}, more than {tolerance:g}"
    error = accumulator_error(actual, expected)
    assert error <= tolerance, f"accumulators differ by {error:.3g}, more than {tolerance:g}"
