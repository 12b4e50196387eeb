"""What EffectiveLearningRate and AccumulatorMagnitude write, when, and what it costs training."""

import functools
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfadaopt
from tfadaopt import compat
from tfadaopt.callbacks import (
    AccumulatorMagnitude,
    EffectiveLearningRate,
    layers,
    measure,
    quantities,
    summaries,
)

from . import events
from .cases import BY_ID, each_shape_with_a_rate
from .support.models import make_model

PATHS = ["hidden/kernel", "hidden/bias", "outputs/kernel", "outputs/bias"]


@functools.cache
def data():
    """Five batches."""
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(20, n)).astype("float32") for n in (4, 1))
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


def halving():
    """Rates 0.1, 0.05, 0.025, …"""
    return keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)


@functools.cache
def trainable(case):
    model = make_model(case.make(learning_rate=halving()))
    model.optimizer.build(model.trainable_variables)
    return model, [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def untrained(case=BY_ID["adagrad"]):
    """One model per method, as if new: its train step is traced only once for all tests."""
    model, starts = trainable(case)
    for v, start in zip((*model.variables, *model.optimizer.variables), starts, strict=True):
        v.assign(start)
    return model


def fit(model, *callbacks, epochs=1):
    model.fit(data(), epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks))


def both(folder, every=1):
    return EffectiveLearningRate(folder, every), AccumulatorMagnitude(folder, every)


def beside():
    """What should be logged of an ``untrained`` model: η is the rate just applied."""
    return events.Beside(rate=lambda step: 0.1 * 0.5 ** (step - 1))


class Fail(keras.callbacks.Callback):
    """Another callback that ends a fit by an exception, in one of its hooks."""

    def __init__(self, hook, iteration=0):
        super().__init__()
        self.iteration = iteration
        setattr(self, hook, self.fail)

    def fail(self, *_, **__):
        if int(self.model.optimizer.iterations.numpy()) == self.iteration:
            raise RuntimeError("on purpose")


# Values and tags


@pytest.mark.quick_rows(1)
@each_shape_with_a_rate
def test_values_are_those_of_the_public_functions(case, tmp_path):
    """Under a schedule: η is the rate just applied, not the next one."""
    expected = beside()
    fit(untrained(case), *both(tmp_path, every=2), expected, epochs=2)
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [2, 4, 6, 8, 10]
    events.same_values(logged, expected)
    moments = [value for event in logged for tag, value in event.values.items() if "accu" in tag]
    assert np.isfinite(moments).all()
    assert case.name == "SGD" or np.max(moments) > 0


def test_tags_are_exactly_those_documented(tmp_path):
    fit(untrained(BY_ID["rmsprop-centered-momentum"]), *both(tmp_path, every=5))
    paths = PATHS
    six = ["mean", "min", "max", "p05", "p50", "p95"]
    expected = {"learning_rate"}
    expected |= {f"effective_learning_rate/{p}/{s}" for p in paths for s in six}
    expected |= {
        f"accumulator/{slot}/{p}/{s}"
        for slot in ("velocity", "average_gradient", "momentum")
        for p in paths
        for s in (*six, "norm")
    }
    assert events.tags(tmp_path) == expected


@pytest.mark.parametrize(
    ("kind", "family"),
    [(EffectiveLearningRate, "effective_learning_rate"), (AccumulatorMagnitude, "accumulator")],
)
def test_each_callback_alone_writes_its_own_tags(kind, family, tmp_path):
    expected = beside()
    fit(untrained(), kind(tmp_path, every=2), expected)
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [2, 4]
    events.same_values(logged, expected, families=[family])


def test_accumulators_of_sgd_are_only_the_rate(tmp_path):
    fit(untrained(BY_ID["sgd"]), AccumulatorMagnitude(tmp_path, every=5))
    assert events.read(tmp_path) == [(5, {"learning_rate": pytest.approx(0.1 * 0.5**4)})]


def test_tensorboard_reads_scalars(tmp_path):
    """TensorBoard's own reader takes them for scalars, over both epochs."""
    fit(untrained(BY_ID["sgd"]), *both(tmp_path, every=2), epochs=2)
    reader = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == events.tags(tmp_path)
    for tag in ("learning_rate", "effective_learning_rate/hidden/kernel/p50"):
        points = reader.Scalars(tag)
        assert [point.step for point in points] == [2, 4, 6, 8, 10]
        rates = [0.1 * 0.5 ** (step - 1) for step in (2, 4, 6, 8, 10)]
        np.testing.assert_allclose([point.value for point in points], rates, rtol=1e-5)


# Statistics of one tensor


def snapshot_of(optimizer, series):
    return measure.Snapshot(lambda: compat.micro_steps(optimizer).value, {}, series)


def summary(*tensors):
    """Statistics of tensors as a snapshot computes them, by statistic."""
    optimizer = tfadaopt.SGD()
    optimizer.build([keras.Variable([1.0])])
    constants = [tf.constant(x) for x in tensors]
    series = [
        measure.Series(str(i), None, lambda _, x=x: tf.identity(x), summaries.ALL)
        for i, x in enumerate(constants)
    ]
    return snapshot_of(optimizer, series).take().values(series)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_statistics_of_tensors_of_all_sizes(dtype):
    """Also several of one size and of mixed sizes: each statistic goes to its own tensor."""
    random = np.random.default_rng(0)
    shapes = [(), (1,), (3, 7), (2,), (21,), (7, 3), (5, 5, 5), (1000,), (21,), (1, 1)]
    tensors = [np.asarray(random.lognormal(size=s) - 1).astype(dtype) for s in shapes]
    values = summary(*tensors)
    expected = {}
    for i, x in enumerate(tensors):
        expected |= events.statistics(str(i), x, norm=True)
    assert values.keys() == expected.keys()
    for tag, value in expected.items():
        np.testing.assert_allclose(values[tag], value, rtol=1e-5, atol=1e-6, err_msg=tag)


def rank_errors(x, values, tag="0"):
    """How far the three quantiles lie from where they should, as shares of all elements."""
    ordered = np.sort(np.ravel(x))
    for name, q in (("p05", 0.05), ("p50", 0.50), ("p95", 0.95)):
        low = np.searchsorted(ordered, values[f"{tag}/{name}"], "left") / ordered.size
        high = np.searchsorted(ordered, values[f"{tag}/{name}"], "right") / ordered.size
        yield max(0.0, low - q, q - high)


def structured():
    """Large tensors whose values depend on where they are in the tensor."""
    random = np.random.default_rng(0)
    by_row, by_column = np.mgrid[:512, :512].astype("float32")
    yield "random", random.lognormal(size=(512, 512), sigma=2).astype("float32")
    yield "rows", by_row
    yield "columns", by_column
    yield "embedding", np.repeat(random.exponential(size=10_007), 3).astype("float32")
    yield "convolution", random.permutation(64).astype("float32") * np.ones((3, 3, 64, 64), "f4")
    yield "just-beyond", random.normal(size=summaries.SAMPLE + 1).astype("float32")
    yield "sorted", np.arange(100_000, dtype="float32")


@pytest.mark.parametrize("x", [pytest.param(x, id=name) for name, x in structured()])
def test_large_tensors(x):
    """Quantiles are within a few per cent of rank; the rest is exact."""
    assert x.size > summaries.SAMPLE
    values = summary(x)
    for tag, value in events.statistics("0", x, norm=True).items():
        if tag.split("/")[1] in ("mean", "min", "max", "norm"):
            np.testing.assert_allclose(values[tag], value, rtol=1e-5, atol=1e-4, err_msg=tag)
    assert max(rank_errors(x, values)) < 0.04


def test_quantiles_are_exact_up_to_the_size_of_the_sample():
    x = np.random.default_rng(0).lognormal(size=summaries.SAMPLE).astype("float32")
    values = summary(x)
    for tag, value in events.statistics("0", x, norm=True).items():
        np.testing.assert_allclose(values[tag], value, rtol=1e-5, err_msg=tag)


def test_sample_visits_all_channels_of_a_kernel():
    """Each output channel as often as any other; hardly any input is left out."""
    inputs, channels = np.mgrid[:512, :512]
    seen = np.bincount(summaries.sample(tf.constant(np.ravel(channels))).numpy(), minlength=512)
    assert seen.sum() == summaries.SAMPLE
    assert seen.min() == seen.max() == summaries.SAMPLE / 512
    seen = np.bincount(summaries.sample(tf.constant(np.ravel(inputs))).numpy(), minlength=512)
    assert np.mean(seen == 0) < 0.05
    assert seen.max() <= 2 * summaries.SAMPLE / 512


@pytest.mark.parametrize("size", [1e-24, 1e24])
def test_norm_neither_vanishes_nor_overflows(size):
    """A layer that hardly learns, or blows up, has a small or large norm; not 0, not infinity."""
    x = np.array([3.0, 4.0], "float32") * np.float32(size)
    np.testing.assert_allclose(summary(x)["0/norm"], 5 * size, rtol=1e-5)


def test_step_count_is_exact_where_float32_is_not():
    optimizer = tfadaopt.SGD()
    optimizer.build([keras.Variable([1.0])])
    for step in (2**20 - 1, 2**20, 2**24 + 1, 2**31 - 1):
        compat.micro_steps(optimizer).assign(step)
        assert snapshot_of(optimizer, []).take().steps == step


# Steps


def test_steps_are_the_multiples_of_every(tmp_path):
    everys = [1, 3, np.int64(4), 10, 11]
    fit(untrained(), *(EffectiveLearningRate(tmp_path / str(n), n) for n in everys), epochs=2)
    for n in everys:
        assert events.steps(tmp_path / str(n)) == [s for s in range(1, 11) if s % n == 0]


def test_every_is_10_by_default(tmp_path):
    fit(untrained(), EffectiveLearningRate(tmp_path), AccumulatorMagnitude(tmp_path), epochs=5)
    assert events.steps(tmp_path) == [10, 20]


def test_events_are_there_after_each_epoch(tmp_path):
    """TensorBoard shows a training that goes on."""
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(events.steps(tmp_path))
    )
    fit(untrained(), *both(tmp_path, every=2), look, epochs=2)
    assert seen == [[2, 4], [2, 4, 6, 8, 10]]


# One folder, several callbacks


def test_callbacks_of_one_folder_share_file_and_events(tmp_path):
    """Each keeps its own steps; at common ones there is one event with both."""
    expected = beside()
    fit(
        untrained(),
        EffectiveLearningRate(tmp_path, every=2),
        expected,
        AccumulatorMagnitude(tmp_path, every=3),
        epochs=2,
    )
    assert len(events.files(tmp_path)) == 1
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [2, 3, 4, 6, 8, 9, 10]
    for event in logged:
        families = [
            family
            for family, every in (("effective", 2), ("accumulator", 3))
            if event.step % every == 0
        ]
        events.same_values([event], expected, families)


def test_two_of_a_kind_in_one_folder(tmp_path):
    expected = beside()
    first, second = EffectiveLearningRate(tmp_path, 2), EffectiveLearningRate(tmp_path, 5)
    fit(untrained(), first, second, expected, epochs=2)
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [2, 4, 5, 6, 8, 10]
    events.same_values(logged, expected, ["effective"])


def test_a_folder_by_several_names_is_one(tmp_path, monkeypatch):
    (tmp_path / "logs").mkdir()
    (tmp_path / "link").symlink_to("logs")
    monkeypatch.chdir(tmp_path)
    names = ["logs", f"{tmp_path}/logs/", tmp_path / "logs", "./logs/../logs", "link"]
    fit(untrained(), *(EffectiveLearningRate(name, 2) for name in names))
    assert len(events.files(tmp_path / "logs")) == 1
    assert events.steps("logs") == [2, 4]


def test_two_folders_are_written_each(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second" / "deep"
    expected = beside()
    callbacks = EffectiveLearningRate(first, 2), AccumulatorMagnitude(os.fspath(second), 2)
    fit(untrained(), *callbacks, expected)
    for folder, family in ((first, "effective"), (second, "accumulator")):
        logged = events.read(folder)
        assert [event.step for event in logged] == [2, 4]
        events.same_values(logged, expected, [family])


# More than one fit


@pytest.mark.parametrize(
    "callbacks",
    [
        "same",
        "new",
        pytest.param("new-beside-the-old", marks=pytest.mark.slow),
        pytest.param("one-left-out", marks=pytest.mark.slow),
    ],
)
def test_later_fits_go_on(callbacks, tmp_path):
    """No step twice, none lost, although 3 does not divide the 5 batches of a fit."""
    model, expected = untrained(), beside()
    pair = both(tmp_path, every=3)
    kept = []
    for _ in range(3):
        fit(model, *pair, expected)
        if callbacks == "new-beside-the-old":
            kept.append(pair)
        if callbacks.startswith("new"):
            pair = None
            pair = both(tmp_path, every=3)
        if callbacks == "one-left-out":
            pair = pair[:1]
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [3, 6, 9, 12, 15]
    if callbacks == "one-left-out":
        events.same_values(logged[:1], expected)
        events.same_values(logged[1:], expected, ["effective"])
    else:
        events.same_values(logged, expected)


def test_steps_between_fits_count(tmp_path):
    model, pair = untrained(), both(tmp_path, every=4)
    fit(model, *pair)
    for _ in range(6):
        model.train_on_batch(np.ones([4, 4]), np.ones([4, 1]))
    fit(model, *pair)
    assert events.steps(tmp_path) == [4, 12, 16]


def test_resume_from_a_file_goes_on(tmp_path):
    model, expected = untrained(), beside()
    fit(model, *both(tmp_path / "logs", every=3), expected)
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    model.compile(model.optimizer, "mse", run_eagerly=True)
    fit(model, *both(tmp_path / "logs", every=3), expected)
    logged = events.read(tmp_path / "logs")
    assert [event.step for event in logged] == [3, 6, 9]
    events.same_values(logged, expected)


def test_same_callbacks_with_another_model(tmp_path):
    """Its variables are logged, in its state: not those of the model before."""
    pair = both(tmp_path, every=5)
    fit(untrained(), *pair)
    inputs = keras.Input((4,))
    other = keras.Model(inputs, keras.layers.Dense(1, name="other")(inputs))
    other.compile(tfadaopt.Momentum(0.01), "mse", run_eagerly=True)
    for _ in range(7):
        other.train_on_batch(np.ones([4, 4]), np.ones([4, 1]))
    expected = events.Beside()
    fit(other, *pair, expected)
    first, second = events.read(tmp_path)
    assert first.step == 5
    assert second.step == 10
    events.same_values([second], expected)


@pytest.mark.parametrize(
    ("position", "callbacks"),
    [
        ("before", "same"),
        ("after", "new"),
        pytest.param("before", "new", marks=pytest.mark.slow),
        pytest.param("after", "same", marks=pytest.mark.slow),
    ],
)
def test_fit_after_one_that_was_aborted(position, callbacks, tmp_path):
    model, expected = untrained(), beside()
    pair = both(tmp_path, every=2)
    fail = Fail("on_train_batch_end", iteration=3)
    ordered = (expected, fail, *pair) if position == "before" else (*pair, expected, fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(model, *ordered)
    if callbacks == "new":
        pair = both(tmp_path, every=2)
    fit(model, *pair, expected)
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [2, 4, 6, 8]
    events.same_values(logged, expected)


@pytest.mark.parametrize(
    ("hook", "position"),
    [
        ("on_epoch_begin", "after"),
        pytest.param("on_epoch_begin", "before", marks=pytest.mark.slow),
        ("on_train_begin", "after"),
        pytest.param("on_train_batch_end", "after", marks=pytest.mark.slow),
    ],
)
def test_callback_of_an_aborted_fit_has_no_say_in_the_next(hook, position, tmp_path):
    """What was asked for in the fit that failed is not logged in a fit that does not ask."""
    model = untrained()
    left = EffectiveLearningRate(tmp_path, every=2)
    fail = Fail(hook, iteration=int(hook == "on_train_batch_end"))
    callbacks = (fail, left) if position == "before" else (left, fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(model, *callbacks)
    expected = beside()
    fit(model, AccumulatorMagnitude(tmp_path, every=3), expected)
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == ([3, 6] if hook == "on_train_batch_end" else [3])
    events.same_values(logged, expected, ["accumulator"])


def test_callback_of_a_fit_without_epochs_has_no_say_in_the_next(tmp_path):
    model = untrained()
    left = EffectiveLearningRate(tmp_path, every=2)
    fit(model, left, epochs=0)
    expected = beside()
    fit(model, AccumulatorMagnitude(tmp_path, every=3), expected)
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [3]
    events.same_values(logged, expected, ["accumulator"])


# What it costs


@each_shape_with_a_rate
def test_training_is_bit_identical(case, tmp_path):
    """Weights and state, over two fits, with a snapshot after every step."""
    found = []
    for logs in (False, True):
        model = untrained(case)
        callbacks = both(tmp_path) if logs else ()
        start = [v.numpy() for v in model.variables]
        fit(model, *callbacks, epochs=2)
        fit(model, *callbacks)
        found.append([v.numpy() for v in (*model.variables, *model.optimizer.variables)])
    assert events.steps(tmp_path) == list(range(1, 16))
    assert not np.array_equal(found[0][0], start[0])
    assert len(found[0]) == len(found[1])
    for without, with_logs in zip(*found, strict=True):
        np.testing.assert_array_equal(without, with_logs)


class Inspected(keras.Model):
    """Notes the operations of its train step whenever it is traced."""

    def train_step(self, data):
        logs = super().train_step(data)
        graph = tf.compat.v1.get_default_graph()
        self.traces = [*getattr(self, "traces", ()), [op.type for op in graph.get_operations()]]
        return logs


def test_nothing_is_placed_in_the_train_step(tmp_path):
    """The graph of the step has the same operations, and is traced as often, as without."""
    traces = []
    for callbacks in ((), both(tmp_path)):
        model = make_model(tfadaopt.RMSprop(0.01), kind=Inspected)
        fit(model, *callbacks, epochs=2)
        fit(model, *callbacks)
        traces.append(model.traces)
    assert len(traces[0][0]) > 50
    assert traces[0] == traces[1]


def test_one_call_and_one_copy_per_snapshot(tmp_path, monkeypatch):
    """Between snapshots the callbacks do not ask the device for anything."""
    counts = {"calls": 0, "copies": 0, "counters": 0}

    def counted(owner, name, key):
        original = getattr(owner, name)

        def count(*args, **kwargs):
            counts[key] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, count)

    counted(measure.Snapshot, "take", "calls")
    counted(compat, "micro_steps", "counters")
    counted(type(tf.constant(0.0)), "numpy", "copies")

    begins, ends = [], []

    def note(to):
        return keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: to.append(dict(counts))
        )

    fit(untrained(), note(begins), *both(tmp_path, every=4), note(ends), epochs=2)
    changes = [
        {key: after[key] - before[key] for key in counts}
        for before, after in zip(begins, ends, strict=True)
    ]
    taken = {"calls": 1, "copies": 1, "counters": 0}
    nothing = dict.fromkeys(counts, 0)
    assert changes == [taken if step in (4, 8) else nothing for step in range(1, 11)]


def test_snapshots_are_traced_once(tmp_path, monkeypatch):
    """Not again in each epoch or fit; a change of what is trained is a reason to trace again."""
    made = []
    original = measure.Snapshot.__init__

    def noted(self, steps, rates, series, kept=None):
        made.append([s.layer for s in series])
        original(self, steps, rates, series, kept)

    monkeypatch.setattr(measure.Snapshot, "__init__", noted)
    model = make_model(tfadaopt.Adagrad(), run_eagerly=True)
    pair = both(tmp_path, every=2)
    fit(model, *pair, epochs=3)
    fit(model, *pair)
    assert len(made) == 1
    model.get_layer("hidden").trainable = False
    model.compile(model.optimizer, "mse", run_eagerly=True)
    fit(model, *pair)
    assert len(made) == 2
    assert not any("hidden" in layer for layer in made[1])


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("name", ["shampoo", "soap"])
def test_method_without_rates(name, tmp_path):
    """Its accumulators are logged; asking for a rate is refused before training starts."""
    fit(untrained(BY_ID[name]), AccumulatorMagnitude(tmp_path, every=5))
    tags = {tag for event in events.read(tmp_path) for tag in event.values}
    assert "accumulator/statistics_1/hidden/kernel/norm" in tags
    model = untrained(BY_ID[name])
    before = model.get_weights()
    with pytest.raises(tfadaopt.UnsupportedOptimizerError, match="a matrix acts on the gradient"):
        fit(model, EffectiveLearningRate(tmp_path / "rates"))
    for now, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, old)


def test_numbers_are_logged_once():
    """Prodigy's d is one for all, LARS' ratio one per variable: no statistics of either."""
    for name, tags in (
        ("prodigy", {"accumulator/distance/mean"}),
        ("lars", {f"accumulator/trust_ratio/{path}/mean" for path in PATHS}),
    ):
        model = untrained(BY_ID[name])
        model.optimizer.build(model.trainable_variables)
        found = layers.layers_of(model.optimizer, model.trainable_variables, PATHS)
        series = quantities.Accumulators()(layers.View(tuple(found)))
        slot = next(iter(tags)).split("/")[1]
        found = {s.tag(x) for s in series for x in s.statistics if f"r/{slot}" in s.quantity}
        assert found == tags
