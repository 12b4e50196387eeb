"""Callback: the size of each layer's accumulators, in TensorBoard."""

from tfadaopt.callbacks.quantities import Accumulators
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.state_callback import StateCallback


class AccumulatorMagnitude(StateCallback):
    r"""Log what an optimizer has accumulated: the magnitude of each slot of each variable.

    .. math:: |s_t| \quad\text{and}\quad \lVert s_t \rVert_2

    Tags: ``accumulator/<slot>/<variable path>/<statistic>`` with the statistics ``mean``, ``min``,
    ``max``, ``p05``, ``p50`` and ``p95`` of the *absolute* values over the coordinates of the slot,
    its Euclidean ``norm``, and ``learning_rate``, the scheduled η. Slots are named as in
    ``tfadaopt.accumulators``. ``SGD`` has none: there is nothing to log but the rate. Of a number,
    such as the trust ratio of ``LARS``, the ``mean`` alone is logged; one that all variables share,
    such as Prodigy's distance, comes once, as ``accumulator/distance/mean``.

    Step axis, sampling, sharing of a ``log_dir`` and cost are those of ``EffectiveLearningRate``.

    Args:
        log_dir: Folder of the TensorBoard run, such as ``"logs/adagrad"``; made where needed.
        every: Optimizer iterations between two snapshots, ≥ 1, a schedule, or a function of the
            step. Default 10.

    Raises:
        TypeError: ``every`` is neither a whole number nor a schedule.
        ValueError: ``every`` is below 1, or (when training begins) the model is not compiled.
        tfadaopt.UnsupportedOptimizerError: The optimizer cannot be read (when training begins).

    Example:
        >>> import keras, numpy, tempfile, tfadaopt
        >>> from tfadaopt.callbacks import AccumulatorMagnitude
        >>> model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(1)])
        >>> model.compile(optimizer=tfadaopt.RMSprop(0.1), loss="mse")
        >>> x, y = numpy.ones([32, 3]), numpy.zeros([32, 1])
        >>> with tempfile.TemporaryDirectory() as logs:
        ...     callback = AccumulatorMagnitude(logs, every=2)
        ...     history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[callback])
    """

    def request(self) -> Request:
        return Request(What((Accumulators(),), reads="accumulators"), self.every)
