"""One step of many small variables, as rows of one matrix: where a whole step is compiled by XLA.

There, and on a GPU, each operation on each variable is a part of the program to be compiled, and a
kernel to be launched. A variable takes whole rows, so that what is found of a row is found of it.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.engine.compiled import assign_to, handles_of, read, steps_here
from tfadaopt.optimizers.engine.fitting import fit_each
from tfadaopt.optimizers.engine.plan import Arriving, Checked, Kind, Moment, Planned
from tfadaopt.optimizers.engine.step import native_of, step

# Coordinates up to which a variable is packed: copying a larger one costs more than it spares.
SMALL = 3 << 14
LANES = 16


def groups(
    planned: Planned,
    moment: Moment,
    variables: Sequence[Variable],
    gradients: Sequence[Arriving],
) -> list[list[int]]:
    """Positions of the variables that step as one matrix; there is none of a single variable."""
    settings = moment.settings
    if planned.rule.unit != "coordinate" or not settings.jit_compile or not steps_here():
        return []
    if not (compat.under_xla() or (compat.has_gpu() and not tf.executing_eagerly())):
        return []
    if tf.convert_to_tensor(moment.learning_rate).shape.rank:  # one for each of several walkers
        return []
    together: dict[Kind, list[int]] = {}
    for i, (variable, g) in enumerate(zip(variables, gradients, strict=True)):
        plan = planned.of(variable)
        small = None not in plan.shape and 0 < math.prod(plan.shape) <= SMALL
        if not small or plan.lazy or plan.dtype != plan.precision:
            continue
        if not isinstance(g, tf.IndexedSlices):
            together.setdefault(planned.kind(variable, settings), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def update(
    planned: Planned,
    moment: Moment,
    variables: Sequence[Variable],
    gradients: Sequence[tf.Tensor | Checked],
) -> tf.Tensor:
    """One step of the variables of a group; whether the gradient of each was taken."""
    kind = planned.kind(variables[0], moment.settings)
    dtype = kind.precision
    matrix = _Matrix([tuple(v.shape) for v in variables], dtype)
    natives = [native_of(v) for v in variables]
    checked = [x for x in gradients if isinstance(x, Checked)]
    own = list(zip(*(handles_of(planned, v) for v in variables), strict=True))
    g = matrix.of([tf.cast(x[0] if isinstance(x, Checked) else x, dtype) for x in gradients])
    theta = matrix.of([read(v.handle, dtype) for v in natives])
    state = {}
    for name, handles, whole in zip(kind.slots, own, kind.whole, strict=True):
        values = [read(handle, dtype) for handle in handles]
        state[name] = matrix.of(values) if whole else matrix.numbers(values)
    state |= {name: tf.cast(tf.convert_to_tensor(x), dtype) for name, x in planned.shared.items()}
    if len(checked) == len(variables):
        taken = tf.stack([x.finite for x in checked])
    else:
        taken = fit_each(g, matrix.owner, len(variables))
    finite = tf.gather(taken, matrix.owner)[:, tf.newaxis]
    t, eta = moment.t(dtype), moment.eta(dtype, kind.multiplier)

    def moved(turn: int | tf.Tensor = 0, *_: tf.Tensor) -> list[tf.Tensor]:
        nonfinite = moment.settings.nonfinite
        new, value = step(planned, kind, nonfinite, theta, state, g, t, eta, finite)
        return [turn + 1, value, *(new[name] for name in kind.slots)]

    if compat.has_gpu():  # a loop would wait for the host
        _, value, *values = moved()
    else:
        # What comes out of a loop is there as a whole: else XLA on a CPU makes each part that is
        # cut out of a matrix anew, in a program that is as long as that of single variables. That
        # there is one turn, it must not know.
        turns = tf.minimum(tf.cast(moment.iterations + 1, "int32"), 1)
        before = [0, theta, *(state[name] for name in kind.slots)]
        _, value, *values = tf.while_loop(lambda i, *_: i < turns, moved, before)
    for variable, part in zip(natives, matrix.parts(value), strict=True):
        assign_to(variable.handle, part)
    for handles, whole, new in zip(own, kind.whole, values, strict=True):
        parts = matrix.parts(new) if whole else matrix.firsts(new)
        for handle, part in zip(handles, parts, strict=True):
            assign_to(handle, part)
    return taken


class _Matrix:
    """Tensors of these shapes as rows of ``LANES`` numbers, each from a row of its own on."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], dtype: str) -> None:
        self._shapes = shapes
        self._sizes = [math.prod(shape) for shape in shapes]
        rows = [-(-size // LANES) for size in self._sizes]
        self._first = np.cumsum([0, *rows[:-1]])
        self.owner = np.repeat(np.arange(len(shapes), dtype="int32"), rows)
        missing = [LANES * n - size for n, size in zip(rows, self._sizes, strict=True)]
        zeros = {n: tf.zeros([n], dtype) for n in set(missing) if n}
        self._fillers = [zeros.get(n) for n in missing]

    def of(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """The tensors in one matrix."""
        parts = []
        for x, shape, filler in zip(tensors, self._shapes, self._fillers, strict=True):
            parts.append(x if len(shape) == 1 else tf.reshape(x, [-1]))
            parts += [] if filler is None else [filler]
        return tf.reshape(tf.concat(parts, 0), [-1, LANES])

    def numbers(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """A number of each tensor, in each of its rows."""
        return tf.gather(tf.stack(values), self.owner)[:, tf.newaxis]

    def parts(self, matrix: tf.Tensor) -> list[tf.Tensor]:
        """The tensors of a matrix."""
        flat = tf.reshape(matrix, [-1])
        found = []
        for first, size, shape in zip(self._first, self._sizes, self._shapes, strict=True):
            part = tf.slice(flat, [int(first) * LANES], [size])
            found.append(part if len(shape) == 1 else tf.reshape(part, shape))
        return found

    def firsts(self, matrix: tf.Tensor) -> list[tf.Tensor]:
        """The number of each tensor, from the first of its rows."""
        return tf.unstack(tf.gather(matrix[:, 0], self._first))
