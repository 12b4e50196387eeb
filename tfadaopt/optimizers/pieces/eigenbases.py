"""The bases in which SOAP steps: begun from eigenvectors, then following by power iteration."""

from collections.abc import Sequence

import tensorflow as tf

from tfadaopt.optimizers.pieces import matrices
from tfadaopt.optimizers.pieces.first import is_first
from tfadaopt.optimizers.rule import State


def refreshed(states: Sequence[State], news: Sequence[State], every: int) -> Sequence[State]:
    """The states after a step, with the bases that are due, and v in the order of those.

    Args:
        states: The state of each variable before the step.
        news: That after it, but for the bases.
        every: Updates between two refreshments.
    """
    sides = [(i, n) for i, new in enumerate(news) for n in (0, 1) if f"statistics_{n}" in new]
    if not sides:
        return news
    statistics = [news[i][f"statistics_{side}"] for i, side in sides]
    bases = [states[i][f"basis_{side}"] for i, side in sides]
    first = [is_first(states[i]) for i, _ in sides]
    due = [~is_first(state) & tf.equal(state["updates"] % every, 0) for state in states]

    def begun():
        vectors = matrices.in_stacks(matrices.eigenvectors, statistics)
        return [tf.where(*x) for x in zip(first, vectors, bases, strict=True)]

    def followed():
        turned = matrices.in_stacks(matrices.power_iteration, statistics, bases)
        new, v = [], [state["velocity"] for state in news]
        for (i, side), (basis, order), old in zip(sides, turned, bases, strict=True):
            new.append(tf.where(due[i], basis, old))
            order = tf.where(due[i], order, tf.range(tf.size(order)))
            v[i] = tf.gather(v[i], order, axis=side)
        return new, v

    bases = tf.cond(tf.reduce_any(first), begun, lambda: bases)
    bases, v = tf.cond(
        tf.reduce_any(due), followed, lambda: (bases, [state["velocity"] for state in news])
    )
    after = [{**state, "velocity": x} for state, x in zip(news, v, strict=True)]
    for (i, side), basis in zip(sides, bases, strict=True):
        after[i][f"basis_{side}"] = basis
    return after
