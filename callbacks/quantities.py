"""What to measure: for each quantity, the series of all layers."""

import math
import warnings
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.callbacks.layers import Layer, View
from tfadaopt.callbacks.log_format import RATE
from tfadaopt.callbacks.measure import ETA, Series
from tfadaopt.callbacks.sampled import (
    SMALL,
    RateRows,
    Skips,
    StateRows,
    size_of_row,
)
from tfadaopt.callbacks.sources import Before, Reading, Whole, row
from tfadaopt.callbacks.summaries import ALL, SPREAD, STATISTICS, VALUE
from tfadaopt.compat import Variable
from tfadaopt.lookahead import Lookahead
from tfadaopt.optimizers.base import SKIPPED
from tfadaopt.optimizers.pieces.first import UPDATES
from tfadaopt.optimizers.rule import UnsupportedOptimizerError
from tfadaopt.reader import Kept, Pick
from tfadaopt.readers import reader_of


@dataclass(frozen=True)
class EffectiveRates:
    """Effective learning rate of each layer.

    Attributes:
        sampled: Whether quantiles of a sample do, whose rates alone are computed.
        required: Whether a layer without such a rate is an error; else it is left out, and said.
    """

    sampled: bool = False
    required: bool = True

    def __call__(self, view: View) -> list[Series]:
        found = []
        missing: dict[str, list[str]] = {}
        known: dict[int | None, str | None] = {}
        for layer in view.layers:
            if not self.required:
                alike = None if reader_of(layer.optimizer).varies() else id(layer.optimizer)
                why = known[alike] if alike in known else _no_rate(layer)
                if alike is not None:
                    known[alike] = why
                if why:
                    missing.setdefault(why, []).append(layer.path)
                    continue
            size = size_of_row(layer.variable, self.sampled)
            kind = reader_of(layer.optimizer).alike(layer.variable)
            together = None
            if size is not None and kind is not None:
                together = RateRows(layer.optimizer, size, kind)
            found.append(
                Series(
                    quantity=RATE,
                    layer=layer.path,
                    read=partial(_rate, layer, row if self.sampled else None),
                    statistics=SPREAD if self.sampled else STATISTICS,
                    before=eta_before(layer.optimizer),
                    sampled=self.sampled,
                    variable=layer.variable,
                    together=together,
                )
            )
        for why, paths in missing.items():
            warnings.warn(
                f"{len(paths)} of {len(view.layers)} variables (such as {paths[0]}) have no "
                f"effective learning rate: {why} What is logged of them is the update ratio, "
                "‖Δθ‖/‖θ‖, as measured.",
                stacklevel=2,
            )
        return found


def eta_key(leaf) -> tuple:
    """Key of the rate η of an optimizer among what is kept from before a step."""
    return (ETA, id(leaf))


def eta_before(leaf) -> dict[tuple, Reading]:
    """How to read η before a step, where a callback may set the next one right after it.

    A schedule tells the rate of the step that was done.
    """
    given = compat.rate_of(leaf)
    if not isinstance(given, keras.Variable):
        return {}
    return {eta_key(leaf): Whole(given)}


def _no_rate(layer: Layer) -> str | None:
    """Why a layer has no effective rate, or None: it has one."""
    try:
        # A trace computes nothing.
        tf.function(
            lambda: reader_of(layer.optimizer).rate(layer.variable), autograph=False
        ).get_concrete_function()
    except UnsupportedOptimizerError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Accumulators:
    """Magnitude of each slot of each layer; numbers that all layers share come once.

    Attributes:
        numbers_only: Whether only numbers that are no counters are wanted, such as a trust ratio.
    """

    numbers_only: bool = False

    def __call__(self, view: View) -> list[Series]:
        series = {}
        for layer in view.layers:
            try:
                slots = reader_of(layer.optimizer).slots(layer.variable)
            except UnsupportedOptimizerError:
                continue  # Who cannot do without asks for it in ``What.reads``.
            shared = reader_of(layer.optimizer).shared_names()
            for name, state in slots:
                number = name in shared or tuple(state.shape) == () != tuple(layer.variable.shape)
                if self.numbers_only and (not number or name in UPDATES):
                    continue
                quantity, path = f"accumulator/{name}", None if name in shared else layer.path
                together = None
                if not number and math.prod(state.shape) <= SMALL:
                    dtype = keras.backend.standardize_dtype(state.dtype)
                    together = StateRows(quantity, math.prod(state.shape), dtype)
                series[quantity, path] = Series(
                    quantity=quantity,
                    layer=path,
                    read=partial(_magnitude, state),
                    statistics=("mean",) if number else ALL,
                    state=state,
                    together=together,
                )
            if getattr(layer.optimizer, "skipped_updates", None) is not None:
                series[SKIPPED, layer.path] = Series(
                    quantity=f"accumulator/{SKIPPED}",
                    layer=layer.path,
                    read=partial(_skipped, layer),
                    statistics=("mean",),
                    variable=layer.variable,
                    together=Skips(layer.optimizer),
                )
        return list(series.values())


@dataclass(frozen=True)
class MethodNumbers:
    """What a method knows besides: RAdam's rectification; the one rate of DoG, DoWG, AdaGradNorm.

    Tags ``rectification`` and ``step_size``.
    """

    def __call__(self, view: View) -> list[Series]:
        found = {}
        for layer in view.layers:
            leaf = layer.optimizer
            if hasattr(leaf, "rectification"):
                found["rectification"] = lambda _, leaf=leaf: leaf.rectification(
                    tf.maximum(tf.convert_to_tensor(leaf.iterations), 1)
                )
            if reader_of(leaf).shared_names() and "step_size" not in found:

                def rate(_, layer=layer):
                    return reader_of(layer.optimizer).rate(layer.variable)

                one = tf.function(lambda: rate(None), autograph=False).get_concrete_function()
                if tuple(one.output_shapes) == () != tuple(layer.variable.shape):
                    found["step_size"] = rate
        return [Series(name, None, read, VALUE) for name, read in found.items()]


@dataclass(frozen=True)
class SpectralScales:
    """η s of each layer that is stepped as a matrix with singular values near 1, as by Muon."""

    def __call__(self, view: View) -> list[Series]:
        found = []
        for layer in view.layers:
            of = getattr(layer.optimizer, "spectral_scale", None)
            if of is None or of(layer.variable) is None:
                continue

            def read(before, layer=layer, of=of):
                return of(layer.variable, before.get(eta_key(layer.optimizer)))

            before = eta_before(layer.optimizer)
            found.append(Series("spectral_scale", layer.path, read, VALUE, before))
        return found


@dataclass(frozen=True)
class SyncDistances:
    """How far each layer was from Lookahead's slow weights when it was last pulled to them.

    Apart from the update ratio, which at such a step is that of the pull, too.
    """

    def __call__(self, view: View) -> list[Series]:
        return [
            Series("sync_distance", layer.path, partial(_pulled, around, layer.variable), VALUE)
            for around in view.lookaheads
            for layer in view.layers
            if compat.index_of(around, layer.variable) is not None
        ]


@dataclass(frozen=True)
class GradientNorms:
    """Euclidean norm of each layer's gradient, where the optimizer's state tells it.

    ``tfadaopt.gradients`` says where that is. Not under ``steps_per_execution``: what several steps
    did to the state does not tell the gradient of one.
    """

    def __call__(self, view: View) -> list[Series]:
        if view.steps_per_execution > 1:
            return []
        found = []
        for layer in view.layers:
            told = reader_of(layer.optimizer).gradient(layer.variable)
            if told is None:
                continue
            slot = dict(reader_of(layer.optimizer).slots(layer.variable))[told.slot]
            key = ("slot", layer.path, told.slot)

            value = Whole(slot)

            def read(before, key=key, value=value, told=told, leaf=layer.optimizer):
                return told.norm(before[key], value(), lambda: compat.applied_learning_rate(leaf))

            found.append(Series("gradient_norm", layer.path, read, VALUE, {key: value}))
        return found


# What the series of a layer read, given what was kept from before the step.


def _rate(layer: Layer, pick: Pick | None, before: Before) -> tf.Tensor:
    eta = before.get(eta_key(layer.optimizer))
    return reader_of(layer.optimizer).rate(layer.variable, pick, eta)


def _magnitude(state: Kept, before: Before) -> tf.Tensor:
    return tf.abs(tf.convert_to_tensor(state))


def _pulled(around: Lookahead, variable: Variable, before: Before) -> tf.Tensor:
    return around.sync_distance(variable)


def _skipped(layer: Layer, before: Before) -> tf.Tensor:
    return reader_of(layer.optimizer).skipped([layer.variable])
