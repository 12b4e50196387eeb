"""StallWarning says what stopped a layer, once, and nothing of a run that is well."""

import dataclasses
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from benchmarks import stalls
from benchmarks.stalls import judge, recording
from tests import events, logs
from tfadaopt.callbacks import OptimizerMonitor, StallWarning, hindsight, history, telling
from tfadaopt.callbacks.known import layers_known, norms_of
from tfadaopt.callbacks.layers import layers_of
from tfadaopt.callbacks.losses import BatchLosses, Progress
from tfadaopt.callbacks.marks import Layer, Look, Thresholds
from tfadaopt.callbacks.probe import Probe
from tfadaopt.callbacks.seen import Columns
from tfadaopt.callbacks.stalls import StallDetector
from tfadaopt.callbacks.watched import Several

A, B, OUT = "net/a/kernel", "net/b/kernel", "net/out/kernel"
ADAM = Layer(optimizer="Adam", size=100, slot="momentum", power=1, kept=0.9, weight_norm=1.0)
SGD = Layer(optimizer="SGD", size=100, weight_norm=1.0)
ADAGRAD = Layer(
    optimizer="Adagrad", size=100, slot="accumulator", power=2, kept=1.0, weight_norm=1.0
)
STATISTICS = {"momentum": ("norm",), "accumulator": ("mean", "p50", "p95", "max")}


def look(step, layers, loss=2.3, rate=0.1, counts=None, not_finite=(), **quantities):
    """A look: by quantity, one number for all layers, or one for each."""
    found = {}
    for name, values in quantities.items():
        numbers = np.broadcast_to(np.asarray(values, float), len(layers))
        for statistic in STATISTICS.get(name, ("value",)):
            quantity = f"accumulator/{name}" if name in STATISTICS else name
            if name == "skipped_updates":
                quantity, statistic = "accumulator/skipped_updates", "mean"
            found[quantity, statistic] = tuple(layers), numbers
    losses = [loss] * 10 if np.ndim(loss) == 0 else loss
    counts = [step] if counts is None else counts
    return Look(step, found, [rate], counts, losses, not_finite)


def watch(seen, layers=None, steps=range(10, 1001, 10), loss=2.3, rate=0.1, **thresholds):
    """All marks of a run, with the steps at which they came.

    Args:
        seen: Quantities by step, or a function of it.
        layers: What is known of the layers.
        steps: When the detector looks.
        loss: Loss, or a function of the step.
        rate: Rate, or a function of the step.
        thresholds: Of the detector.
    """
    layers = {A: SGD} if layers is None else layers
    detector = StallDetector(layers, Thresholds(**thresholds))
    marks = []
    for step in steps:
        numbers = {"weight_norm": 1.0} | (seen(step) if callable(seen) else seen)
        numbers.setdefault("update_ratio", numbers.get("update_norm", 0.01))
        numbers.setdefault("loss", loss(step) if callable(loss) else loss)
        numbers.setdefault("rate", rate(step) if callable(rate) else rate)
        marks += [(step, m) for m in detector.observe(look(step, layers, **numbers))]
    return marks


def told(marks):
    """Layers and kinds, with the steps at which they came."""
    return [(m.layer, m.kind, step) for step, m in marks]


def later(step, at=500, before=1.0, after=0.0):
    return before if step < at else after


# No gradient


def test_weights_that_do_not_move_have_no_gradient():
    marks = watch(lambda step: {"update_norm": later(step)})
    assert told(marks) == [(A, "dead", 550)]
    assert marks[0][1].since == 500
    assert "No gradient arrives at net/a/kernel" in marks[0][1].cause


@pytest.mark.parametrize("update", [0.5, 0.01])
def test_without_gradient_a_momentum_fades_whatever_weight_decay_does(update):
    def seen(step):
        faded = 0.9 ** max(step - 500, 0)
        return {"update_norm": update, "momentum": faded}

    ((layer, kind, at),) = told(watch(seen, {A: ADAM}))
    assert (layer, kind) == (A, "dead")
    assert 570 <= at <= 600


def test_momentum_of_one_huge_gradient_fades_too_and_is_no_death():
    def seen(step):
        return {
            "update_norm": 0.01,
            "momentum": max(1.0, later(step, 500, 0, 1e4 * 0.9 ** (step - 500))),
        }

    assert watch(seen, {A: ADAM}) == []
    at_first = watch(lambda step: {"momentum": max(1.0, 1e4 * 0.9**step)}, {A: ADAM})
    assert at_first == []


def test_small_gradients_are_gradients():
    def seen(step):
        return {"momentum": 0.9 ** max(step - 500, 0) + 1e-3 * (1 + 0.1 * math.sin(step))}

    assert watch(seen, {A: ADAM}) == []


def test_steps_that_became_ever_smaller_have_converged():
    def seen(step):
        update = 0.1 * 0.9**step
        return {"update_norm": update if update > 1e-8 else 0.0}

    assert "dead" not in [m.kind for _, m in watch(seen)]


def test_weight_decay_alone_is_no_learning():
    decaying = Layer(optimizer="SGD", size=100, weight_norm=1.0, weight_decay=0.01)

    def seen(step):
        return {"weight_norm": 0.999 ** (step / 10), "update_norm": 1e-3, "update_ratio": 1e-3}

    assert [kind for _, kind, _ in told(watch(seen, {A: decaying}))] == ["dead"]
    assert watch(lambda step: seen(step) | {"update_ratio": 1.1e-3}, {A: decaying}) == []


def test_optimizer_that_takes_no_step_says_nothing():
    def seen(step):
        return {"update_norm": later(step), "counts": [min(step, 490)]}

    assert watch(seen) == []


def test_the_last_dead_layer_before_the_output_is_named_first():
    layers = {A: SGD, "net/a/bias": Layer(rank=1), B: SGD, "net/b/bias": Layer(rank=1), OUT: SGD}
    layers["net/out/bias"] = Layer(rank=1)
    # Behind dead units, a kernel has inputs of 0, and its bias goes on.
    marks = watch({"update_norm": (0, 0, 0, 0, 0, 0.1)}, layers)
    assert [m.layer for _, m in marks] == [B, A, OUT]
    assert {m.cause for _, m in marks} == {marks[0][1].cause}
    assert "net/b/kernel" in marks[0][1].cause


def test_where_all_biases_go_on_no_layer_is_dead():
    layers = {A: SGD, "net/a/bias": Layer(rank=1), OUT: SGD, "net/out/bias": Layer(rank=1)}
    marks = watch({"update_norm": (0, 1e-12, 0, 0.1)}, layers)
    assert {m.kind for _, m in marks} == {"stalled"}
    assert "vanishes" in marks[0][1].cause


def test_float16_without_loss_scale_is_named():
    half = Layer(optimizer="SGD", size=100, weight_norm=1.0, underflows=True)
    ((_, mark),) = watch({"update_norm": 0.0}, {A: half})
    assert "float16" in mark.cause
    assert "LossScaleOptimizer" in mark.advice


def test_a_run_that_has_learned_all_may_stand_still():
    def seen(step):
        return {"update_norm": later(step)}

    assert watch(seen, loss=lambda step: later(step, 490, 2.3, 1e-6)) == []


# Too small, too coarse


@pytest.mark.parametrize(
    ("dtype", "below", "above"), [("bfloat16", 1e-3, 3e-3), ("float16", 1e-4, 4e-4)]
)
def test_an_update_below_the_resolution_of_the_weights(dtype, below, above):
    layers = {A: Layer(dtype=dtype, size=100, weight_norm=1.0)}
    ((step, mark),) = watch({"update_norm": below}, layers)
    assert (mark.kind, mark.since, step) == ("below_resolution", 10, 60)
    assert dtype in mark.cause
    assert watch({"update_norm": above}, layers) == []


def test_half_precision_that_kept_no_step_is_told_although_biases_learn():
    half = {A: Layer(dtype="bfloat16", size=100, weight_norm=1.0)}
    once = watch(
        lambda step: {"update_norm": later(step, 20, 0.1, 1e-3)}, half, loss=lambda s: 9 / s
    )
    assert once == []
    assert watch({"update_norm": 1e-3}, half, loss=lambda step: 9 / step) != []


def test_half_a_spacing_is_where_rounding_begins_to_lose():
    # The claim behind the threshold, on the numbers themselves: 1 − 2⁻⁹ is kept in bfloat16, less
    # is not; a step up is lost at twice that.
    import ml_dtypes

    theta = ml_dtypes.bfloat16(1.0)
    quarter = 2.0**-7 / 4
    assert ml_dtypes.bfloat16(float(theta) - 1.01 * quarter) != theta
    assert ml_dtypes.bfloat16(float(theta) - 0.99 * quarter) == theta
    assert ml_dtypes.bfloat16(float(theta) + 1.99 * quarter) == theta


@pytest.mark.parametrize("ratio", [2e-8, 5e-7])
def test_a_rate_that_is_too_small_is_not_the_gradients_fault(ratio):
    layers = {A: SGD, OUT: SGD, "net/out/bias": Layer(rank=1)}
    moved = {"update_norm": ratio, "update_ratio": (ratio, ratio, 1.0)}
    marks = watch(moved, layers, rate=1e-7)
    assert {m.layer for _, m in marks} == {A, OUT}
    assert {m.advice for _, m in marks} == {"Raise the learning rate."}
    assert watch(moved, layers, rate=lambda step: step * 1e-9) == []  # It still warms up.
    assert watch(moved, layers, loss=lambda step: 2.3 / step) == []


def test_a_rate_of_0_is_no_lack_of_gradient():
    marks = watch({"update_norm": 0.0}, rate=0.0)
    assert {(m.kind, m.advice) for _, m in marks} == {("stalled", "Raise the learning rate.")}


def test_a_schedule_that_ends_is_no_stall():
    def seen(step):
        return {"update_norm": 0.1 * later(step, 300, 0.1, 1e-4)}

    half = {A: Layer(dtype="bfloat16", size=100, weight_norm=1.0)}
    assert watch(seen, half, rate=lambda step: later(step, 300, 0.1, 1e-4)) == []
    assert told(watch(seen, half, rate=0.1)) == [(A, "below_resolution", 350)]


# Gradients that vanish


def test_a_kernel_that_does_not_matter_beside_others():
    layers = {A: SGD, OUT: SGD}
    marks = watch({"update_norm": (1e-7, 1e-2)}, layers)
    assert told(marks) == [(A, "stalled", 60)]
    assert "vanishes" in marks[0][1].cause
    assert watch({"update_norm": (1e-5, 1e-2)}, layers) == []
    assert watch({"update_norm": (1e-7, 1e-2)}, layers, loss=lambda s: 2.3 / s) == []


def test_under_adam_it_is_the_state_that_shows_it():
    layers = {A: ADAM, OUT: ADAM}
    marks = watch({"update_norm": 0.01, "momentum": (1e-6, 1.0)}, layers)
    assert told(marks) == [(A, "stalled", 60)]


def test_under_rmsprop_roots_of_its_squares_are_compared():
    squares = Layer(optimizer="RMSprop", size=100, slot="accumulator", power=2, kept=0.9)
    layers = dict.fromkeys([A, OUT], dataclasses.replace(squares, weight_norm=1.0))
    marks = watch({"update_norm": 0.01, "accumulator": (1e-9, 1.0)}, layers)
    assert told(marks) == [(A, "stalled", 60)]
    assert watch({"update_norm": 0.01, "accumulator": (1e-6, 1.0)}, layers) == []


def test_state_of_some_layers_is_put_in_their_places():
    layers = {A: ADAM, B: dataclasses.replace(ADAGRAD, leaf=1), OUT: SGD}
    tables = {("accumulator/momentum", "norm"): ((A,), np.array([3.0]))}
    sums = dict(zip(STATISTICS["accumulator"], [5.0, 6.0, 7.0, 8.0], strict=True))
    for statistic, value in sums.items():
        tables["accumulator/accumulator", statistic] = (B,), np.array([value])
    found = Columns(list(layers), layers).of(Look(10, tables, [0.1]))
    np.testing.assert_array_equal(found.gathered, [3.0, 5.0, np.nan])
    np.testing.assert_array_equal(found.sums[:, 1], list(sums.values()))
    assert np.isnan(found.sums[:, [0, 2]]).all()


def test_kernels_of_two_optimizers_are_not_compared():
    layers = {A: SGD, OUT: Layer(optimizer="SGD", size=100, leaf=1)}
    seen = {"update_norm": (1e-5, 1e2), "update_ratio": (1e-5, 1e-2), "counts": [1, 1]}
    detector = StallDetector(layers)
    for step in range(10, 500, 10):
        one = look(step, layers, **{**seen, "counts": [step, step]}, weight_norm=1.0)
        assert detector.observe(Look(**{**vars(one), "rates": [0.1, 0.1]})) == []


def test_weight_decay_that_eats_the_weights():
    decaying = Layer(optimizer="AdamW", size=100, weight_norm=1.0, weight_decay=20.0)

    def seen(step):
        return {"weight_norm": 0.98**step, "update_norm": 0.02}

    ((_, mark),) = watch(seen, {A: decaying}, rate=1e-3)
    assert mark.kind == "stalled"
    assert "Weight decay" in mark.cause
    assert watch(seen, {A: decaying}, loss=lambda step: 2.3 / step) == []


# Sums of squares


def adagrad(step, gradient, rate=0.1):
    """What gradients like these, one number for each step, leave."""
    total = sum(gradient(t) ** 2 for t in range(1, step + 1))
    update = rate * gradient(step) / math.sqrt(total) * 10  # of 100 coordinates
    return {"update_norm": update, "accumulator": total}


@pytest.mark.parametrize("until", [5, 300])
def test_adagrads_own_fall_is_none_but_what_large_early_gradients_add_is(until):
    def spike(t):
        return 1e3 if t <= until else 1.0

    ((at, mark),) = watch(lambda step: adagrad(step, spike), {A: ADAGRAD})
    assert mark.kind == "stalled"
    assert until < at <= until + 100
    assert "accumulator" in mark.cause
    assert "RMSprop" in mark.advice
    assert watch(lambda step: adagrad(step, lambda t: 1.0), {A: ADAGRAD}) == []


def test_steps_that_are_small_beside_epsilon_are_no_memory():
    tiny = dataclasses.replace(ADAGRAD, epsilon=1e-7)

    def seen(step):
        return {"update_norm": 1e-6, "accumulator": 1e-12 * step}

    assert watch(seen, {A: tiny}) == []
    assert watch(seen, {A: dataclasses.replace(tiny, epsilon=1e-20)}) != []


def test_a_gradient_that_fades_is_no_memory():
    marks = watch(lambda step: adagrad(step, lambda t: math.exp(-t / 100)), {A: ADAGRAD})
    assert marks == []


def test_an_accumulator_that_no_longer_changes():
    def seen(step):
        return {"update_norm": 1.0, "accumulator": min(step, 256.0)}

    marks = watch(seen, {A: ADAGRAD})
    assert told(marks) == [(A, "saturated", 320)]
    assert "s + g² = s" in marks[0][1].cause


def test_a_loss_that_falls_says_that_nothing_stalled():
    def seen(step):
        return {"update_norm": 1.0, "accumulator": min(step, 256.0)}

    assert watch(seen, {A: ADAGRAD}, loss=lambda step: 2.3 * 0.9**step) == []
    unknown = watch(lambda step: seen(step) | {"loss": []}, {A: ADAGRAD})
    assert [m.kind for _, m in unknown] == ["saturated"]


# Explosions


def test_weights_that_grow_while_the_loss_does():
    layers = {A: SGD, OUT: Layer(size=100, weight_norm=0.0)}

    def seen(step):
        return {"weight_norm": (3.0 ** min(step, 99), step), "update_norm": 0.01}

    # What begins at 0 grows by no factor.
    (at, mark), *more = watch(seen, layers, loss=lambda step: 2.0**step, steps=range(10, 100, 10))
    assert (at, mark.layer, mark.kind) == (20, A, "exploding")
    assert more == []
    assert "times what they were" in mark.cause
    assert watch(seen, layers, loss=lambda step: 2.3 / step) == []


def test_large_steps_that_lead_nowhere_explode_too():
    def seen(step):
        return {"weight_norm": 10.0 if step < 100 else 1e3 * step, "update_norm": 0.1}

    marks = watch(seen, loss=lambda step: later(step, 100, 2.3, 2.35))
    assert told(marks) == [(A, "exploding", 60)]


def test_large_weights_do_not_explode_while_the_loss_falls():
    seen, steps = {"weight_norm": 1e3, "update_norm": 0.1}, range(10, 201, 10)
    assert watch(seen, steps=steps, loss=lambda step: 2.3 - step / 1000) == []
    assert told(watch(seen, steps=steps)) == [(A, "exploding", 60)]


def test_small_weights_that_grow_up_do_not_explode():
    def seen(step):
        return {"weight_norm": min(1e-3 * 1.1**step, 4.0), "update_norm": 0.01}

    assert watch(seen, {A: dataclasses.replace(SGD, weight_norm=1e-3)}) == []


def test_explosion_of_ten_layers_is_one_sentence():
    layers = {f"net/{i}/kernel": SGD for i in range(10)}

    def seen(step):
        return {"weight_norm": [2.0 ** (step + i) for i in range(10)], "update_norm": 0.1}

    marks = watch(seen, layers, loss=lambda step: 2.0**step)
    assert len(marks) == 10
    assert marks[0][1].layer == "net/9/kernel"
    assert len({m.cause for _, m in marks}) == 1


# What is not finite


def test_the_first_nan_by_layer():
    layers = {A: ADAM, B: ADAM}

    def seen(step):
        return {
            "momentum": (1.0, math.nan) if step >= 300 else 1.0,
            "weight_norm": math.nan if step >= 320 else 1.0,
        }

    marks = watch(seen, layers)
    assert [(step, m.layer, m.quantity) for step, m in marks] == [
        (300, B, "accumulator/momentum"),
        (320, A, "weight_norm"),
    ]
    assert {m.kind for _, m in marks} == {"nan"}
    assert "not finite" in marks[0][1].cause


def test_nan_after_a_loss_that_rose_is_the_rates_fault():
    def seen(step):
        return {"weight_norm": math.nan, "loss": [2.3, 1e3, 1e9]}

    ((_, mark),) = watch(seen, steps=[10, 20])
    assert "too large" in mark.cause
    assert "Lower the learning rate" in mark.advice


def test_what_was_not_measured_is_no_nan():
    def seen(step):
        return {"update_norm": math.nan if step < 30 else 1.0}

    assert watch(seen) == []


def test_a_log_of_nothing_but_nan():
    detector = StallDetector()
    tables = {("update_ratio", "value"): ((A,), np.array([math.nan]))}
    (mark,) = detector.observe(Look(10, tables))
    assert (mark.layer, mark.kind) == (A, "nan")


def test_moving_statistics_and_a_loss_alone():
    def seen(step):
        return {"not_finite": ["net/bn/moving_mean"] if step >= 30 else []}

    ((step, mark),) = watch(seen)
    assert (step, mark.layer, mark.kind) == (30, "net/bn/moving_mean", "nan")
    ((step, mark),) = watch(lambda step: {"not_finite": ["loss"] if step >= 30 else []})
    assert (step, mark.layer, mark.kind) == (30, "loss", "nan")


def test_updates_that_were_left_out():
    marks = watch(lambda step: {"skipped_updates": later(step, 300, 0, 1)})
    assert told(marks) == [(A, "nan", 300)]
    assert "in 1 step" in marks[0][1].cause
    assert "NaN in the data" in marks[0][1].advice


def test_updates_that_were_left_out_after_a_loss_that_rose_are_the_rates_fault():
    def seen(step):
        return {"skipped_updates": later(step, 20, 0, 1), "loss": later(step, 20, 2.3, 1e3)}

    ((_, mark),) = watch(seen, steps=[10, 20])
    assert mark.cause.endswith("The loss had risen before.")
    assert "Lower the learning rate" in mark.advice


# States


def test_a_state_may_change_for_a_better_word_and_is_said_once():
    def seen(step):
        # The gradient vanishes at 200, and is nothing from 400 on.
        small = 1.0 if step < 200 else 5e-6 if step < 400 else 0.0
        return {"update_norm": (small, 1.0)}

    marks = watch(seen, {A: SGD, OUT: SGD})
    assert told(marks) == [(A, "stalled", 250), (A, "dead", 450)]


def test_a_layer_that_was_well_in_between_is_reported_again():
    def seen(step):
        return {"update_norm": 0.0 if 100 <= step < 200 or step >= 600 else 1.0}

    assert told(watch(seen)) == [(A, "dead", 150), (A, "dead", 650)]


def test_one_step_that_moves_is_no_recovery():
    def seen(step):
        return {"update_norm": 1.0 if step < 100 or step == 300 else 0.0}

    assert told(watch(seen)) == [(A, "dead", 150)]


def test_steps_that_go_back_begin_a_new_run():
    twice = [*range(10, 800, 10), *range(10, 800, 10)]
    marks = watch(lambda step: {"update_norm": later(step)}, steps=twice)
    assert [step for step, _ in marks] == [550, 550]


def test_patience_and_factor_are_what_they_say():
    def seen(step):
        return {"update_norm": later(step)}

    assert watch(seen, patience=300)[0][0] == 800

    def spike(t):
        return 20.0 if t <= 5 else 1.0  # √(5 · 20²) to √t

    def remembers(step):
        return adagrad(step, spike)

    assert watch(remembers, {A: ADAGRAD}, steps=range(10, 100, 10), factor=5.0) != []
    assert watch(remembers, {A: ADAGRAD}, steps=range(10, 100, 10)) == []


def test_no_kernel_learns_any_more():
    detector = StallDetector({A: SGD, "net/a/bias": Layer(rank=1)})
    for step in range(10, 100, 10):
        assert not detector.has_stopped
        if detector.observe(look(step, (A, "net/a/bias"), update_norm=0, weight_norm=1)):
            break
    assert detector.has_stopped


def test_biases_are_no_kernels_but_where_there_is_nothing_else():
    bias = {"net/a/bias": Layer(rank=1)}
    assert watch({"update_norm": (0.0, 1.0)}, bias | {A: SGD}) == []
    assert told(watch({"update_norm": 0.0}, bias)) == [("net/a/bias", "dead", 60)]


# Losses


def running_means(losses):
    return np.float32(
        np.cumsum(np.float32(losses), dtype=np.float32) / np.arange(1, len(losses) + 1)
    )


def test_batches_from_the_mean_of_an_epoch():
    losses, keeps = np.random.default_rng(0).normal(-1, 0.3, 500), BatchLosses()
    keeps.is_mean = True
    for batch, mean in enumerate(running_means(losses)):
        keeps.add(batch, mean)
    np.testing.assert_allclose(keeps.take()[0], losses, atol=2e-3)
    assert keeps.take() == ((), False)


def test_a_batch_that_is_reported_again_adds_no_loss():
    keeps = BatchLosses()
    keeps.is_mean = True
    for batch, mean in [(0, 2.0), (0, 2.0), (1, 3.0)]:
        keeps.add(batch, mean)
    assert keeps.take()[0] == (2.0, 4.0)


def test_a_loss_of_the_batch_is_taken_as_it_is():
    keeps = BatchLosses()
    keeps.is_mean = False
    for batch, loss in enumerate([3.0, 1.0, 2.0]):
        keeps.add(batch, loss)
    assert keeps.take()[0] == (3.0, 1.0, 2.0)


def test_after_a_huge_loss_a_mean_says_nothing_until_the_epoch_ends():
    losses, keeps = np.ones(50), BatchLosses()
    keeps.is_mean = True
    losses[10] = 1e9
    for batch, mean in enumerate(running_means(losses)):
        keeps.add(batch, mean)
    found = keeps.take()[0]
    assert found == pytest.approx([1.0] * 10 + [1e9])
    keeps.begin_epoch()
    keeps.add(0, 1.0)
    assert keeps.take() == ((1.0,), False)


@pytest.mark.parametrize("is_mean", [True, False])
def test_a_loss_that_is_none(is_mean):
    keeps = BatchLosses()
    keeps.is_mean = is_mean
    for batch, loss in enumerate([1.0, 1.0, math.nan, math.nan]):
        keeps.add(batch, loss)
    assert keeps.take() == ((1.0, 1.0), True)
    keeps.add(4, math.nan)
    assert keeps.take()[1] != is_mean  # A mean stays NaN for the rest of its epoch.


def progress(losses):
    found = Progress()
    for i, loss in enumerate(np.asarray(losses).reshape(-1, 10)):
        found.add(10 * i + 10, loss.tolist())
    return found


@pytest.mark.parametrize("offset", [0.0, 5.0, -5.0])
def test_what_losses_say_of_either_sign_with_a_floor_and_an_outlier(offset):
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=200)
    noise[55] += 1e6
    falling, level = 3 * np.exp(-np.arange(200) / 60) + noise + offset, noise + offset
    assert progress(falling).falls(100)
    assert progress(falling).is_better()
    assert not progress(level).falls(100)
    assert not progress(level).is_better()
    assert progress(np.append(level, level[:50] + 9)).is_worse()


def test_few_losses_say_nothing():
    assert not progress(np.arange(200.0)[::-1]).falls(since=200)
    assert not Progress().is_better()


# Recordings

RECORDINGS = sorted((Path(stalls.__file__).parent / "recordings").glob("*.npz"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recorded_training(path):
    found = judge.verdict(recording.read(path))
    assert not found.void
    assert not found.is_wrong, found.marks
    if not found.is_healthy:
        assert not found.misleads, found.marks
        assert found.delay <= 100


def test_verdicts_can_be_wrong():
    by_name = {path.stem: recording.read(path) for path in RECORDINGS}
    healthy, broken = by_name["CNN, Adam 0"], by_name["dead later: CNN, Adam 0"]
    assert judge.verdict(dataclasses.replace(healthy, about=broken.about)).is_wrong
    assert judge.verdict(dataclasses.replace(broken, about=healthy.about)).is_wrong
    other = broken.about | {"says": "weight decay"}
    assert judge.verdict(dataclasses.replace(broken, about=other)).misleads


@pytest.mark.parametrize("every", [2, 5, 10])
def test_who_looks_less_often_is_no_more_often_alarmed(every):
    for path in RECORDINGS:
        run = recording.read(path)
        if run.about["expected"]:
            continue
        looks, losses = [], []
        for look in run.looks:
            losses += look.losses
            if look.step // 10 % every == 0:
                looks.append(dataclasses.replace(look, losses=tuple(losses)))
                losses = []
        assert judge.verdict(dataclasses.replace(run, looks=looks)).marks == [], path


def test_recording_is_what_it_was(tmp_path):
    run = recording.read(RECORDINGS[0])
    run.write(tmp_path / "again.npz")
    again = recording.read(tmp_path / "again.npz")
    assert (again.about, again.layers) == (run.about, run.layers)
    for a, b in zip(again.looks, run.looks, strict=True):
        assert a.losses == b.losses
        assert a.tables.keys() == b.tables.keys()
        for key, (layers, values) in a.tables.items():
            assert layers == b.tables[key][0]
            np.testing.assert_array_equal(values, b.tables[key][1])


# What is known before the first step


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (tfadaopt.Adam(), ("momentum", 1, 0.9)),
        (keras.optimizers.RMSprop(momentum=0.8), ("momentum", 1, 0.8)),
        (keras.optimizers.RMSprop(rho=0.7), ("velocity", 2, 0.7)),
        (tfadaopt.Adagrad(), ("accumulator", 2, 1.0)),
        (tfadaopt.SGD(), ("", 1, 0.0)),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_what_gathers_the_gradients_of_a_layer(optimizer, expected):
    v = keras.Variable(np.ones([2, 3], "float32"), name="kernel")
    optimizer.build([v])
    (found,) = layers_known([v], optimizer, None, norms_of([v])).values()
    assert (found.slot, found.power, found.kept) == pytest.approx(expected)


def test_each_layer_is_known_by_the_optimizer_that_steps_it():
    a, b, other = (keras.Variable(np.ones([2, 3], "float32"), name=x) for x in ("a", "b", "other"))
    decaying, unbuilt = tfadaopt.AdamW(weight_decay=0.1), tfadaopt.AdamW(weight_decay=0.2)
    both = Several({"first": decaying, "second": tfadaopt.Adagrad(), "third": unbuilt})
    decaying.exclude_from_weight_decay([a])
    decaying.build([a, other])
    both.by_name["second"].build([b])
    unknown = keras.Variable(np.ones([2]), name="unknown")
    found = layers_known([a, b, other, unknown], both, None, {})
    assert [x.leaf for x in found.values()] == [0, 1, 0, 0]
    assert [x.weight_decay for x in found.values()][:3] == [0.0, 0.0, 0.1]
    assert found["unknown"].slot == ""
    built = layers_of(both, [a, b, unknown], ["a", "b", "unknown"])
    assert [(x.path, x.optimizer) for x in built] == [("a", decaying), ("b", both.optimizers[1])]


@keras.saving.register_keras_serializable("test_stall")
class OnTheHost(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that no graph can trace, and that may be wrong."""

    def __init__(self, works):
        self.works, self.calls = works, 0

    def __call__(self, step):
        self.calls += 1
        if not self.works:
            raise RuntimeError("no rate")
        return 0.5 / (1 + float(step))


def test_a_schedule_that_cannot_be_traced_is_read_eagerly():
    optimizer = tfadaopt.SGD(OnTheHost(works=True))
    probe = Probe(None, [optimizer])
    assert probe(0) == ([0.5], [0], [])
    optimizer.iterations.assign(2)
    assert probe(2) == ([0.25], [2], [])


def test_a_schedule_that_fails_is_asked_no_more():
    schedule = OnTheHost(works=False)
    probe = Probe(None, [tfadaopt.SGD(schedule)])
    assert probe(0) == ([], [], [])
    asked = schedule.calls
    assert probe(1) == ([], [], [])
    assert schedule.calls == asked


# The callback


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


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (["a"], "1 layer has a saturated accumulator."),
        (["a", "b"], "2 layers have a saturated accumulator."),
    ],
)
def test_the_headline_is_a_sentence(layers, said):
    about = {"kind": "saturated", "since": 2, "cause": "", "advice": "", "quantity": ""}
    text = telling.as_text(7, [{**about, "layer": layer} for layer in layers])
    assert text.splitlines()[0] == f"StallWarning, step 7: {said}"


class DeadRelu(keras.layers.Dense):
    """No input gets through."""

    def __init__(self, **options):
        super().__init__(3, activation="relu", bias_initializer=keras.initializers.Constant(-99.0))


def test_a_dead_layer_is_told_on_the_console_and_in_tensorboard(tmp_path, capsys):
    warning = StallWarning(tmp_path, every=5, patience=20)
    monitor = OptimizerMonitor(tmp_path, every=10)
    fit(model(DeadRelu(name="dead"), optimizer=tfadaopt.SGD(0.01)), [monitor, warning])
    said = capsys.readouterr().out
    assert "StallWarning, step 25: 2 layers are without gradient." in said
    assert said.count("without gradient since step 5") == 1
    # The culprit first.
    assert [m.layer for m in warning.marks] == ["net/dead_relu/kernel", "net/out/kernel"]
    found = history.read(tmp_path)["."]
    assert [m["layer"] for m in found.marks] == [m.layer for m in warning.marks]
    assert {m["step"] for m in found.marks} == {25}
    assert found.steps.tolist() == list(range(5, 41, 5))
    assert len(events.files(tmp_path)) == 1


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("optimizer", [tfadaopt.SGD(0.01), keras.optimizers.Adam()])
def test_a_log_says_the_same_afterwards(optimizer, tmp_path):
    warning = StallWarning(every=5)
    callbacks = [OptimizerMonitor(tmp_path, every=5), warning]
    fit(model(DeadRelu(name="dead"), optimizer=optimizer), callbacks, steps=100)
    found = hindsight.marks_of(history.read(tmp_path)["."])
    assert found
    told = [(m.layer, m.kind, m.since, m.cause) for m in warning.marks]
    assert [(m["layer"], m["kind"], m["since"], m["cause"]) for m in found] == told


def test_a_log_is_judged_where_its_quantities_were_taken_at_other_steps(tmp_path):
    log = logs.Log(tmp_path)
    for step in range(10, 50, 10):
        log.table(step, {A: 0.01, B: 0.01}, "update_ratio", "value")
        if step % 20 == 0:
            norms = {A: math.nan if step == 40 else 1.0, B: 1.0}
            log.table(step, norms, "weight_norm", "value")
    (mark,) = hindsight.marks_of(history.read(tmp_path)["."])
    assert (mark["layer"], mark["kind"], mark["step"]) == (A, "nan", 40)


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
        def make_detector(self, layers):
            self.losses = {}
            return self

        def observe(self, look):
            self.losses[look.step] = look.losses
            return []

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
        expected = loss.single[since : step - stale]
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
