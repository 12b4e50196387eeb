"""Callback: how far each step moves each layer, in TensorBoard."""

from tfadaopt.callbacks.changes import Updates
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.state_callback import StateCallback


class UpdateRatio(StateCallback):
    r"""Log how far a step moves each layer, relative to its weights: measured, for any optimizer.

    .. math:: \lVert \theta_t - \theta_{t-1} \rVert_2 \,/\, \lVert \theta_{t-1} \rVert_2

    Tags: ``update_ratio/<variable path>`` and ``learning_rate``, the scheduled η. A layer whose
    weights were all 0 before the step has the ratio 1 if it moved. Around 1e-3 is usual; a layer
    far below the others learns next to nothing. Weight decay, clipping and constraints count, as
    they move the weights, too.

    The weights from before a step are kept only around the steps that are due, on the device: as
    much memory as the weights take. Under ``steps_per_execution=k``, callbacks see every k-th step
    only, and the ratio spans the k steps of one execution. Where gradients accumulate, it is of
    the update. A model that is built by its first batch has no ratio of its first step.

    Step axis, sharing of a ``log_dir`` and what skipped steps do are as with
    ``EffectiveLearningRate``; the same numbers go to TensorBoard's tab "Optimizer".

    Args:
        log_dir: Folder of the TensorBoard run, such as ``"logs/adagrad"``; made where needed.
        every: Optimizer iterations between two snapshots, ≥ 1, a schedule such as ``LogSpaced()``,
            or a function of the step that returns a bool. Default 10.

    Raises:
        TypeError: ``every`` is neither a whole number nor a schedule.
        ValueError: ``every`` is below 1, or (when training begins) the model is not compiled.

    Example:
        >>> import keras, numpy, tempfile
        >>> from tfadaopt.callbacks import UpdateRatio
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile(optimizer=keras.optimizers.Lion(0.1), loss="mse")
        >>> x, y = numpy.ones([32, 3]), numpy.zeros([32, 1])
        >>> with tempfile.TemporaryDirectory() as logs:
        ...     callback = UpdateRatio(logs, every=2)
        ...     history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[callback])
    """

    def request(self) -> Request:
        return Request(What((Updates("update_ratio"),)), self.every)
