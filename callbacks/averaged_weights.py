"""The callback that lets validation and checkpoints see the averaged weights."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from tfadaopt.averages import averaged_weights, averaging_optimizer
from tfadaopt.optimizers.arguments import count

Logs = Mapping[str, Any] | None


class AveragedWeights(keras.callbacks.Callback):
    """Validate and save at averaged weights: an EMA, SWA, a tail average, or a method's own.

    ``ScheduleFreeSGD``, ``ScheduleFreeAdamW``, ``DoG`` and ``Lookahead`` train one set of weights,
    and their result is another; any optimizer has a mean in ``tfadaopt.WeightAverage``. With this
    callback, validation inside ``fit`` (and ``evaluate`` that is given the callback) sees it;
    training goes on as without it, bit for bit. After ``fit`` the model holds what it trains, ready
    to go on: evaluate, save and export inside ``with tfadaopt.averaged_weights(model):``.

    Moving statistics of batch normalization are of the trained weights. With ``recalibrate`` they
    are, wherever the mean is seen, the plain mean over some batches of data at the averaged
    weights. That costs a forward pass of each, every time.

    Args:
        at_average: Callbacks that see the mean at the end of each epoch, such as
            ``keras.callbacks.ModelCheckpoint`` for the best weights. Default none. Do not put
            ``BackupAndRestore`` here: training resumes from what it trains.
        recalibrate: Batches of training data, as of ``tfadaopt.averaged_weights``. Default None.
        batches: How many of them are used at most, ≥ 1. Default 100.

    Raises:
        TypeError: What is in ``at_average`` is no callback.
        ValueError: ``batches`` is below 1.
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

    def __init__(
        self,
        at_average: Sequence[keras.callbacks.Callback] = (),
        recalibrate: Iterable[Any] | None = None,
        batches: int = 100,
    ) -> None:
        super().__init__()
        hint = "give a number such as 100"
        self.batches = count("AveragedWeights", "batches", batches, at_least=1, hint=hint)
        self.recalibrate = recalibrate
        self.at_average = list(at_average)
        for callback in self.at_average:
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(
                    f"AveragedWeights: at_average takes Keras callbacks, but {callback!r} was "
                    "received; give a list such as [keras.callbacks.ModelCheckpoint(path)]."
                )
        self._averaged = contextlib.ExitStack()

    def _mean(self) -> contextlib.AbstractContextManager[None]:
        return averaged_weights(self.model, self.recalibrate, self.batches)

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
        if self.at_average:
            with self._mean():
                for callback in self.at_average:
                    callback.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        if self.at_average:
            with self._mean():
                for callback in self.at_average:
                    callback.on_train_end(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        self._averaged.close()
        self._averaged.enter_context(self._mean())

    def on_test_end(self, logs: Logs = None) -> None:
        self._averaged.close()
