"""The sums over all variables, compiled, are the readable ones, but for the order of summation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.optimizers.engine import norms, sums

from .cases import BY_ID, FULLEST

SHARING = [case for case in FULLEST if case.make().shared()]
# Large enough to be folded, with a rest that is no quarter; and small ones.
SHAPES = [(129, 257), (130, 128), (7,), (), (3, 5)]


def parts(case, bad=None, **arguments):
    """An optimizer after a step, its variables, and gradients."""
    random = np.random.default_rng(3)
    variables = [keras.Variable(random.normal(size=s).astype("float32")) for s in SHAPES]
    optimizer = case.make(jit_compile=True, **arguments)
    optimizer.build(variables)
    g, h = ([random.normal(size=s).astype("float32") for s in SHAPES] for _ in range(2))
    optimizer.apply([tf.constant(x) for x in g], variables)
    if bad is not None:
        h[bad[0]].flat[0] = bad[1]
    return optimizer, variables, [tf.constant(x) for x in h]


def both(optimizer, variables, gradients):
    """Compiled sums, those operation by operation, their scale Σ |term| in float64, what fits."""
    shared = {name: tf.identity(x) for name, x in optimizer.held.shared.items()}
    t, eta = tf.constant(2.0), tf.constant(0.5)
    planned, settings = optimizer.engine.planned, optimizer.settings()
    common = sums.Common(planned, settings, shared, t, eta)

    def added(form):
        found = [form(common, v, g) for v, g in zip(variables, gradients, strict=True)]
        totals = {name: sum(part[name] for part, _ in found) for name in found[0][0]}
        return totals, [finite for _, finite in found]

    totals, known = tf.function(lambda: added(sums.by_xla), autograph=False)()
    expected, _ = added(sums.readable)
    scale = dict.fromkeys(expected, 0.0)
    for variable, g in zip(variables, gradients, strict=True):
        g = g if np.isfinite(g.numpy()).all() else tf.zeros_like(g)
        _, state = optimizer.now(variable)
        terms = optimizer.terms(shared, variable.value, state, g, t, eta)
        for name, x in terms.items():
            scale[name] += np.abs(x.numpy().astype("float64")).sum()
    return totals, expected, scale, known


def check(case, totals, expected, scale, worst=lambda *args: None):
    for name, right in expected.items():
        # A sum of n numbers, added in pairs or in packets, is off by a few roundings of Σ |x|
        # (log₂ n at most, when all go the same way); and a term by two.
        error = abs(float(totals[name]) - float(right)) / max(scale[name], 1e-30)
        assert error <= 8 * 2.0**-24, name
        worst("compiled against readable sums, roundings of Σ|x|", case.name, error * 2.0**24)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=() if case is BY_ID["dog"] else pytest.mark.slow)
        for case in (*SHARING, BY_ID["prodigy-safe"])  # which has another sum
    ],
)
def test_sums_are_the_readable_ones(case, worst):
    optimizer, variables, gradients = parts(case)
    totals, expected, scale, known = both(optimizer, variables, gradients)
    check(case, totals, expected, scale, worst)
    assert all(map(bool, known))
    assert {key[0].__name__ for key in optimizer.engine.planned.functions} >= {"_sums"}


def test_sums_of_gradients_that_nobody_looks_at():
    optimizer, variables, gradients = parts(BY_ID["dog"], nonfinite="ignore")
    totals, expected, scale, known = both(optimizer, variables, gradients)
    check(BY_ID["dog"], totals, expected, scale)
    assert known == [None] * len(variables)


@pytest.mark.slow
@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "as-on-gpu"])
@pytest.mark.parametrize(
    ("case", "bad"),
    [
        *((BY_ID["dog"], bad) for bad in ((0, np.nan), (1, np.inf), (2, np.nan), (0, 3e38))),
        (BY_ID["prodigy"], (0, np.nan)),
    ],
    ids=str,
)
def test_what_does_not_fit_counts_as_zeros(case, bad, gpu, monkeypatch):
    monkeypatch.setattr(compat, "has_gpu", lambda: gpu)
    optimizer, variables, gradients = parts(case, bad)
    totals, expected, scale, known = both(optimizer, variables, gradients)
    check(case, totals, expected, scale)
    assert [bool(x) for x in known] == [i != bad[0] for i in range(len(variables))]


@pytest.mark.parametrize("size", [norms.LARGE - 1, norms.LARGE, norms.LARGE + 3, 100_003])
def test_total_adds_every_number_once(size):
    x = tf.constant(np.random.default_rng(0).integers(-8, 8, size).astype("float32"))
    expected = float(np.sum(x.numpy(), dtype="float64"))
    assert float(norms.total(x)) == expected
    assert float(tf.function(norms.total, jit_compile=True)(x)) == expected
