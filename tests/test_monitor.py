"""What OptimizerMonitor and UpdateRatio measure: each number against NumPy, beside the training."""

import functools
import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt import compat
from tfadaopt.callbacks import (
    EffectiveLearningRate,
    LogSpaced,
    OptimizerMonitor,
    UpdateRatio,
    layers,
    measure,
    quantities,
)
from tfadaopt.callbacks.summaries import SMALL_SAMPLE, sample
from tfadaopt.callbacks.when import schedule
from tfadaopt.readers import reader_of

from . import events, logged
from .cases import each_method_with_a_rate
from .support import models
from .versions import needs

K = keras.optimizers
X, Y = (np.random.default_rng(0).normal(size=(20, n)).astype("float32") for n in (4, 1))
BATCH = 4


make_model = functools.partial(models.make_model, run_eagerly=True)


def fit(model, *callbacks, epochs=1, **arguments):
    arguments = {"batch_size": BATCH, "verbose": 0, "shuffle": False, **arguments}
    model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **arguments)


class Beside(keras.callbacks.Callback):
    """Weights and gradient around each batch, by NumPy and a backward pass of its own."""

    def __init__(self):
        super().__init__()
        self.of_step = {}

    def on_train_batch_begin(self, batch, logs=None):
        self.old = [np.array(v.numpy(), "float64") for v in self.model.trainable_variables]
        x, y = X[BATCH * batch : BATCH * (batch + 1)], Y[BATCH * batch : BATCH * (batch + 1)]
        variables = [v.value for v in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.cast(self.model(x), "float32") - y))
        self.gradients = [np.array(g, "float64") for g in tape.gradient(loss, variables)]

    def on_train_batch_end(self, batch, logs=None):
        norm, found = np.linalg.norm, {}
        every = zip(self.model.trainable_variables, self.old, self.gradients, strict=True)
        for v, old, g in every:
            new = np.array(v.numpy(), "float64")
            moved = norm(new - old)
            found["update_norm", v.path] = moved
            found["update_ratio", v.path] = moved / (norm(old) or norm(new) or 1)
            found["weight_norm", v.path] = norm(new)
            found["gradient_norm", v.path] = norm(g)
        self.of_step[int(events.state_holder(self.model.optimizer).iterations.numpy())] = found


def same_norms(folder, beside, names, rtol=2e-5):
    """Whether the tab has these quantities of all layers, as measured beside the training."""
    curves = logged.curves(folder)
    for name in names:
        for step, numbers in curves[name, "value"].items():
            assert set(numbers) == {path for _, path in beside.of_step[step]}
            for path, number in numbers.items():
                expected = beside.of_step[step][name, path]
                np.testing.assert_allclose(
                    number, expected, rtol=rtol, atol=1e-9, err_msg=f"{name} {path} {step}"
                )


# Updates


@pytest.mark.parametrize("start", ["glorot_uniform", "zeros"])
@pytest.mark.slow
def test_norms_of_weights_and_updates(start, tmp_path):
    """Also of weights that begin at 0: the ratio is then 1, as all of them is the update."""
    beside = Beside()
    model = make_model(tfadaopt.Adam(0.1, weight_decay=0.1), start=start)
    fit(model, OptimizerMonitor(tmp_path, 2, "full"), beside, epochs=2)
    same_norms(tmp_path, beside, ["update_ratio", "update_norm", "weight_norm"])
    assert list(logged.curves(tmp_path)["update_ratio", "value"]) == [2, 4, 6, 8, 10]


def test_update_ratio_alone_and_its_tags(tmp_path):
    beside = Beside()
    model = make_model(K.Lion(0.1))
    fit(model, UpdateRatio(tmp_path, every=1), beside)
    same_norms(tmp_path, beside, ["update_ratio"])
    assert beside.of_step[1]["update_ratio", "hidden/bias"] == 1
    paths = [v.path for v in model.trainable_variables]
    assert events.tags(tmp_path) == {"learning_rate", *(f"update_ratio/{path}" for path in paths)}
    assert events.steps(tmp_path) == [1, 2, 3, 4, 5]
    for step, values in events.read(tmp_path):
        for path in paths:
            expected = beside.of_step[step]["update_ratio", path]
            np.testing.assert_allclose(values[f"update_ratio/{path}"], expected, rtol=2e-5)


@pytest.mark.slow
def test_layer_that_stays_has_the_ratio_0(tmp_path):
    beside = Beside()
    fit(make_model(tfadaopt.SGD(0.0), start="zeros"), UpdateRatio(tmp_path, 1), beside)
    for numbers in logged.curves(tmp_path)["update_ratio", "value"].values():
        assert set(numbers.values()) == {0.0}


@pytest.mark.slow
def test_nan_is_told_as_nan(tmp_path):
    model = make_model(tfadaopt.SGD(0.1, nonfinite="ignore"))
    x = X.copy()
    x[4] = np.nan  # in the second batch
    model.fit(
        x, Y, batch_size=4, shuffle=False, verbose=0, callbacks=[OptimizerMonitor(tmp_path, 1)]
    )
    ratios = logged.curves(tmp_path)["update_ratio", "value"]
    assert np.isfinite(list(ratios[1].values())).all()
    assert np.isnan(list(ratios[2].values())).all()


# Gradients

TELL = [
    lambda: tfadaopt.Momentum(0.01),
    lambda: tfadaopt.Nesterov(0.01),
    lambda: tfadaopt.Adagrad(0.01, initial_accumulator_value=0.1),
    lambda: tfadaopt.RMSprop(0.01, momentum=0.9, centered=True),
    lambda: tfadaopt.Adadelta(),
    lambda: tfadaopt.Adam(0.01, weight_decay=0.1),
    lambda: tfadaopt.AMSGrad(0.01),
    lambda: tfadaopt.Adamax(0.01),
    lambda: tfadaopt.Nadam(0.01),
    lambda: tfadaopt.NadamW(0.01),
    lambda: tfadaopt.RAdam(0.01),
    lambda: tfadaopt.AdaBelief(0.01),
    lambda: tfadaopt.Yogi(0.01),
    lambda: tfadaopt.Adan(0.01),
    lambda: tfadaopt.LAMB(0.01),
    lambda: K.SGD(K.schedules.ExponentialDecay(0.1, 1, 0.5), momentum=0.9, nesterov=True),
    lambda: K.Adagrad(0.01),
    lambda: K.RMSprop(0.01, momentum=0.5),
    lambda: K.Adadelta(0.1),
    lambda: K.Adam(0.01),
    lambda: K.AdamW(0.01),
    lambda: K.Adamax(0.01),
    lambda: K.Nadam(0.01),
    lambda: K.Ftrl(0.01),
    lambda: K.Lion(0.01),
    lambda: K.Lamb(0.01),
    *([lambda: K.Muon(0.01)] if hasattr(K, "Muon") else []),
    *([lambda: K.ScheduleFreeAdamW(0.01)] if hasattr(K, "ScheduleFreeAdamW") else []),
]


def named(makers, quick=("Momentum", "Adagrad", "SGD", "Adam")):
    for make in makers:
        kind = type(make())
        marks = () if kind.__name__ in quick else pytest.mark.slow
        yield pytest.param(make, id=f"{kind.__module__.split('.')[0]}-{kind.__name__}", marks=marks)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("make", named(TELL))
def test_gradient_norm_is_that_of_a_backward_pass(make, tmp_path):
    """From the state alone; a difference of sums of squares in float32 is good to a permille."""
    beside, model = Beside(), make_model(make())
    fit(model, OptimizerMonitor(tmp_path, 1, "full"), beside, epochs=2)
    told = reader_of(model.optimizer).gradient(model.trainable_variables[0])
    same_norms(tmp_path, beside, ["gradient_norm"], rtol=1e-4 if told.power == 1 else 2e-3)


@pytest.mark.parametrize(
    "make",
    [tfadaopt.SGD, tfadaopt.DoG, tfadaopt.Shampoo, K.SGD, K.Adafactor],
    ids=["sgd", "dog", "shampoo", "keras-sgd", "keras-adafactor"],
)
@pytest.mark.filterwarnings("ignore:.*have no effective")
@pytest.mark.slow
def test_where_the_state_does_not_tell_there_is_no_gradient_norm(make, tmp_path):
    fit(make_model(make()), OptimizerMonitor(tmp_path, 5, "full"))
    curves = logged.curves(tmp_path)
    assert ("update_norm", "value") in curves
    assert ("gradient_norm", "value") not in curves


def test_rows_that_wait_do_not_tell_their_gradient():
    model = make_model(tfadaopt.Adam(lazy_rows=["hidden"]))
    model.optimizer.build(model.trainable_variables)
    told = [reader_of(model.optimizer).gradient(v) is not None for v in model.trainable_variables]
    assert told == [False, False, True, True]


# Rates


@each_method_with_a_rate
def test_sampled_rates_are_those_of_the_sample(case):
    """`light` computes the rates of 256 coordinates alone: they are what the whole would give."""
    same_in_sample(case.make())


@pytest.mark.parametrize(
    "make",
    named([m for m in TELL if type(m()).__module__.startswith("keras")], quick=("Adam", "Lamb")),
)
def test_sampled_rates_of_keras_own(make):
    same_in_sample(make())


def same_in_sample(optimizer):
    random = np.random.default_rng(0)
    w = keras.Variable(random.normal(size=(40, 50)).astype("float32"))
    b = keras.Variable(random.normal(size=(2000,)).astype("float32"))
    optimizer.build([w, b])
    for _ in range(3):
        optimizer.apply([tf.constant(random.normal(size=v.shape), "float32") for v in (w, b)])

    def pick(x):
        return sample(tf.reshape(x, [-1]), SMALL_SAMPLE)

    for v in (w, b):
        if isinstance(optimizer, compat.Muon) and v is w:
            continue  # It has no rate.
        picked = reader_of(optimizer).rate(v, pick)
        assert picked.shape in ((SMALL_SAMPLE,), ())
        whole = tfadaopt.effective_learning_rate(optimizer, v)
        expected = pick(whole).numpy()
        np.testing.assert_allclose(np.broadcast_to(picked, expected.shape), expected, rtol=1e-6)


@pytest.mark.parametrize("preset", ["light", "standard"])
@pytest.mark.slow
def test_monitor_of_keras_adam(preset, tmp_path):
    """The rate of the step just done under a schedule; quantiles by both presets."""
    model = make_model(K.Adam(K.schedules.ExponentialDecay(0.1, 1, 0.5)))
    seen = {}

    def look(batch, logs):
        step = int(model.optimizer.iterations.numpy())
        for v in model.trainable_variables:
            rate = tfadaopt.effective_learning_rate(model.optimizer, v).numpy()
            seen[step, v.path] = np.quantile(rate, [0.05, 0.5, 0.95])

    beside = keras.callbacks.LambdaCallback(on_train_batch_end=look)
    fit(model, OptimizerMonitor(tmp_path, 1, preset), beside)
    curves = logged.curves(tmp_path)
    for i, name in enumerate(("p05", "p50", "p95")):
        for step, numbers in curves["effective_learning_rate", name].items():
            for path, number in numbers.items():
                np.testing.assert_allclose(number, seen[step, path][i], rtol=1e-5)
    rates = [values["learning_rate"] for _, values in events.read(tmp_path)]
    np.testing.assert_allclose(rates, 0.1 * 0.5 ** np.arange(5), rtol=1e-6)
    assert (("accumulator/velocity", "norm") in curves) == (preset == "standard")


class Unknown(K.Optimizer):
    """A rule that tells nothing of itself."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, tf.cast(learning_rate, variable.dtype) * tf.sign(gradient))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Unknown(0.01),
        tfadaopt.Shampoo,
        K.Adafactor,
        pytest.param(compat.Muon, marks=needs("Muon")),
    ],
)
@pytest.mark.slow
def test_what_has_no_rate_is_measured_and_told_once(make, tmp_path):
    beside, model = Beside(), make_model(make())
    with pytest.warns(UserWarning, match=r"no effective learning rate.*‖Δθ‖/‖θ‖") as warned:
        fit(model, OptimizerMonitor(tmp_path, 1), beside, epochs=2)
    assert sum("no effective" in str(w.message) for w in warned) == 1
    same_norms(tmp_path, beside, ["update_ratio"])
    rates = {
        path
        for (quantity, _), steps in logged.curves(tmp_path).items()
        if quantity == "effective_learning_rate"
        for numbers in steps.values()
        for path in numbers
    }
    expected = (
        {"hidden/bias", "outputs/bias"} if isinstance(model.optimizer, compat.Muon) else set()
    )
    assert rates == expected


@pytest.mark.slow
@needs("MultiOptimizer")
def test_several_optimizers_each_with_its_rate(tmp_path):
    parts = {"hidden/.*": tfadaopt.Adagrad(0.5)}
    default = K.SGD(K.schedules.ExponentialDecay(0.1, 1, 0.5), momentum=0.9)
    beside = Beside()
    model = make_model(K.MultiOptimizer(K.OptimizerMap(default, parts)))
    fit(model, OptimizerMonitor(tmp_path, 1, "full"), beside)
    same_norms(tmp_path, beside, ["update_ratio", "gradient_norm"], rtol=1e-3)
    curves = logged.curves(tmp_path)
    assert set(curves["accumulator/accumulator", "mean"][1]) == {"hidden/kernel", "hidden/bias"}
    assert set(curves["accumulator/momentum", "mean"][1]) == {"outputs/kernel", "outputs/bias"}
    assert len(curves["effective_learning_rate", "p50"][1]) == 4
    for step, values in events.read(tmp_path):
        assert values[f"learning_rate/{default.name}"] == pytest.approx(0.1 * 0.5 ** (step - 1))
        rate = values["effective_learning_rate/outputs/kernel/p50"]
        assert rate == pytest.approx(0.1 * 0.5 ** (step - 1))
        assert 0 < values["effective_learning_rate/hidden/kernel/p50"] != pytest.approx(rate)


# A method's own numbers


@pytest.mark.parametrize("preset", ["light", "standard"])
@pytest.mark.parametrize(
    ("make", "tag", "expected"),
    [
        (tfadaopt.RAdam, "rectification", lambda o, v: o.rectification(o.iterations)),
        (tfadaopt.DoG, "step_size", tfadaopt.effective_learning_rate),
        (
            tfadaopt.Prodigy,
            "accumulator/distance/mean",
            lambda o, v: tfadaopt.accumulators(o, v)["distance"],
        ),
        (
            tfadaopt.LARS,
            "accumulator/trust_ratio/hidden/kernel/mean",
            lambda o, v: tfadaopt.accumulators(o, v)["trust_ratio"],
        ),
    ],
    ids=["radam", "dog", "prodigy", "lars"],
)
@pytest.mark.slow
def test_numbers_of_a_method(preset, make, tag, expected, tmp_path):
    model = make_model(make())
    fit(model, OptimizerMonitor(tmp_path, 10, preset), epochs=2)
    ((step, values),) = events.read(tmp_path / ".")
    now = np.ravel(expected(model.optimizer, model.trainable_variables[0]).numpy())[0]
    assert step == 10
    np.testing.assert_allclose(values[tag], now, rtol=1e-5)
    assert now != 0
    assert not any("updates" in tag for tag in values) or preset == "standard"


# Which layers, and when


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["kernel"], [], {"hidden/kernel", "outputs/kernel"}),
        ([], ["^outputs"], {"hidden/kernel", "hidden/bias"}),
        (["hidden", "bias$"], ["hidden/b"], {"hidden/kernel", "outputs/bias"}),
    ],
)
@pytest.mark.slow
def test_include_and_exclude(include, exclude, expected, tmp_path):
    monitor = OptimizerMonitor(tmp_path, 5, "full", include=include, exclude=exclude)
    fit(make_model(tfadaopt.Adam()), monitor)
    for told in logged.tensors(tmp_path):
        assert set(told.numbers) == expected, told.tag
    scalars = {tag for tag in events.tags(tmp_path) if "/" in tag}
    assert {"/".join(tag.split("/")[1:3]) for tag in scalars if "update_r" in tag} == expected


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (LogSpaced(per_decade=3), [1, 2, 5, 10]),
        (lambda step: step in (3, 4, 9), [3, 4, 9]),
        (lambda step: False, []),
    ],
    ids=["log", "function", "never"],
)
@pytest.mark.slow
def test_schedules(every, expected, tmp_path):
    beside = Beside()
    fit(make_model(tfadaopt.SGD()), UpdateRatio(tmp_path, every), beside, epochs=2)
    assert events.steps(tmp_path) == expected
    if expected:
        same_norms(tmp_path, beside, ["update_ratio"])


@pytest.mark.parametrize("per_decade", [1, 2.5, 30, 1000])
def test_log_spaced_steps_rise_and_are_as_many_as_asked(per_decade):
    spaced, step, due = LogSpaced(per_decade), 0, []
    while step < 10**6:
        step = spaced.next_after(step)
        due.append(step)
        # Also from between: a resume may begin anywhere.
        assert spaced.next_after(step - 1) == step
    assert due[0] == 1
    last = sum(10**5 < s <= 10**6 for s in due)
    assert last == pytest.approx(per_decade, abs=1)


def test_schedule_rejects_what_is_none():
    assert schedule(3).next_after(4) == 6
    assert schedule(LogSpaced()) == LogSpaced()
    with pytest.raises(TypeError, match=r"'x'.*LogSpaced"):
        schedule("x")
    for wrong, error in (("x", TypeError), (0.5, ValueError), (np.inf, ValueError)):
        with pytest.raises(error, match="per_decade"):
            LogSpaced(wrong)


# Requests in one folder


@pytest.mark.slow
def test_a_sample_gives_way_to_the_whole(tmp_path):
    """Who asks for all statistics of all coordinates gets them, although another asks for less."""
    light = OptimizerMonitor(tmp_path, 5, "light")
    fit(make_model(tfadaopt.Adam()), light, EffectiveLearningRate(tmp_path, 5))
    (event,) = events.read(tmp_path)
    assert "effective_learning_rate/hidden/kernel/max" in event.values
    assert "update_ratio/hidden/kernel" in event.values
    whole = quantities.EffectiveRates()(layers.View(()))
    assert whole == []
    merged = measure.Series("q", "a", lambda _: tf.zeros([]), sampled=True)
    assert merged.sampled


@pytest.mark.slow
def test_statistics_do_not_depend_on_what_else_is_asked(tmp_path):
    folders = [tmp_path / name for name in ("together", "apart")]
    for folder in folders:
        callbacks = [OptimizerMonitor(folder, 5, "full")]
        if folder == folders[0]:
            callbacks += [EffectiveLearningRate(folder, 5), UpdateRatio(folder, 1)]
        fit(make_model(tfadaopt.Adam()), *callbacks)
    together, apart = map(logged.curves, folders)
    for key, of_step in apart.items():
        assert together[key][5] == pytest.approx(of_step[5], rel=1e-6)


def test_listener_gets_the_numbers_and_its_marks_are_written(tmp_path):
    seen = []
    mark = {"layer": "hidden/bias", "kind": "below_resolution", "quantity": "update_ratio"}
    mark |= {"since": 2, "cause": "The rate fell.", "advice": "Raise it."}

    def listen(step, tables):
        seen.append(
            (step, {key: dict(zip(*map(list, t), strict=True)) for key, t in tables.items()})
        )
        return [mark] if step == 4 else None

    monitor = OptimizerMonitor(tmp_path, 2, "light")
    asked = monitor.request()
    monitor.request = lambda: type(asked)(asked.what, asked.when, listeners=(listen,))
    fit(make_model(tfadaopt.Adam()), monitor)
    assert [step for step, _ in seen] == [2, 4]
    curves = logged.curves(tmp_path)
    for step, tables in seen:
        assert tables == {key: pytest.approx(of_step[step]) for key, of_step in curves.items()}
    ((step, (told,)),) = logged.strings(tmp_path, "optimizer/marks")
    assert (step, json.loads(told)) == (4, mark)
    ((step, (text,)),) = logged.strings(tmp_path, "optimizer/stall_warning")
    assert text == ("**hidden/bias**: below resolution since step 2. The rate fell. Raise it.")


# Bad input


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"preset": "heavy"}, ValueError, r"'heavy'.*'light', 'standard', 'full'"),
        ({"include": "kernel"}, TypeError, r"include takes a list.*'kernel'"),
        ({"exclude": [3]}, TypeError, r"exclude takes a list"),
        ({"include": ["("]}, ValueError, r"include='\(' is no regular expression"),
        ({"scalars": -1}, ValueError, "scalars=-1"),
        ({"scalars": 2.0}, TypeError, "scalars must be a whole number"),
        ({"hparams": {"a": [1]}}, TypeError, r"hparams\['a'\] is \[1\] \(list\)"),
        ({"file": "run.json"}, ValueError, r"'run.json'.*\.csv, \.parquet, \.npz"),
        ({"file": 3}, TypeError, "file must be a path"),
        ({"every": 0}, ValueError, "every=0"),
    ],
)
def test_bad_arguments(arguments, error, match, tmp_path):
    with pytest.raises(error, match=match):
        OptimizerMonitor(tmp_path / "logs", **arguments)
    assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_patterns_that_leave_nothing_are_refused_before_training(tmp_path):
    model = make_model(tfadaopt.SGD())
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"\['conv'\].*hidden/kernel"):
        fit(model, OptimizerMonitor(tmp_path, include=["conv"]))
    for now, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, old)
    assert [event for path in events.files(tmp_path) for event in events.read(path.parent)] == []


@pytest.mark.slow
def test_permutations_of_callbacks_change_nothing(tmp_path):
    """Whichever of them is first drives; the weights from before are those from before."""
    for number, order in enumerate(itertools.permutations(range(2))):
        folder, beside = tmp_path / str(number), Beside()
        pair = [UpdateRatio(folder, 1), OptimizerMonitor(folder, 2)]
        fit(make_model(tfadaopt.Adam()), *(pair[i] for i in order), beside)
        same_norms(folder, beside, ["update_ratio"])
