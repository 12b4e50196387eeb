"""The compiled step is the readable one, but for rounding, in every mode; it can be turned off."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt import compat
from tfadaopt.optimizers.adagrad import Adagrad
from tfadaopt.optimizers.base import Optimizer
from tfadaopt.optimizers.engine import compiled, kernels
from tfadaopt.optimizers.engine.step import kept, step

from .cases import CASES, FULLEST, METHODS, SHAPES, each_method, quick
from .steps import each_way, step_of
from .trajectories import problem_of

ULP = 2.0**-23  # two roundings of a float32
TINY = 2.0**-126  # below it, XLA rounds to 0
COMPILED = [case for case in CASES if METHODS[case.name].cls.unit is not None]


def used(optimizer) -> set[str]:
    """Names of the compiled functions that the optimizer has made."""
    return {key[0].__name__ for key in optimizer.engine.planned.functions}


def kind_of(optimizer, variable):
    return optimizer.engine.planned.kind(variable, optimizer.settings())


def sensitivity(optimizer, index, before, g, t, eta):
    """How far roundings of the numbers that enter a step take its results: state and θ.

    A rule that subtracts two numbers of one size, such as Adan's, makes a rounding of them a large
    part of their difference, in any order of the operations.
    """
    variable = compat.variables_of(optimizer)[index]
    planned, kind = optimizer.engine.planned, kind_of(optimizer, variable)
    random = np.random.default_rng(0)

    def stepped(roundings):
        def rounded(x):
            sign = random.choice([-1.0, 1.0], np.shape(x))
            return tf.constant(np.asarray(x, "float64") * (1 + roundings * sign * 2.0**-24))

        theta, *own = (rounded(x) for x in before)
        state = dict(zip(kind.slots, own, strict=True))
        state |= {name: rounded(x.numpy()) for name, x in optimizer.held.shared.items()}
        t64, eta64 = tf.cast(t, "float64"), tf.cast(eta, "float64")
        new, value = step(planned, kind, "skip", theta, state, rounded(g), t64, eta64)
        return [np.array(x) for x in (value, *(new[name] for name in kind.slots))]

    exact = stepped(0)
    farther = [[abs(a - b) for a, b in zip(stepped(16), exact, strict=True)] for _ in range(16)]
    return [np.max(x, axis=0) for x in zip(*farther, strict=True)]


@pytest.mark.quick_rows(3)
@pytest.mark.parametrize(
    ("case", "under_xla"),
    [
        # Packed, what is of one coordinate must not look at another: a promise of each method.
        *(
            quick(case, True)
            if case in SHAPES
            else pytest.param(case, True, id=f"{case}-True", marks=pytest.mark.audit)
            for case in COMPILED
            if case in FULLEST
        ),
        # Alone, a method may have a kernel, to which each setting has to be passed on.
        *(
            quick(case, False)
            for case in COMPILED
            if case in SHAPES or METHODS[case.name].cls.kernel is not None
        ),
    ],
)
def test_a_step_is_two_roundings_from_the_readable_form(case, under_xla, worst):
    """From equal weights and state, in each of 20 steps: θ and state to two roundings; where
    that is not so, to 16 of their change and to what 16 of each number that enters do to them."""
    starts, gradients = problem_of(case, 20)
    both = [case.make(jit_compile=compiled) for compiled in (False, True)]
    weights = [[keras.Variable(start) for start in starts] for _ in both]
    for optimizer, variables in zip(both, weights, strict=True):
        optimizer.build(variables)

    @tf.function(autograph=False, jit_compile=under_xla)
    def step(gradients):
        for optimizer, variables in zip(both, weights, strict=True):
            optimizer.apply(list(gradients), variables)

    def all_of(optimizer, i, variables):
        return [variables[i], *list(optimizer.held.of(variables[i]).values())]

    # Shared numbers are sums over all: tests/test_fast_shared.py holds them to their terms.
    farthest = 0.0
    for t, gs in enumerate(zip(*gradients, strict=True), start=1):
        copies = zip(*[[*w, *o.variables] for w, o in zip(weights, both, strict=True)], strict=True)
        for readable, other in copies:
            other.assign(readable)
        eta = tf.convert_to_tensor(both[0].learning_rate)
        own = [len(kind_of(both[0], v).slots) + 1 for v in weights[0]]
        before = [
            [x.numpy() for x in all_of(both[0], i, weights[0])][: own[i]]
            for i in range(len(starts))
        ]
        step([tf.constant(x) for x in gs])
        for i, g in enumerate(gs):
            pairs = list(
                zip(*[all_of(o, i, w) for o, w in zip(both, weights, strict=True)], strict=False)
            )[: own[i]]
            distances = [
                (np.abs(np.float64(c) - np.float64(r)), ULP * np.abs(np.float64(r)) + TINY)
                for r, c in ((x.numpy() for x in pair) for pair in pairs)
            ]
            if any(np.any(distance > allowed) for distance, allowed in distances):
                moved = sensitivity(both[0], i, before[i], g, t, eta)
                changes = [
                    np.abs(new.numpy() - x) for (new, _), x in zip(pairs, before[i], strict=False)
                ]
                distances = [
                    (d, a + m + 8 * ULP * c)
                    for (d, a), m, c in zip(distances, moved, changes, strict=True)
                ]
            farthest = max(farthest, *(np.max(d / a, initial=0.0) for d, a in distances))
    worst("compiled against readable step, share of the tolerance", case.name, farthest)
    assert farthest <= 1
    if under_xla:
        assert not used(both[1])
        return
    by_kernel = kernels.applies(both[1], kind_of(both[1], weights[1][1]), False)
    assert ("_step" in used(both[1])) != by_kernel


def table(optimizer, batches, **how):
    """An embedding of 50 rows and a bias after batches of (ids, gradients per id)."""
    random = np.random.default_rng(5)
    embeddings = keras.Variable(random.normal(size=(50, 3)).astype("float32"), name="embeddings")
    bias = keras.Variable([1.0, 2.0], name="bias")
    optimizer.build([embeddings, bias])

    @tf.function(autograph=False, **(how or {"reduce_retracing": True}))
    def step(ids, values):
        slices = tf.IndexedSlices(values, ids, tf.constant([50, 3]))
        optimizer.apply([slices, tf.constant([0.5, -0.5])], [embeddings, bias])

    for ids, values in batches:
        step(tf.constant(ids), tf.constant(values))
    return [np.array(v) for v in (embeddings, bias, *optimizer.variables)]


BATCHES = [
    (ids, np.random.default_rng(len(ids)).normal(size=(len(ids), 3)).astype("float32"))
    for ids in ([3, 7, 3, 3, 49], [0], [7, 7, 7, 0, 1, 2, 3], list(range(20)) * 2)
]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("SGD", {}),
        ("Adagrad", {}),
        ("Adagrad", {"epsilon": 0.0}),
        ("Adam", {"lazy_rows": ["embeddings"]}),
        pytest.param(
            *("AdamW", {"lazy_rows": ["embeddings"], "weight_decay": 0.1}), marks=pytest.mark.slow
        ),
        pytest.param("ScheduleFreeSGD", {"lazy_rows": ["embeddings"]}, marks=pytest.mark.slow),
    ],
)
def test_rows_of_an_embedding_step_as_the_whole_would(name, arguments):
    make = getattr(tfadaopt, name)
    readable, rows = (make(0.1, jit_compile=compiled, **arguments) for compiled in (False, True))
    expected, actual = table(readable, BATCHES), table(rows, BATCHES)
    assert "_rows_step" in used(rows)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=2e-6, atol=2e-6)
    # Rows that were never looked up are those of the start, to the bit.
    np.testing.assert_array_equal(actual[0][20:49], table(make(0.0), [])[0][20:49])


def test_rows_with_a_nan_gradient_stay():
    bad = [([3, 4], np.array([[1, 1, 1], [1, np.nan, 1]], "float32"))]
    optimizer = tfadaopt.Adagrad(0.1, jit_compile=True)
    np.testing.assert_array_equal(table(optimizer, bad)[0], table(tfadaopt.Adagrad(0.1), [])[0])
    assert "_rows_step" in used(optimizer)


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_rows_step_inside_a_compiled_step(name, monkeypatch):
    monkeypatch.setattr(compiled, "WORTHWHILE", 150)  # the size of the table
    readable, rows = (getattr(tfadaopt, name)(0.1, jit_compile=False) for _ in range(2))
    expected, actual = table(readable, BATCHES), table(rows, BATCHES, jit_compile=True)
    assert "_rows_step" in used(rows)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=2e-6, atol=2e-6)
    # 7 ids for 50 rows: the whole table steps.
    many = getattr(tfadaopt, name)(0.1)
    table(many, [(np.arange(7), np.ones((7, 3), "float32"))], jit_compile=True)
    assert "_rows_step" not in used(many)


def test_a_table_of_unknown_size_steps_inside_a_compiled_step():
    unknown = tf.Variable(np.ones((50, 3), "float32"), shape=[None, 3])
    optimizer = tfadaopt.SGD(0.1)
    optimizer.build([unknown])

    @tf.function(autograph=False, jit_compile=True)
    def step():
        rows = tf.IndexedSlices(tf.ones([3, 3]), tf.constant([1, 1, 5]), tf.constant([50, 3]))
        optimizer.apply([rows], [unknown])

    step()
    np.testing.assert_allclose(unknown.numpy()[:6, 0], [1, 0.8, 1, 1, 1, 0.9], rtol=1e-6)


def test_ids_outside_of_the_table_have_no_gradient():
    """Where a layer looks none up on a GPU, its gradient still has them."""
    rows = np.random.default_rng(3).normal(size=(5, 3)).astype("float32")
    rows[1:3] = np.nan
    all_of_them, inside = (tfadaopt.Adagrad(0.1, jit_compile=True) for _ in range(2))
    actual = table(all_of_them, [([3, -1, 50, 49, 3], rows)])
    expected = table(inside, [([3, 49, 3], rows[[0, 3, 4]])])
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_rows_of_bfloat16_step_as_the_whole(name):
    tables = [keras.Variable(np.ones((5, 2)), dtype="bfloat16", name="table") for _ in range(2)]
    for table, jit_compile in zip(tables, (True, False), strict=True):
        optimizer = getattr(tfadaopt, name)(0.5, jit_compile=jit_compile)
        slices = tf.IndexedSlices(tf.ones((2, 2), "bfloat16"), tf.constant([3, 3]), (5, 2))
        for _ in range(2):
            optimizer.apply([slices], [table])
        assert "_rows_step" not in used(optimizer)
    np.testing.assert_array_equal(*[np.float32(table) for table in tables])
    assert np.float32(tables[0])[3, 0] < 1 == np.float32(tables[0])[4, 0]


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    "arguments",
    [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}, {"weight_decay": 0.1}],
    ids=str,
)
def test_where_all_rows_matter_all_rows_step(arguments):
    both = [tfadaopt.Adagrad(0.1, jit_compile=compiled, **arguments) for compiled in (False, True)]
    expected, actual = (table(optimizer, BATCHES) for optimizer in both)
    assert "_rows_step" not in used(both[1])
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=2e-6, atol=2e-6)


def operations_of(optimizer, size=3) -> str:
    """All that one compiled step of one variable consists of."""
    variable = keras.Variable(np.ones(size, "float32"))
    optimizer.build([variable])

    @tf.function(autograph=False)
    def step(g):
        optimizer.apply([g], [variable])

    return str(step.get_concrete_function(tf.TensorSpec(variable.shape)).graph.as_graph_def())


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("SGD", "ResourceApplyGradientDescent"),
        ("Momentum", "ResourceApplyMomentum"),
        ("Nesterov", "ResourceApplyMomentum"),
    ],
)
def test_kernels_step_where_they_follow_the_rule(name, kernel):
    cls = getattr(tfadaopt, name)
    assert kernel in operations_of(cls(jit_compile=True))
    assert kernel not in operations_of(cls(jit_compile=True, weight_decay=0.1))
    assert kernel not in operations_of(cls(jit_compile=False))

    class Doubled(cls):
        def direction(self, state, g, t):
            return 2 * super().direction(state, g, t)

    assert kernel not in operations_of(Doubled(jit_compile=True))
    assert kernel not in operations_of(cls(jit_compile=True, lazy_rows=["variable"]), size=(3, 1))


@pytest.mark.parametrize("name", ["SGD", "Momentum", "Nesterov"])
def test_kernels_keep_float64(name):
    found = []
    for jit_compile in (True, False):
        variable = keras.Variable([1.0, -2.0], dtype="float64")
        optimizer = getattr(tfadaopt, name)(jit_compile=jit_compile)
        for g in ([0.3, 0.7], [-0.1, 0.9], [0.2, -0.4]):
            optimizer.apply([tf.constant(g, "float64")], [variable])
        found.append(variable.numpy())
    np.testing.assert_allclose(*found, rtol=1e-14)


@pytest.mark.parametrize("name", ["SGD", "Momentum", "Nesterov"])
def test_kernels_step_unchecked_where_nothing_is_left_out(name):
    assert " If" not in operations_of(getattr(tfadaopt, name)(nonfinite="ignore", jit_compile=True))
    found = []
    for jit_compile in (True, False):
        variable = keras.Variable([1.0, -2.0])
        optimizer = getattr(tfadaopt, name)(nonfinite="ignore", jit_compile=jit_compile)
        for g in ([0.3, 0.7], [np.inf, 0.9]):
            optimizer.apply([tf.constant(g)], [variable])
        found.append(variable.numpy())
    np.testing.assert_allclose(*found, rtol=1e-6)
    assert found[0][0] == -np.inf


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_kernels_step_no_half_precision(dtype):
    """They would round what the readable form keeps in float32."""
    variable, optimizer = keras.Variable([1.0, -2.0], dtype=dtype), tfadaopt.Momentum()
    optimizer.build([variable])
    applies = kernels.applies(optimizer.rule(), kind_of(optimizer, variable), False)
    assert applies == (dtype in ("float32", "float64"))


@each_method
def test_methods_say_whether_they_stay_without_gradient(case):
    """Rows may be left out exactly where this holds."""
    optimizer = case.make()
    variable = keras.Variable([[1.0, -2.0], [3.0, 0.5]])
    optimizer.build([variable])
    for g in ([[1.0, -1.0], [0.5, 2.0]], [[-1.0, 0.3], [0.5, 2.0]]):
        optimizer.apply([tf.constant(g)], [variable])
    state = [variable, *optimizer.held.of(variable).values()]
    before = [np.array(v) for v in state]
    optimizer.apply([tf.zeros((2, 2))], [variable])
    stayed = all(np.array_equal(a, b) for a, b in zip(state, before, strict=True))
    assert optimizer.still_without_gradient == stayed


def model_of(optimizer, policy="float32", **compiled):
    keras.utils.set_random_seed(3)
    layers = [
        keras.layers.Dense(150, activation="tanh", dtype=policy),
        keras.layers.Dense(1, dtype=policy),
    ]
    model = keras.Sequential([keras.Input((120,)), *layers])
    model.compile(optimizer, "mse", **compiled)
    x = np.random.default_rng(0).normal(size=(24, 120)).astype("float32")
    model.fit(x, x[:, :1], batch_size=4, shuffle=False, verbose=0)
    return [np.array(v) for v in model.trainable_variables]


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize(
    ("arguments", "compiled", "policy"),
    [
        ({}, {}, "float32"),
        ({}, {"run_eagerly": True}, "float32"),
        ({}, {"steps_per_execution": 3}, "float32"),
        ({}, {"jit_compile": True}, "float32"),
        ({"gradient_accumulation_steps": 2}, {}, "float32"),
        ({"clipnorm": 0.1}, {}, "float32"),
        ({"global_clipnorm": 0.1}, {}, "float32"),
        ({"weight_decay": 0.1, "exclude_from_weight_decay": ["bias"]}, {}, "float32"),
        ({"use_ema": True, "ema_momentum": 0.5}, {}, "float32"),
        ({"nonfinite": "ignore"}, {}, "float32"),
        ({}, {}, "mixed_float16"),
        ({}, {}, "bfloat16"),
        ({}, {}, "float64"),
    ],
    ids=str,
)
def test_fit_is_the_same(arguments, compiled, policy):
    both = [tfadaopt.Adam(0.01, jit_compile=on, **arguments) for on in (False, True)]
    expected, actual = (model_of(optimizer, policy, **compiled) for optimizer in both)
    assert bool(used(both[1])) == ("jit_compile" not in compiled)  # not under XLA as a whole
    assert not used(both[0])
    tolerance = {"bfloat16": 2**-6, "mixed_float16": 2e-3}.get(policy, 1e-5)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(
            a.astype("float64"), e.astype("float64"), rtol=tolerance, atol=tolerance
        )


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize(
    ("method", "arguments"),
    [("Adam", {}), ("Adagrad", {}), ("Adagrad", {"weight_decay": 0.1}), ("SGD", {})],
    ids=str,
)
@each_way
def test_a_nan_leaves_its_variable_alone_and_moves_the_others(way, method, arguments):
    variables = [keras.Variable([1.0, 2.0]) for _ in range(3)]
    bad, huge = tf.constant([np.nan, 1.0]), tf.constant([3e38, 1e30])
    optimizer = getattr(tfadaopt, method)(0.1, jit_compile=True, **arguments)
    optimizer.build(variables)
    before = tfadaopt.accumulators(optimizer, variables[1])
    step_of(optimizer, variables, way)(tf.constant([1.0, 1.0]), bad, huge)
    assert variables[0].numpy().tolist() != [1.0, 2.0]
    assert variables[1].numpy().tolist() == [1.0, 2.0]
    # Large, but finite: g² overflows, and a sum that it entered would be infinite for good.
    assert variables[2].numpy().tolist() == [1.0, 2.0]
    assert optimizer.skipped_updates.numpy().tolist() == [0, 1, 1]
    for name, x in tfadaopt.accumulators(optimizer, variables[1]).items():
        np.testing.assert_array_equal(x, 1 if name == "skipped_updates" else before[name])


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "as-on-gpu"])
def test_a_packed_variable_steps_with_a_count_of_its_own_number(gpu, monkeypatch):
    """Counts differ as soon as one variable was left out of a step."""
    monkeypatch.setattr(compat, "has_gpu", lambda: gpu)
    variables = [keras.Variable([1.0, 2.0]), keras.Variable(np.ones((3, 40), "float32"))]
    optimizer = tfadaopt.ADOPT(0.1)
    step = step_of(optimizer, variables, "xla")
    good, bad, large = tf.constant([1.0, -1.0]), tf.constant([np.nan, 1.0]), tf.ones((3, 40))
    step(bad, large)
    step(good, large)
    counts = [tfadaopt.accumulators(optimizer, v)["updates"] for v in variables]
    assert [int(n) for n in counts] == [1, 2]


def test_rows_step_beside_packed_variables(monkeypatch):
    """As on a GPU: small variables are one matrix, and rows of a table step by themselves."""

    def stepped(**jit_compile):
        sizes = ((2,), (3, 2), (5, 2))
        variables = [keras.Variable(np.ones(size, "float32")) for size in sizes]
        optimizer = tfadaopt.Adagrad(0.5, **jit_compile)
        optimizer.build(variables)

        @tf.function(autograph=False)
        def step():
            slices = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([3, 3]), (5, 2))
            optimizer.apply([tf.ones(2), tf.ones((3, 2)), slices], variables)

        step()
        return np.concatenate([v.numpy().ravel() for v in variables]), used(optimizer)

    expected, _ = stepped(jit_compile=False)
    monkeypatch.setattr(compat, "has_gpu", lambda: True)
    found, functions = stepped(jit_compile=True)
    assert functions == {"_rows_step"}
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert (found[8:] == 1).sum() == 8  # rows without a gradient


def test_what_is_kept_may_be_one_number_for_all():
    for taken, expected in ((True, [2.0, 2.0]), (False, [1.0, 3.0])):
        new, old = tf.constant(2.0), tf.constant([1.0, 3.0])
        assert kept(tf.constant(taken), new, old).numpy().tolist() == expected


def test_auto_compiles_what_is_large_and_in_a_graph():
    def compiles(size, run):
        optimizer, variable = tfadaopt.Adagrad(), keras.Variable(np.zeros(size, "float32"))
        optimizer.build([variable])
        run(lambda: optimizer.apply([tf.ones(size)], [variable]))()
        return bool(used(optimizer))

    assert compiles(compiled.WORTHWHILE, tf.function)
    assert not compiles(compiled.WORTHWHILE - 1, tf.function)
    assert not compiles(compiled.WORTHWHILE, lambda step: step)
    assert not compiles(compiled.WORTHWHILE, tf.function(jit_compile=True))


def test_rates_of_several_walkers_step_without_it():
    rates = tf.constant([[0.5], [2.0]])
    optimizer = tfadaopt.SGD(learning_rate=lambda: rates, jit_compile=True)
    points = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
    optimizer.build([points])
    tf.function(lambda: optimizer.apply([tf.ones((2, 2))], [points]))()
    assert points.numpy().tolist() == [[-0.5, -0.5], [-2.0, -2.0]]
    assert not used(optimizer)


def test_a_changed_setting_counts_when_the_step_is_traced_anew():
    optimizer = tfadaopt.Adagrad(1.0, epsilon=0.0, jit_compile=True)
    variable = keras.Variable([0.0, 0.0])
    optimizer.apply([tf.constant([1.0, 1.0])], [variable])
    optimizer.epsilon = 14.0
    optimizer.apply([tf.constant([1.0, 1.0])], [variable])
    assert variable.numpy().tolist() == [-1.25, -1.25]


def test_what_xla_cannot_compile_steps_without_it():
    class Odd(Adagrad):
        def advance(self, state, g, t):
            r = tf.numpy_function(lambda r, g: r + g * g, [state["accumulator"], g], g.dtype)
            return {"accumulator": tf.ensure_shape(r, g.shape)}

    optimizer, variable = Odd(1.0, epsilon=0.0, jit_compile=True), keras.Variable([0.0, 0.0])
    optimizer.build([variable])
    with pytest.warns(UserWarning, match=r"XLA cannot compile the update.*jit_compile=False"):
        optimizer.apply([tf.constant([4.0, 0.5])], [variable])
    assert variable.numpy().tolist() == [-1.0, -1.0]


def test_a_tensorflow_without_xla_steps_without_it(monkeypatch):
    class WithoutXla:
        def experimental_get_compiler_ir(self, *args):
            raise tf.errors.UnimplementedError(None, None, "XLA is not linked in")

    assert compiled.has_xla()
    compiled.has_xla.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(compiled.tf, "function", lambda *args, **kwargs: WithoutXla())
        assert not compiled.has_xla()
    optimizer, variable = (
        tfadaopt.Adagrad(1.0, epsilon=0.0, jit_compile=True),
        keras.Variable([0.0]),
    )
    try:
        optimizer.apply([tf.constant([4.0])], [variable])
    finally:
        compiled.has_xla.cache_clear()
    assert variable.numpy().tolist() == [-1.0]
    assert not used(optimizer)


def test_switch_is_saved_and_checked():
    assert "jit_compile" not in tfadaopt.SGD().get_config()
    config = tfadaopt.SGD(jit_compile=False).get_config()
    assert tfadaopt.SGD.from_config(config).jit_compile is False
    with pytest.raises(ValueError, match="SGD: jit_compile='fast' is not allowed; give True or"):
        tfadaopt.SGD(jit_compile="fast")


def test_a_method_that_says_nothing_is_not_compiled():
    assert Optimizer.unit is None
    silent = {case.name for case in FULLEST if case.make().unit is None}
    assert silent == {"Muon", "Shampoo", "SOAP"}


def test_two_devices_equal_one(two_devices):
    for name, found in two_devices.items():
        sums = ["_sums"] if name == "DoG" else []
        step = [] if name == "SGD" else ["_step"]  # it has a kernel
        assert found["used"] == sorted([*step, *sums]), name
        assert found["error"] <= 1e-6, name


def on_two_devices(strategy) -> dict:
    shapes = [(150, 120), (7,), (3, 4)]
    random = np.random.default_rng(0)
    steps = [[random.normal(size=s).astype("float32") for s in shapes] for _ in range(4)]
    found = {}
    for name in ("SGD", "Adagrad", "Adam", "DoG", "ScheduleFreeSGD"):

        def train(strategy, name=name, **arguments):
            with strategy.scope():
                variables = [keras.Variable(np.ones(s, "float32")) for s in shapes]
                optimizer = getattr(tfadaopt, name)(0.1, **arguments)
                optimizer.build(variables)

            @tf.function
            def step(g):
                def replica():
                    share = strategy.num_replicas_in_sync
                    optimizer.apply([x / share for x in g], variables)

                strategy.run(replica)

            for g in steps:
                step([tf.constant(x) for x in g])
            copies = [strategy.experimental_local_results(v.value)[-1].numpy() for v in variables]
            return copies, used(optimizer)

        expected, _ = train(tf.distribute.get_strategy(), jit_compile=False)
        actual, functions = train(strategy, jit_compile=True)
        errors = [float(np.max(np.abs(a - e))) for a, e in zip(actual, expected, strict=True)]
        found[name] = {"error": max(errors), "used": sorted(functions)}
    return found
