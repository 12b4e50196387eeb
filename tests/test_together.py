"""Matrix methods step all variables at once: the same as one by one, and without decompositions
between two refreshments."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.optimizers.pieces import matrices

# Twice the same sides, in both orders; vectors, a scalar, a kernel, nothing, a long side.
SHAPES = [(6, 5), (5, 6), (6, 5), (7,), (), (2, 3, 5), (0, 3), (9, 2)]
SETTINGS = [
    ("Shampoo", {"refresh_every": 3, "max_dimension": 8, "weight_decay": 0.1}),
    ("SOAP", {"refresh_every": 2, "max_dimension": 8}),
    ("Muon", {"normalize": "neurons", "weight_decay": 0.1}),
    ("Muon", {"sgd_weight": 0.5, "weight_decay": 0.1}),
]
DECOMPOSITIONS = {"SelfAdjointEigV2", "Qr"}


def gradients(steps: int) -> list[list[np.ndarray]]:
    random = np.random.default_rng(0)
    return [[random.normal(size=s).astype("float32") for s in SHAPES] for _ in range(steps)]


def trained(optimizer, steps, mode: str) -> list[np.ndarray]:
    """Weights and state after these gradients."""
    random = np.random.default_rng(1)
    variables = [keras.Variable(random.normal(size=s).astype("float32")) for s in SHAPES]
    optimizer.build(variables)

    def step(g):
        optimizer.apply(list(g), variables)

    if mode != "eager":
        step = tf.function(step, autograph=False, jit_compile=mode == "jit")
    for g in steps:
        step([tf.constant(x) for x in g])
    return [np.asarray(v.numpy()) for v in (*variables, *optimizer.variables)]


@pytest.mark.parametrize(
    ("name", "arguments", "mode"),
    [
        ("Shampoo", {}, "graph"),
        *(
            pytest.param(*setting, mode, marks=pytest.mark.slow)
            for setting in SETTINGS
            for mode in ("eager", "jit")
        ),
        pytest.param(*SETTINGS[1], "graph", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_together_is_one_by_one(name, arguments, mode):
    """Also where a NaN keeps a variable back, so that others are due at other steps."""
    steps = gradients(7)
    steps[0][1][0, 0] = steps[3][3][0] = np.nan
    make = getattr(tfadaopt, name)
    alone, together = (
        trained(make(0.1, jit_compile=on, **arguments), steps, mode) for on in (False, True)
    )
    for a, b in zip(alone, together, strict=True):
        size = np.max(np.abs(a), initial=1e-30)
        # XLA takes the eigenvalues of a stack in another order of rotations.
        np.testing.assert_allclose(b, a, rtol=0, atol=(1e-4 if mode == "jit" else 1e-6) * size)


@pytest.mark.parametrize("name", ["Shampoo", "Muon"])
def test_rows_are_lazy_together_as_they_are_alone(name):
    def stepped(jit_compile):
        table = keras.Variable(np.ones((4, 3), "float32"), name="table")
        keywords = {"jit_compile": jit_compile, "lazy_rows": ["table"], "weight_decay": 0.1}
        optimizer = getattr(tfadaopt, name)(0.1, **keywords)
        optimizer.build([table])
        step = tf.function(lambda g: optimizer.apply([g], [table]), autograph=False)
        step(tf.constant([[1.0, 2.0, 3.0], [0.0] * 3, [-1.0, 1.0, 0.0], [0.0] * 3]))
        return table.numpy()

    found = stepped(True)
    np.testing.assert_allclose(found, stepped(False), rtol=1e-5)
    assert (found[[1, 3]] == 1).all()
    assert (found[[0, 2]] != 1).any(axis=1).all()


def test_a_subclass_with_a_step_of_its_own_has_that_step():
    class Still(tfadaopt.Shampoo):
        def decay_and_update(self, theta, state, g, t, eta, decay):
            new, delta = super().decay_and_update(theta, state, g, t, eta, decay)
            return new, tf.zeros_like(delta)

    variable = keras.Variable([1.0, 2.0])
    Still(0.1).apply([tf.constant([1.0, 1.0])], [variable])
    assert variable.numpy().tolist() == [1.0, 2.0]


@pytest.mark.slow
def test_a_nan_keeps_its_variable_and_moves_the_others():
    steps = gradients(2)
    steps[1][0][0, 0] = np.nan
    first = trained(tfadaopt.Shampoo(0.1), steps[:1], "graph")
    second = trained(tfadaopt.Shampoo(0.1), steps, "graph")
    np.testing.assert_array_equal(second[0], first[0])
    assert (second[1] != first[1]).all()


@pytest.mark.parametrize("most", [1, 60, 1 << 24])
def test_stacks_return_results_in_order(most, monkeypatch):
    monkeypatch.setattr(matrices, "STACK", most)
    random = np.random.default_rng(0)
    tensors = [tf.constant(random.normal(size=(n, n))) for n in (3, 5, 3, 2, 3)]
    others = [1.0, 2.0, 3.0, 4.0, 5.0]
    calls = []

    def function(stack, numbers):
        calls.append(stack.shape[0])
        return stack * tf.cast(numbers, stack.dtype)[:, None, None], numbers

    done = matrices.in_stacks(function, tensors, others)
    for (product, number), x, other in zip(done, tensors, others, strict=True):
        np.testing.assert_allclose(product, x.numpy() * other)
        assert float(number) == other
    assert sorted(calls) == {1: [1] * 5, 60: [1, 1, 3], 1 << 24: [1, 1, 3]}[most]


def branches(graph) -> list:
    """Operations that branch, anywhere in a graph."""
    found = [node for node in graph.as_graph_def().node if node.op in ("If", "StatelessIf")]
    for function in graph.as_graph_def().library.function:
        found += [node for node in function.node_def if node.op in ("If", "StatelessIf")]
    return found


@pytest.mark.parametrize(
    ("name", "conditions"),
    # A branch for what is not finite; and for roots, or for the first bases and for later ones.
    [("Shampoo", 2), ("SOAP", 3)],
)
def test_nothing_is_decomposed_outside_one_branch_for_all(name, conditions):
    optimizer = getattr(tfadaopt, name)(0.1, refresh_every=10)
    variables = [keras.Variable(np.zeros(s, "float32")) for s in SHAPES]
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(*g):
        optimizer.apply(list(g), variables)

    graph = step.get_concrete_function(*map(tf.constant, gradients(1)[0])).graph
    assert not DECOMPOSITIONS & {node.op for node in graph.as_graph_def().node}
    assert len(branches(graph)) == conditions
    inside = [n.op for f in graph.as_graph_def().library.function for n in f.node_def]
    sides = {n for shape in SHAPES if 0 not in shape for n in matrices.sides(shape)}
    decompositions = [op for op in inside if op in DECOMPOSITIONS]
    assert 0 < len(decompositions) <= len(sides) * (2 if name == "SOAP" else 1)


def test_steps_between_refreshments_do_not_decompose(monkeypatch):
    counted = []
    for name in ("eigh", "qr"):
        right = getattr(tf.linalg, name)
        monkeypatch.setattr(tf.linalg, name, lambda x, r=right, n=name: counted.append(n) or r(x))
    per_step = []
    for optimizer in (tfadaopt.Shampoo(0.1, refresh_every=3), tfadaopt.SOAP(0.1, refresh_every=3)):
        variables = [keras.Variable(np.ones(s, "float32")) for s in SHAPES]
        counts = []
        for g in gradients(5):
            counted.clear()
            optimizer.apply([tf.constant(x) for x in g], variables)
            counts.append((counted.count("eigh"), counted.count("qr")))
        per_step.append(counts)
    # Full matrices have the sides 6, 5, 7, 1, 9, 2; SOAP rotates no vectors.
    assert per_step[0] == [(6, 0), (0, 0), (0, 0), (6, 0), (0, 0)]
    assert per_step[1] == [(4, 0), (0, 0), (0, 0), (0, 4), (0, 0)]
