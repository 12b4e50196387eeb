"""Sums over all variables, from which some methods find one rate for the whole model.

A method says what each coordinate adds to them and what follows; here they are taken before any
variable moves. Compiled, each variable is read once for all of its sums, and whether its gradient
is finite is known from them, too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers import fast
from tfadaopt.optimizers.fitting import fits, most
from tfadaopt.optimizers.norms import total


class Checked(NamedTuple):
    """A gradient of which it is known whether it fits.

    Attributes:
        gradient: The gradient.
        finite: Whether it fits.
    """

    gradient: tf.Tensor
    finite: tf.Tensor


def update(optimizer, variables: Sequence, gradients: Sequence, learning_rate) -> list:
    """Bring the shared numbers up to date; the gradients, with what was found out about them."""
    numbers = optimizer.numbers()
    dtype = next(iter(numbers.values())).dtype
    t, eta = (_cast(x, dtype) for x in (optimizer.iterations + 1, learning_rate))
    shared = {name: _cast(number, dtype) for name, number in numbers.items()}
    if fast.is_on(optimizer, variables):
        totals, gradients = _compiled(optimizer, variables, gradients, shared, t, eta)
    else:
        totals = _readable(optimizer, variables, gradients, shared, t, eta)
    new = optimizer.combine(shared, totals, t, eta)
    for name, number in numbers.items():
        optimizer.assign(number, new[name])
    return gradients


def _readable(optimizer, variables, gradients, shared, t, eta) -> dict[str, tf.Tensor]:
    """The sums, operation by operation; a gradient with a NaN counts as zeros."""
    parts = []
    for variable, g in zip(variables, gradients, strict=True):
        g = _cast(g, t.dtype)
        if optimizer.nonfinite == "skip":
            g = tf.where(fits(g), g, tf.zeros_like(g))
        state = {name: _cast(x, t.dtype) for name, x in optimizer.slots_of(variable).items()}
        parts.append(_sums_of(optimizer, shared, _cast(variable, t.dtype), state, g, t, eta))
    return _added(parts)


def _compiled(optimizer, variables, gradients, shared, t, eta) -> tuple[dict, list]:
    """The same sums, and the gradients, of large variables with whether they are finite."""
    numbers = list(shared.values())
    parts, squares, alone = [], [], []
    for group in fast.groups(optimizer, variables, gradients):
        members = [variables[i] for i in group]
        if len(group) > 1:
            own = [gradients[i] for i in group]
            parts.append(_of_small(optimizer, members, own, numbers, t, eta))
            continue
        kind = optimizer.kind_of(members[0], whole=True)
        compiled = optimizer.functions.get(optimizer, _sums, (kind, t.dtype.name))
        g = _cast(gradients[group[0]], t.dtype)
        part, square = compiled(*_handles(optimizer, members[0], kind), numbers, t, eta, g)
        alone.append(group[0])
        parts.append(part)
        squares.append(square)
    if optimizer.nonfinite == "ignore" or not alone:
        return _added(parts), list(gradients)
    if compat.has_gpu():  # the functions have looked already
        return _added(parts), _checked(gradients, alone, squares)

    finite = tf.stack(squares) / 2 <= most(t.dtype)
    totals = tf.cond(
        tf.reduce_all(finite),
        lambda: _added(parts),
        lambda: _readable(optimizer, variables, gradients, shared, t, eta),
    )
    return totals, _checked(gradients, alone, tf.unstack(finite, len(alone)))


def _sums_of(optimizer, shared, theta, state, g, t, eta) -> dict[str, tf.Tensor]:
    terms = optimizer.terms(shared, theta, state, g, t, eta)
    return {name: total(x) for name, x in terms.items()}


def _sums(optimizer, key):
    """Sums over one variable, and the sum of its squared gradients.

    On a GPU, where a branch would wait for the host, the sums for the gradient and for zeros are
    taken in the same pass, and instead of the squares it is said which of them count.
    """
    kind, dtype = key
    resource, number = tf.TensorSpec([], tf.resource), tf.TensorSpec([], dtype)
    both = compat.has_gpu() and optimizer.nonfinite == "skip"

    @tf.function(
        autograph=False,
        jit_compile=True,
        input_signature=(
            resource,
            [resource] * len(kind.slots),
            [number] * len(optimizer.numbers()),
            number,
            number,
            tf.TensorSpec(kind.shape, dtype),
        ),
    )
    def sums(variable, slots, numbers, t, eta, g):
        theta = tf.cast(fast.read(variable, kind.dtype, kind.shape), dtype)
        shared = dict(zip(optimizer.numbers(), numbers, strict=True))
        state, own = dict(shared), optimizer.compute_dtype(kind.dtype)
        for name, slot in zip(kind.slots, slots, strict=True):
            shape = None if kind.shape is None else optimizer.slot_shape(name, kind.shape)
            state[name] = tf.cast(fast.read(slot, own, shape), dtype)
        part = _sums_of(optimizer, shared, theta, state, g, t, eta)
        if not both:
            return part, total(tf.square(g))
        finite = fits(g)
        none = _sums_of(optimizer, shared, theta, state, tf.zeros_like(g), t, eta)
        return {name: tf.where(finite, part[name], none[name]) for name in part}, finite

    return sums


def _flat_sums(optimizer, key):
    """Sums over small variables, flattened into one vector."""
    kind, dtype = key
    vector, number = tf.TensorSpec([None], dtype), tf.TensorSpec([], dtype)

    @tf.function(
        autograph=False,
        jit_compile=True,
        input_signature=(
            vector,
            [vector] * len(kind.slots),
            [number] * len(optimizer.numbers()),
            number,
            number,
            vector,
        ),
    )
    def sums(theta, slots, numbers, t, eta, g):
        shared = dict(zip(optimizer.numbers(), numbers, strict=True))
        state = shared | dict(zip(kind.slots, slots, strict=True))
        return _sums_of(optimizer, shared, theta, state, g, t, eta)

    return sums


def _of_small(optimizer, variables, gradients, numbers, t, eta) -> dict[str, tf.Tensor]:
    kind = optimizer.kind_of(variables[0])
    theta, state, g, _, finite = fast.flattened(optimizer, variables, gradients, kind)
    if optimizer.nonfinite == "skip":
        g = tf.where(finite, g, 0)
    compiled = optimizer.functions.get(optimizer, _flat_sums, (kind, t.dtype.name))
    vectors = [_cast(x, t.dtype) for x in (theta, *state, g)]
    return compiled(vectors[0], vectors[1:-1], numbers, t, eta, vectors[-1])


def _handles(optimizer, variable, kind: fast.Kind) -> tuple:
    slots = optimizer.slots_of(variable)
    native = variable.value if isinstance(variable, keras.Variable) else variable
    return native.handle, [slots[name].value.handle for name in kind.slots]


def _added(parts: Sequence[dict]) -> dict[str, tf.Tensor]:
    return {name: tf.add_n([part[name] for part in parts]) for name in parts[0]}


def _checked(gradients, positions, finite) -> list:
    known = dict(zip(positions, finite, strict=True))
    return [Checked(g, known[i]) if i in known else g for i, g in enumerate(gradients)]


def _cast(x, dtype) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(x), dtype)
