"""The same step, compiled: one pass through memory where single operations take about ten.

XLA compiles ``step.step`` once per kind of variable into a function that gets the variable and its
state as arguments and changes them in place. Of an embedding, only the rows that have a gradient
are read and written, where the method allows it.
"""

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.engine import kernels
from tfadaopt.optimizers.engine.fitting import fits
from tfadaopt.optimizers.engine.plan import Arriving, Kind, Moment, Planned, Settings
from tfadaopt.optimizers.engine.step import rounded, step
from tfadaopt.optimizers.rule import State

# Coordinates from which "auto" compiles the step of a variable: the arrays of a smaller one lie in
# the cache, and single operations go on beside the backward pass.
WORTHWHILE = 1 << 17
# Inside XLA, rows of a table of that size step alone where they are this part of it at most: of
# 100,000, Adagrad's take 1.3 times as long as the table at a quarter, and 0.75 at an eighth.
FEW = 1 / 8
# Steps by themselves on one machine; elsewhere (parameter servers) variables live on others.
STRATEGIES = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,
)
RESOURCE = tf.TensorSpec([], tf.resource)
Function = TypeVar("Function", bound=Callable[..., Any])


def steps_here() -> bool:
    """Whether the variables are where the step is traced: no strategy, or one that mirrors."""
    return not tf.distribute.has_strategy() or isinstance(tf.distribute.get_strategy(), STRATEGIES)


@functools.cache
def has_xla() -> bool:
    """Whether this TensorFlow can compile by XLA at all: not each one has it."""
    try:
        with tf.init_scope():
            small = tf.function(lambda x: x + 1, autograph=False, jit_compile=True)
            small.experimental_get_compiler_ir(tf.TensorSpec([], "float32"))(stage="hlo")
    except Exception:  # whatever it is, steps work without XLA
        return False
    return True


def compiles(
    planned: Planned, settings: Settings, variable: Variable, learning_rate: tf.Tensor
) -> bool:
    """Whether a variable takes the compiled step, as ``jit_compile`` says or "auto" finds."""
    wanted = settings.jit_compile
    if not wanted or planned.rule.unit is None or compat.under_xla() or not steps_here():
        return False
    shape = planned.of(variable).shape
    if None in shape:
        return False
    if wanted == "auto" and (tf.executing_eagerly() or math.prod(shape) < WORTHWHILE):
        return False
    if tf.convert_to_tensor(learning_rate).shape.rank:  # one for each of several walkers
        return False
    if planned.rule.method.__module__.startswith("tfadaopt."):  # tests know that these compile
        return has_xla()
    return planned.function(_lowers, planned.kind(variable, settings, with_shape=True), settings)


def steps_by_rows(planned: Planned, settings: Settings, variable: Variable) -> bool:
    """Whether the rows of a variable that have a gradient can step without the others.

    It is asked only where no clip or sum needs all rows.
    """
    plan, rule = planned.of(variable), planned.rule
    if rule.unit != "coordinate" or planned.shared or tf.distribute.has_strategy():
        return False
    if len(plan.shape) < 1 or plan.dtype == "bfloat16":
        return False
    kind = planned.kind(variable, settings)
    return kind.lazy is not None or (rule.still_without_gradient and not kind.decay)


def rows_are_few(slices: tf.IndexedSlices, shape: tuple[int, ...]) -> bool:
    """Whether a step of some rows of a large variable is faster than one of all, inside XLA.

    There the number of rows is known, and each is found, added up and put in its place by itself.
    """
    count = slices.indices.shape.num_elements()
    if count is None or None in shape:
        return False
    return math.prod(shape) >= WORTHWHILE and count <= FEW * shape[0]


def update(
    planned: Planned, moment: Moment, variable: Variable, gradient: Arriving
) -> tf.Tensor | bool:
    """One step of a variable; whether its gradient was taken."""
    settings, kind = moment.settings, planned.kind(variable, moment.settings)
    common = _common(planned, moment, kind)
    handles = handles_of(planned, variable)
    if isinstance(gradient, tf.IndexedSlices):
        key = planned.kind(variable, settings, with_shape=True)
        rows = planned.function(_rows_step, key, settings)
        padded = _padded(gradient, variable, kind.precision)
        return rows(variable.handle, handles, *common, *padded)
    g, finite = gradient if isinstance(gradient, tuple) else (gradient, None)
    g = tf.cast(g, kind.precision)
    if finite is None:
        # Not inside the compiled step: XLA takes twice as long for it, and a second to compile.
        finite = True if settings.nonfinite == "ignore" else fits(g)
    if kernels.applies(planned.rule, kind, compat.has_gpu()):
        slots = dict(zip(kind.slots, handles, strict=True))
        kernels.update(planned.rule, variable.handle, slots, g, finite, common[-1])
        return finite
    compiled = planned.function(_step, kind, settings)
    compiled(variable.handle, handles, *common, g, finite, planned.of(variable).index)
    return finite


def handles_of(planned: Planned, variable: Variable) -> list[tf.Tensor]:
    """Handles of the state of a variable, in the order of its kind."""
    return [slot.value.handle for slot in planned.of(variable).slots.values()]


def read(handle: tf.Tensor, dtype: str, shape: tuple[int, ...] | None = None) -> tf.Tensor:
    """Value of the variable of a handle."""
    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
    if shape is not None:
        value.set_shape(shape)
    return value


def read_state(
    planned: Planned, kind: Kind, slots: Sequence[tf.Tensor], numbers: Sequence[tf.Tensor]
) -> dict[str, tf.Tensor]:
    """State of a variable by name, from the handles of its own and the numbers it shares."""
    state = dict(zip(planned.shared, numbers, strict=True))
    for name, slot, shape in zip(kind.slots, slots, kind.slot_shapes, strict=True):
        state[name] = read(slot, kind.precision, shape)
    return state


def jitted(*signature: Any) -> Callable[[Function], Function]:
    """Decorate a function that XLA compiles once, for these arguments."""
    return tf.function(autograph=False, jit_compile=True, input_signature=signature)


def _common(
    planned: Planned, moment: Moment, kind: Kind
) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
    dtype = kind.precision
    numbers = [tf.cast(tf.convert_to_tensor(x), dtype) for x in planned.shared.values()]
    return numbers, tf.cast(moment.iterations, "int64"), moment.eta(dtype, kind.multiplier)


def _signature(
    planned: Planned, kind: Kind
) -> tuple[list[tf.TensorSpec], tf.TensorSpec, tf.TensorSpec]:
    number = tf.TensorSpec([], kind.precision)
    return [number] * len(planned.shared), tf.TensorSpec([], "int64"), number


def _step(planned: Planned, kind: Kind, settings: Settings) -> Callable[..., None]:
    """A step of one variable, in place."""
    dtype = kind.precision

    @jitted(
        RESOURCE,
        [RESOURCE] * len(kind.slots),
        *_signature(planned, kind),
        tf.TensorSpec(kind.shape, dtype),
        tf.TensorSpec([], "bool"),
        tf.TensorSpec([], "int32"),
    )
    def compiled(
        variable: tf.Tensor,
        slots: list[tf.Tensor],
        numbers: list[tf.Tensor],
        iterations: tf.Tensor,
        eta: tf.Tensor,
        g: tf.Tensor,
        finite: tf.Tensor,
        index: tf.Tensor,
    ) -> None:
        theta = tf.cast(read(variable, kind.dtype, kind.shape), dtype)
        state = read_state(planned, kind, slots, numbers)
        t = tf.cast(iterations + 1, dtype)
        new, moved = step(planned, kind, settings.nonfinite, theta, state, g, t, eta, finite)
        for name, slot in zip(kind.slots, slots, strict=True):
            assign_to(slot, new[name])
        assign_to(variable, rounded(moved, kind.dtype, iterations, index))

    return compiled


def _rows_step(planned: Planned, kind: Kind, settings: Settings) -> Callable[..., tf.Tensor]:
    """A step of the rows of a variable that have a gradient, in place."""
    assert kind.shape is not None  # ``update`` asks for a kind with its shape
    dtype, size = kind.precision, kind.shape[0]

    @jitted(
        RESOURCE,
        [RESOURCE] * len(kind.slots),
        *_signature(planned, kind),
        tf.TensorSpec([None, *kind.shape[1:]], dtype),
        tf.TensorSpec([None], "int64"),
    )
    def compiled(
        variable: tf.Tensor,
        slots: list[tf.Tensor],
        numbers: list[tf.Tensor],
        iterations: tf.Tensor,
        eta: tf.Tensor,
        values: tf.Tensor,
        ids: tf.Tensor,
    ) -> tf.Tensor:
        g, first = _sum_per_row(values, ids, size)
        tables = [read(x, dtype) for x in slots]
        theta = read(variable, kind.dtype, kind.shape)
        state = {
            name: tf.gather(table, ids) if whole else table
            for name, table, whole in zip(kind.slots, tables, kind.whole, strict=True)
        }
        state |= dict(zip(planned.shared, numbers, strict=True))
        t = tf.cast(iterations + 1, dtype)
        at_rows = tf.cast(tf.gather(theta, ids), dtype)
        finite = fits(tf.where(first, g, tf.zeros([], dtype)))
        new, moved = step(planned, kind, settings.nonfinite, at_rows, state, g, t, eta, finite)
        at = tf.expand_dims(ids, 1)
        for name, slot, table, whole in zip(kind.slots, slots, tables, kind.whole, strict=True):
            put = tf.tensor_scatter_nd_update(table, at, new[name]) if whole else new[name]
            assign_to(slot, put)
        moved = rounded(moved, kind.dtype, iterations, 0)
        assign_to(variable, tf.tensor_scatter_nd_update(theta, at, moved))
        return finite

    return compiled


def _sum_per_row(values: tf.Tensor, ids: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """For each id the sum of the gradients of its row; and whether it stands for its row.

    Ids outside of the variable have no gradient: that of a layer on a GPU has some.

    Args:
        values: A gradient for each id.
        ids: Numbers of rows, which may be repeated.
        size: How many rows there are.
    """
    number = tf.range(tf.size(ids))
    column = [-1, *([1] * (values.shape.rank - 1))]
    known = tf.reshape((ids >= 0) & (ids < size), column)
    values = tf.where(known, values, tf.zeros([], values.dtype))
    stands = tf.tensor_scatter_nd_update(tf.zeros([size], "int32"), ids[:, None], number)
    of = tf.gather(stands, ids)
    sums = tf.math.unsorted_segment_sum(values, of, tf.size(ids))
    return tf.gather(sums, of), tf.reshape(tf.equal(of, number), column)


def _padded(
    slices: tf.IndexedSlices, variable: Variable, dtype: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Values and ids, with rows of zeros up to a power of two: XLA compiles for each length."""
    count = tf.size(slices.indices)
    bits = tf.math.ceil(tf.math.log(tf.cast(tf.maximum(count, 1), "float64")) / math.log(2) - 1e-9)
    missing = tf.bitwise.left_shift(1, tf.cast(bits, "int32")) - count
    values = tf.reshape(tf.cast(slices.values, dtype), [count, *variable.shape[1:]])
    paddings = [[0, missing], *([[0, 0]] * (len(variable.shape) - 1))]
    ids = tf.pad(tf.cast(tf.reshape(slices.indices, [-1]), "int64"), [[0, missing]])
    return tf.pad(values, paddings), ids


def _lowers(planned: Planned, kind: Kind, settings: Settings) -> bool:
    """Whether XLA can do the step of such a variable; if not, say so once."""
    dtype = kind.precision
    number, theta = tf.TensorSpec([], dtype), tf.TensorSpec(kind.shape, dtype)
    own = [tf.TensorSpec(shape, dtype) for shape in kind.slot_shapes]
    names = (*kind.slots, *planned.shared)
    specs = [theta, *own, *([number] * len(planned.shared)), theta, number, number]

    @tf.function(autograph=False, jit_compile=True)
    def compiled(theta: tf.Tensor, *rest: tf.Tensor) -> tuple[State, tf.Tensor]:
        *values, g, t, eta = rest
        state = dict(zip(names, values, strict=True))
        return step(planned, kind, settings.nonfinite, theta, state, g, t, eta)

    try:
        with tf.init_scope():
            compiled.experimental_get_compiler_ir(*specs)(stage="hlo")
    except Exception as error:  # whatever it is, the step works without XLA
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        warnings.warn(
            f"{planned.rule.method.__name__}: XLA cannot compile the update, so that it goes on "
            f"operation by operation, more slowly ({reason}). Give jit_compile=False to do so "
            "without this warning.",
            stacklevel=2,
        )
        return False
    return True


def assign_to(handle: tf.Tensor, value: tf.Tensor) -> None:
    """Give the variable of a handle a value."""
    tf.raw_ops.AssignVariableOp(resource=handle, value=value)
