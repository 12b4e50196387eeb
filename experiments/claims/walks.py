"""Optimizers on toy problems: all walkers of a grid at once, in one compiled loop."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.catalog import METHODS

Loss = Callable[[tf.Tensor], tf.Tensor]
Gradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def walk(
    method: str,
    rates: float | Sequence[float],
    start: Sequence,
    steps: int,
    *,
    loss: Loss | None = None,
    gradient: Gradient | None = None,
    project: Loss | None = None,
    record: Sequence[str] = ("loss",),
    every: int = 1,
    dtype: str = "float64",
    xla: bool = True,
    **arguments,
) -> dict[str, np.ndarray]:
    """Let one method walk from a start, with each rate of a grid, and return what was recorded.

    The walkers are the rows of one variable where the method sizes each coordinate by itself, and
    variables with optimizers of their own otherwise. A walker that diverges holds up no other.

    Args:
        method: Name of the method, such as "Adagrad".
        rates: Learning rate of each walker, or one for all.
        start: Where all begin [d], or where each begins [walkers, d].
        steps: Number of steps.
        loss: f(w): heights [walkers] of the points [walkers, d]; its gradient is taken.
        gradient: g(w, t) [walkers, d] instead, with the step t = 1, 2, …; also noise.
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
        ValueError: The grid is empty, or not exactly one of loss and gradient is given.

    Example:
        >>> from tfadaopt.experiments.claims.walks import walk
        >>> bowl = lambda w: 0.5 * tf.reduce_sum(w**2, axis=1)
        >>> walk("SGD", [0.5, 1.0], [4.0], 2, loss=bowl, record=["point"])["point"][..., 0].tolist()
        [[4.0, 4.0], [2.0, 0.0], [1.0, 0.0]]
    """
    rates = np.atleast_1d(np.asarray(rates, dtype))
    start = np.atleast_1d(np.asarray(start, dtype))
    if not rates.size or not start.size:
        raise ValueError(f"Nothing to walk: {rates.size} rates from {start.size} starts.")
    if (loss is None) == (gradient is None):
        raise ValueError("Give either a loss f(w) or a gradient g(w, t).")
    if steps % every:
        raise ValueError(f"{steps} steps are no multiple of every={every}.")
    walkers = max(len(rates), len(start) if start.ndim > 1 else 1)
    rates = np.broadcast_to(rates, walkers)
    start = np.broadcast_to(start, (walkers, start.shape[-1]))

    cls = next(record.cls for record in METHODS if record.name == method)
    # A norm over a variable would join the walkers: they get a variable each.
    groups = (
        [slice(None)] if cls.unit == "coordinate" else [slice(i, i + 1) for i in range(walkers)]
    )
    parties = []
    for group in groups:
        eta = tf.constant(rates[group, np.newaxis] if len(groups) == 1 else rates[group][0])
        points = tf.Variable(start[group])
        optimizer = cls(learning_rate=lambda eta=eta: eta, nonfinite="ignore", **arguments)
        optimizer.build([points])
        parties.append((optimizer, points))

    def observe(optimizer, points) -> tuple[tf.Tensor, ...]:
        seen = []
        for name in record:
            if name == "loss":
                seen.append(loss(points))
            elif name == "point":
                seen.append(tf.identity(points))
            elif name == "rate":
                seen.append(tfadaopt.effective_learning_rate(optimizer, points))
            else:
                seen.append(tfadaopt.accumulators(optimizer, points)[name])
        return tuple(seen)

    def step(optimizer, points, t) -> None:
        if gradient is None:
            with tf.GradientTape() as tape:
                height = loss(points)
            g = tape.gradient(height, points)
        else:
            g = gradient(tf.convert_to_tensor(points), t)
        optimizer.apply([g], [points])
        if project is not None:
            points.assign(project(tf.convert_to_tensor(points)))

    def advance(t):
        for optimizer, points in parties:
            step(optimizer, points, t)
        return (t + 1,)

    def stretch(k, logs):
        last = k * every
        tf.while_loop(lambda t: t <= last, advance, (last - every + 1,))
        seen = tf.nest.flatten([observe(*party) for party in parties])
        return k + 1, [log.write(k, x) for log, x in zip(logs, seen, strict=True)]

    # Compiled as a whole, a step costs some 25 µs; operation by operation, ten times as much.
    @tf.function(jit_compile=xla, autograph=False)
    def go():
        logs = []
        for x in tf.nest.flatten([observe(*party) for party in parties]):
            empty = tf.TensorArray(x.dtype, size=1 + steps // every, element_shape=x.shape)
            logs.append(empty.write(0, x))
        _, logs = tf.while_loop(lambda k, _: k <= steps // every, stretch, (1, logs))
        return [log.stack() for log in logs]

    seen = [x.numpy() for x in go()]
    recorded = {
        name: np.concatenate(seen[k :: len(record)], axis=1) for k, name in enumerate(record)
    }
    return {"step": np.arange(0, steps + 1, every), **recorded}
