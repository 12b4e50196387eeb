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
) -> tuple[State, tf.Tensor]:
    """Own state and θ after a step, with what ``nonfinite`` and ``lazy_rows`` say.

    Args:
        planned: The rule and what it is applied to.
        kind: The kind of variable.
        nonfinite: "skip" or "ignore".
        theta: θ, or rows of it, or several variables in one vector.
        state: All of the state before.
        g: Gradient.
        t: Number of the step, from 1.
        eta: Learning rate η.
        finite: Whether the gradient fits (see ``fitting``), if that is known already.
    """

    def moved(g: tf.Tensor) -> tuple[State, tf.Tensor]:
        new, delta = planned.rule.decay_and_update(theta, state, g, t, eta, kind.decay)
        value = theta - delta
        if kind.lazy is not None:
            new, value = only_touched(kind.lazy, theta, state, g, new, value)
        return {name: new[name] for name in kind.slots}, value

    if nonfinite == "ignore":
        return moved(g)
    taken = tf.convert_to_tensor(fits(g) if finite is None else finite)
    # A branch spares passes through memory; on a GPU, it would wait for the host instead.
    branches = tf.executing_eagerly() or (compat.under_xla() and not compat.has_gpu())
    if branches and taken.shape.rank == 0:

        def as_it_was() -> tuple[State, tf.Tensor]:
            return {name: state[name] for name in kind.slots}, theta

        return tf.cond(taken, lambda: moved(g), as_it_was)
    # Zeros, as some operations raise on what is not finite.
    new, value = moved(tf.where(taken, g, tf.zeros_like(g)))
    new = {name: tf.where(taken, x, state[name]) for name, x in new.items()}
    return new, tf.where(taken, value, theta)


def only_touched(
    lazy: Sequence[str],
    theta: tf.Tensor,
    state: State,
    g: tf.Tensor,
    new: State,
    value: tf.Tensor,
) -> tuple[State, tf.Tensor]:
    """State and θ after a step, where rows without gradient stay as they were."""
    others = list(range(1, g.shape.rank))
    touched = tf.reduce_any(tf.not_equal(g, 0), axis=others, keepdims=True)
    rows = {name: tf.where(touched, new[name], state[name]) for name in lazy}
    return {**new, **rows}, tf.where(touched, value, theta)


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
    t, eta = moment.t(dtype), moment.eta(dtype)
    new, value = step(planned, kind, settings.nonfinite, theta, state, g, t, eta, finite)
    put(planned, moment, variable, new, value)
    return finite


def hold_inside(
    planned: Planned,
    moment: Moment,
    variable: Variable,
    constraint: Callable[[tf.Tensor], tf.Tensor],
) -> None:
    """Constrain the weights that the state of a variable holds, after its step."""
    dtype = planned.of(variable).precision
    theta, state = planned.value_of(variable), planned.state_of(variable)
    new, value = planned.rule.inside(theta, state, moment.t(dtype), moment.eta(dtype), constraint)
    put(planned, moment, variable, new, value)


def put(planned: Planned, moment: Moment, variable: Variable, new: State, value: tf.Tensor) -> None:
    """Give a variable and its own state their values after a step."""
    plan = planned.of(variable)
    for name, slot in plan.slots.items():
        if name in new:
            assign(slot, new[name])
    assign(variable, rounded(value, plan.dtype, moment.iterations, plan.index))


def assign(variable: Variable, value: tf.Tensor) -> None:
    """Give a variable of Keras or TensorFlow a value, in its dtype."""
    native = variable.value if isinstance(variable, keras.Variable) else variable
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
