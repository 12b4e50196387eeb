"""Contracts of gradients that are not usual: sparse, missing, not finite, of another shape."""

import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfadaopt.testing.steps import KERNEL_AND_BIAS, some_gradients, some_variables
from tfadaopt.testing.subject import BrokenContractError, Subject, agree, require, values


def embedding_rows(subject: Subject) -> None:
    """The gradients of an id that comes twice are summed, as in the dense gradient."""
    for keywords in ({}, {"clipnorm": 1.0}, {"loss_scale_factor": 4.0}):
        rows_are_summed(subject, **keywords)


def rows_are_summed(subject: Subject, **keywords: Any) -> None:
    """The same, with certain keywords."""
    random = np.random.default_rng(1)
    sparse, dense = (subject.bare(weight_decay=0.0, **keywords) for _ in range(2))
    start = random.normal(size=(5, 2)).astype("float32")
    a, b = keras.Variable(start), keras.Variable(start)
    for ids in ([1, 3, 1, 1], [0, 0, 3, 2]):
        rows = random.normal(size=(4, 2)).astype("float32")
        summed = np.zeros((5, 2), "float32")
        np.add.at(summed, ids, rows)
        sparse.apply([tf.IndexedSlices(tf.constant(rows), tf.constant(ids), (5, 2))], [a])
        dense.apply([tf.constant(summed)], [b])
    given = "".join(f", {name}={value}" for name, value in keywords.items())
    what = f"an embedding after ids that come twice{given}, against the dense gradient"
    agree(what, values([a]), values([b]), 1e-6)
    require(not np.array_equal(a.numpy(), start), f"{what}: no row moved.")


def missing_gradient(subject: Subject) -> None:
    """A variable without gradient stays; the others step as if it had one of zero."""
    steps = some_gradients(2)
    without, zero = subject.bare(weight_decay=0.0), subject.bare(weight_decay=0.0)
    # The second variable is 0: some methods measure all weights that have a gradient.
    a, b = (
        [keras.Variable(start) for start in (values(some_variables())[0], np.zeros(3))]
        for _ in range(2)
    )
    without.build(a)
    zero.build(b)
    for g, _ in steps:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")
            without.apply([tf.constant(g), None], a)
        zero.apply([tf.constant(g), tf.zeros(KERNEL_AND_BIAS[1])], b)
    agree("the variable whose gradient is None", values(a[1:]), [np.zeros(3)])
    agree("the other variable", values(a[:1]), values(b[:1]), 1e-6)


def not_finite(subject: Subject) -> None:
    """A NaN or infinity in the gradient of one variable stops neither it nor the others."""
    for bad in (np.nan, np.inf):
        skips(subject, bad)


def skips(subject: Subject, bad: float) -> None:
    """The same, for one such number."""
    optimizer, expected = subject.bare(), subject.bare()
    a, b, c, d = (keras.Variable([1.0, 2.0], name=name) for name in "abcd")
    good, poisoned = tf.constant([0.5, -1.0]), tf.constant([0.5, bad])
    optimizer.build([a, b])
    expected.build([c, d])
    for g in (good, poisoned, good, good):
        before = values([a])
        optimizer.apply([g, good], [a, b])
        if g is poisoned:
            agree(f"a variable whose gradient has a {bad}", values([a]), before)
    for g in (good, tf.zeros(2), good, good):
        expected.apply([g, good], [c, d])
    agree(f"the other variable beside a gradient with a {bad}", values([b]), values([d]), 1e-2)
    require(
        bool(np.isfinite(values([a])[0]).all()) and a.numpy().tolist() != before[0].tolist(),
        f"the variable stays {a.numpy().tolist()} in the steps after a gradient with a {bad}; "
        "expected it to go on.",
    )


def huge_gradient(subject: Subject) -> None:
    """After one gradient of 1e18, weights and state are finite."""
    optimizer, w = subject.bare(), keras.Variable(np.ones((3, 2), "float32"))
    usual = np.array([[1.0, -0.5], [0.25, 2.0], [-1.0, 0.5]], "float32")
    for g in (usual, -usual, np.full((3, 2), 1e18, "float32"), usual):
        optimizer.apply([tf.constant(g)], [w])
    for variable in (w, *optimizer.variables):
        require(
            bool(np.isfinite(variable.numpy()).all()),
            f"{variable.name} is not finite after a gradient of 1e18.",
        )


def wrong_gradients(subject: Subject) -> None:
    """A gradient of another shape, one too many, and a variable that comes twice are refused."""
    w = keras.Variable([1.0, 1.0], name="w")
    one = tf.ones([2])
    cases = {
        "a gradient of the shape (1,) for a variable of (2,)": ([tf.ones([1])], [w]),
        "two gradients for one variable": ([one, one], [w]),
        "the same variable twice": ([one, one], [w, w]),
    }
    for what, (gradients, variables) in cases.items():
        try:
            subject.bare().apply(gradients, variables)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError):
            continue
        raise BrokenContractError(f"{what} was taken; expected a ValueError.")
