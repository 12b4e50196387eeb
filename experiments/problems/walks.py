"""Optimizers on toy problems: all walkers of a grid at once, in one compiled loop."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

import tfadaopt
from tfadaopt.catalog import METHODS
from tfadaopt.optimizers.base import Optimizer

Loss = Callable[[tf.Tensor], tf.Tensor]
Gradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class _Scheduled(keras.optimizers.schedules.LearningRateSchedule):
    """Rates [walkers, 1] times a factor that depends on the step."""

    def __init__(self, rates: tf.Tensor, factor: Loss):
        self.rates, self.factor = rates, factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return self.rates * self.factor(tf.cast(step, self.rates.dtype) + 1)


def walk(
    method: str,
    rates: npt.ArrayLike,
    start: npt.ArrayLike,
    steps: int,
    *,
    loss: Loss | None = None,
    gradient: Gradient | None = None,
    schedule: Loss | None = None,
    project: Loss | None = None,
    record: Sequence[str] = ("loss",),
    every: int = 1,
    dtype: str = "float64",
    xla: bool = True,
    **arguments: Any,
) -> dict[str, np.ndarray]:
    """Let one method walk from a start, with each rate of a grid, and return what was recorded.

    The walkers are the rows of one variable where the method sizes each coordinate by itself, and
    variables with optimizers of their own otherwise. A walker that diverges holds up no other.

    Args:
        method: Name of the method, such as "Adagrad".
        rates: Learning rate of each walker, or one for all.
        start: Where all begin [d], or where each begins [walkers, d].
        steps: Number of steps.
        loss: f(w): heights [walkers] of the points [walkers, d].
        gradient: g(w, t) [walkers, d] in step t = 1, 2, …; without it, the gradient of the loss.
        schedule: Factor of all rates in step t (of ``dtype``): ``tf.math.rsqrt`` for η/√t.
        project: Maps the points after each step into the allowed set.
        record: What to record: "loss", "point", "rate" (``tfadaopt.effective_learning_rate``), or
            the name of an accumulator of the method.
        every: Steps between two records; the first is the start.
        dtype: Precision of points, state and arithmetic.
        xla: Whether XLA compiles the loop.
        **arguments: Further arguments of the method.

    Returns:
        By name, an array [1 + steps / every, walkers, …]; and "step" [1 + steps / every].

    Raises:
        ValueError: The grid is empty, neither loss nor gradient is given, or the loss is not finite
            at the start.

    Example:
        >>> from tfadaopt.experiments.problems.walks import walk
        >>> bowl = lambda w: 0.5 * tf.reduce_sum(w**2, axis=1)
        >>> walk("SGD", [0.5, 1.0], [4.0], 2, loss=bowl, record=["point"])["point"][..., 0].tolist()
        [[4.0, 4.0], [2.0, 0.0], [1.0, 0.0]]
    """
    slope = gradient if loss is None or gradient is not None else _gradient_of(loss)
    if slope is None or (loss is None and "loss" in record):
        raise ValueError("Give a loss f(w), or a gradient g(w, t) and record something else.")
    if steps % every:
        raise ValueError(f"{steps} steps are no multiple of every={every}.")
    each_rate, starts = _grid(rates, start, dtype)
    if loss is not None and not np.all(np.isfinite(lowest := np.asarray(loss(starts)))):
        raise ValueError(f"The loss is {lowest.tolist()} at the start, before {method} has moved.")
    parties = _parties(method, each_rate, starts, schedule, arguments)
    points = [variable for _, variable, _ in parties]

    def observe(name: str) -> tf.Tensor:
        w = tf.concat(points, axis=0)
        if name in ("loss", "point"):
            return w if loss is None or name == "point" else loss(w)
        if name == "rate":
            seen = [tfadaopt.effective_learning_rate(o, v) for o, v, _ in parties]
        else:
            seen = [tfadaopt.accumulators(o, v)[name] for o, v, _ in parties]
        return tf.concat(
            [
                tf.reshape(x, [len(starts[row]), -1])
                for x, (_, _, row) in zip(seen, parties, strict=True)
            ],
            0,
        )

    def step(t: tf.Tensor) -> tuple[tf.Tensor]:
        w = tf.concat(points, axis=0)
        g = slope(w, t)
        for optimizer, variable, row in parties:
            optimizer.apply([g[row]], [variable])
            if project is not None:
                variable.assign(project(tf.convert_to_tensor(variable)))
        return (t + 1,)

    def stretch(k: tf.Tensor, logs: list) -> tuple[tf.Tensor, list]:
        last = k * every
        tf.while_loop(lambda t: t <= last, step, (last - every + 1,))
        return k + 1, [log.write(k, observe(name)) for log, name in zip(logs, record, strict=True)]

    # Compiled as a whole, a step takes some 25 µs; operation by operation, ten times as long.
    @tf.function(jit_compile=xla, autograph=False)
    def go() -> list[tf.Tensor]:
        logs = []
        for x in map(observe, record):
            empty = tf.TensorArray(x.dtype, size=1 + steps // every, element_shape=x.shape)
            logs.append(empty.write(0, x))
        _, logs = tf.while_loop(lambda k, _: k <= steps // every, stretch, (1, logs))
        return [log.stack() for log in logs]

    recorded = {name: x.numpy() for name, x in zip(record, go(), strict=True)}
    return {"step": np.arange(0, steps + 1, every), **recorded}


def _gradient_of(loss: Loss) -> Gradient:
    def gradient(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(w)
            height = loss(w)
        return tape.gradient(height, w)

    return gradient


def _grid(rates: npt.ArrayLike, start: npt.ArrayLike, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a rate [walkers] and a start [walkers, d] for each walker."""
    rates = np.atleast_1d(np.asarray(rates, dtype))
    start = np.atleast_1d(np.asarray(start, dtype))
    if not rates.size or not start.size:
        raise ValueError(f"Nothing to walk: {rates.size} rates from {start.size} starts.")
    walkers = max(len(rates), len(start) if start.ndim > 1 else 1)
    return np.broadcast_to(rates, walkers), np.broadcast_to(start, (walkers, start.shape[-1]))


def _parties(
    method: str,
    rates: np.ndarray,
    start: np.ndarray,
    schedule: Loss | None,
    arguments: dict[str, object],
) -> list[tuple[Optimizer, tf.Variable, slice]]:
    """Return an optimizer, its variable and the walkers that are its rows, for all walkers."""
    cls: Any = next(record.cls for record in METHODS if record.name == method)
    walkers = len(rates)
    # A norm or a mean over a variable, or a number that all variables share, would join the
    # walkers: then they get a variable and an optimizer each.
    apart = cls.unit != "coordinate" or cls.shared is not Optimizer.shared
    together = not apart and not arguments.get("cautious")
    rows = [slice(0, walkers)] if together else [slice(i, i + 1) for i in range(walkers)]
    parties = []
    for row in rows:
        variable = tf.Variable(start[row])
        eta = tf.constant(rates[row, np.newaxis] if together else rates[row][0])
        rate = _Scheduled(eta, schedule) if schedule else lambda eta=eta: eta
        optimizer = cls(learning_rate=rate, nonfinite="ignore", **arguments)
        optimizer.build([variable])
        parties.append((optimizer, variable, row))
    return parties


def arrivals(values: np.ndarray, level: float | np.ndarray, every: int = 1) -> np.ndarray:
    """Return the step from which on each walker stays at or below a level; infinity: never.

    A walker that comes below and leaves again has not arrived.

    Args:
        values: What is to fall [1 + steps / every, walkers].
        level: Level, one or for each walker.
        every: Steps between two records.

    Example:
        >>> from tfadaopt.experiments.problems.walks import arrivals
        >>> arrivals(np.array([[4.0, 1.0], [2.0, 3.0], [1.0, 2.5]]), 2.0).tolist()
        [1.0, inf]
    """
    outside = ~np.asarray(values <= np.asarray(level))  # NaN is outside
    after_last = len(outside) - outside[::-1].argmax(axis=0)
    first = np.where(outside.any(axis=0), after_last, 0) * float(every)
    return np.where(outside[-1], np.inf, first)


def moved_by_rounding(start: Sequence[float], copies: int) -> np.ndarray:
    """Return copies [copies, d] of a start, each moved by a few units in the last place.

    What such a move changes is chaos, and no property of a method.

    Example:
        >>> from tfadaopt.experiments.problems.walks import moved_by_rounding
        >>> bool(np.ptp(moved_by_rounding([1.0], 5)) < 1e-14)
        True
    """
    steps = np.arange(copies) - copies // 2
    return np.asarray(start, "float64") * (1 + 1e-15 * steps[:, np.newaxis])
