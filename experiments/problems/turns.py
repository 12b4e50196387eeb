"""Methods whose rate is one number for all weights, on a grid: one walker after the other."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfadaopt.catalog import METHODS


def walk_in_turn(
    method: str,
    rates: npt.ArrayLike,
    start: npt.ArrayLike,
    steps: int,
    gradient: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    data: Sequence[tf.Tensor],
    **arguments: Any,
) -> np.ndarray:
    """Return where walkers with these rates end [walkers, d], as ``walk`` does, in float64.

    One optimizer, compiled once, begins again for each walker: as rows of one variable, walkers
    would share the norms that such a method measures.

    Args:
        method: Name of the method, such as "DoG"; one that keeps a mean of the weights ends there.
        rates: Learning rate of each walker.
        start: Where all begin [d].
        steps: Number of steps.
        gradient: g(w, t, x) [d] in step t = 1, 2, … of a walker with data x.
        data: What each walker learns from: tensors of one shape.
        **arguments: Further arguments of the method.

    Example:
        >>> from tfadaopt.experiments.problems.turns import walk_in_turn
        >>> slope = lambda w, t, x: x * tf.constant([3.0, 4.0], "float64")
        >>> more = {"initial_accumulator_value": 0.0}
        >>> data = [tf.constant(1.0, "float64")] * 2
        >>> walk_in_turn("AdaGradNorm", [5.0, 10.0], [0.0, 0.0], 1, slope, data, **more).tolist()
        [[-3.0, -4.0], [-6.0, -8.0]]
    """
    cls = next(record.cls for record in METHODS if record.name == method)
    eta = tf.Variable(np.float64(0))
    points = tf.Variable(np.asarray(start, "float64"))
    optimizer = cls(learning_rate=lambda: eta, nonfinite="ignore", **arguments)
    optimizer.build([points])
    fresh = [(v, v.numpy()) for v in [points, *optimizer.variables]]

    @tf.function(jit_compile=True, autograph=False)
    def go(x: tf.Tensor) -> tf.Tensor:
        def step(t: tf.Tensor) -> tuple[tf.Tensor]:
            optimizer.apply([gradient(tf.convert_to_tensor(points), t, x)], [points])
            return (t + 1,)

        tf.while_loop(lambda t: t <= steps, step, (1,))
        return optimizer.averaged(points) if hasattr(optimizer, "averaged") else points + 0

    ends = []
    for rate, x in zip(np.asarray(rates), data, strict=True):
        for variable, value in fresh:
            variable.assign(value)
        eta.assign(rate)
        ends.append(go(x).numpy())
    return np.stack(ends)
