"""One step of one variable, as its rule says, with what is left out and how it is rounded."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.engine.fitting import fits
from tfadaopt.optimizers.engine.plan import Checked, Kind, Moment, Planned
from tfadaopt.optimizers.rule import State


def step(
    planned: Planned,
    kind: Kind,
    nonfinite: str,
    theta: tf.Tensor,
    state: State,
    g: tf.Tensor,
    t: tf.Tensor,
    eta: tf.Tensor,
    finite: tf.Tensor | bool | None = None,
    value: bool = True,
) -> tuple[State, tf.Tensor]:
    """Own state and θ after a step, with what ``nonfinite`` and ``lazy_rows`` say.

    Args:
        planned: The rule and what it is applied to.
        kind: The kind of variable.
        nonfinite: "skip" or "ignore".
        theta: θ, or rows of it, or several variables in one matrix.
        state: All of the state before.
        g: Gradient.
        t: Number of the step, from 1.
        eta: η of the variable.
        finite: Whether the gradient fits (see ``fitting``), if that is known already.
        value: Whether θ is returned, or else what is subtracted from it.
    """
    rule = planned.rule

    def moved(g: tf.Tensor) -> tuple[State, tf.Tensor]:
        new, delta = rule.decay_and_update(theta, state, g, t, eta, kind.decay)
        if kind.lazy is not None:
            new, delta = only_touched(kind.lazy, state, g, new, delta)
        return {name: new[name] for name in kind.slots}, theta - delta if value else delta

    before = theta if value else None
    if nonfinite == "ignore":
        return moved(g)
    taken = tf.convert_to_tensor(fits(g) if finite is None else finite)
    stays = stays_without_gradient(planned, kind)
    if compat.under_xla() and not compat.has_gpu() and taken.shape.rank == 0 and not stays:
        # XLA on a CPU takes twice as long for what looks at ``taken`` in each coordinate. On a GPU,
        # a branch would wait for the host.
        old = theta if value else tf.zeros_like(theta)
        return tf.cond(
            taken, lambda: moved(g), lambda: ({name: state[name] for name in kind.slots}, old)
        )
    if rule.unit != "coordinate" or stays:
        # Zeros, as they change nothing; or as some operations raise on what is not finite.
        g = kept(taken, g)
    new, found = moved(g)
    if stays:
        return new, found
    every = taken
    if compat.under_xla() and theta.shape.is_fully_defined():
        every = tf.broadcast_to(taken, theta.shape)  # once, not for each of what is kept

    def chosen(x: tf.Tensor, old: tf.Tensor | None) -> tf.Tensor:
        return kept(every if x.shape == theta.shape else taken, x, old)

    return {name: chosen(x, state[name]) for name, x in new.items()}, chosen(found, before)


def stays_without_gradient(planned: Planned, kind: Kind) -> bool:
    """Whether a coordinate whose gradient is zero is the same after a step, with its state."""
    rule = planned.rule
    coordinates = rule.unit == "coordinate" and not planned.shared and all(kind.whole)
    return coordinates and rule.still_without_gradient and not kind.decay


def kept(taken: tf.Tensor, new: tf.Tensor, old: tf.Tensor | None = None) -> tf.Tensor:
    """What is new where the gradient was taken, else what is old, or zeros."""
    if compat.under_xla() or taken.shape.rank:
        return tf.where(taken, new, tf.zeros([], new.dtype) if old is None else old)
    # Outside XLA, ``tf.where`` would make a mask as large as they are.
    if old is None:
        return tf.math.multiply_no_nan(new, tf.cast(taken, new.dtype))
    if new.shape == old.shape:
        return tf.raw_ops.Select(condition=taken, x=new, y=old)
    return tf.where(taken, new, old)


def only_touched(
    lazy: Sequence[str], state: State, g: tf.Tensor, new: State, delta: tf.Tensor
) -> tuple[State, tf.Tensor]:
    """State and change after a step, where rows without gradient stay as they were."""
    others = list(range(1, g.shape.rank))
    touched = tf.reduce_any(tf.not_equal(g, 0), axis=others, keepdims=True)
    rows = {name: tf.where(touched, new[name], state[name]) for name in lazy}
    return {**new, **rows}, tf.where(touched, delta, tf.zeros_like(delta))


def one_by_one(
    planned: Planned, moment: Moment, variable: Variable, gradient: tf.Tensor | Checked
) -> tf.Tensor | bool:
    """One step of one variable, operation by operation: what ``compiled`` does in one.

    Args:
        planned: The rule and what it is applied to.
        moment: The step.
        variable: The variable.
        gradient: Its gradient, or a pair: the gradient, whether it fits.

    Returns:
        Whether the gradient was taken.
    """
    settings, kind = moment.settings, planned.kind(variable, moment.settings)
    dtype = kind.precision
    g, finite = gradient if isinstance(gradient, tuple) else (gradient, None)
    g = tf.cast(g, dtype)
    if finite is None:
        finite = True if settings.nonfinite == "ignore" else fits(g)
    theta, state = planned.value_of(variable), planned.state_of(variable)
    t, eta = moment.t(dtype), moment.eta(dtype, kind.multiplier)
    value = compat.under_xla() or planned.of(variable).dtype != dtype
    new, found = step(planned, kind, settings.nonfinite, theta, state, g, t, eta, finite, value)
    put(planned, moment, variable, new, found, value)
    return finite


def hold_inside(
    planned: Planned,
    moment: Moment,
    variable: Variable,
    constraint: Callable[[tf.Tensor], tf.Tensor],
) -> None:
    """Constrain the weights that the state of a variable holds, after its step."""
    plan = planned.of(variable)
    theta, state = planned.value_of(variable), planned.state_of(variable)
    t, eta = moment.t(plan.precision), moment.eta(plan.precision, plan.multiplier)
    new, value = planned.rule.inside(theta, state, t, eta, constraint)
    put(planned, moment, variable, new, value)


def put(
    planned: Planned,
    moment: Moment,
    variable: Variable,
    new: State,
    theta: tf.Tensor,
    value: bool = True,
) -> None:
    """Give a variable θ, or subtract it, and give its own state what is new of it."""
    plan = planned.of(variable)
    for name, slot in plan.slots.items():
        if name in new:
            assign(slot, new[name])
    if value:
        assign(variable, rounded(theta, plan.dtype, moment.iterations, plan.index))
    else:
        native = native_of(variable)
        fits_in = theta.shape.is_compatible_with(native.shape)
        native.assign_sub(theta if fits_in else tf.broadcast_to(theta, tf.shape(native)))


def native_of(variable: Variable) -> tf.Variable:
    """The variable of TensorFlow in one of Keras, or itself."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def assign(variable: Variable, value: tf.Tensor) -> None:
    """Give a variable of Keras or TensorFlow a value, in its dtype."""
    native = native_of(variable)
    native.assign(tf.cast(value, native.dtype))


def rounded(
    theta: tf.Tensor, dtype: str, iterations: tf.Tensor, index: tf.Tensor | int
) -> tf.Tensor:
    """θ in the dtype of its variable, the one at this index; bfloat16 is rounded at random."""
    if dtype == "bfloat16":
        seed = tf.stack([tf.cast(iterations, "int32"), tf.cast(index, "int32")])
        return round_at_random(theta, seed)
    return tf.cast(theta, dtype)


def round_at_random(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Float32 to bfloat16, up or down in proportion to the distance; the same for equal seeds."""
    bits = tf.bitcast(x, "int32")
    noise = tf.random.stateless_uniform(tf.shape(x), seed, 0, 1 << 16, "int32")
    cut = tf.bitwise.bitwise_and(bits + noise, tf.constant(-(1 << 16), "int32"))
    return tf.cast(tf.where(tf.math.is_finite(x), tf.bitcast(cut, "float32"), x), "bfloat16")
