"""One step of all variables of a model at once, for methods that decompose matrices.

Decompositions of equal size go through one call for all variables, and a step between two
refreshments has one branch for all of them, in which nothing is decomposed.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers import fast
from tfadaopt.optimizers.fitting import fits


def is_on(optimizer) -> bool:
    """Whether the variables step at once: all of them must be where the step is.

    A subclass that changes the step of one variable alone has that step.
    """
    changed = not all(
        issubclass(_defined_by(optimizer, "update_all"), _defined_by(optimizer, name))
        for name in ("update", "decay_and_update")
    )
    strategy = tf.distribute.get_strategy()
    here = not tf.distribute.has_strategy() or isinstance(strategy, fast.STRATEGIES)
    return optimizer.together and bool(optimizer.jit_compile) and here and not changed


def groups(optimizer, variables: Sequence) -> list[list[int]]:
    """Positions of the variables whose arithmetic has the same dtype."""
    by_dtype = {}
    for i, variable in enumerate(variables):
        by_dtype.setdefault(_dtype_of(optimizer, variable), []).append(i)
    return list(by_dtype.values())


def update(optimizer, variables: Sequence, gradients: Sequence, learning_rate):
    """One step of the variables of a group; for each, what ``Optimizer.update_step`` does."""
    taken = True
    dtype = _dtype_of(optimizer, variables[0])
    t, eta = (tf.cast(x, dtype) for x in (optimizer.iterations + 1, learning_rate))
    kinds = [optimizer.kind_of(v) for v in variables]
    slots = [optimizer.slots_of(v) for v in variables]
    thetas = [optimizer.value_of(v) for v in variables]
    states = [optimizer.state_of(v) for v in variables]
    gradients = [tf.cast(g, dtype) for g in gradients]

    def moved(gradients):
        shrunk = [
            eta * optimizer.decay_now(state, kind.decay) * x if kind.decay else None
            for kind, state, x in zip(kinds, states, thetas, strict=True)
        ]
        inside = [x if s is None else x - s for x, s in zip(thetas, shrunk, strict=True)]
        new, values = [], []
        done = optimizer.update_all(inside, states, gradients, t, eta)
        for i, (state, delta) in enumerate(done):
            delta = delta if shrunk[i] is None else delta + shrunk[i]
            value = thetas[i] - delta
            new.append(state)
            values.append(value)
            if kinds[i].lazy is not None:
                new[i], values[i] = optimizer.only_touched(
                    kinds[i].lazy, thetas[i], states[i], gradients[i], state, value
                )
        return new, values

    if optimizer.nonfinite == "ignore":
        new, values = moved(gradients)
    else:
        finite = [fits(g) for g in gradients]
        taken = tf.stack(finite)
        new, values = moved([tf.where(f, g, 0) for f, g in zip(finite, gradients, strict=True)])

        def chosen():
            kept = [
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
    for variable, kind, own, state, value in zip(variables, kinds, slots, new, values, strict=True):
        for name in kind.slots:
            optimizer.assign(own[name], state[name])
        index = compat.index_of(optimizer, variable)
        rounded = optimizer.rounded(value, kind.dtype, optimizer.iterations, index)
        optimizer.assign(variable, rounded)
    return taken


def _defined_by(optimizer, name: str) -> type:
    return next(cls for cls in type(optimizer).__mro__ if name in vars(cls))


def _dtype_of(optimizer, variable) -> str:
    return optimizer.compute_dtype(keras.backend.standardize_dtype(variable.dtype))
