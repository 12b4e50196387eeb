"""Sums over all variables, from which some methods find one rate for the whole model.

A method says what each coordinate adds to them and what follows; here they are taken before any
variable moves. Compiled, each variable is read once for all of its sums, and whether its gradient
is finite is known from them, too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers.engine import compiled
from tfadaopt.optimizers.engine.fitting import fits, most
from tfadaopt.optimizers.engine.norms import total
from tfadaopt.optimizers.engine.plan import Arriving, Checked, Kind, Moment, Planned, Settings
from tfadaopt.optimizers.engine.step import assign
from tfadaopt.optimizers.rule import State


class Common(NamedTuple):
    """What the sums over each variable have in common.

    Attributes:
        planned: The rule and what it is applied to.
        settings: The settings of now.
        shared: The shared numbers before the step.
        t: Number of the step, from 1.
        eta: η.
    """

    planned: Planned
    settings: Settings
    shared: State
    t: tf.Tensor
    eta: tf.Tensor

    def sums_of(self, theta: tf.Tensor, state: State, g: tf.Tensor) -> dict[str, tf.Tensor]:
        """The sums over one variable, or several in one vector."""
        terms = self.planned.rule.terms(self.shared, theta, state, g, self.t, self.eta)
        return {name: total(x) for name, x in terms.items()}


def update(
    planned: Planned,
    moment: Moment,
    variables: Sequence[Variable],
    gradients: Sequence[Gradient],
) -> list[Arriving]:
    """Bring the shared numbers up to date; the gradients, with what was found out about them."""
    dtype = next(iter(planned.shared.values())).dtype
    shared = {name: _cast(number, dtype) for name, number in planned.shared.items()}
    eta = _cast(moment.learning_rate, dtype)
    common = Common(planned, moment.settings, shared, moment.t(dtype), eta)
    if compiled.is_on(planned, moment.settings, variables, moment.learning_rate):
        totals, arriving = by_xla(common, variables, gradients)
    else:
        totals, arriving = readable(common, variables, gradients), list(gradients)
    new = planned.rule.combine(shared, totals, common.t, eta)
    for name, number in planned.shared.items():
        assign(number, new[name])
    return arriving


def readable(
    common: Common, variables: Sequence[Variable], gradients: Sequence[Gradient]
) -> dict[str, tf.Tensor]:
    """The sums, operation by operation; a gradient with a NaN counts as zeros."""
    parts, dtype = [], common.t.dtype
    for variable, g in zip(variables, gradients, strict=True):
        g = _cast(g, dtype)
        if common.settings.nonfinite == "skip":
            g = tf.where(fits(g), g, tf.zeros_like(g))
        own = {**common.planned.of(variable).slots, **common.planned.shared}
        state = {name: _cast(x, dtype) for name, x in own.items()}
        parts.append(common.sums_of(_cast(variable, dtype), state, g))
    return _added(parts)


def by_xla(
    common: Common, variables: Sequence[Variable], gradients: Sequence[Gradient]
) -> tuple[dict[str, tf.Tensor], list[Arriving]]:
    """The same sums, and the gradients, of large variables with whether they are finite."""
    planned, settings, dtype = common.planned, common.settings, common.t.dtype
    numbers = list(common.shared.values())
    parts, squares, alone = [], [], []
    for group in compiled.groups(planned, settings, variables, gradients):
        members, own = [variables[i] for i in group], [gradients[i] for i in group]
        if len(group) > 1:
            parts.append(_of_small(common, members, own, numbers))
            continue
        kind = planned.kind(members[0], settings, with_shape=True)
        sums = planned.function(_sums, (kind, dtype.name), settings)
        handles = compiled.handles_of(planned, members[0])
        g = _cast(own[0], dtype)
        part, square = sums(_native(members[0]).handle, handles, numbers, common.t, common.eta, g)
        alone.append(group[0])
        parts.append(part)
        squares.append(square)
    if settings.nonfinite == "ignore" or not alone:
        return _added(parts), list(gradients)
    if compat.has_gpu():  # the functions have looked already
        return _added(parts), _checked(gradients, alone, squares)

    finite = tf.stack(squares) / 2 <= most(dtype)
    totals = tf.cond(
        tf.reduce_all(finite),
        lambda: _added(parts),
        lambda: readable(common, variables, gradients),
    )
    return totals, _checked(gradients, alone, tf.unstack(finite, len(alone)))


def _sums(
    planned: Planned, key: tuple[Kind, str], settings: Settings
) -> Callable[..., tuple[dict[str, tf.Tensor], tf.Tensor]]:
    """Sums over one variable, and the sum of its squared gradients.

    On a GPU, where a branch would wait for the host, the sums for the gradient and for zeros are
    taken in the same pass, and instead of the squares it is said which of them count.
    """
    kind, dtype = key
    number = tf.TensorSpec([], dtype)
    both = compat.has_gpu() and settings.nonfinite == "skip"

    @compiled.jitted(
        compiled.RESOURCE,
        [compiled.RESOURCE] * len(kind.slots),
        [number] * len(planned.shared),
        number,
        number,
        tf.TensorSpec(kind.shape, dtype),
    )
    def sums(
        variable: tf.Tensor,
        slots: list[tf.Tensor],
        numbers: list[tf.Tensor],
        t: tf.Tensor,
        eta: tf.Tensor,
        g: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        theta = tf.cast(compiled.read(variable, kind.dtype, kind.shape), dtype)
        shared = dict(zip(planned.shared, numbers, strict=True))
        own = compiled.read_state(planned, kind, slots, numbers)
        state = {name: tf.cast(x, dtype) for name, x in own.items()}
        common = Common(planned, settings, shared, t, eta)
        part = common.sums_of(theta, state, g)
        if not both:
            return part, total(tf.square(g))
        finite = fits(g)
        none = common.sums_of(theta, state, tf.zeros_like(g))
        return {name: tf.where(finite, part[name], none[name]) for name in part}, finite

    return sums


def _flat_sums(
    planned: Planned, key: tuple[Kind, str], settings: Settings
) -> Callable[..., dict[str, tf.Tensor]]:
    """Sums over small variables, flattened into one vector."""
    kind, dtype = key
    vector, number = tf.TensorSpec([None], dtype), tf.TensorSpec([], dtype)

    @compiled.jitted(
        vector,
        [vector] * len(kind.slots),
        [number] * len(planned.shared),
        number,
        number,
        vector,
    )
    def sums(
        theta: tf.Tensor,
        slots: list[tf.Tensor],
        numbers: list[tf.Tensor],
        t: tf.Tensor,
        eta: tf.Tensor,
        g: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        shared = dict(zip(planned.shared, numbers, strict=True))
        state = shared | dict(zip(kind.slots, slots, strict=True))
        return Common(planned, settings, shared, t, eta).sums_of(theta, state, g)

    return sums


def _of_small(
    common: Common,
    variables: Sequence[Variable],
    gradients: Sequence[tf.Tensor],
    numbers: Sequence[tf.Tensor],
) -> dict[str, tf.Tensor]:
    planned, settings, dtype = common.planned, common.settings, common.t.dtype
    kind = planned.kind(variables[0], settings)
    theta, state, g, _, finite = compiled.flattened(planned, variables, gradients, kind)
    if settings.nonfinite == "skip":
        g = tf.where(finite, g, 0)
    sums = planned.function(_flat_sums, (kind, dtype.name), settings)
    state = [_cast(x, dtype) for x in state]
    return sums(_cast(theta, dtype), state, numbers, common.t, common.eta, _cast(g, dtype))


def _native(variable: Variable) -> tf.Variable:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _added(parts: Sequence[Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    return {name: tf.add_n([part[name] for part in parts]) for name in parts[0]}


def _checked(
    gradients: Sequence[Gradient], positions: Sequence[int], finite: Sequence[tf.Tensor]
) -> list[Arriving]:
    known = dict(zip(positions, finite, strict=True))
    return [Checked(g, known[i]) if i in known else g for i, g in enumerate(gradients)]


def _cast(x: Gradient | Variable, dtype: tf.DType | str) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(x), dtype)
