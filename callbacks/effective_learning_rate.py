"""Callback: the effective learning rate of each layer, in TensorBoard."""

from tfadaopt.callbacks.quantities import EffectiveRates
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.state_callback import StateCallback


class EffectiveLearningRate(StateCallback):
    r"""Log how fast each layer learns: η(t) · scale, per variable, as the last step applied it.

    .. math:: \theta_{t} = \theta_{t-1} - \text{rate}_t \odot \text{direction}_t

    Tags: ``effective_learning_rate/<variable path>/<statistic>`` with the statistics ``mean``,
    ``min``, ``max``, ``p05``, ``p50`` and ``p95`` over the coordinates of the variable, and
    ``learning_rate``, the scheduled η. The step axis counts optimizer iterations, so a second
    ``fit`` and gradient accumulation go on where they were. Beyond 1024 coordinates, the three
    quantiles come from a sample of 1024; the rest is exact. The same numbers go to TensorBoard's
    tab "Optimizer", all layers in one picture.

    It reads tfadaopt's and Keras' optimizers, and any that has a method of the name
    ``effective_learning_rate``; ``tfadaopt.readers`` says what it returns.

    Statistics are computed on the device, after the step, in one call; training is bit for bit
    what it is without. Callbacks of tfadaopt that name the same ``log_dir`` share one pass over
    the state and one event. Frozen variables are left out. Steps that loss scaling skips and
    batches that only accumulate gradients write nothing.

    Args:
        log_dir: Folder of the TensorBoard run, such as ``"logs/adagrad"``; made where needed.
        every: Optimizer iterations between two snapshots, ≥ 1: the steps that are its multiples,
            or the next one a callback sees under ``steps_per_execution``. Or a schedule, such as
            ``LogSpaced()``, or a function of the step that returns a bool. Default 10.

    Raises:
        TypeError: ``every`` is neither a whole number nor a schedule.
        ValueError: ``every`` is below 1, or (when training begins) the model is not compiled.
        tfadaopt.UnsupportedOptimizerError: The optimizer, or a variable, has no such rate (when
            training begins); ``OptimizerMonitor`` then logs what can be measured.

    Example:
        >>> import keras, numpy, tempfile, tfadaopt
        >>> from tfadaopt.callbacks import EffectiveLearningRate
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile(optimizer=tfadaopt.Adagrad(0.1), loss="mse")
        >>> x, y = numpy.ones([32, 3]), numpy.zeros([32, 1])
        >>> with tempfile.TemporaryDirectory() as logs:
        ...     callback = EffectiveLearningRate(logs, every=2)
        ...     history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[callback])
    """

    def request(self) -> Request:
        return Request(What((EffectiveRates(),), reads="effective_learning_rate"), self.every)
