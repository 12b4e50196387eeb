"""What to measure: for each quantity, the series of all layers."""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

from tfadaopt import compat, effective
from tfadaopt.callbacks.log_format import RATE
from tfadaopt.callbacks.measure import (
    ALL,
    ETA,
    SPREAD,
    STATISTICS,
    VALUE,
    Before,
    Series,
)
from tfadaopt.callbacks.sampled import (
    SMALL,
    WEIGHTS,
    RateRows,
    Skips,
    StateRows,
    UpdateRows,
    row,
    size_of_row,
)
from tfadaopt.compat import Variable
from tfadaopt.optimizers.base import SKIPPED
from tfadaopt.optimizers.pieces.first import UPDATES
from tfadaopt.optimizers.rule import UnsupportedOptimizerError
from tfadaopt.readers import Kept, Pick, reader_of


@dataclass(frozen=True)
class Layer:
    """A variable that is trained.

    Attributes:
        path: Its path, with a number where two have the same.
        variable: The variable itself.
        optimizer: What holds its state: one of ``effective.leaves``.
    """

    path: str
    variable: Variable
    optimizer: keras.optimizers.Optimizer


@dataclass(frozen=True)
class View:
    """What there is to be measured.

    Attributes:
        layers: Variables that are trained.
        steps_per_execution: Steps between two looks of a callback.
    """

    layers: tuple[Layer, ...]
    steps_per_execution: int = 1


# Coordinates of a difference that are in memory at once: 16 MB.
PIECE = 1 << 22
# What is compared decides whether a traced snapshot is used again: frozen dataclasses.
Quantity = Callable[[View], list[Series]]


def paths_of(variables: Sequence) -> list[str]:
    """Path of each variable, with a number where two have the same."""
    seen: Counter[str] = Counter()
    names = []
    for path in map(compat.path_of, variables):
        seen[path] += 1
        names.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return names


def layers_of(optimizer, variables: Sequence, names: Sequence[str]) -> list[Layer]:
    """The layers of variables, by their names, that an optimizer, or one in it, was built for."""
    found = []
    for name, variable in zip(names, variables, strict=True):
        for leaf in effective.leaves(optimizer):
            if leaf.built and compat.index_of(leaf, variable) is not None:
                found.append(Layer(name, variable, leaf))
                break
    return found


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


def eta_before(leaf) -> dict[tuple, Callable[[], tf.Tensor]]:
    """How to read η before a step, where a callback may set the next one right after it.

    A schedule tells the rate of the step that was done.
    """
    given = compat.rate_of(leaf)
    if not isinstance(given, keras.Variable):
        return {}
    return {eta_key(leaf): lambda: tf.identity(tf.convert_to_tensor(given))}


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
        required: Whether an optimizer that tells no accumulators is an error.
        numbers_only: Whether only numbers that are no counters are wanted, such as a trust ratio.
    """

    required: bool = True
    numbers_only: bool = False

    def __call__(self, view: View) -> list[Series]:
        series = {}
        for layer in view.layers:
            try:
                slots = reader_of(layer.optimizer).slots(layer.variable)
            except UnsupportedOptimizerError:
                if self.required:
                    raise
                continue
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
class Updates:
    """What a step did to the weights of each layer, from copies of them before it and after it.

    Under ``steps_per_execution``, what all steps of one execution did. Weight decay is in it.

    Attributes:
        quantity: ``update_ratio``, ‖Δθ‖/‖θ‖ with θ from before the step, or from after it where it
            was 0; or ``update_norm``, ‖Δθ‖.
        sampled: Whether an estimate from a sample of the coordinates does.
    """

    quantity: str
    sampled: bool = False

    def __call__(self, view: View) -> list[Series]:
        found = []
        for layer in view.layers:
            variable = layer.variable
            together, size = None, size_of_row(variable, self.sampled)
            if size is not None:
                dtype = keras.backend.standardize_dtype(variable.dtype)
                together = UpdateRows(self.quantity, size, dtype)
            key = ("weights", layer.path)
            found.append(
                Series(
                    quantity=self.quantity,
                    layer=layer.path,
                    read=partial(self._read, key, variable),
                    statistics=VALUE,
                    before={key: partial(tf.convert_to_tensor, variable)},
                    sampled=self.sampled,
                    variable=variable,
                    together=together,
                )
            )
        return found

    def _read(self, key: tuple, variable: Variable, before: Before) -> tf.Tensor:
        moved = ("distance", *key)
        new = tf.convert_to_tensor(variable)
        if moved not in before:  # of ratio and norm, one measures it for both
            before[moved] = _distance(new, before[key])
        if self.quantity == "update_norm":
            return before[moved]
        size = _norm(_wide(before[key]))
        size = tf.where(tf.equal(size, 0), _norm(_wide(new)), size)
        return tf.math.divide_no_nan(before[moved], size)


def weights_before(
    variables: Sequence, names: Sequence[str], wanted: Iterable
) -> dict[tuple, tf.Tensor]:
    """What ``Updates`` among the wanted quantities need from before a step that will build the
    optimizer: whole copies only where a sample does not do."""
    sampled = {quantity.sampled for quantity in wanted if isinstance(quantity, Updates)}
    kept: dict[tuple, tf.Tensor] = {}
    for path, variable in zip(names, variables, strict=True) if sampled else ():
        sizes = {size_of_row(variable, one) for one in sampled}
        if None in sizes:
            kept["weights", path] = tf.identity(tf.convert_to_tensor(variable))
        kept |= {(WEIGHTS, size, path): row(variable, size) for size in sizes if size}
    return kept


@dataclass(frozen=True)
class WeightNorms:
    """Euclidean norm of each layer's weights."""

    def __call__(self, view: View) -> list[Series]:
        return [
            Series(
                "weight_norm",
                layer.path,
                partial(_size, layer.variable),
                VALUE,
            )
            for layer in view.layers
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

            def value(slot=slot):
                return tf.convert_to_tensor(slot)

            def read(before, key=key, value=value, told=told, leaf=layer.optimizer):
                return told.norm(before[key], value(), lambda: compat.applied_learning_rate(leaf))

            found.append(Series("gradient_norm", layer.path, read, VALUE, {key: value}))
        return found


def _wide(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, "float32") if x.dtype.size < 4 else x


# What the series of a layer read, given what was kept from before the step.


def _rate(layer: Layer, pick: Pick | None, before: Before) -> tf.Tensor:
    eta = before.get(eta_key(layer.optimizer))
    return reader_of(layer.optimizer).rate(layer.variable, pick, eta)


def _magnitude(state: Kept, before: Before) -> tf.Tensor:
    return tf.abs(tf.convert_to_tensor(state))


def _skipped(layer: Layer, before: Before) -> tf.Tensor:
    return reader_of(layer.optimizer).skipped([layer.variable])


def _size(variable: Variable, before: Before) -> tf.Tensor:
    return _norm(_wide(tf.convert_to_tensor(variable)))


def _distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """‖a − b‖; of large tensors piece by piece, as their difference would be another of them."""
    size = a.shape.num_elements()
    if size <= PIECE:
        return _norm(_wide(a) - _wide(b))
    a, b = (tf.reshape(x, [-1]) for x in (a, b))

    def add(start, total):
        pieces = (_wide(x[start : start + PIECE]) for x in (a, b))
        return start + PIECE, total + tf.nn.l2_loss(tf.subtract(*pieces))

    start, total = tf.constant(0, tf.int64), tf.zeros([], _wide(a[:0]).dtype)
    _, total = tf.while_loop(lambda i, _: i < size, add, (start, total), parallel_iterations=1)
    return tf.sqrt(2 * total)


def _norm(x: tf.Tensor) -> tf.Tensor:
    # One pass through memory; a square and its sum would be three.
    return tf.sqrt(2 * tf.nn.l2_loss(x))
