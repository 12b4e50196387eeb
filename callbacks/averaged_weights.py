"""The callback that lets validation and checkpoints see the averaged weights."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfadaopt.averages import averaged_weights, averaging_optimizer

Logs = Mapping[str, Any] | None


class AveragedWeights(keras.callbacks.Callback):
    """Validate at the averaged weights of ``ScheduleFreeSGD``, ``ScheduleFreeAdamW`` or ``DoG``.

    Those methods train one set of weights, and their result is a mean of it. With this callback,
    validation inside ``fit`` (and ``evaluate`` that is given the callback) sees the mean; training
    goes on as without it, bit for bit. After ``fit`` the model holds what it trains, ready to go
    on: evaluate, save and export inside ``with tfadaopt.averaged_weights(model):``.

    Args:
        at_average: Callbacks that see the mean at the end of each epoch, such as
            ``keras.callbacks.ModelCheckpoint`` for the best weights. Default none. Do not put
            ``BackupAndRestore`` here: training resumes from what it trains.

    Raises:
        tfadaopt.UnsupportedOptimizerError: The optimizer has no mean of the weights (when training
            or evaluation begins).

    Example:
        >>> import keras, numpy as np, tfadaopt
        >>> from tfadaopt.callbacks import AveragedWeights
        >>> x, y = np.ones((8, 1)), np.zeros((8, 1))
        >>> model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
        >>> model.compile(tfadaopt.ScheduleFreeSGD(0.1), loss="mse")
        >>> averaged = AveragedWeights()
        >>> fit = model.fit(x, y, validation_data=(x, y), callbacks=[averaged], verbose=0)
        >>> with tfadaopt.averaged_weights(model):
        ...     fit.history["val_loss"] == [model.evaluate(x, y, verbose=0)]
        True
    """

    def __init__(self, at_average: Sequence[keras.callbacks.Callback] = ()) -> None:
        super().__init__()
        self.at_average = list(at_average)
        for callback in self.at_average:
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(
                    f"AveragedWeights: at_average takes Keras callbacks, but {callback!r} was "
                    "received; give a list such as [keras.callbacks.ModelCheckpoint(path)]."
                )
        self._averaged = contextlib.ExitStack()

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        for callback in self.at_average:
            callback.set_model(model)

    def set_params(self, params: Mapping[str, Any]) -> None:
        super().set_params(params)
        for callback in self.at_average:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        averaging_optimizer(self.model)
        self._averaged.close()  # of an evaluation that was interrupted
        for callback in self.at_average:
            callback.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        for callback in self.at_average:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        with averaged_weights(self.model):
            for callback in self.at_average:
                callback.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        with averaged_weights(self.model):
            for callback in self.at_average:
                callback.on_train_end(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        self._averaged.close()
        self._averaged.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs: Logs = None) -> None:
        self._averaged.close()
