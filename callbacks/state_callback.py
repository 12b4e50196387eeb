"""What the callbacks that log optimizer state share."""

import abc
import os

import keras

from tfadaopt.callbacks.measure import Quantity
from tfadaopt.callbacks.recorder import Recorder
from tfadaopt.callbacks.when import Every


class StateCallback(keras.callbacks.Callback, abc.ABC):
    """Abstract base: a subclass names the quantity that it logs.

    Args:
        log_dir: Folder of the TensorBoard run.
        every: Optimizer iterations between two snapshots.

    Raises:
        TypeError: ``log_dir`` is no path, or ``every`` no whole number.
        ValueError: ``every`` is below 1.
    """

    def __init__(self, log_dir: str | os.PathLike, every: int = 10):
        super().__init__()
        if not isinstance(log_dir, str | os.PathLike):
            raise TypeError(
                f"{type(self).__name__}: log_dir must be a path, but {log_dir!r} "
                f"({type(log_dir).__name__}) was received; give a folder such as 'logs'."
            )
        self.log_dir = log_dir
        self.every = Every(every)
        self._recorder = Recorder.at(log_dir)

    @property
    @abc.abstractmethod
    def quantity(self) -> Quantity:
        """What is measured: a function of ``tfadaopt.callbacks.measure``."""

    def on_train_begin(self, logs=None):
        self._recorder.start(self, self.model, self.quantity, self.every)

    def on_epoch_begin(self, epoch, logs=None):
        self._recorder.begin_epoch(self)

    def on_train_batch_end(self, batch, logs=None):
        self._recorder.end_batch(self, batch)

    def on_epoch_end(self, epoch, logs=None):
        self._recorder.end_epoch()

    def on_train_end(self, logs=None):
        self._recorder.stop(self)
