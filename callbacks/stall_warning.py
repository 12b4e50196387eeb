"""Callback: says when, where and why a layer stops learning."""

import math
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadaopt import compat, effective
from tfadaopt.callbacks.log_format import Tables
from tfadaopt.callbacks.quantities import (
    Accumulators,
    EffectiveRates,
    Updates,
    WeightNorms,
)
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.stalls import STOPPED, Layer, Mark, StallDetector, Thresholds
from tfadaopt.callbacks.state_callback import Logs, StateCallback
from tfadaopt.callbacks.telling import as_text, say
from tfadaopt.callbacks.when import When
from tfadaopt.compat import Variable

_WATCHED = (
    EffectiveRates(sampled=True, required=False),
    Accumulators(required=False),
    Updates("update_ratio"),
    Updates("update_norm"),
    WeightNorms(),
)


class StallWarning(StateCallback):
    r"""Say when, where and why a layer stops learning, and what to try.

    Each layer is reported once, on the console and, with a ``log_dir``, in TensorBoard: in the tab
    "Text", and as a mark in the pictures of the tab "Optimizer".

    =====================  ======================================================================
    kind                   what is seen
    =====================  ======================================================================
    ``stalled``            the update fell, at equal η, to 1/``factor`` of its largest, for
                           ``patience`` steps in which the loss did not fall by a tenth; where the
                           method sums up squared gradients, a fall by √t is its own, and does not
                           count. Or the layer's steps are a thousandth of those of other layers,
                           and a millionth of its weights: a vanishing gradient
    ``below_resolution``   ‖Δθ‖ < ‖θ‖ · spacing / 4 for ``patience`` steps: less than half the
                           distance of neighbouring numbers of the weights' dtype, so that
                           rounding loses it
    ``saturated``          the accumulator no longer changes: s + g² = s
    ``dead``               no gradient for ``patience`` steps, as behind dead ReLU
    ``exploding``          steps of half the weights three times in a row, or weights that grew
                           30-fold, and a loss that is higher than at the start
    ``nan``                the first NaN or infinity in weights or accumulators
    =====================  ======================================================================

    Later in a run, a state must last for a quarter of the steps before it. A rate that its schedule
    takes to 0 is no stall, nor is a loss that is below 1/10,000 of its largest: there is nothing
    left to learn. ``benchmarks/stalls.py`` measures how often it is wrong.

    It measures effective rates, accumulators, updates and norms of the weights, in one pass over
    the state with the other callbacks of this ``log_dir``. Training is bit for bit what it is
    without.

    Args:
        log_dir: Folder of the TensorBoard run, or None: the console only. Default None.
        every: Optimizer iterations between two looks, ≥ 1, or a schedule. Default 10.
        patience: Optimizer iterations that a state must last, ≥ 1. Default 200.
        factor: Fall of the update that counts as a stall, > 1. Default 30.
        stop_training: Whether to end ``fit`` at the first NaN, and when no layer learns any more.
            Default False.
        optimizer: What to watch: an optimizer, or a dictionary of several by name. Default None:
            the one that the model was compiled with, or those among its attributes.
        on_warning: Function that is called with each mark, for a message elsewhere, or None.

    Attributes:
        marks: What was reported, in order: records with ``layer``, ``kind``, ``quantity``,
            ``since``, ``cause`` and ``advice``.

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
        patience: int = 200,
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
        self._running_loss = _Loss()
        self._paths: set[str] = set()

    def make_detector(self, optimizer: str, layers: Mapping[str, Layer]) -> StallDetector:
        """Make what watches a run of a model, at its start."""
        return StallDetector(optimizer, layers, self.thresholds)

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
        if self._failed:
            return
        optimizer = self._recorder.optimizer
        if optimizer is not self._watched_optimizer:
            self._watched_optimizer = optimizer
            leaves = effective.leaves(optimizer)
            name = " + ".join(dict.fromkeys(type(leaf).__name__ for leaf in leaves))
            self._detector = self.make_detector(name, _known_of(self._recorder.variables))
            self.marks = []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._running_loss = _Loss()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        # Another callback of this folder may have looked already, with the loss up to here less
        # one batch.
        self._running_loss.latest = batch + 1, (logs or {}).get("loss", math.nan)
        super().on_train_batch_end(batch, logs)

    def _look(self, step: int, tables: Tables) -> list[dict[str, Any]]:
        assert self._detector is not None  # made before the first step
        marks = self._detector.observe(step, tables, self._rate(), self._running_loss.since_last())
        self._paths |= {path for paths, _ in tables.values() for path in paths}
        if not marks:
            return []
        self.marks += marks
        say(f"\n{as_text(step, marks)}")
        if self.on_warning is not None:
            for mark in marks:
                self.on_warning(mark)
        stopped = {mark.layer for mark in self.marks if mark.kind in STOPPED}
        if self.stop_training and (
            stopped >= self._paths or any(mark.kind == "nan" for mark in marks)
        ):
            self.model.stop_training = True
        return [mark.as_dict() for mark in marks]

    def _rate(self) -> float:
        leaves = effective.leaves(self._watched_optimizer)
        if len(leaves) != 1:
            return math.nan
        return float(tf.convert_to_tensor(compat.applied_learning_rate(leaves[0])).numpy())


class _Loss:
    """Mean loss since the last look, from Keras' running mean over one epoch."""

    def __init__(self) -> None:
        self.latest: tuple[int, Any] = (0, math.nan)
        self._looked = (0, 0.0)

    def since_last(self) -> float:
        batches, mean = self.latest[0], float(self.latest[1])
        before, total = self._looked
        self._looked = batches, mean * batches
        return (mean * batches - total) / (batches - before) if batches > before else math.nan


def _known_of(variables: Sequence[Variable]) -> dict[str, Layer]:
    if not variables:
        return {}
    norms = tf.stack([tf.norm(tf.cast(tf.convert_to_tensor(v), "float32")) for v in variables])
    return {
        compat.path_of(v): Layer(tf.as_dtype(v.dtype).name, len(v.shape), norm)
        for v, norm in zip(variables, norms.numpy().tolist(), strict=True)
    }


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
            "optimizer iterations for which a layer must stand still, such as 200."
        )
    if not 1 < factor < math.inf:
        raise ValueError(
            f"StallWarning: factor={factor} is not allowed; it must be above 1: how many times "
            "smaller than its largest the update of a stalled layer is, such as 30."
        )
    return Thresholds(patience=int(patience), factor=float(factor))
