"""Contracts of numbers: in half precision, of what is read, and against a twin."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import effective
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.rule import UnsupportedOptimizerError, writes
from tfadaopt.testing.steps import apply_all, some_gradients
from tfadaopt.testing.subject import (
    BrokenContractError,
    NotApplicableError,
    Subject,
    agree,
    require,
    values,
)
from tfadaopt.testing.trajectories import (
    MATRICES,
    ONE,
    SHAPES,
    STEPS,
    Trajectory,
    check_readings,
    check_updates,
    follow,
    problem,
    train,
)


def half_precision(subject: Subject) -> None:
    """The state of half-precision weights is float32, and their steps those of float32."""
    for dtype in ("float16", "bfloat16"):
        optimizer, full = subject.bare(), subject.bare()
        w = keras.Variable([1e-2, -1e-2, 0.0, 0.0], dtype=dtype)
        exact = keras.Variable(values([w])[0].astype("float32"))
        optimizer.build([w])
        full.build([exact])
        half = [
            v.name
            for v in optimizer.variables
            if keras.backend.standardize_dtype(v.dtype) in ("float16", "bfloat16")
        ]
        require(
            not half,
            f"of {dtype} weights, the state {', '.join(half)} is half precision; expected float32: "
            "the square of 1e-4 is 0 in float16.",
        )
        for size in (1.0, -0.5, 2.0):
            g = tf.cast(tf.constant([1e-4, 1e-3, 1.0, 1e3]) * size, dtype)
            exact.assign(tf.cast(w.value, "float32"))
            optimizer.apply([g], [w])
            full.apply([tf.cast(g, "float32")], [exact])
        what = f"{dtype} weights after 3 steps, against float32"
        agree(what, values([w]), values([exact]), 0.03)


def reading(subject: Subject) -> None:
    """A rate that is stated is finite, not negative and of the right shape; reading is harmless."""
    if not subject.states_rate():
        raise NotApplicableError("it states no effective learning rate")
    read, unread = subject.bare(), subject.bare()
    steps = some_gradients(3)
    variables = apply_all(read, steps)
    before = values(read.variables)
    for v in variables:
        try:
            rate = effective.effective_learning_rate(read, v)
        except UnsupportedOptimizerError:
            continue  # this variable has none, as a vector of some methods
        require(
            tuple(rate.shape) == tuple(v.shape),
            f"the effective learning rate of {v.name} has the shape {tuple(rate.shape)}, expected "
            f"{tuple(v.shape)}.",
        )
        numbers = rate.numpy()
        require(
            bool(np.isfinite(numbers).all() and (numbers >= 0).all()),
            f"the effective learning rate of {v.name} is {numbers.ravel()[:4].tolist()}, expected "
            "finite numbers that are not negative.",
        )
    agree("state after its rate was read", values(read.variables), before)
    agree("weights", values(variables), values(apply_all(unread, steps)))


def rate_times_direction(subject: Subject) -> None:
    """Where a rate is stated, before − after is rate ⊙ direction, in float64."""
    if not subject.states_rate():
        raise NotApplicableError("it states no effective learning rate")
    path = _with_directions(subject)
    decay = _decay(subject)
    read = [
        parts
        for parts in zip(path.thetas, path.rates, path.directions, strict=True)
        if parts[1].shape == parts[0][1:].shape
    ]
    if not read:
        raise NotApplicableError("it states no effective learning rate of a matrix of 5 × 6")
    for theta, rate, direction in read:
        moved = -np.diff(theta, axis=0)
        # A difference of two weights cannot be known better than the weights.
        known = 1e-15 * np.abs(theta).max() + 1e-9 * np.abs(rate * direction)
        error = np.abs(moved - rate * direction)
        # Some papers have their decay in the direction; where it is apart, it is not in it.
        error = np.minimum(error, np.abs(moved - decay * theta[:-1] - rate * direction))
        step = int(np.argmax((error - known).reshape(len(error), -1).max(axis=1)))
        if (error > known).any():
            i = np.unravel_index(np.argmax((error - known)[step]), error[step].shape)
            raise BrokenContractError(
                f"in step {step + 1} a weight moved by {moved[step][i]:.9g}, but effective "
                f"learning rate × direction is {(rate * direction)[step][i]:.9g}."
            )


def _decay(subject: Subject) -> float:
    optimizer = subject.bare()
    try:
        return float(np.float32(subject.rate)) * float(optimizer.weight_decay or 0.0)
    except NotApplicableError:
        return 0.0


def _with_directions(subject: Subject) -> Trajectory:
    """A trajectory whose directions are the twin's, or those that the method's hook says."""
    starts, gradients = problem(shapes=ONE)
    if subject.reference is not None:
        actual = train(subject.bare(), starts, gradients, dtype="float64")
        actual.directions = follow(subject.twins(len(starts)), starts, gradients).directions
        if any(
            x.size != theta[1:].size
            for x, theta in zip(actual.directions, actual.thetas, strict=True)
        ):
            raise NotApplicableError("the twin says no direction")
        return actual
    optimizer = subject.bare()
    if not isinstance(optimizer, Optimizer) or not writes(optimizer, "direction"):
        raise NotApplicableError("neither a twin nor the method says what its direction is")
    return _by_hook(optimizer, starts[0], gradients[0][:20])


def _by_hook(optimizer: Any, start: np.ndarray, gradients: np.ndarray) -> Trajectory:
    w = keras.Variable(start, dtype="float64")
    optimizer.build([w])
    thetas, rates, directions = [w.numpy()], [], []
    for g in gradients.astype("float64"):
        optimizer.apply([tf.constant(g)], [w])
        _, state = optimizer.now(w)
        t = tf.cast(tf.convert_to_tensor(optimizer.iterations), "float64")
        rates.append(effective.effective_learning_rate(optimizer, w).numpy())
        direction = optimizer.direction(state, tf.constant(g), t)
        directions.append(np.broadcast_to(direction.numpy(), g.shape))
        thetas.append(w.numpy())
    return Trajectory([np.stack(thetas)], [np.stack(rates)], [], [np.stack(directions)])


def twin(subject: Subject) -> None:
    """Two hundred steps, their rates and their state are those of the float64 twin.

    Gradients have random signs and sizes from 1e-6 to 1e3 (gentle ones for methods that decompose
    matrices), in float32 to 1e-5 and in float64 to 1e-10 of the distance gone.
    """
    subject.twins(1)
    matrices = subject.is_matrix_method
    wide = {"float32": SHAPES, "float64": ONE}
    for dtype, tolerance in (("float32", 1e-2 if matrices else 1e-5), ("float64", 1e-10)):
        shapes = MATRICES if matrices and dtype == "float32" else wide[dtype]
        starts, gradients = problem(STEPS, shapes, gentle=matrices)
        actual = train(subject.bare(), starts, gradients, dtype=dtype)
        expected = follow(subject.twins(len(starts)), starts, gradients)
        try:
            check_updates(actual, expected, tolerance)
            check_readings(*_readable(actual, expected), tolerance)
        except AssertionError as error:
            raise BrokenContractError(f"against the twin, in {dtype}: {error}.") from error


def _readable(actual: Trajectory, expected: Trajectory) -> tuple[Trajectory, Trajectory]:
    """What both the optimizer and the twin say."""
    rates = [
        (a, e) for a, e in zip(actual.rates, expected.rates, strict=True) if a.shape == e.shape
    ]
    slots = [
        (a, e) for a, e in zip(actual.accumulators, expected.accumulators, strict=True) if a and e
    ]
    return (
        Trajectory([], [a for a, _ in rates], [a for a, _ in slots], []),
        Trajectory([], [e for _, e in rates], [e for _, e in slots], []),
    )
