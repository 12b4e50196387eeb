"""What the callbacks that log optimizer state share."""

import abc
import os
from collections.abc import Callable

import keras

from tfadaopt.callbacks.recorder import Recorder, Request
from tfadaopt.callbacks.when import When, schedule


class StateCallback(keras.callbacks.Callback, abc.ABC):
    """Abstract base: a subclass says what it asks of the recorder of its folder.

    Args:
        log_dir: Folder of the TensorBoard run.
        every: Optimizer iterations between two snapshots; or a schedule, such as ``LogSpaced()``;
            or a function of the step that returns a bool.

    Raises:
        TypeError: ``log_dir`` is no path, or ``every`` none of these.
        ValueError: ``every`` is below 1.
    """

    # Whether log_dir must be given: what only listens can do without.
    needs_folder = True

    def __init__(
        self, log_dir: str | os.PathLike | None, every: int | When | Callable[[int], bool] = 10
    ):
        super().__init__()
        if not isinstance(log_dir, str | os.PathLike) and (
            self.needs_folder or log_dir is not None
        ):
            raise TypeError(
                f"{type(self).__name__}: log_dir must be a path, but {log_dir!r} "
                f"({type(log_dir).__name__}) was received; give a folder such as 'logs'."
            )
        self.log_dir = log_dir
        self.every = schedule(every)
        self._recorder = Recorder.at(log_dir)

    @abc.abstractmethod
    def request(self) -> Request:
        """What is measured, when, and what of it goes where."""

    @property
    def run_dir(self) -> str:
        """Folder that is written to: ``log_dir``, or a new one in it; see ``folder.free_for``."""
        return self._recorder.run_dir

    def on_train_begin(self, logs=None):
        self._recorder.start(self, self.model, self.request())

    def on_epoch_begin(self, epoch, logs=None):
        self._recorder.begin_epoch(self)

    def on_train_batch_begin(self, batch, logs=None):
        self._recorder.begin_batch(self, batch)

    def on_train_batch_end(self, batch, logs=None):
        self._recorder.end_batch(self, batch)

    def on_epoch_end(self, epoch, logs=None):
        self._recorder.end_epoch()

    def on_train_end(self, logs=None):
        self._recorder.stop(self)
