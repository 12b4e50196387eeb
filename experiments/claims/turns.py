"""Methods whose rate is one number for all weights, on a grid: one walker after the other."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfadaopt.catalog import METHODS


def walk_in_turn(
    method: str,
    rates: Sequence[float],
    start: Sequence[float],
    steps: int,
    gradient: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    **arguments,
) -> np.ndarray:
    """Return where walkers with these rates end [walkers, d], as ``walk`` does, in float64.

    One optimizer, compiled once, begins anew for each walker: as rows of one variable, walkers
    would share the norms that such a method measures.

    Args:
        method: Name of the method, such as "DoG"; one that keeps a mean of the weights ends there.
        rates: Learning rate of each walker.
        start: Where all begin [d].
        steps: Number of steps.
        gradient: g(w, t, i) [d] of walker i = 0, 1, … in step t = 1, 2, …
        **arguments: Further arguments of the method.

    Example:
        >>> from tfadaopt.experiments.claims.turns import walk_in_turn
        >>> slope = lambda w, t, i: tf.constant([3.0, 4.0], "float64")
        >>> more = {"initial_accumulator_value": 0.0}
        >>> walk_in_turn("AdaGradNorm", [0.5, 5.0], [0.0, 0.0], 1, slope, **more).tolist()
        [[-0.3, -0.4], [-3.0, -4.0]]
    """
    cls = next(record.cls for record in METHODS if record.name == method)
    eta, walker = tf.Variable(np.float64(0)), tf.Variable(0)
    points = tf.Variable(np.asarray(start, "float64"))
    optimizer = cls(learning_rate=lambda: eta, nonfinite="ignore", **arguments)
    optimizer.build([points])
    fresh = [(v, v.numpy()) for v in [points, *optimizer.variables]]

    @tf.function(jit_compile=True, autograph=False)
    def go():
        def step(t):
            optimizer.apply([gradient(tf.convert_to_tensor(points), t, walker)], [points])
            return (t + 1,)

        tf.while_loop(lambda t: t <= steps, step, (1,))
        return optimizer.averaged(points) if hasattr(optimizer, "averaged") else points + 0

    ends = []
    for i, rate in enumerate(rates):
        for variable, value in fresh:
            variable.assign(value)
        eta.assign(rate)
        walker.assign(i)
        ends.append(go().numpy())
    return np.stack(ends)
