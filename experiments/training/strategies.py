"""On which devices a model is trained."""

import functools

import tensorflow as tf

from tfadaopt.experiments.configs import ConfigError


@functools.cache
def strategy_of(name: str | None) -> tf.distribute.Strategy:
    """Return what a model is made under: its ``scope()`` is to be around model and optimizer.

    One for all models of a process: two that sum over the same devices would get into each other's
    sums.

    Args:
        name: "mirrored": all GPUs of this machine, or all its (logical) CPUs where there is none;
            None: one device.
    """
    if name is None:
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def check_batches(strategy: tf.distribute.Strategy, examples: int, batch_size: int) -> None:
    """Check that each batch of an epoch can be shared out evenly.

    Keras takes the mean of the replicas' losses: where one has fewer examples, they count for more,
    and the mean of none is NaN.

    Raises:
        ConfigError: A batch cannot; the message says which.
    """
    replicas = strategy.num_replicas_in_sync
    last = examples % batch_size
    for what, size in (("batch", batch_size), ("last batch of an epoch", last)):
        if size % replicas:
            raise ConfigError(
                f"A {what} of {size} examples cannot be shared out evenly among {replicas} "
                f"devices. Give a batch size so that it, and what is left of the {examples} "
                f"examples, can be divided by {replicas}."
            )
