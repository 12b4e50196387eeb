"""Sums over all variables, from which some methods find one rate for the whole model.

A method says what each coordinate adds to them and what follows; here they are taken before any
variable moves. Compiled, a variable is read once for all of its sums, and whether its gradient
is finite is known from them, too.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable
from tfadaopt.optimizers.engine import compiled
from tfadaopt.optimizers.engine.fitting import fits, most
from tfadaopt.optimizers.engine.norms import total
from tfadaopt.optimizers.engine.plan import Arriving, Checked, Kind, Moment, Planned, Settings
from tfadaopt.optimizers.engine.step import assign, kept, native_of
from tfadaopt.optimizers.rule import State


class Common(NamedTuple):
    """What the sums over each variable have in common.

    Attributes:
        planned: The rule and what it is applied to.
        settings: The settings of now.
        shared: The shared numbers before the step.
        t: Number of the step, from 1.
        eta: η, without the factors of single variables.
    """

    planned: Planned
    settings: Settings
    shared: State
    t: tf.Tensor
    eta: tf.Tensor

    def sums_of(
        self, theta: tf.Tensor, state: State, g: tf.Tensor, multiplier: float
    ) -> dict[str, tf.Tensor]:
        """The sums over one variable, whose η has this factor."""
        eta = self.eta if multiplier == 1 else self.eta * multiplier
        terms = self.planned.rule.terms(self.shared, theta, state, g, self.t, eta)
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
    parts, arriving = [], []
    for variable, g in zip(variables, gradients, strict=True):
        if compiled.compiles(planned, moment.settings, variable, moment.learning_rate):
            part, finite = by_xla(common, variable, g)
        else:
            part, finite = readable(common, variable, g)
        parts.append(part)
        arriving.append(g if finite is None else Checked(g, finite))
    totals = {name: tf.add_n([part[name] for part in parts]) for name in parts[0]}
    new = planned.rule.combine(shared, totals, common.t, eta)
    for name, number in planned.shared.items():
        assign(number, new[name])
    return arriving


def readable(
    common: Common, variable: Variable, gradient: Gradient
) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
    """The sums over a variable, operation by operation, and whether its gradient fits.

    A gradient that does not counts as zeros.
    """
    dtype, finite = common.t.dtype, None
    g = _cast(gradient, dtype)
    if common.settings.nonfinite == "skip":
        finite = fits(g)
        g = kept(finite, g)
    plan = common.planned.of(variable)
    own = {**plan.slots, **common.planned.shared}
    state = {name: _cast(x, dtype) for name, x in own.items()}
    return common.sums_of(_cast(variable, dtype), state, g, plan.multiplier), finite


def by_xla(
    common: Common, variable: Variable, gradient: Gradient
) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
    """The same in one pass through memory."""
    planned, settings, dtype = common.planned, common.settings, common.t.dtype
    kind = planned.kind(variable, settings, with_shape=True)
    sums = planned.function(_sums, (kind, dtype.name), settings)
    handles = compiled.handles_of(planned, variable)
    numbers, g = list(common.shared.values()), _cast(gradient, dtype)
    part, found = sums(native_of(variable).handle, handles, numbers, common.t, common.eta, g)
    if settings.nonfinite == "ignore":
        return part, None
    if compat.has_gpu():  # the function has looked already
        return part, found
    finite = found / 2 <= most(dtype)
    return tf.cond(finite, lambda: part, lambda: readable(common, variable, gradient)[0]), finite


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
        part = common.sums_of(theta, state, g, kind.multiplier)
        if not both:
            return part, total(tf.square(g))
        finite = fits(g)
        none = common.sums_of(theta, state, tf.zeros_like(g), kind.multiplier)
        return {name: tf.where(finite, part[name], none[name]) for name in part}, finite

    return sums


def _cast(x: Gradient | Variable, dtype: tf.DType | str) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(x), dtype)
