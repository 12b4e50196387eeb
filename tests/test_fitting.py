"""Gradients that are finite and yet too large: a step leaves them out, counts them, and goes on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.optimizers.engine import fitting

from .cases import FULLEST, SHAPES, THREE, quick

GOOD = np.array([[1.0, -0.5], [0.25, 2.0], [-1.0, 0.5]], "float32")


def run(case, gradients, mode="eager", dtype="float32"):
    """The weights after these gradients, and the optimizer; a large and a small variable."""
    keras.utils.set_random_seed(0)
    w, b = keras.Variable(np.ones((3, 2)), dtype=dtype), keras.Variable([1.0, 1.0], dtype=dtype)
    optimizer = case.make(jit_compile=mode == "compiled")
    optimizer.build([w, b])

    def step(g):
        optimizer.apply([g, tf.cast([0.5, -1.0], dtype)], [w, b])

    if mode == "xla":
        step = tf.function(step, jit_compile=True)
    for g in gradients:
        step(tf.constant(g, dtype))
    return w, b, optimizer


@pytest.mark.quick_rows(4)
@pytest.mark.parametrize(
    ("case", "size"),
    [
        *(quick(case, 1e15) for case in FULLEST),  # not left out: the rule itself must bear it
        *(quick(case, 1e18) for case in SHAPES),  # left out, although its square is finite
        *(quick(case, size) for case in THREE for size in (2e19, 1e38)),
    ],
)
def test_training_goes_on_after_one_huge_gradient(case, size):
    usual, huge = [GOOD * (-1.0) ** t for t in range(4)], np.full((3, 2), size, "float32")
    w, b, optimizer = run(case, [*usual, huge, *usual])
    for variable in (w, b, *optimizer.variables):
        assert np.isfinite(variable.numpy()).all(), variable.name
    skipped = [int(tfadaopt.accumulators(optimizer, v)["skipped_updates"]) for v in (w, b)]
    assert skipped == [0 if size < 2e15 else 1, 0]
    before = w.numpy()
    if skipped[0]:  # as if that batch had never been
        optimizer.apply([tf.constant(GOOD), tf.constant([0.5, -1.0])], [w, b])
        assert (w.numpy() != before).any() or case.name in ("DoWG", "DoG")


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize(
    ("case", "mode"),
    [*(quick(case, "compiled") for case in SHAPES), *(quick(case, "xla") for case in THREE)],
)
def test_left_out_in_every_engine(case, mode):
    usual = [GOOD, -GOOD, GOOD]
    for bad in (np.full((3, 2), 1e25), np.full((3, 2), np.nan)):
        gradients = [*usual, bad, *usual]
        w, b, optimizer = run(case, gradients, mode)
        expected, _, readable = run(case, gradients)
        # Matrices are decomposed otherwise under XLA.
        rtol = 1e-5 if case.has_rate else 1e-3
        np.testing.assert_allclose(w.numpy(), expected.numpy(), rtol=rtol)
        for o in (optimizer, readable):
            assert o.skipped_updates.numpy().tolist() == [1, 0]
        assert np.isfinite(b.numpy()).all()


def test_left_out_where_a_kernel_steps():
    w, optimizer = keras.Variable(np.ones(1 << 15, "float32")), tfadaopt.Momentum(jit_compile=True)
    for size in (1.0, 1e25, 1.0):
        optimizer.apply([tf.fill([1 << 15], size)], [w])
    assert optimizer.skipped_updates.numpy().tolist() == [1]
    assert np.isfinite(w.numpy()).all()


def test_left_out_of_the_rows_of_an_embedding():
    table, optimizer = (
        keras.Variable(np.ones((50, 2), "float32")),
        tfadaopt.Adagrad(jit_compile=True),
    )
    optimizer.build([table])

    @tf.function
    def step(size):
        optimizer.apply([tf.IndexedSlices(tf.fill([3, 2], size), [1, 1, 4], [50, 2])], [table])

    for size in (1.0, 1e25, 1.0):
        step(tf.constant(size))
    assert optimizer.skipped_updates.numpy().tolist() == [1]
    assert np.isfinite(table.numpy()).all()


def test_a_row_that_is_looked_up_often_counts_once():
    """Its sum has a squared norm of half the limit: four times, it would be left out."""
    table = keras.Variable(np.ones((50, 2), "float32"))
    optimizer = tfadaopt.Adagrad(jit_compile=True)
    optimizer.build([table])
    each = tf.constant(np.sqrt(fitting.most(tf.float32) / 2) / 4, "float32")

    @tf.function
    def step():
        optimizer.apply([tf.IndexedSlices(tf.fill([4, 2], each), [1] * 4, [50, 2])], [table])

    step()
    assert optimizer.skipped_updates.numpy().tolist() == [0]
    assert (table.numpy()[1] < 1).all()


@pytest.mark.parametrize("compiled", [False, True])
def test_counted_where_the_gradients_come_in_another_order(compiled):
    a, b, c = (keras.Variable([1.0, 1.0]) for _ in range(3))
    optimizer = tfadaopt.Adagrad(jit_compile=compiled)
    optimizer.build([a, b, c])
    optimizer.apply([tf.constant([np.nan, 1.0]), tf.constant([1.0, 1.0])], [c, a])
    assert optimizer.skipped_updates.numpy().tolist() == [0, 0, 1]


def test_counted_in_fit_and_kept_in_a_file(tmp_path):
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    x[2:4] = np.nan
    for how in ({}, {"jit_compile": True}, {"steps_per_execution": 2}):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(tfadaopt.Adam(), "mse", **how)
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
        assert model.optimizer.skipped_updates.numpy().tolist() == [1, 1]
        model.save(tmp_path / "m.keras")
        loaded = keras.models.load_model(tmp_path / "m.keras")
        assert loaded.optimizer.skipped_updates.numpy().tolist() == [1, 1]


def test_nobody_counts_where_nothing_is_left_out():
    optimizer, w = tfadaopt.Adagrad(nonfinite="ignore"), keras.Variable([1.0])
    optimizer.apply([tf.constant([np.inf])], [w])
    assert tfadaopt.accumulators(optimizer, w).keys() == {"accumulator"}


def test_float64_has_more_room():
    w, optimizer = keras.Variable([1.0], dtype="float64"), tfadaopt.Adagrad()
    optimizer.apply([tf.constant([1e100], "float64")], [w])
    assert optimizer.skipped_updates.numpy().tolist() == [0]
    assert fitting.most(tf.float64) > 1e300


@pytest.mark.parametrize("method", ["Shampoo", "SOAP"])
def test_rounding_is_no_direction(method):
    """Gradients of rank one: nothing moves far where no gradient ever came."""
    random = np.random.default_rng(0)
    u, v = random.normal(size=(12, 1)), random.normal(size=(1, 8))
    arguments = {"epsilon": 0.0} if method == "Shampoo" else {"weight_decay": None}
    w = keras.Variable(np.zeros((12, 8), "float32"))
    optimizer = getattr(tfadaopt, method)(1.0, **arguments)
    for _ in range(30):
        before = w.numpy().astype("float64")
        optimizer.apply([tf.constant(random.normal() * u @ v, "float32")], [w])
        moved = w.numpy() - before
        along = (u / np.linalg.norm(u)) @ (v / np.linalg.norm(v))
        across = moved - np.sum(moved * along) * along
        assert np.linalg.norm(across) <= 1.0, np.linalg.norm(across)


@pytest.mark.parametrize("method", ["ADOPT", "SOAP"])
def test_a_first_update_that_moves_nothing_does_not_decay(method):
    w = keras.Variable(np.ones((3, 2), "float32"))
    optimizer = getattr(tfadaopt, method)(0.1, weight_decay=0.5)
    optimizer.apply([tf.constant(GOOD)], [w])
    np.testing.assert_array_equal(w.numpy(), np.ones((3, 2)))
    optimizer.apply([tf.constant(GOOD)], [w])
    assert (w.numpy() != 1).all()
