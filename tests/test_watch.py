"""Callbacks where they were not expected: GANs, strategies, loops of one's own, copies, faults."""

import copy
import os
import pickle
import re
import subprocess
import sys
import warnings
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import (
    AccumulatorMagnitude,
    EffectiveLearningRate,
    OptimizerMonitor,
    StallWarning,
    UpdateRatio,
    watched,
    where,
)
from tfadaopt.callbacks.history import read

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X[:, :1]
LOGGING = (OptimizerMonitor, EffectiveLearningRate, AccumulatorMagnitude, UpdateRatio, StallWarning)
each_callback = pytest.mark.parametrize("callback", LOGGING)


def make_model(optimizer="adam", **compile_arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="out")], name="net")
    model.compile(optimizer, "mse", **compile_arguments)
    return model


def fit(model, *callbacks, epochs=1):
    model.fit(
        X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    )
    return [v.numpy() for v in model.weights]


class Pair(keras.Model):
    """As a GAN of Keras' examples: two optimizers of its own, and one that compile() made."""

    def __init__(self):
        super().__init__()
        self.a, self.b = keras.layers.Dense(4, name="a"), keras.layers.Dense(1, name="b")

    def build(self, shape):
        self.a.build(shape)
        self.b.build((None, 4))
        self.built = True

    def call(self, x):
        return self.b(self.a(x))

    def compile(self, first, second):
        super().compile(loss="mse")
        self.first, self.second = first, second

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        a, b = self.a.trainable_variables, self.b.trainable_variables
        of_a, of_b = tape.gradient(loss, [a, b])
        self.first.apply(of_a, a)
        self.second.apply(of_b, b)
        return {"loss": loss}


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("given", [False, True])
def test_two_optimizers_of_a_model_are_found_or_named(given, tmp_path):
    model = Pair()
    model.build((None, 3))
    model.compile(tfadaopt.Adam(), tfadaopt.Adagrad())
    optimizer = {"generator": model.first, "discriminator": model.second} if given else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, OptimizerMonitor(tmp_path, every=2, optimizer=optimizer))
    # With a loss, compile() reads as if the optimizer that it made took the steps.
    said = [str(w.message) for w in caught if "no step" in str(w.message)]
    assert len(said) == len(caught) == (not given)
    assert given or re.search(r"'rm_?sprop\w*', has taken no step.*first, second", said[0])
    table = read(tmp_path)["."].quantities["effective_learning_rate", "p50"]
    assert table.steps.tolist() == [2, 4, 6, 8, 10]
    assert [path.split("/")[-2:] for path in table.layers] == [
        ["a", "kernel"],
        ["a", "bias"],
        ["b", "kernel"],
        ["b", "bias"],
    ]
    for layer, leaf in ((0, model.first), (2, model.second)):
        v = model.trainable_variables[layer]
        rate = np.median(tfadaopt.effective_learning_rate(leaf, v).numpy())
        np.testing.assert_allclose(table.values[-1, layer], rate, rtol=1e-5)


def test_without_a_loss_nobody_expects_the_optimizer_of_compile(recwarn):
    model = Pair()
    model.build((None, 3))
    keras.Model.compile(model)
    model.first, model.second = tfadaopt.Adam(), tfadaopt.Adagrad()
    found = watched.optimizer_of("OptimizerMonitor", model, None)
    assert found.by_name == {"first": model.first, "second": model.second}
    assert not recwarn


@pytest.mark.quick_rows(1)
@each_callback
def test_optimizer_that_takes_no_step_is_said(callback, tmp_path):
    with pytest.warns(UserWarning, match=r"took no step.*optimizer="):
        fit(make_model("adam"), callback(tmp_path, optimizer=tfadaopt.Adam()))


def test_optimizer_that_is_none_is_refused():
    for wrong in ("adam", {}, {"a": 1}, 3):
        with pytest.raises(TypeError, match="optimizer"):
            StallWarning(optimizer=wrong)


@pytest.mark.parametrize("way", ["train_on_batch", "tape"])
def test_loop_of_ones_own(way, tmp_path):
    model = make_model(tfadaopt.Adagrad(0.1))
    optimizer, variables = model.optimizer, model.trainable_variables

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    step = model.train_on_batch if way == "train_on_batch" else step
    monitor, stalls = OptimizerMonitor(tmp_path, every=5), StallWarning(every=5)
    with (
        monitor.watch(optimizer, variables) as watch,
        stalls.watch(optimizer, variables) as other,
    ):
        for _ in range(20):
            loss = step(X[:4], Y[:4])
            watch.step(loss)
            other.step(loss)
    history = read(tmp_path)["."]
    assert history.steps.tolist() == [5, 10, 15, 20]
    rate = history.quantities["effective_learning_rate", "mean"].values[-1, 0]
    right = np.mean(tfadaopt.effective_learning_rate(optimizer, variables[0]))
    np.testing.assert_allclose(rate, right, rtol=1e-5)
    assert stalls.marks == []


def test_a_loop_that_says_only_when_batches_end_is_logged(tmp_path):
    """What is compared with before a step is unknown; the rest is logged."""
    model, monitor = make_model(tfadaopt.Adagrad(0.5)), OptimizerMonitor(tmp_path, every=2)
    monitor.set_model(model)
    monitor.on_train_begin()
    for batch in range(4):
        model.train_on_batch(X[:4], Y[:4])
        monitor.on_train_batch_end(batch)
    monitor.on_train_end()
    history = read(tmp_path)["."]
    assert history.steps.tolist() == [2, 4]
    assert history.scalars["learning_rate"][1].tolist() == [0.5, 0.5]
    assert ("effective_learning_rate", "p50") in history.quantities
    assert ("update_ratio", "value") not in history.quantities


class Doubles(keras.callbacks.Callback):
    """Sets the next step's rate after each batch."""

    used = ()

    def on_train_batch_begin(self, batch, logs=None):
        self.used = (*self.used, float(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch, logs=None):
        self.model.optimizer.learning_rate = 2 * float(self.model.optimizer.learning_rate)


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("make", [tfadaopt.SGD, keras.optimizers.SGD])
def test_rate_is_that_of_the_step_whoever_sets_the_next(make, first, tmp_path):
    doubles, monitor = Doubles(), OptimizerMonitor(tmp_path, every=1)
    fit(make_model(make(1e-5)), *([doubles, monitor] if first else [monitor, doubles]))
    history = read(tmp_path)["."]
    for values in (
        history.scalars["learning_rate"][1],
        history.quantities["effective_learning_rate", "p50"].values[:, 0],
    ):
        np.testing.assert_allclose(values, doubles.used, rtol=1e-5)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("how", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
@each_callback
def test_copy_is_a_fresh_callback(callback, how, tmp_path):
    original = callback(tmp_path / "logs", every=2)
    fresh = how(original)
    fit(make_model(), original)
    again = how(original)
    assert again.every == original.every
    assert getattr(again, "marks", []) == []
    with pytest.warns(UserWarning, match="run-2"):
        fit(make_model(), again)
    with pytest.warns(UserWarning, match="run-3"):
        fit(make_model(), fresh)
    assert sorted(read(tmp_path / "logs")) == [".", "run-2", "run-3"]


def test_folder_given_later_counts(tmp_path):
    callback = OptimizerMonitor(tmp_path / "a", every=2)
    callback.log_dir = tmp_path / "b"
    fit(make_model(), callback)
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
    fit(make_model(), copy.deepcopy(callback))
    with pytest.raises(TypeError, match="log_dir"):
        callback.log_dir = 3


def broken_writer(monkeypatch, tmp_path):
    def write(self, *args):
        raise tf.errors.ResourceExhaustedError(None, None, "no space left on device")

    monkeypatch.setattr(where.EventWriter, "write", write)
    return {}


def broken_quantity(monkeypatch, tmp_path):
    from tfadaopt.callbacks import measure

    def take(self, before=None):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(measure.Snapshot, "take", take)
    return {}


def broken_schedule_of_looks(monkeypatch, tmp_path):
    return {"every": lambda step: 1 / 0}


def full_folder(monkeypatch, tmp_path):
    from tfadaopt.callbacks import folder

    monkeypatch.setattr(folder, "_TRIES", 0)
    monkeypatch.setattr(folder, "held", lambda _: folder.Held(99, frozenset()))
    return {}


def foreign_file(monkeypatch, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "events.out.tfevents.1.x.1.0.tfadaopt").write_bytes(b"\0nothing of ours" * 99)
    return {}


FAULTS = (broken_writer, broken_quantity, broken_schedule_of_looks, full_folder, foreign_file)


@pytest.mark.quick_rows(5)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@each_callback
def test_no_fault_of_a_callback_ends_a_training(callback, fault, monkeypatch, tmp_path):
    expected = fit(make_model())
    arguments = {"every": 2, **fault(monkeypatch, tmp_path)}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        actual = fit(make_model(), callback(tmp_path / "logs", **arguments))
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    said = [w for w in told if "training goes on" in str(w.message)]
    assert len(said) == (0 if fault is foreign_file else 1)


def test_warning_that_fails_does_not_end_a_training(tmp_path):
    def fails(mark):
        raise RuntimeError(mark.kind)

    model = make_model("sgd")
    with pytest.warns(UserWarning, match="training goes on"):
        model.fit(
            X * np.nan, Y, batch_size=2, verbose=0, callbacks=[StallWarning(on_warning=fails)]
        )
    assert int(model.optimizer.iterations) == 20


def test_marks_go_where_one_wants():
    marks = []
    model = make_model("sgd")
    stalls = StallWarning(on_warning=marks.append)
    model.fit(X * np.nan, Y, batch_size=2, verbose=0, callbacks=[stalls])
    assert marks == stalls.marks
    assert {mark.kind for mark in marks} == {"nan"}


def test_updates_left_out_are_told_at_the_next_look(tmp_path, capsys):
    x = X.copy()
    x[8] = np.nan
    model = make_model(tfadaopt.Adam())
    stalls, monitor = StallWarning(every=5), OptimizerMonitor(tmp_path, every=5)
    with pytest.warns(UserWarning, match=r"left out 1 update of .*kernel"):
        model.fit(x, Y, batch_size=4, shuffle=False, verbose=0, callbacks=[stalls, monitor])
    assert {(mark.kind, mark.since) for mark in stalls.marks} == {("nan", 5)}
    assert "in 1 step" in stalls.marks[0].cause
    values = read(tmp_path)["."].quantities["accumulator/skipped_updates", "mean"].values
    assert values.tolist() == [[1, 1], [1, 1]]


def test_stop_training_obeys_updates_left_out():
    model = make_model(tfadaopt.Adam())
    stalls = StallWarning(every=2, stop_training=True)
    with pytest.warns(UserWarning, match="left out"):
        model.fit(X * np.nan, Y, batch_size=4, epochs=5, verbose=0, callbacks=[stalls])
    assert stalls.marks[0].since == 2
    assert int(model.optimizer.iterations) == 2


def test_loss_scale_that_falls_to_0_is_said_early():
    model = make_model(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
    x, y = (np.tile(a, (50, 1)) for a in (X, Y))
    stalls = StallWarning(every=10)
    reached = []
    say = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: reached.append((batch, len(stalls.marks)))
    )
    with pytest.warns(UserWarning, match="took no step in 100 batches.*loss scale is"):
        model.fit(x * np.nan, y, batch_size=4, verbose=0, callbacks=[stalls, say])
    assert [(m.layer, m.kind) for m in stalls.marks] == [("loss", "nan")]
    assert next(batch for batch, marks in reached if marks) <= 20


def test_losses_that_are_numbers_are_no_reason_to_look_early():
    class Looks(StallWarning):
        looked = 0

        def make_detector(self, layers):
            self.looked += 1
            return super().make_detector(layers)

    stalls = Looks(every=1000)
    make_model("sgd").fit(X, Y, batch_size=1, verbose=0, callbacks=[stalls])
    assert stalls.looked == 0


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("make", [tfadaopt.Adam, keras.optimizers.Adam])
def test_accumulation_that_never_ends_is_said(make):
    with pytest.warns(UserWarning, match="gradient_accumulation_steps=1000 makes one update"):
        fit(make_model(make(gradient_accumulation_steps=1000)), StallWarning())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(make_model(make(gradient_accumulation_steps=2)), StallWarning())


def test_moving_statistics_that_are_nan_are_told_at_the_next_look():
    model = keras.Sequential(
        [
            keras.Input([3]),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(1, name="out"),
        ],
        name="net",
    )
    model.compile(tfadaopt.SGD(), "mse")
    x = X.copy()
    x[12] = np.nan
    stalls = StallWarning(every=2)
    with pytest.warns(UserWarning, match="left out"):
        model.fit(x, Y, batch_size=4, shuffle=False, verbose=0, callbacks=[stalls])
    found = [m for m in stalls.marks if "moving" in m.layer]
    assert [(m.layer, m.since) for m in found] == [
        ("net/norm/moving_mean", 4),
        ("net/norm/moving_variance", 4),
    ]


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("way", ["keras", "own", "tracker"])
def test_loss_of_each_batch_whatever_is_reported(way, every):
    class Own(keras.Model):
        tracker = keras.metrics.Mean(name="loss")

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            self.tracker.update_state(loss)
            return {"loss": loss if way == "own" else self.tracker.result()}

        @property
        def metrics(self):
            return [self.tracker]

    class Keeps(StallWarning):
        def make_detector(self, layers):
            self.losses = []
            return self

        def observe(self, look):
            self.losses += look.losses
            return []

    keras.utils.set_random_seed(1)
    inputs = keras.Input([3])
    outputs = keras.layers.Dense(1, name="out")(inputs)
    model = (keras.Model if way == "keras" else Own)(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    stalls = Keeps(every=every)
    fit(model, stalls)
    expected = [np.mean((model(X[i : i + 4]) - Y[i : i + 4]) ** 2) for i in range(0, len(X), 4)]
    np.testing.assert_allclose(stalls.losses, expected, rtol=1e-4)


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("after", [False, True])
def test_interrupted_training_goes_on_in_its_run(after, tmp_path):
    """BackupAndRestore stands before the monitor or after it."""

    def callbacks():
        restore = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        monitor = OptimizerMonitor(tmp_path / "logs", every=2, file=tmp_path / "run.csv")
        return [monitor, restore] if after else [restore, monitor]

    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 17:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(make_model(tfadaopt.Adam()), *callbacks(), Interrupts(), epochs=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(make_model(tfadaopt.Adam()), *callbacks(), epochs=3)
    runs = read(tmp_path / "logs")
    assert list(runs) == ["."]
    assert runs["."].steps.tolist() == list(range(2, 31, 2))
    rows = (tmp_path / "run.csv").read_text().splitlines()[1:]
    ratios = [row.split(",") for row in rows if "update_ratio" in row and "kernel" in row]
    assert [int(row[0]) for row in ratios] == list(range(2, 31, 2))


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_file_keeps_other_runs(ending, tmp_path):
    file = tmp_path / f"run.{ending}"
    fit(make_model(), OptimizerMonitor(tmp_path / "a", every=5, file=file))
    fit(make_model(), OptimizerMonitor(tmp_path / "b", every=5, file=file))
    if ending == "npz":
        found = np.load(file)
        runs = found["update_ratio/value/runs"].tolist()
        assert found["update_ratio/value"].shape == (4, 2)
    else:
        rows = [row.split(",") for row in file.read_text().splitlines()]
        assert rows[0][-1] == "run"
        runs = [row[-1] for row in rows if row[1] == "update_ratio" and "kernel" in row[3]]
    assert runs == [str(tmp_path / "a"), str(tmp_path / "b")] * 2  # by step


def test_damaged_file_is_set_aside(tmp_path):
    (tmp_path / "run.npz").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="could not be read"):
        fit(make_model(), OptimizerMonitor(tmp_path / "a", every=5, file=tmp_path / "run.npz"))
    assert (tmp_path / "run.npz.damaged").read_bytes() == b"nothing"
    assert "update_ratio/value" in np.load(tmp_path / "run.npz")


@pytest.mark.slow
def test_console_that_cannot_print_does_not_end_a_training():
    program = (
        "import keras, numpy as np; from tfadaopt.callbacks import StallWarning\n"
        "m = keras.Sequential([keras.Input([3]), keras.layers.Dense(1, name='out')])\n"
        "m.compile('sgd', 'mse')\n"
        "m.fit(np.full([40, 3], np.nan), np.ones([40]), 2, verbose=0, callbacks=[StallWarning()])\n"
        "print('trained', int(m.optimizer.iterations))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "trained 20" in done.stdout
    assert "StallWarning, step 10" in done.stdout


@pytest.mark.parametrize("kind", ["TPUStrategy", "ParameterServerStrategy"])
@each_callback
def test_strategies_under_which_nothing_is_seen_are_named(callback, kind, tmp_path):
    classes = {
        "TPUStrategy": tf.distribute.TPUStrategy,
        "ParameterServerStrategy": tf.distribute.experimental.ParameterServerStrategy,
    }
    optimizer, w = tfadaopt.SGD(), keras.Variable([1.0])
    watch = callback(tmp_path / "logs", every=1).watch(optimizer, [w])
    watch._loop.distribute_strategy = object.__new__(classes[kind])  # no such machine is here
    with pytest.warns(UserWarning, match=f"does not look under {kind}"):
        watch.__enter__()
    optimizer.apply([tf.ones(1)], [w])
    watch.step(1.0)
    watch.__exit__()
    assert w.numpy()[0] < 1
    assert not (tmp_path / "logs").exists()


def on_two_devices(strategy) -> dict:
    strategies = {
        "one device": tf.distribute.OneDeviceStrategy("CPU:1"),
        "mirrored on 1": tf.distribute.MirroredStrategy(["CPU:0"]),
        "mirrored on 2": strategy,
    }
    found = {}
    for name, one in strategies.items():
        for make in ("tfadaopt", "keras"):
            package = tfadaopt if make == "tfadaopt" else keras.optimizers
            with one.scope():
                model, plain = make_model(package.Adam(0.01)), make_model(package.Adam(0.01))
            with warnings.catch_warnings(record=True) as told, TemporaryDirectory() as folder:
                warnings.simplefilter("always")
                callbacks = [kind(folder, every=2) for kind in LOGGING]
                weights = fit(model, *callbacks)
                steps = read(folder)["."].steps.tolist()
            said = [str(w.message) for w in told if "tfadaopt" in str(w.filename)]
            same = all(np.array_equal(a, b) for a, b in zip(weights, fit(plain), strict=True))
            found[f"{name}, {make}"] = [same, steps, said]
    return found


def test_all_callbacks_under_strategies(two_devices):
    for name, found in two_devices.items():
        assert found == [True, [2, 4, 6, 8, 10], []], name


@pytest.mark.parametrize("is_chief", [True, False])
def test_of_several_workers_the_chief_alone_warns(is_chief, monkeypatch, capsys):
    """Also of a loss that is NaN, which needs no look at the state."""
    monkeypatch.setattr("tfadaopt.compat.writes_summaries", lambda model: is_chief)
    warning = StallWarning(every=1_000)
    arguments = {"batch_size": 1, "verbose": 0, "callbacks": [warning]}
    make_model("sgd").fit(X, np.full_like(Y, np.nan), **arguments)
    assert bool(warning.marks) is is_chief
    assert ("StallWarning" in capsys.readouterr().out) is is_chief


def test_a_loop_is_under_the_strategy_of_its_optimizer():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        w, optimizer = keras.Variable([1.0]), tfadaopt.Adam()
    for given in (optimizer, {"one": optimizer}):
        watch = StallWarning().watch(given, [w])
        assert watch._loop.distribute_strategy is strategy


@pytest.mark.quick_rows(1)
@each_callback
def test_state_that_does_not_fit_begins_a_run_at_step_0(callback, tmp_path):
    """It waits until the optimizer is built, and its count with it: only then is it refused."""
    trained, logs = make_model(tfadaopt.Adam()), tmp_path / "logs"
    fit(trained, callback(logs, every=5))
    trained.save_weights(tmp_path / "w.weights.h5")
    other = make_model(tfadaopt.Adam(use_ema=True))
    other.load_weights(tmp_path / "w.weights.h5")
    assert int(other.optimizer.iterations) == 10
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(other, callback(logs, every=5))
    said = "".join(str(w.message) for w in caught)
    assert "was not taken" in said
    assert "took no step" not in said
    runs = read(logs)
    assert [run.steps.tolist() for run in runs.values()] == [[5, 10]] * len(runs)
    assert len(runs) == 2
