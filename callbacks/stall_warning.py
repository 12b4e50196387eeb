"""Callback: says when, where and why a layer stops learning."""

import math
import numbers
import os
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat, effective
from tfadaopt.callbacks.changes import Updates, WeightNorms
from tfadaopt.callbacks.known import layers_known, norms_of
from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.losses import BatchLosses
from tfadaopt.callbacks.marks import LOSS, Layer, Look, Mark, Thresholds
from tfadaopt.callbacks.probe import Probe
from tfadaopt.callbacks.quantities import Accumulators
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.stalls import StallDetector
from tfadaopt.callbacks.state_callback import Logs, StateCallback
from tfadaopt.callbacks.telling import as_text, say
from tfadaopt.callbacks.when import When

_WATCHED = (
    Accumulators(),
    Updates("update_ratio"),
    Updates("update_norm"),
    WeightNorms(),
)


# Batches after which a loss that is NaN is reported, where no look comes.
_UNSEEN = 20


class StallWarning(StateCallback):
    r"""Say when, where and why a layer stops learning, and what to try.

    A layer is reported when its state changes, the culprit first: on the console and, with a
    ``log_dir``, in TensorBoard: in the tab "Text", and as a mark in the pictures of the tab
    "Optimizer". Kernels are judged; biases only where there is nothing else.

    =====================  =====================================================================
    kind                   what is seen
    =====================  =====================================================================
    ``nan``                NaN or infinity in weights, accumulators, moving statistics or the
                           loss; or an update that the optimizer left out: at the next look
    ``exploding``          weights grew to 5 times what they were 100 steps ago, in three looks
                           in which the loss is clearly worse than it was, or for ``patience``
                           steps in which it is no better than at first; 100-fold and a loss that
                           is worse: at the next look
    ``dead``               no gradient for ``patience`` steps: a momentum fades by nothing but
                           its decay, or weights do not move at all
    ``saturated``          the accumulator no longer changes: s + g² = s
    ``below_resolution``   ‖Δθ‖ < ‖θ‖ · spacing / 4: less than half the distance of neighbouring
                           numbers of the weights' dtype, so that rounding loses it
    ``stalled``            while the loss does not fall: steps that are 1/``factor`` of what the
                           method would make of gradients like the present ones, as large early
                           ones stay in the accumulator; or ‖g‖‖θ‖ of a kernel below 1/10,000 of
                           that of another, a vanishing gradient; or weight decay that took
                           two thirds of the weights; or steps below a millionth of the weights
                           in all layers since the start, a rate that is too small
    =====================  =====================================================================

    All but ``nan`` and ``exploding`` must last for ``patience`` steps. Where the loss is known, a
    loss that falls says that nothing stalled; what is ``dead`` is so whatever the loss does,
    unless nothing is left of it. A rate that its schedule takes to 0 is no stall. Nothing is
    promised of units that are dead while others of their layer live, of a gradient that is small
    and not gone, or of a training that does not learn for a reason that no layer shows.
    ``benchmarks/stalls`` measures how often it is wrong.

    It measures accumulators, updates and norms of the weights, in one pass over
    the state with the other callbacks of this ``log_dir``. Training is bit for bit what it is
    without.

    Args:
        log_dir: Folder of the TensorBoard run, or None: the console only. Default None.
        every: Optimizer iterations between two looks, ≥ 1, or a schedule. Default 10.
        patience: Optimizer iterations that a state must last, ≥ 1. Default 50.
        factor: How many times smaller than its method would make it the step of a stalled layer
            is, where squared gradients are summed up, > 1. Default 30.
        stop_training: Whether to end ``fit`` at the first NaN, and when no layer learns any more.
            Default False.
        optimizer: What to watch: an optimizer, or a dictionary of several by name. Default None:
            the one that the model was compiled with, or those among its attributes.
        on_warning: Function that is called with each mark, for a message elsewhere, or None.

    Attributes:
        marks: What was reported, in order: records with ``layer`` (a path, or ``"loss"``),
            ``kind``, ``quantity``, ``since``, ``cause`` and ``advice``.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range, or (when training begins) the model is not
            compiled, or several workers train it and ``stop_training`` is on.

    Example:
        >>> import keras, numpy
        >>> from tfadaopt.callbacks import StallWarning
        >>> layers = [keras.Input([3]), keras.layers.Dense(1, name="out")]
        >>> model = keras.Sequential(layers, name="net")
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> x, y = numpy.full([40, 3], numpy.nan), numpy.ones([40])
        >>> warning = StallWarning(stop_training=True)
        >>> history = model.fit(x, y, batch_size=4, verbose=0, callbacks=[warning])
        ... # doctest: +ELLIPSIS
        <BLANKLINE>
        StallWarning, step 10: 2 layers are not finite.
          not finite since step 10: net/out/kernel, net/out/bias
          cause: NaN in ...
        >>> [mark.kind for mark in warning.marks]
        ['nan', 'nan']
    """

    needs_folder = False

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        every: int | When | Callable[[int], bool] = 10,
        patience: int = 50,
        factor: float = 30.0,
        stop_training: bool = False,
        optimizer: keras.optimizers.Optimizer
        | Mapping[str, keras.optimizers.Optimizer]
        | None = None,
        on_warning: Callable[[Mark], None] | None = None,
    ) -> None:
        super().__init__(log_dir, every, optimizer)
        if on_warning is not None and not callable(on_warning):
            raise TypeError(
                f"StallWarning: on_warning must be a function of a mark, but {on_warning!r} was "
                "received; give print, for example."
            )
        self.on_warning = on_warning
        self.thresholds = _thresholds(patience, factor)
        self.stop_training = stop_training
        self.marks: list[Mark] = []
        self._detector: StallDetector | None = None
        self._watched_optimizer: keras.optimizers.Optimizer | None = None
        self._batch_losses = BatchLosses()
        # What Keras has reported since the last look: batches and losses.
        self._reported: list[tuple[int, Any]] = []
        self._norms: dict[str, float] = {}
        self._is_chief = True

    def make_detector(self, layers: Mapping[str, Layer]) -> StallDetector:
        """Make what watches a run of a model, before it looks for the first time."""
        return StallDetector(layers, self.thresholds)

    def request(self) -> Request:
        return Request(What(_WATCHED), self.every, scalars=0, listeners=(self._look,))

    def on_train_begin(self, logs: Logs = None) -> None:
        strategy = getattr(self.model, "distribute_strategy", None)
        several_workers = tf.distribute.MultiWorkerMirroredStrategy
        if self.stop_training and isinstance(strategy, several_workers):
            raise ValueError(
                "StallWarning: stop_training=True is not allowed under a "
                "MultiWorkerMirroredStrategy: one worker alone looks, and would stop while the "
                "others wait for it. Leave it out, and stop all workers by hand."
            )
        super().on_train_begin(logs)
        if not self._failed:
            self._safely(self._begin_fit)

    def _begin_fit(self) -> None:
        optimizer = self._recorder.optimizer
        # What was compiled or frozen since the last fit is found anew.
        self._is_chief = compat.writes_summaries(self.model)
        self._reported.clear()
        self._batch_losses.begin_fit()
        self._probe = Probe(self.model, effective.leaves(optimizer))
        if optimizer is not self._watched_optimizer:
            self._watched_optimizer = optimizer
            self._norms = norms_of(self._recorder.variables)
            self._detector = None
            self.marks = []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._safely(self._take_in_losses)
        self._batch_losses.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        # Another callback of this folder may have looked already, with the losses up to here less
        # one batch.
        if logs and "loss" in logs and self._is_chief:  # Of several workers, one warns.
            self._reported.append((batch, logs["loss"]))
            if batch > 0 and self._batch_losses.is_mean is None and math.isfinite(logs["loss"]):
                self._safely(self._ask_for_mean, logs["loss"])
        super().on_train_batch_end(batch, logs)
        if len(self._reported) >= _UNSEEN:
            # Under loss scaling, no step may be taken any more, and so there is no look.
            self._safely(self._take_in_losses)
            if self._batch_losses.unseen >= _UNSEEN:
                self._safely(self._look, self._recorder.steps_seen, {})

    def _take_in_losses(self) -> None:
        for batch, loss in self._reported:
            self._batch_losses.add(batch, float(loss))
        self._reported.clear()

    def _ask_for_mean(self, loss: Any) -> None:
        """Find out, once in a fit, whether a metric of the model has that loss as its mean."""
        means = [m for m in getattr(self.model, "metrics", ()) if isinstance(m, keras.metrics.Mean)]
        self._batch_losses.is_mean = any(
            math.isclose(float(m.result()), float(loss), rel_tol=1e-5) for m in means
        )

    def _look(self, step: int, tables: Tables) -> list[dict[str, Any]]:
        if self._detector is None:  # Keras builds the optimizer in the first step
            self._detector = self.make_detector(
                layers_known(
                    self._recorder.variables, self._watched_optimizer, self.model, self._norms
                )
            )
        self._take_in_losses()
        rates, counts, not_finite = self._probe(step)
        losses, bad_loss = self._batch_losses.take()
        if bad_loss:
            not_finite = [*not_finite, LOSS]
        marks = self._detector.observe(Look(step, tables, rates, counts, losses, not_finite))
        if not marks:
            return []
        self.marks += marks
        say(f"\n{as_text(step, marks)}")
        if self.on_warning is not None:
            for mark in marks:
                self.on_warning(mark)
        if self.stop_training and (
            self._detector.has_stopped or any(mark.kind == "nan" for mark in marks)
        ):
            self.model.stop_training = True
        return [mark.as_dict() for mark in marks]


def _thresholds(patience: int, factor: float) -> Thresholds:
    for name, value, kind in (
        ("patience", patience, numbers.Integral),
        ("factor", factor, numbers.Real),
    ):
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(
                f"StallWarning: {name} must be a number, but {value!r} ({type(value).__name__}) "
                f"was received; give {getattr(Thresholds(), name)}, for example."
            )
    if patience < 1:
        raise ValueError(
            f"StallWarning: patience={patience} is not allowed; it must be at least 1: the "
            "optimizer iterations for which a state must last, such as 50."
        )
    if not 1 < factor < math.inf:
        raise ValueError(
            f"StallWarning: factor={factor} is not allowed; it must be above 1: how many times "
            "smaller than its method would make it the step of a stalled layer is, such as 30."
        )
    return Thresholds(patience=int(patience), factor=float(factor))
