"""Run an optimizer and its float64 twin on the same gradients, and measure how far they part."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import effective
from tfadaopt.optimizers.base import SKIPPED
from tfadaopt.readers import UnsupportedOptimizerError
from tfadaopt.testing.twins import Twins

SHAPES = ((), (7,), (2, 3, 2, 2), (0, 3))  # a scalar, a bias, a small convolution, nothing
MATRICES = ((), (7,), (2, 1, 3, 5), (4, 1), (0, 3))  # of full rank, so that eigenvectors are unique
ONE = ((5, 6),)  # where shapes do not matter: thirty coordinates at the price of one variable
STEPS = 200


@functools.cache
def problem(
    steps: int = STEPS,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
    seed: int = 0,
    gentle: bool = False,
    downhill: int = 0,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
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
            never: tuple[Any, ...] = slice(None), *(0 for _ in shape)
            g[never] = 0
        start = random.uniform(-1, 1, shape) * 2.0**-7 * np.minimum(10**scale, 1)
        starts.append(np.array(start, "float32"))
        gradients.append(np.array(g, "float32"))
    return starts, gradients


@dataclass
class Trajectory:
    """What happened to each variable; the first axis is the step.

    Attributes:
        thetas: Values, from the start on: one more than there are steps.
        rates: Effective learning rate after each step.
        accumulators: Slots after each step, by name.
        directions: What the rate multiplied (twins only).
    """

    thetas: list[np.ndarray]
    rates: list[np.ndarray]
    accumulators: list[dict[str, np.ndarray]]
    directions: list[np.ndarray]


def slots_of(optimizer: Any, variable: Any) -> dict[str, tf.Tensor]:
    """The accumulators that a twin has: all but the count of skipped updates."""
    found = effective.accumulators(optimizer, variable)
    found.pop(SKIPPED, None)
    return found


def train(
    optimizer: Any,
    starts: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    *,
    mode: str = "function",
    dtype: str = "float32",
    reset: bool = False,
) -> Trajectory:
    """Feed the gradients to the optimizer: "eager", or all in one "function", or that under "jit".

    ``reset`` puts the variables to zero before each step: the next value is then exactly minus what
    was subtracted.
    """
    variables = [keras.Variable(start, dtype=dtype, name=f"v{i}") for i, start in enumerate(starts)]
    tensors = [tf.constant(g, dtype) for g in gradients]
    optimizer.build(variables)

    def read() -> list[tuple[Any, ...]]:
        return [(tf.identity(v.value), rate_of(v), state_of(v)) for v in variables]

    def state_of(variable: keras.Variable) -> dict[str, tf.Tensor]:
        try:
            return slots_of(optimizer, variable)
        except UnsupportedOptimizerError:
            return {}

    def rate_of(variable: keras.Variable) -> tf.Tensor:
        try:
            return effective.effective_learning_rate(optimizer, variable)
        except UnsupportedOptimizerError:
            return tf.zeros([0], "float64")

    def step(g: Sequence[tf.Tensor]) -> list[tuple[Any, ...]]:
        if reset:
            for variable in variables:
                variable.assign(tf.zeros_like(variable.value))
        optimizer.apply(list(g), variables)
        return read()

    if mode == "eager":
        steps = [step(g) for g in zip(*tensors, strict=True)]
        rows = tf.nest.map_structure(lambda *x: tf.stack(x), *steps)
    else:
        kinds = tf.nest.map_structure(lambda x: x.dtype, read())

        @tf.function(jit_compile=mode == "jit", autograph=False)
        def every_step() -> Any:
            return tf.map_fn(step, tensors, fn_output_signature=kinds, parallel_iterations=1)

        rows = every_step()
    later, rates, slots = map(list, zip(*tf.nest.map_structure(np.array, rows), strict=True))
    thetas = [np.stack([x.astype(dtype), *xs]) for x, xs in zip(starts, later, strict=True)]
    return Trajectory(thetas, rates, slots, [])


def follow(
    twins: Twins, starts: Sequence[np.ndarray], gradients: Sequence[np.ndarray]
) -> Trajectory:
    """The same with float64 twins."""
    thetas = [np.asarray(start, "float64") for start in starts]
    path, rates, directions, slots = [thetas], [], [], []
    for g in zip(*gradients, strict=True):
        thetas = twins.step(thetas, [np.asarray(x, "float64") for x in g])
        path.append(thetas)
        rates.append([np.zeros(0) if rate is None else rate for rate in twins.rates])
        directions.append([np.zeros(0) if x is None else x for x in twins.directions])
        slots.append(tf.nest.map_structure(np.array, [x or {} for x in twins.accumulators]))
    by_variable = [
        {name: np.stack([step[i][name] for step in slots]) for name in slots[0][i]}
        for i in range(len(starts))
    ]
    stacked = [
        [np.stack(steps) for steps in zip(*x, strict=True)] for x in (path, rates, directions)
    ]
    return Trajectory(stacked[0], stacked[1], by_variable, stacked[2])


def relative(actual: Any, expected: Any, scale: np.ndarray) -> float:
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

    def error(actual: np.ndarray, expected: np.ndarray) -> float:
        size = np.abs(np.asarray(expected[0], "float64"))
        actual, expected = (np.asarray(x, "float64") - x[0] for x in (actual, expected))
        scale = np.maximum(np.abs(expected).max(axis=0), size)
        scale = np.broadcast_to(scale, expected.shape)
        return relative(actual, expected, scale)

    return max(map(error, actual.thetas, expected.thetas))


def rate_error(actual: Trajectory, expected: Trajectory) -> float:
    """Worst error of an effective learning rate, relative to that very rate."""
    pairs = zip(actual.rates, expected.rates, strict=True)
    return max((relative(a, e, np.abs(e)) for a, e in pairs), default=0.0)


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
