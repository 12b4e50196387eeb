"""The same step, compiled: one pass through memory where single operations take about ten.

XLA compiles ``Optimizer.step`` once per kind of variable into a function that gets the variables
as arguments and changes them in place; small variables step together, as one flat vector. Of an
embedding, only the rows that have a gradient are read and written, where the method allows it.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers import kernels
from tfadaopt.optimizers.arguments import argument_names
from tfadaopt.optimizers.fitting import fit_each, fits

# Variables up to this size step together: for them a launch takes longer than the arithmetic.
SMALL = 1 << 14
# Coordinates in all from which "auto" compiles: a smaller model gains less than compiling takes.
WORTHWHILE = 1 << 17
# Steps by themselves on one machine; elsewhere (parameter servers) variables live on others.
STRATEGIES = (
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.OneDeviceStrategy,
)


class Kind(NamedTuple):
    """What the variables that one compiled function serves have in common.

    Attributes:
        shape: Their shape, or None where the function does not depend on it.
        dtype: Their dtype.
        slots: Names of their own state.
        decay: Their weight decay λ, 0 for none.
        lazy: State that has rows, where rows without gradient stay as they are; or None.
    """

    shape: tuple[int, ...] | None
    dtype: str
    slots: tuple[str, ...]
    decay: float
    lazy: tuple[str, ...] | None


class Functions:
    """Compiled functions of one optimizer; a plain object, so that Keras does not track it."""

    def __init__(self):
        self.by_key = {}

    def get(self, optimizer, make, kind):
        """The function that ``make`` makes for a kind of variable, with the settings of now."""
        names = [*argument_names(type(optimizer)), "nonfinite"]
        settings = [
            repr(getattr(optimizer, name, None)) for name in names if name != "learning_rate"
        ]
        key = (make, kind, *settings)
        if key not in self.by_key:
            self.by_key[key] = make(optimizer, kind)
        return self.by_key[key]


def is_on(optimizer, variables: Sequence) -> bool:
    """Whether these variables take the compiled step, as ``jit_compile`` says or "auto" finds."""
    wanted = optimizer.jit_compile
    strategy = tf.distribute.get_strategy()
    if not wanted or optimizer.unit is None or compat.under_xla():
        return False
    if tf.distribute.has_strategy() and not isinstance(strategy, STRATEGIES):
        return False
    if any(None in tuple(v.shape) for v in variables):
        return False
    size = sum(math.prod(v.shape) for v in variables)
    if wanted == "auto" and (tf.executing_eagerly() or size < WORTHWHILE):
        return False
    if tf.convert_to_tensor(optimizer.learning_rate).shape.rank:  # one for each of several walkers
        return False
    largest = max(variables, key=lambda v: math.prod(v.shape))
    return optimizer.functions.get(optimizer, _lowers, optimizer.kind_of(largest, whole=True))


def takes_rows(optimizer, variable) -> bool:
    """Whether the rows of this variable that have a gradient can step without the others."""
    common = (
        optimizer.clipnorm,
        optimizer.global_clipnorm,
        optimizer.clipvalue,
        optimizer.loss_scale_factor,
        optimizer.gradient_accumulation_steps,
        optimizer.shared(),
    )
    if any(common) or optimizer.unit != "coordinate" or tf.distribute.has_strategy():
        return False
    if len(variable.shape) < 1 or keras.backend.standardize_dtype(variable.dtype) == "bfloat16":
        return False
    kind = optimizer.kind_of(variable)
    idle = optimizer.still_without_gradient and not kind.decay
    return (idle or kind.lazy is not None) and is_on(optimizer, compat.variables_of(optimizer))


def groups(optimizer, variables: Sequence, gradients: Sequence) -> list[list[int]]:
    """Positions of the variables that step together; each other one is alone."""
    together, alone = {}, []
    for i, (variable, g) in enumerate(zip(variables, gradients, strict=True)):
        kind, size = optimizer.kind_of(variable), math.prod(variable.shape)
        fits = optimizer.unit == "coordinate" and kind.lazy is None and 0 < size <= SMALL
        if fits and kind.dtype in ("float32", "float64") and not isinstance(g, tf.IndexedSlices):
            together.setdefault(kind, []).append(i)
        else:
            alone.append([i])
    return [*together.values(), *alone]


def update(optimizer, variables: Sequence, gradients: Sequence, learning_rate):
    """One step of the variables of a group; whether the gradient of each was taken."""
    variable, g = variables[0], gradients[0]  # or a pair: the gradient, whether it fits
    if len(variables) > 1:
        return _update_together(optimizer, variables, gradients, learning_rate)
    kind = optimizer.kind_of(variable)
    common = _common(optimizer, kind, learning_rate)
    eta = common[-1]
    handles = [optimizer.slots_of(variable)[name].value.handle for name in kind.slots]
    if isinstance(g, tf.IndexedSlices):
        rows = optimizer.functions.get(optimizer, _rows_step, optimizer.kind_of(variable, True))
        return rows(
            variable.handle,
            handles,
            *common,
            *_padded(g, variable, optimizer.compute_dtype(kind.dtype)),
        )
    dtype = optimizer.compute_dtype(kind.dtype)
    g, finite = g if isinstance(g, tuple) else (g, None)
    g = tf.cast(g, dtype)
    if finite is None:
        # Not inside the compiled step: XLA takes twice as long for it, and a second to compile.
        finite = True if optimizer.nonfinite == "ignore" else fits(g)
    if kernels.applies(optimizer, kind, compat.has_gpu()):
        _by_kernel(optimizer, variable, dict(zip(kind.slots, handles, strict=True)), g, finite, eta)
        return finite
    index = compat.index_of(optimizer, variable)
    step = optimizer.functions.get(optimizer, _step, kind)
    step(variable.handle, handles, *common, g, finite, index)
    return finite


def _by_kernel(optimizer, variable, slots, g, finite, eta) -> None:
    def step():
        optimizer.kernel(variable.handle, slots, g, eta)
        return True

    if finite is True:
        step()
    else:
        tf.cond(finite, step, lambda: True)


def flattened(optimizer, variables: Sequence, gradients: Sequence, kind: Kind) -> tuple:
    """θ, the state and the gradient of small variables as flat vectors, and whether each fits."""
    dtype = optimizer.compute_dtype(kind.dtype)
    sizes = [math.prod(v.shape) for v in variables]
    owner = np.repeat(np.arange(len(sizes), dtype="int32"), sizes)
    slots = [optimizer.slots_of(v) for v in variables]

    def flat(tensors):
        return tf.concat([tf.reshape(x, [-1]) for x in tensors], axis=0)

    g = tf.cast(flat(gradients), dtype)
    finite = fit_each(g, owner, len(sizes))
    state = []
    for name in kind.slots:
        values = [read(s[name].value.handle, dtype) for s in slots]
        whole = optimizer.is_whole(name, variables[0].shape)
        state.append(flat(values) if whole else tf.gather(tf.stack(values), owner))
    theta = flat([read(v.handle, dtype) for v in variables])
    return theta, state, g, finite, tf.gather(finite, owner)


def _update_together(optimizer, variables, gradients, learning_rate) -> tf.Tensor:
    kind = optimizer.kind_of(variables[0])
    sizes = [math.prod(v.shape) for v in variables]
    first = np.cumsum([0, *sizes[:-1]], dtype="int32")
    slots = [optimizer.slots_of(v) for v in variables]
    whole = {name: optimizer.is_whole(name, variables[0].shape) for name in kind.slots}
    theta, state, g, taken, finite = flattened(optimizer, variables, gradients, kind)
    step = optimizer.functions.get(optimizer, _flat_step, kind)
    new, moved = step(theta, state, *_common(optimizer, kind, learning_rate), g, finite)
    for variable, value in zip(variables, tf.split(moved, sizes), strict=True):
        _assign(variable.handle, tf.reshape(value, variable.shape))
    for name, values in zip(kind.slots, new, strict=True):
        parts = tf.split(values, sizes) if whole[name] else tf.unstack(tf.gather(values, first))
        for of_variable, variable, value in zip(slots, variables, parts, strict=True):
            shape = variable.shape if whole[name] else ()
            _assign(of_variable[name].value.handle, tf.reshape(value, shape))
    return taken


def _common(optimizer, kind: Kind, learning_rate) -> tuple:
    dtype = optimizer.compute_dtype(kind.dtype)
    numbers = [tf.cast(tf.convert_to_tensor(x), dtype) for x in optimizer.numbers().values()]
    return numbers, tf.cast(optimizer.iterations, "int64"), tf.cast(learning_rate, dtype)


def _signature(optimizer, kind: Kind) -> tuple:
    dtype = optimizer.compute_dtype(kind.dtype)
    numbers = [tf.TensorSpec([], dtype)] * len(optimizer.numbers())
    return numbers, tf.TensorSpec([], "int64"), tf.TensorSpec([], dtype)


def _step(optimizer, kind: Kind):
    """A step of one variable, in place."""
    dtype = optimizer.compute_dtype(kind.dtype)
    resource = tf.TensorSpec([], tf.resource)

    @tf.function(
        autograph=False,
        jit_compile=True,
        input_signature=(
            resource,
            [resource] * len(kind.slots),
            *_signature(optimizer, kind),
            tf.TensorSpec(kind.shape, dtype),
            tf.TensorSpec([], "bool"),
            tf.TensorSpec([], "int32"),
        ),
    )
    def step(variable, slots, numbers, iterations, eta, g, finite, index):
        theta = tf.cast(read(variable, kind.dtype, kind.shape), dtype)
        state = dict(zip(optimizer.numbers(), numbers, strict=True))
        for name, slot in zip(kind.slots, slots, strict=True):
            shape = None if kind.shape is None else optimizer.slot_shape(name, kind.shape)
            state[name] = read(slot, dtype, shape)
        t = tf.cast(iterations + 1, dtype)
        new, moved = optimizer.step(theta, state, g, t, eta, kind.decay, kind.lazy, finite)
        for name, slot in zip(kind.slots, slots, strict=True):
            _assign(slot, new[name])
        _assign(variable, optimizer.rounded(moved, kind.dtype, iterations, index))

    return step


def _flat_step(optimizer, kind: Kind):
    """A step of small variables, flattened into one vector; ``finite`` has a value for each."""
    dtype = optimizer.compute_dtype(kind.dtype)
    vector = tf.TensorSpec([None], dtype)

    @tf.function(
        autograph=False,
        jit_compile=True,
        input_signature=(
            vector,
            [vector] * len(kind.slots),
            *_signature(optimizer, kind),
            vector,
            tf.TensorSpec([None], "bool"),
        ),
    )
    def step(theta, slots, numbers, iterations, eta, g, finite):
        state = dict(zip(kind.slots, slots, strict=True))
        state |= dict(zip(optimizer.numbers(), numbers, strict=True))
        t = tf.cast(iterations + 1, dtype)
        new, moved = optimizer.step(theta, state, g, t, eta, kind.decay, None, finite)
        return [new[name] for name in kind.slots], moved

    return step


def _rows_step(optimizer, kind: Kind):
    """A step of the rows of a variable that have a gradient, in place."""
    dtype = optimizer.compute_dtype(kind.dtype)
    resource = tf.TensorSpec([], tf.resource)

    @tf.function(
        autograph=False,
        jit_compile=True,
        input_signature=(
            resource,
            [resource] * len(kind.slots),
            *_signature(optimizer, kind),
            tf.TensorSpec([None, *kind.shape[1:]], dtype),
            tf.TensorSpec([None], "int64"),
        ),
    )
    def step(variable, slots, numbers, iterations, eta, values, ids):
        rows, g = _sum_per_row(values, ids)
        tables = [read(x, dtype) for x in slots]
        theta = read(variable, kind.dtype, kind.shape)
        whole = [optimizer.is_whole(name, kind.shape) for name in kind.slots]
        state = {
            name: tf.gather(table, rows) if full else table
            for name, table, full in zip(kind.slots, tables, whole, strict=True)
        }
        state |= dict(zip(optimizer.numbers(), numbers, strict=True))
        t = tf.cast(iterations + 1, dtype)
        at_rows = tf.cast(tf.gather(theta, rows), dtype)
        finite = fits(g)
        new, moved = optimizer.step(at_rows, state, g, t, eta, kind.decay, kind.lazy, finite)
        at = tf.expand_dims(rows, 1)
        for name, slot, table, full in zip(kind.slots, slots, tables, whole, strict=True):
            put = tf.tensor_scatter_nd_update(table, at, new[name]) if full else new[name]
            _assign(slot, put)
        moved = optimizer.rounded(moved, kind.dtype, iterations, 0)
        _assign(variable, tf.tensor_scatter_nd_update(theta, at, moved))
        return finite

    return step


def _sum_per_row(values: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows and the sum of their gradients; the last row is repeated, to keep the number of them."""
    count = tf.size(ids)
    order = tf.argsort(ids, stable=True)
    ids = tf.gather(ids, order)
    new = tf.concat([[0], tf.cast(tf.not_equal(ids[1:], ids[:-1]), "int32")], axis=0)
    segment = tf.cumsum(new)
    sums = tf.math.unsorted_segment_sum(tf.gather(values, order), segment, count)
    rows = tf.math.unsorted_segment_max(ids, segment, count)
    kept = tf.minimum(tf.range(count), segment[-1])
    return tf.gather(rows, kept), tf.gather(sums, kept)


def _padded(slices: tf.IndexedSlices, variable, dtype: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Values and ids, with rows of zeros up to a power of two: XLA compiles for each length."""
    count = tf.size(slices.indices)
    bits = tf.math.ceil(tf.math.log(tf.cast(tf.maximum(count, 1), "float64")) / math.log(2) - 1e-9)
    missing = tf.bitwise.left_shift(1, tf.cast(bits, "int32")) - count
    values = tf.reshape(tf.cast(slices.values, dtype), [count, *variable.shape[1:]])
    paddings = [[0, missing], *([[0, 0]] * (len(variable.shape) - 1))]
    ids = tf.pad(tf.cast(tf.reshape(slices.indices, [-1]), "int64"), [[0, missing]])
    return tf.pad(values, paddings), ids


def _lowers(optimizer, kind: Kind) -> bool:
    """Whether XLA can do the step of such a variable; if not, say so once."""
    dtype = optimizer.compute_dtype(kind.dtype)
    number, theta = tf.TensorSpec([], dtype), tf.TensorSpec(kind.shape, dtype)
    own = [tf.TensorSpec(optimizer.slot_shape(name, kind.shape), dtype) for name in kind.slots]
    names = (*kind.slots, *optimizer.numbers())
    specs = [theta, *own, *([number] * len(optimizer.numbers())), theta, number, number]

    @tf.function(autograph=False, jit_compile=True)
    def step(theta, *rest):
        *state, g, t, eta = rest
        state = dict(zip(names, state, strict=True))
        return optimizer.step(theta, state, g, t, eta, kind.decay, kind.lazy)

    try:
        with tf.init_scope():
            step.experimental_get_compiler_ir(*specs)(stage="hlo")
    except Exception as error:  # whatever it is, the step works without XLA
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        warnings.warn(
            f"{optimizer.name}: XLA cannot compile the update, so that it goes on operation by "
            f"operation, more slowly ({reason}). Give jit_compile=False to do so without a word.",
            stacklevel=2,
        )
        return False
    return True


def read(handle: tf.Tensor, dtype: str, shape=None) -> tf.Tensor:
    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
    if shape is not None:
        value.set_shape(shape)
    return value


def _assign(handle: tf.Tensor, value: tf.Tensor) -> None:
    tf.raw_ops.AssignVariableOp(resource=handle, value=value)
