"""One step of all variables of a model at once, for methods that decompose matrices.

Decompositions of equal size go through one call for all variables, and a step between two
refreshments has one branch for all of them, in which nothing is decomposed.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.engine.compiled import steps_here
from tfadaopt.optimizers.engine.fitting import fits
from tfadaopt.optimizers.engine.plan import Arriving, Moment, Planned, Settings
from tfadaopt.optimizers.engine.step import only_touched, put
from tfadaopt.optimizers.rule import Rule, State, writes


def is_on(planned: Planned, settings: Settings) -> bool:
    """Whether the variables step at once: all of them must be where the step is.

    A subclass that changes the step of one variable alone has that step.
    """
    rule = planned.rule
    if not writes(rule, "update_all") or not settings.jit_compile or not steps_here():
        return False
    joint = _defined_by(rule, "update_all")
    return all(
        issubclass(joint, _defined_by(rule, name)) for name in ("update", "decay_and_update")
    )


def groups(planned: Planned, variables: Sequence[Variable]) -> list[list[int]]:
    """Positions of the variables whose arithmetic has the same dtype and the same η."""
    alike: dict[tuple[str, float], list[int]] = {}
    for i, variable in enumerate(variables):
        plan = planned.of(variable)
        alike.setdefault((plan.precision, plan.multiplier), []).append(i)
    return list(alike.values())


def update(
    planned: Planned,
    moment: Moment,
    variables: Sequence[Variable],
    gradients: Sequence[Arriving],
) -> tf.Tensor | bool:
    """One step of the variables of a group; whether the gradient of each was taken."""
    kinds = [planned.kind(v, moment.settings) for v in variables]
    dtype = kinds[0].precision
    t, eta = moment.t(dtype), moment.eta(dtype, kinds[0].multiplier)
    thetas = [planned.value_of(v) for v in variables]
    states = [planned.state_of(v) for v in variables]
    gradients = [tf.cast(g, dtype) for g in gradients]
    decays = [kind.decay for kind in kinds]

    def moved(gradients: Sequence[tf.Tensor]) -> tuple[list[State], list[tf.Tensor]]:
        new, values = [], []
        done = planned.rule.decay_and_update_all(thetas, states, gradients, t, eta, decays)
        for i, (state, delta) in enumerate(done):
            lazy = kinds[i].lazy
            if lazy is not None:
                state, delta = only_touched(lazy, states[i], gradients[i], state, delta)
            new.append(state)
            values.append(thetas[i] - delta)
        return new, values

    taken: tf.Tensor | bool = True
    if moment.settings.nonfinite == "ignore":
        new, values = moved(gradients)
    else:
        finite = [fits(g) for g in gradients]
        taken = tf.stack(finite)
        new, values = moved([tf.where(f, g, 0) for f, g in zip(finite, gradients, strict=True)])

        def chosen() -> tuple[list[State], list[tf.Tensor]]:
            kept: list[State] = [
                {name: tf.where(f, x, old[name]) for name, x in state.items()}
                for f, state, old in zip(finite, new, states, strict=True)
            ]
            return kept, [
                tf.where(f, x, old) for f, x, old in zip(finite, values, thetas, strict=True)
            ]

        if compat.under_xla() or compat.has_gpu():  # a branch would copy, or wait for the host
            new, values = chosen()
        else:
            new, values = tf.cond(tf.reduce_all(finite), lambda: (new, values), chosen)
    for variable, state, value in zip(variables, new, values, strict=True):
        put(planned, moment, variable, state, value)
    return taken


def _defined_by(rule: Rule, name: str) -> type:
    return next(cls for cls in type(rule).__mro__ if name in vars(cls))
