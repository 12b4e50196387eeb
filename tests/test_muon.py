"""Muon: which variables are matrices, and what must hold of their steps."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor
from tfadaopt.optimizers.pieces.orthogonal import orthogonalized

from .logged import curves
from .support.models import fit, make_model

KINDS = [{}, {"normalize": "neurons"}, {"muon_weight": 0.5, "sgd_weight": 0.5}]


def step_of(g, **arguments):
    """What one update subtracts from a variable of this gradient, in float64."""
    w = keras.Variable(np.zeros(np.shape(g)), dtype="float64")
    tfadaopt.Muon(**{"learning_rate": 1.0, "momentum": 0.0, **arguments}).apply(
        [tf.constant(g)], [w]
    )
    return -w.numpy()


def matrix_of(*shape):
    return np.random.default_rng(0).normal(size=shape)


def rotation(n):
    return np.linalg.qr(np.random.default_rng(n).normal(size=(n, n)))[0]


def routed(model, **arguments):
    """Names of the layers whose kernels are matrices."""
    optimizer = tfadaopt.Muon(**arguments)
    optimizer.build(model.trainable_variables)
    return [route.path.split("/")[-2] for route in optimizer.routes() if route.matrix]


def network():
    layers = keras.layers
    conv = {"kernel_size": 3, "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, name="stem", **conv),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, depth_multiplier=4),
            layers.Conv2D(16, name="wide", **conv),
            layers.Conv2DTranspose(4, name="up", **conv),
            layers.Conv2D(3, name="narrow", **conv),
            layers.Flatten(),
            layers.Dense(8, name="hidden"),
            layers.Dense(8, name="outputs"),
        ]
    )


def test_kernels_go_where_the_rule_says():
    assert routed(network()) == ["wide", "up", "hidden"]


def test_patterns_override_the_rule():
    model = network()
    assert routed(model, only_adamw=["wide"]) == ["up", "hidden"]
    assert routed(model, only_muon=["stem", "outputs"]) == [
        "stem",
        "wide",
        "up",
        "hidden",
        "outputs",
    ]
    assert routed(model, only_muon=[""], only_adamw=["conv2d", "hidden"]) == [
        *("stem", "wide", "up", "narrow", "outputs")
    ]


def test_sequences_go_where_the_rule_says():
    """Attention has kernels of three axes, which are no convolution; tables of words are none."""
    inputs = keras.Input((6,))
    x = keras.layers.Embedding(16, 8)(inputs)
    x = keras.layers.MultiHeadAttention(2, 4)(x, x)
    x = keras.layers.Conv1D(8, 3)(keras.layers.Conv1D(8, 3)(x))
    model = keras.Model(inputs, keras.layers.Dense(8)(x))
    assert routed(model) == ["query", "key", "value", "attention_output", "conv1d"]


def test_routes_are_a_table_with_reasons():
    optimizer = tfadaopt.Muon(only_adamw=["wide"])
    with pytest.raises(ValueError, match=r"optimizer\.build"):
        optimizer.routes()
    optimizer.build(network().trainable_variables)
    text = repr(optimizer.routes())
    assert len(text.splitlines()) == 2 + len(list(optimizer.routes()))
    for reason in (
        *("the first convolution", "of rank 1", "depthwise", "'wide' asks for it"),
        *("a side below 4", "the last Dense"),
    ):
        assert f"AdamW       {reason}" in text
    assert "Muon        a matrix of 108 × 8" in text


@pytest.mark.parametrize("kind", KINDS[:1] + KINDS[2:])
@pytest.mark.parametrize("shape", [(6, 5), (5, 9)])
def test_a_rotated_gradient_rotates_the_step(shape, kind):
    g, p, q = matrix_of(*shape), rotation(shape[0]), rotation(shape[1])
    np.testing.assert_allclose(step_of(p @ g @ q, **kind), p @ step_of(g, **kind) @ q, atol=1e-10)


def test_the_size_of_the_gradient_does_not_matter():
    g = matrix_of(6, 5)
    for kind in KINDS[:2]:
        np.testing.assert_allclose(step_of(1e6 * g, **kind), step_of(1e3 * g, **kind), atol=1e-9)


def test_neurons_leave_the_norm():
    g = matrix_of(6, 5)
    norms = [np.linalg.norm(step_of(g, **kind)) for kind in KINDS[:2]]
    np.testing.assert_allclose(*norms, rtol=1e-10)
    columns = np.linalg.norm(step_of(g, **KINDS[1]), axis=0)
    np.testing.assert_allclose(columns, columns[0], rtol=1e-8)  # as v begins at 0


@pytest.mark.parametrize(
    ("shape", "scale", "s"),
    [
        ((5, 6), "original", np.sqrt(6 / 5)),
        ((6, 5), "original", 1.0),
        ((3, 2, 4, 6), "match_rms", 0.2 * np.sqrt(24)),
        ((6, 54), "match_rms", 0.2 * np.sqrt(54)),
        ((3, 2, 4, 6), "spectral", 0.5),
    ],
)
def test_singular_values_are_near_the_spectral_scale(shape, scale, s):
    values = np.linalg.svd(step_of(matrix_of(*shape), scale=scale).reshape(-1, shape[-1]))[1]
    assert (0.6 * s < values).all()
    assert (values < 1.25 * s).all()
    w, optimizer = keras.Variable(np.zeros(shape)), tfadaopt.Muon(0.5, scale=scale)
    optimizer.build([w])
    assert float(optimizer.spectral_scale(w)) == pytest.approx(0.5 * s, rel=1e-6)


def test_a_schedule_moves_both_parts():
    eta = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    w, b = keras.Variable(np.ones((4, 4))), keras.Variable(np.ones(4))
    optimizer = tfadaopt.Muon(eta, weight_decay=0.1)
    gradients = [tf.ones((4, 4)), tf.ones(4)]
    optimizer.apply(gradients, [w, b])
    moved = w.numpy(), b.numpy()
    assert all((x != 1).all() for x in moved)
    optimizer.apply(gradients, [w, b])
    for x, old in zip((w, b), moved, strict=True):
        np.testing.assert_array_equal(x.numpy(), old)


def test_decay_follows_the_rate_of_its_variable():
    w, b = keras.Variable(np.ones((4, 4))), keras.Variable(np.ones(4))
    optimizer = tfadaopt.Muon(0.5, adamw_ratio=0.25, weight_decay=0.5)
    optimizer.apply([tf.zeros((4, 4)), tf.zeros(4)], [w, b])
    np.testing.assert_allclose(w.numpy(), 1 - 0.5 * 0.5, rtol=1e-6)
    np.testing.assert_allclose(b.numpy(), 1 - 0.5 * 0.25 * 0.5, rtol=1e-6)


def products(*shapes) -> int:
    """Products of matrices in a step of variables of these shapes."""
    variables = [keras.Variable(np.zeros(s, "float32")) for s in shapes]
    optimizer = tfadaopt.Muon()
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(*g):
        optimizer.apply(list(g), variables)

    graph = step.get_concrete_function(*map(tf.zeros, shapes)).graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return sum("MatMul" in node.op for node in nodes)


def test_equal_shapes_are_one_batch():
    one = products((6, 5))
    assert one == 15  # five iterations of three
    assert products((6, 5), (6, 5), (3, 2, 5), (7,), (3, 4)) == one
    assert products((6, 5), (9, 4)) == one + products((9, 4))


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_few_rows_are_exact(steps):
    """Iterations of X Xᵀ are those of X, in float32 too, and for singular values far apart."""
    x = rotation(8) @ (10.0 ** -np.arange(8)[:, None] * rotation(40)[:8])
    expected = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(steps):
        a = expected @ expected.T
        expected = 3.4445 * expected + (-4.7750 * a + 2.0315 * a @ a) @ expected
    for dtype, atol in (("float64", 1e-11), ("float32", 2e-5)):
        wide, tall = orthogonalized([tf.constant(m, dtype) for m in (x, x.T)], steps)
        for found in (wide, tf.transpose(tall)):
            np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def test_the_log_has_the_spectral_scale(tmp_path):
    eta = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model = make_model(tfadaopt.Muon(eta))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, OptimizerMonitor(tmp_path, every=2, preset="light"))
    assert sum("no effective learning rate" in str(w.message) for w in caught) == 1
    logged = curves(tmp_path)
    for step, numbers in logged["spectral_scale", "value"].items():
        assert numbers == {"hidden/kernel": pytest.approx(0.5**step * np.sqrt(5 / 4), rel=1e-6)}
    for numbers in logged["effective_learning_rate", "p50"].values():
        assert set(numbers) == {"hidden/bias", "outputs/kernel", "outputs/bias"}
    assert list(logged["spectral_scale", "value"]) == [2, 4, 6]
