"""StallWarning tells what stopped a layer, once, and nothing of a run that is well."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tests import events
from tfadaopt.callbacks import OptimizerMonitor, StallWarning, history
from tfadaopt.callbacks.stalls import Layer, StallDetector, Thresholds

STEPS = range(10, 2001, 10)


def tables(layers=("net/a/kernel",), **quantities):
    """Numbers of one snapshot: by quantity, one number for all layers, or one for each."""
    statistic = {"effective_learning_rate": "p50"}
    found = {}
    for name, values in quantities.items():
        name = name.replace("__", "/")
        key = name, "norm" if name.startswith("accumulator/m") else statistic.get(name, "value")
        key = (name, "mean") if name == "accumulator/accumulator" else key
        found[key] = layers, np.broadcast_to(np.asarray(values, float), len(layers))
    return found


def watch(seen, optimizer="Adam", layers=None, steps=STEPS, loss=2.3, rate=0.1, **thresholds):
    """All marks of a run, as {layer: (kind, since)}, and those marks with the step they came at."""
    detector = StallDetector(optimizer, layers, Thresholds(**thresholds))
    marks = []
    for step in steps:
        eta = rate(step) if callable(rate) else rate
        value = loss(step) if callable(loss) else loss
        marks += [(step, mark) for mark in detector.observe(step, seen(step), eta, value)]
    return {mark.layer: (mark.kind, mark.since) for _, mark in marks}, marks


def falls_at(step, at=500, before=1.0, after=0.01):
    return before if step < at else after


def test_an_update_that_falls_while_the_loss_stays():
    told, marks = watch(lambda step: tables(update_norm=falls_at(step)))
    # The median of three snapshots has fallen at the second of the small ones.
    assert told == {"net/a/kernel": ("stalled", 510)}
    (at, mark), *more = marks
    assert at == 710
    assert not more
    assert "fell 100-fold" in mark.cause
    assert mark.advice


def test_patience_and_factor_are_what_they_say():
    def seen(step):
        return tables(update_norm=falls_at(step))

    assert watch(seen, patience=300)[1][0][0] == 810
    assert watch(seen, factor=99.0)[0] != {}
    assert watch(seen, factor=101.0)[0] == {}


def test_later_in_a_run_a_stall_must_last_longer():
    told, marks = watch(lambda step: tables(update_norm=falls_at(step, at=1200)))
    assert told["net/a/kernel"] == ("stalled", 1210)
    assert marks[0][0] == 1520  # A quarter of 1210 after it.


def test_one_small_update_is_no_stall():
    def seen(step):
        return tables(update_norm=0.001 if step % 50 == 0 else 1.0)

    assert watch(seen)[0] == {}


def test_adagrads_own_fall_is_none_but_what_large_early_gradients_add_is():
    def seen(step, early):
        # Gradients of size `early` for 100 steps, and of size 1 from then on.
        g, total = (early if step <= 100 else 1.0), min(step, 100) * early**2 + max(step - 100, 0)
        scale = 1 / math.sqrt(total)
        sums = {"accumulator__accumulator": total, "effective_learning_rate": 0.1 * scale}
        return tables(update_norm=0.1 * g * scale, **sums)

    assert watch(lambda step: seen(step, 1.0), optimizer="Adagrad", factor=5.0)[0] == {}
    told, marks = watch(lambda step: seen(step, 1000.0), optimizer="Adagrad")
    assert told["net/a/kernel"] == ("stalled", 120)
    assert "large early gradients" in marks[0][1].cause
    assert "RMSprop" in marks[0][1].advice


def test_a_loss_that_falls_says_that_nothing_stalled():
    def seen(step):
        return tables(update_norm=falls_at(step))

    assert watch(seen, loss=lambda step: 2.3 / step)[0] == {}
    assert watch(seen, loss=lambda step: 2.3 / step**0.1)[0] != {}
    assert watch(seen, loss=math.nan)[0] != {}


def test_a_schedule_that_ends_is_no_stall():
    def rate(step):
        return 0.1 * max(1e-3, (1 + math.cos(math.pi * min(step, 1000) / 1000)) / 2)

    # At its end, steps are below the resolution of the weights.
    def seen(step):
        return tables(update_norm=rate(step) * 1e-5, update_ratio=rate(step) * 1e-4)

    assert watch(seen, rate=rate)[0] == {}
    (kind, since), *_ = watch(seen, rate=0.1)[0].values()
    assert kind == "stalled"
    assert 880 <= since <= 900


def test_a_run_that_has_learned_all_is_no_stall():
    def seen(step):
        return tables(update_norm=falls_at(step, after=0.0))

    assert watch(seen, loss=lambda step: falls_at(step, before=2.3, after=1e-6))[0] == {}
    assert watch(seen)[0] == {"net/a/kernel": ("dead", 500)}


def test_without_gradient_a_momentum_fades_whatever_weight_decay_does():
    def seen(step):
        faded = 0.9 ** max(step - 500, 0)
        return tables(update_norm=falls_at(step, after=0.5), accumulator__momentum=faded)

    (layer, (kind, since)), *_ = watch(seen)[0].items()
    assert (layer, kind) == ("net/a/kernel", "dead")
    assert 640 <= since <= 670  # 0.9^153 = 1e-7


def test_gradients_that_are_never_finite_leave_all_as_it_was():
    def seen(step):
        return tables(update_norm=falls_at(step, after=0.0), accumulator__momentum=0.25)

    told, marks = watch(seen)
    assert told["net/a/kernel"] == ("dead", 500)
    assert "NaN" in marks[0][1].cause


@pytest.mark.parametrize(
    ("dtype", "below", "above"),
    [("bfloat16", 1e-3, 3e-3), ("float16", 1e-4, 4e-4), ("float32", 2e-8, 4e-8)],
)
def test_an_update_below_the_resolution_of_the_weights(dtype, below, above):
    layers = {"net/a/kernel": Layer(dtype=dtype)}
    told, marks = watch(lambda step: tables(update_norm=1.0, update_ratio=below), layers=layers)
    assert told == {"net/a/kernel": ("below_resolution", 10)}
    assert dtype in marks[0][1].cause
    assert watch(lambda s: tables(update_norm=1.0, update_ratio=above), layers=layers)[0] == {}


def test_half_a_spacing_is_where_rounding_begins_to_lose():
    # The claim behind the threshold, on the numbers themselves: 1 − 2⁻⁹ is kept in bfloat16, less
    # is not; a step up is lost at twice that.
    import ml_dtypes

    theta = ml_dtypes.bfloat16(1.0)
    quarter = 2.0**-7 / 4
    assert ml_dtypes.bfloat16(float(theta) - 1.01 * quarter) != theta
    assert ml_dtypes.bfloat16(float(theta) - 0.99 * quarter) == theta
    assert ml_dtypes.bfloat16(float(theta) + 1.99 * quarter) == theta


def test_an_accumulator_that_no_longer_changes():
    def seen(step):
        return tables(update_norm=1 / step**0.5, accumulator__accumulator=min(step, 256.0))

    told, marks = watch(seen, optimizer="Adagrad")
    assert told == {"net/a/kernel": ("saturated", 270)}
    assert "s + g² = s" in marks[0][1].cause


def test_a_layer_far_behind_the_others():
    layers = "net/first/kernel", "net/last/kernel"

    def seen(step):
        return tables(layers, update_norm=1.0, update_ratio=(1e-7, 1e-3))

    told, marks = watch(seen)
    assert told == {"net/first/kernel": ("stalled", 10)}
    assert "vanishes" in marks[0][1].cause
    # A small rate of all layers, as in fine-tuning, is not that.
    assert watch(lambda _: tables(layers, update_norm=1.0, update_ratio=(1e-7, 1e-6)))[0] == {}


def test_weights_that_explode():
    known = {"net/a/kernel": Layer(weight_norm=1.0), "net/a/bias": Layer(rank=1, weight_norm=0.0)}
    names = tuple(known)

    def seen(step):
        return tables(names, weight_norm=(1.5 * step, step), update_norm=1.0, update_ratio=0.01)

    def rising(step):
        return 2.3 + step

    told, marks = watch(seen, layers=known, loss=rising)
    assert told["net/a/kernel"] == ("exploding", 30)
    assert "45 times" in marks[0][1].cause
    assert "net/a/bias" not in told
    assert watch(seen, layers=known, loss=lambda step: 2.3 / step)[0] == {}


def test_steps_of_half_the_weights_explode_at_the_third():
    def seen(step):
        return tables(weight_norm=1.0, update_norm=0.6, update_ratio=0.6)

    assert watch(seen, loss=lambda step: float(step))[0]["net/a/kernel"] == ("exploding", 30)


def test_the_first_nan_by_layer_and_slot():
    layers = "net/a/kernel", "net/b/kernel"

    def seen(step):
        value = (1.0, math.nan) if step >= 300 else 1.0
        later = math.nan if step >= 320 else 1.0
        return tables(layers, update_norm=0.1, weight_norm=later, accumulator__momentum=value)

    told, marks = watch(seen)
    assert [(step, m.layer, m.quantity) for step, m in marks] == [
        (300, "net/b/kernel", "accumulator/momentum"),
        (320, "net/a/kernel", "weight_norm"),
    ]
    assert {kind for kind, _ in told.values()} == {"nan"}


def test_what_was_not_measured_is_no_nan():
    def seen(step):
        return tables(weight_norm=1.0, update_norm=math.nan if step < 30 else 1.0)

    assert watch(seen)[0] == {}


def test_steps_that_go_back_begin_a_new_run():
    twice = [*range(10, 800, 10), *range(10, 800, 10)]
    _, marks = watch(lambda step: tables(update_norm=falls_at(step)), steps=twice)
    assert [step for step, _ in marks] == [710, 710]


def model(*layers, optimizer="adam", **options):
    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [keras.Input([4]), *layers, keras.layers.Dense(1, name="out")], name="net"
    )
    made.compile(optimizer=optimizer, loss="mse", **options)
    return made


def fit(made, callbacks, steps=40, **options):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4 * steps, 4)), rng.normal(size=(4 * steps, 1))
    return made.fit(
        x.astype("float32"), y, 4, verbose=0, shuffle=False, callbacks=callbacks, **options
    )


class DeadRelu(keras.layers.Dense):
    """No input gets through."""

    def __init__(self, **options):
        super().__init__(3, activation="relu", bias_initializer=keras.initializers.Constant(-99.0))


def test_a_dead_layer_is_told_on_the_console_and_in_tensorboard(tmp_path, capsys):
    warning = StallWarning(tmp_path, every=5, patience=20)
    monitor = OptimizerMonitor(tmp_path, every=10)
    fit(model(DeadRelu(name="dead"), optimizer=tfadaopt.SGD(0.01)), [monitor, warning])
    said = capsys.readouterr().out
    assert "StallWarning, step 25: 3 layers are without gradient." in said
    assert said.count("without gradient since step 5") == 1
    assert {m.layer for m in warning.marks} == {
        "net/dead_relu/kernel", "net/dead_relu/bias", "net/out/kernel"
    }  # fmt: skip
    found = history.read(tmp_path)["."]
    assert [m["layer"] for m in found.marks] == [m.layer for m in warning.marks]
    assert {m["step"] for m in found.marks} == {25}
    assert found.steps.tolist() == list(range(5, 41, 5))
    assert len(events.files(tmp_path)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"jit_compile": True}, {"steps_per_execution": 5}, {"run_eagerly": True}],
    ids=str,
)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "bfloat16"])
def test_training_is_bit_for_bit_what_it_is_without(options, policy, capsys):
    weights = []
    for callbacks in ([], [StallWarning(every=1, patience=3, factor=1.5)]):
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(1)  # Layers draw the seeds of their weights when they are made.
        try:
            made = model(DeadRelu(), keras.layers.Dense(2), **options)
        finally:
            keras.config.set_dtype_policy("float32")
        fit(made, callbacks, epochs=2)
        weights.append([v.numpy().tobytes() for v in (*made.variables, *made.optimizer.variables)])
    assert weights[0] == weights[1]
    assert "StallWarning" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1])
def test_it_gets_the_loss_of_the_batches_since_the_last_look(order, tmp_path):
    class Keeping(StallWarning):
        def make_detector(self, optimizer, layers):
            self.losses = losses = {}

            class Detector(StallDetector):
                def observe(self, step, tables, learning_rate, loss):
                    losses[step] = loss
                    return []

            return Detector(optimizer, layers)

    class Loss(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.single = []

        def on_train_batch_end(self, batch, logs=None):
            total = logs["loss"] * (batch + 1)
            self.single.append(total - self.total if batch else total)
            self.total = total

    warning, loss = Keeping(tmp_path, every=5), Loss()
    both = [OptimizerMonitor(tmp_path, every=5), warning][::order]
    fit(model(), [*both, loss], steps=12, epochs=2)
    stale = 1 if order == 1 else 0  # The monitor looks before the warning gets this batch's loss.
    for step in (10, 20):
        since = [0, 12][step > 12] if step - 5 < [0, 12][step > 12] else step - 5 - stale
        expected = np.mean(loss.single[since : step - stale])
        np.testing.assert_allclose(warning.losses[step], expected, rtol=1e-4)


@pytest.mark.slow
def test_it_stops_at_the_first_nan_if_it_shall(capsys):
    made = model(optimizer=keras.optimizers.SGD(1e30))
    stopped = fit(made, [StallWarning(every=1, stop_training=True)], epochs=5)
    assert len(stopped.history["loss"]) == 1
    assert "not finite" in capsys.readouterr().out
    going_on = fit(model(optimizer=keras.optimizers.SGD(1e30)), [StallWarning(every=1)], epochs=5)
    assert len(going_on.history["loss"]) == 5


def test_it_does_not_stop_one_of_several_workers(monkeypatch):
    warning, made = StallWarning(stop_training=True), model()
    warning.set_model(made)
    several = tf.distribute.MultiWorkerMirroredStrategy.__new__(
        tf.distribute.MultiWorkerMirroredStrategy
    )
    monkeypatch.setattr(made, "_distribute_strategy", several)
    with pytest.raises(ValueError, match="stop_training=True is not allowed under a Multi"):
        warning.on_train_begin()


@pytest.mark.slow
def test_a_second_fit_goes_on_and_tells_nothing_twice(capsys):
    made = model(DeadRelu(), optimizer=tfadaopt.SGD(0.01))
    warning = StallWarning(every=5, patience=50)
    fit(made, [warning])
    assert warning.marks == []
    fit(made, [warning])
    fit(made, [warning])
    assert {m.since for m in warning.marks} == {5}
    assert capsys.readouterr().out.count("StallWarning") == 1


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"patience": 0}, ValueError, "patience=0"),
        ({"patience": 1.5}, TypeError, "patience must be"),
        ({"factor": 1.0}, ValueError, "factor=1.0"),
        ({"factor": "big"}, TypeError, "factor must be"),
        ({"every": 0}, ValueError, "every=0"),
        ({"log_dir": 3}, TypeError, "log_dir must be a path"),
    ],
)
def test_arguments_that_are_wrong(arguments, error, says):
    with pytest.raises(error, match=says):
        StallWarning(**arguments)
