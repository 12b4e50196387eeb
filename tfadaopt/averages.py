"""The averaged weights of methods whose result is a mean of what they train."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.effective import shells_of
from tfadaopt.optimizers.rule import UnsupportedOptimizerError


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Give a model its averaged weights inside a ``with`` block, and what it trains after it.

    For ``ScheduleFreeSGD``, ``ScheduleFreeAdamW`` and ``DoG``, whose result is a mean of the
    weights: evaluate, predict, save and export inside. To resume training later, save outside.
    Where a variable has a constraint, its mean is put back inside.
    Moving statistics of batch normalization are of the trained weights, not of their mean: where a
    model has such layers, pass some batches through it with ``training=True`` inside first.

    Args:
        model: A compiled model, trained for at least one step or built by its optimizer.

    Returns:
        A context manager; it puts the trained weights back even when the block raises.

    Raises:
        UnsupportedOptimizerError: The optimizer has no mean of the weights.
        ValueError: It is not built yet.

    Example:
        >>> import keras, numpy as np, tfadaopt
        >>> layer = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)
        >>> model = keras.Sequential([keras.Input([1]), layer])
        >>> model.compile(tfadaopt.ScheduleFreeSGD(1.0, beta=0.5), loss="mae")
        >>> _ = model.fit(np.ones((2, 1)), 9 * np.ones((2, 1)), batch_size=1, verbose=0)
        >>> with tfadaopt.averaged_weights(model):
        ...     model.get_weights()[0].tolist()  # the mean of 1 and 2
        [[1.5]]
        >>> model.get_weights()[0].tolist()  # between that and 2
        [[1.75]]
    """
    optimizer = averaging_optimizer(model)
    variables = [v for v in model.trainable_variables if compat.index_of(optimizer, v) is not None]
    averages = [optimizer.averaged(v) for v in variables]
    trained = [tf.identity(v.value) for v in variables]
    try:
        for variable, average in zip(variables, averages, strict=True):
            constraint = getattr(variable, "constraint", None)
            variable.assign(average if constraint is None else constraint(average))
        yield
    finally:
        for variable, value in zip(variables, trained, strict=True):
            variable.assign(value)


def averaging_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """Return the optimizer of a model if it has averaged weights, or raise."""
    shells = shells_of(model.optimizer)
    for optimizer in shells:
        if hasattr(optimizer, "averaged"):
            return optimizer
    raise UnsupportedOptimizerError(
        f"{type(shells[-1]).__name__} keeps no mean of the weights: what it trains is its "
        "result. ScheduleFreeSGD, ScheduleFreeAdamW, DoG and Lookahead have one; for any other, "
        "use_ema=True with keras.callbacks.SwapEMAWeights averages."
    )
