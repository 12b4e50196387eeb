"""The batches of a run, from any place in it: their order is one of the seed and the epoch."""

from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

_NO_END = np.iinfo("int64").max


class Batches(Protocol):
    """What a run is trained on.

    Attributes:
        steps_per_epoch: Batches of an epoch; None: a run that was killed cannot go on within them.
    """

    steps_per_epoch: int | None

    def at(self, epoch: int, batch: int) -> dict[str, Any]:
        """Return arguments of ``fit`` that begin with a batch of an epoch, both counted from 0.

        Where ``batch`` is not 0, they are for the rest of that epoch alone; it has one.
        """
        ...


class Shuffled:
    """Arrays in an order that is drawn anew for each epoch, from its number and a seed alone.

    Args:
        tensors: Tensors of the same first dimension n, in any structure; see ``dense``.
        batch_size: Examples per step; the last batch of an epoch may have fewer.
        seed: Seed of the order, from 0 to 2³¹ − 1.

    Example:
        >>> import numpy as np
        >>> from tfadaopt.experiments.training.batches import Shuffled, dense
        >>> run = Shuffled(dense((np.arange(6),)), batch_size=4, seed=0)
        >>> def first(epoch, batch):
        ...     return next(iter(run.at(epoch, batch)["x"]))[0].numpy().tolist()
        >>> sorted(first(2, 0) + first(2, 1)), first(2, 1) == first(2, 1)
        ([0, 1, 2, 3, 4, 5], True)
    """

    def __init__(self, tensors: Any, batch_size: int, seed: int):
        self._tensors, self._batch_size, self._seed = tensors, batch_size, seed
        self._count = int(keras.tree.flatten(tensors)[0].shape[0])
        self._steps = -(-self._count // batch_size)
        self.steps_per_epoch: int | None = self._steps

    def at(self, epoch: int, batch: int) -> dict[str, Any]:
        """Return arguments of ``fit``: a data set that goes on from epoch to epoch."""
        # Neither has control flow, for which AutoGraph would run a copy of its source.
        as_written = tf.autograph.experimental.do_not_convert
        data = tf.data.Dataset.range(epoch, _NO_END).flat_map(as_written(self._indices))
        data = data.skip(batch).map(as_written(self._examples)).prefetch(2)
        options = tf.data.Options()
        # Autotuning holds a short fit for up to a second after its last batch.
        options.autotune.enabled = False
        steps = self._steps - batch
        return {"x": data.with_options(options), "steps_per_epoch": steps, "shuffle": False}

    def _indices(self, epoch: tf.Tensor) -> tf.data.Dataset:
        drawn = tf.random.experimental.stateless_shuffle(
            tf.range(self._count, dtype="int64"), seed=tf.stack([np.int64(self._seed), epoch])
        )
        size = self._batch_size
        starts = tf.data.Dataset.range(0, self._count, size)
        return starts.map(lambda start: drawn[start : start + size])

    def _examples(self, indices: tf.Tensor) -> Any:
        return keras.tree.map_structure(lambda tensor: tf.gather(tensor, indices), self._tensors)


class Streamed:
    """A data set of batches, in its own order, which depends on what it was read before.

    A run that goes on has it made again, and what was trained on is read and let go.

    Args:
        make: Makes the data set; each time it yields the same.
        steps_per_epoch: Batches of an epoch: all there are, or any number where there is no end.
    """

    def __init__(self, make: Callable[[], tf.data.Dataset], steps_per_epoch: int):
        self._make, self._steps = make, steps_per_epoch
        self.steps_per_epoch: int | None = steps_per_epoch

    def at(self, epoch: int, batch: int) -> dict[str, Any]:
        """Return arguments of ``fit``: a data set that goes on from epoch to epoch."""
        data = self._make().repeat().skip(epoch * self._steps + batch)
        return {"x": data, "steps_per_epoch": self._steps - batch, "shuffle": False}


class AsGiven:
    """Whatever else ``fit`` takes: a run that was killed begins anew.

    Args:
        **arguments: Arguments of ``fit``.
    """

    steps_per_epoch: int | None = None

    def __init__(self, **arguments: Any):
        self._arguments = arguments

    def at(self, epoch: int, batch: int) -> dict[str, Any]:
        """Return arguments of ``fit``."""
        return self._arguments


def dense(arrays: Any) -> Any:
    """Return arrays of NumPy and TensorFlow as what batches can be gathered from.

    Floating numbers get the dtype that Keras would give them. None where one of the arrays is
    something else: a table of pandas, say, or a sparse tensor.
    """
    flat = keras.tree.flatten(arrays)
    if not all(isinstance(x, np.ndarray | tf.Tensor) and x.dtype != object for x in flat):
        return None

    def tensor(array: np.ndarray | tf.Tensor) -> tf.Tensor:
        if tf.as_dtype(array.dtype).is_floating:
            array = tf.cast(array, keras.config.floatx())
        return tf.convert_to_tensor(array)

    with tf.device("cpu"):  # as the data set that gathers them
        return keras.tree.map_structure(tensor, arrays)
