"""The averaged weights of methods whose result is a mean of what they train."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.effective import shells_of
from tfadaopt.optimizers.arguments import count
from tfadaopt.optimizers.rule import UnsupportedOptimizerError


@contextlib.contextmanager
def averaged_weights(
    model: keras.Model, recalibrate: Iterable[Any] | None = None, batches: int = 100
) -> Iterator[None]:
    """Give a model its averaged weights inside a ``with`` block, and what it trains after it.

    For ``ScheduleFreeSGD``, ``ScheduleFreeAdamW`` and ``DoG``, whose result is a mean of the
    weights, and for any optimizer in ``WeightAverage`` or ``Lookahead``: evaluate, predict, save
    and export inside. To resume training later, save outside. Where a variable has a constraint,
    its mean is put back inside.

    Moving statistics of batch normalization are of the trained weights, not of their mean. With
    ``recalibrate`` they are, in the block, the plain mean over some batches at the averaged
    weights. SWA needs it; for an EMA they are mostly near enough.

    Args:
        model: A compiled model, trained for at least one step or built by its optimizer.
        recalibrate: Batches of training data, such as a ``tf.data.Dataset`` or
            ``keras.utils.PyDataset``: inputs, or tuples that begin with them. Default None.
        batches: How many of them are used at most, ≥ 1. Default 100.

    Returns:
        A context manager; it puts the trained weights and their statistics back even when the block
        raises.

    Raises:
        UnsupportedOptimizerError: The optimizer has no mean of the weights.
        ValueError: It is not built yet, or there is no batch in ``recalibrate``.

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
    count("averaged_weights", "batches", batches, at_least=1, hint="give a number such as 100")
    variables = [v for v in model.trainable_variables if compat.index_of(optimizer, v) is not None]
    averages = [optimizer.averaged(v) for v in variables]
    with _put_back([*variables, *_statistics(model)]):
        for variable, average in zip(variables, averages, strict=True):
            constraint = getattr(variable, "constraint", None)
            variable.assign(average if constraint is None else constraint(average))
        if recalibrate is not None:
            _recalibrate(model, recalibrate, batches)
        yield


def _statistics(model: keras.Model) -> list[keras.Variable]:
    """Moving means and variances of batch normalization."""
    layers = compat.normalizations_of(model)
    return [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]


@contextlib.contextmanager
def _put_back(variables: list[keras.Variable]) -> Iterator[None]:
    before = [tf.identity(v.value) for v in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _recalibrate(model: keras.Model, data: Iterable[Any], batches: int) -> None:
    """Give batch normalization the plain mean of the statistics of some batches."""
    statistics = _statistics(model)
    layers = compat.normalizations_of(model)
    momenta = [layer.momentum for layer in layers]

    # Made here, with a momentum of 0, in which the statistics become those of the batch alone.
    @tf.function(autograph=False, reduce_retracing=True)
    def seen(x: Any) -> list[tf.Tensor]:
        model(x, training=True)
        return [tf.identity(v.value) for v in statistics]

    sums, taken = [tf.zeros(v.shape, "float64") for v in statistics], 0
    with _put_back(model.non_trainable_variables):  # dropped units are drawn from a state, too
        try:
            for layer in layers:
                layer.momentum = 0.0
            for batch in _first(data, batches):
                x = keras.utils.unpack_x_y_sample_weight(batch)[0]
                sums = [s + tf.cast(v, s.dtype) for s, v in zip(sums, seen(x), strict=True)]
                taken += 1
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
    if not taken:
        raise ValueError(
            f"averaged_weights: recalibrate={data!r} has no batch; give batches of training data, "
            "such as dataset.batch(32)."
        )
    for variable, total in zip(statistics, sums, strict=True):
        variable.assign(tf.cast(total / taken, variable.dtype))


def _first(data: Iterable[Any], batches: int) -> Iterator[Any]:
    """So many batches of something that may be without end."""
    if isinstance(data, keras.utils.PyDataset):
        known = data.num_batches
        yield from (data[i] for i in range(batches if known is None else min(batches, known)))
    else:
        yield from itertools.islice(iter(data), batches)


def averaging_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """Return the optimizer of a model if it has averaged weights, or raise."""
    shells = shells_of(model.optimizer)
    for optimizer in shells:
        if hasattr(optimizer, "averaged"):
            return optimizer
    raise UnsupportedOptimizerError(
        f"{type(shells[-1]).__name__} keeps no mean of the weights: what it trains is its "
        "result. ScheduleFreeSGD, ScheduleFreeAdamW and DoG have one; for any other, compile the "
        f"model with tfadaopt.WeightAverage(tfadaopt.{type(shells[-1]).__name__}(…))."
    )
