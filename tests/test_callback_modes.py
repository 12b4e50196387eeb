"""The callbacks in every way of training: compiled, several steps at once, frozen, half precision.

What is logged is compared with what a callback beside them reads by the public functions.
"""

import functools
import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import AccumulatorMagnitude, EffectiveLearningRate

from . import events
from .support import models


@functools.cache
def arrays(batches=10):
    """Inputs and targets; batches are of two."""
    random = np.random.default_rng(0)
    return tuple(random.normal(size=(2 * batches, n)).astype("float32") for n in (4, 1))


def dataset(batches=10, count_known=True):
    data = tf.data.Dataset.from_tensor_slices(arrays(batches)).batch(2)
    return data if count_known else data.filter(lambda x, y: True)


def make_model(optimizer=None, **arguments):
    return models.make_model(optimizer or tfadaopt.Adagrad(0.1), **arguments)


def compiled(model, optimizer=None, **compile_arguments):
    model.compile(optimizer or tfadaopt.Adagrad(0.1), "mse", **compile_arguments)
    return model


def fit(model, folder, data=None, every=1, beside=None, **arguments):
    """Train with both callbacks, in the same steps or in those of the pair ``every``."""
    beside = beside or events.Beside()
    rates, accumulators = every if isinstance(every, tuple) else (every, every)
    callbacks = [
        EffectiveLearningRate(folder, rates),
        beside,
        AccumulatorMagnitude(folder, accumulators),
    ]
    arguments = {"verbose": 0, "shuffle": False, "callbacks": callbacks, **arguments}
    model.fit(dataset() if data is None else data, **arguments)
    return beside


def logged_steps(folder, beside):
    """Steps, after a look at the values: both quantities are in each event."""
    logged = events.read(folder)
    events.same_values(logged, beside)
    return [event.step for event in logged]


# How steps are run


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    "mode",
    [
        {"run_eagerly": True},
        {"jit_compile": True},
        pytest.param({"jit_compile": False}, marks=pytest.mark.slow),
    ],
    ids=lambda mode: "-".join(f"{key}-{value}" for key, value in mode.items()),
)
def test_eager_and_compiled(mode, tmp_path):
    model = make_model(tfadaopt.RMSprop(0.01, centered=True), **mode)
    beside = fit(model, tmp_path, every=3, epochs=2)
    assert logged_steps(tmp_path, beside) == [3, 6, 9, 12, 15, 18]


STEPS_OF_FOUR = {
    1: [4, 8, 10, 14, 18, 20],
    4: [4, 8, 14, 18, 20],  # 12 is seen at 14, 16 at 18
    5: [8, 10, 18, 20],
    9: [10, 18],
    20: [20],
    21: [],
}


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize(
    "every", [1, 5, *(pytest.param(n, marks=pytest.mark.slow) for n in (4, 9, 20, 21))]
)
def test_several_steps_per_execution(every, tmp_path):
    """What is due is logged when it is seen, at the step where it is seen; 4 does not divide 10."""
    model = make_model(steps_per_execution=4)
    beside = fit(model, tmp_path, every=every, epochs=2)
    assert beside.iterations == [4, 8, 10, 14, 18, 20]
    assert logged_steps(tmp_path, beside) == STEPS_OF_FOUR[every]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [{"jit_compile": True}, {"run_eagerly": True}], ids=str)
def test_several_steps_per_execution_compiled_and_eager(mode, tmp_path):
    model = make_model(steps_per_execution=4, **mode)
    beside = fit(model, tmp_path, every=5, epochs=2)
    assert logged_steps(tmp_path, beside) == STEPS_OF_FOUR[5]


def test_several_steps_per_execution_of_data_of_unknown_length(tmp_path):
    model = make_model(steps_per_execution=4)
    beside = fit(model, tmp_path, dataset(count_known=False), epochs=2)
    assert logged_steps(tmp_path, beside) == STEPS_OF_FOUR[1]


@pytest.mark.parametrize("every", [(5, 6), pytest.param((6, 5), marks=pytest.mark.slow)], ids=str)
def test_last_execution_with_two_intervals(every, tmp_path):
    """The last execution of an epoch is told as batches 9 to 12, but ends with 10.

    What is due every 5 steps is due then, although what is due every 6 steps is not yet.
    """
    model = make_model(steps_per_execution=4)
    beside = fit(model, tmp_path, every=every, epochs=2)
    families = {5: "effective", 6: "accumulator"}
    if every == (6, 5):
        families = {6: "effective", 5: "accumulator"}
    logged = events.read(tmp_path)
    expected = {8: [5, 6], 10: [5], 14: [6], 18: [5, 6], 20: [5]}
    assert [event.step for event in logged] == list(expected)
    for event in logged:
        events.same_values([event], beside, [families[n] for n in expected[event.step]])


def test_gradient_accumulation(tmp_path):
    """Steps are updates, over fits of 10 batches with an update each third; η counts batches."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.9)
    optimizer = tfadaopt.Adagrad(schedule, gradient_accumulation_steps=3)
    model = make_model(optimizer)
    beside = events.Beside(rate=lambda step: 0.1 * 0.9 ** max(3 * step - 1, 0))
    for _ in range(2):
        fit(model, tmp_path / "1", every=1, beside=beside)
    assert beside.iterations == [n // 3 for n in range(1, 21)]
    assert logged_steps(tmp_path / "1", beside) == [1, 2, 3, 4, 5, 6]
    fit(model, tmp_path / "4", every=4, beside=beside, epochs=2)
    assert logged_steps(tmp_path / "4", beside) == [8, 12]


@pytest.mark.slow
def test_gradient_accumulation_over_several_steps_per_execution(tmp_path):
    optimizer = tfadaopt.Adagrad(0.1, gradient_accumulation_steps=3)
    model = make_model(optimizer, steps_per_execution=4)
    beside = fit(model, tmp_path, every=2, epochs=3)
    assert beside.iterations == [1, 2, 3, 4, 6, 6, 8, 9, 10]
    assert logged_steps(tmp_path, beside) == [2, 4, 6, 8, 10]


# What is trained


def test_layer_frozen_from_the_start(tmp_path):
    model = make_model()
    model.get_layer("hidden").trainable = False
    beside = fit(compiled(model), tmp_path, every=5)
    assert logged_steps(tmp_path, beside) == [5, 10]
    tags = events.tags(tmp_path)
    assert not any("hidden" in tag for tag in tags)
    assert any("outputs" in tag for tag in tags)


@pytest.mark.parametrize("callbacks", ["same", pytest.param("new", marks=pytest.mark.slow)])
def test_layer_frozen_between_fits(callbacks, tmp_path):
    """And trained again: that needs a new optimizer only if it never knew the layer."""
    pair = [EffectiveLearningRate(tmp_path, 5), AccumulatorMagnitude(tmp_path, 5)]
    model, beside = make_model(), events.Beside()
    for trainable in (True, False, True):
        model.get_layer("hidden").trainable = trainable
        compiled(model, model.optimizer, run_eagerly=True)
        if callbacks == "new":
            pair = None
            pair = [EffectiveLearningRate(tmp_path, 5), AccumulatorMagnitude(tmp_path, 5)]
        model.fit(dataset(), verbose=0, shuffle=False, callbacks=[*pair, beside])
    logged = events.read(tmp_path)
    assert [event.step for event in logged] == [5, 10, 15, 20, 25, 30]
    events.same_values(logged, beside)
    assert [any("hidden" in tag for tag in values) for _, values in logged] == [
        *(True, True),
        *(False, False),
        *(True, True),
    ]


@pytest.mark.slow
def test_compiled_again_with_another_method(tmp_path):
    """The same callbacks follow the new optimizer, whose count begins again."""
    model = make_model()
    fit(model, tmp_path / "first", every=5)
    callbacks = [EffectiveLearningRate(tmp_path / "both", 5)]
    callbacks += [AccumulatorMagnitude(tmp_path / "both", 5)]
    model.fit(dataset(), verbose=0, shuffle=False, callbacks=callbacks)
    compiled(model, tfadaopt.Momentum(0.01))
    beside = events.Beside()
    model.fit(dataset(), verbose=0, shuffle=False, callbacks=[*callbacks, beside])
    logged = events.read(tmp_path / "both")
    assert [event.step for event in logged] == [5, 10, 15, 20]
    of_momentum, of_adagrad = logged[:2], logged[2:]
    events.same_values(of_momentum, beside)
    assert all("accumulator/accumulator/hidden/bias/norm" in v for _, v in of_adagrad)


class Subclassed(keras.Model):
    def __init__(self, names=("hidden", "outputs")):
        super().__init__()
        self.first = keras.layers.Dense(5, activation="tanh", name=names[0])
        self.second = keras.layers.Dense(1, name=names[1])

    def call(self, inputs):
        return self.second(self.first(inputs))


def lazy():
    return keras.Sequential(
        [keras.layers.Dense(5, activation="tanh", name="hidden"), keras.layers.Dense(1)]
    )


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("make", [lazy, Subclassed])
@pytest.mark.parametrize(
    "mode",
    [{"run_eagerly": True}, pytest.param({}, marks=pytest.mark.slow)],
    ids=["eager", "graph"],
)
def test_model_built_by_its_first_batch(make, mode, tmp_path):
    keras.utils.set_random_seed(3)
    model = compiled(make(), **mode)
    assert not model.built
    beside = fit(model, tmp_path, every=1, epochs=2)
    assert logged_steps(tmp_path, beside) == list(range(1, 21))
    assert any("hidden/kernel" in tag for tag in events.tags(tmp_path))


def test_two_variables_of_one_path(tmp_path):
    """Neither takes the other's place."""
    keras.utils.set_random_seed(3)
    model = compiled(Subclassed(names=("same", "same")), run_eagerly=True)
    folder = tmp_path / "logs"
    model.fit(dataset(), verbose=0, shuffle=False, callbacks=[AccumulatorMagnitude(folder, 10)])
    paths = [v.path for v in model.trainable_variables]
    assert len(set(paths)) == 2
    ((step, values),) = events.read(folder)
    assert step == 10
    norms = sorted(value for tag, value in values.items() if tag.endswith("norm"))
    assert len(norms) == 4
    slots = [tfadaopt.accumulators(model.optimizer, v) for v in model.trainable_variables]
    expected = sorted(np.linalg.norm(slot["accumulator"]) for slot in slots)
    np.testing.assert_allclose(norms, expected, rtol=1e-5)


class Hollow(keras.layers.Layer):
    """Has a variable without elements, and one without axes."""

    def build(self, input_shape):
        self.nothing = self.add_weight(shape=(0, 3), name="nothing")
        self.number = self.add_weight(shape=(), initializer="ones", name="number")

    def call(self, inputs):
        return inputs * self.number + keras.ops.sum(self.nothing)


def test_variables_without_elements_or_axes(tmp_path):
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(1)(Hollow(name="hollow")(inputs))
    model = compiled(keras.Model(inputs, outputs), run_eagerly=True)
    beside = fit(model, tmp_path, every=5)
    assert logged_steps(tmp_path, beside) == [5, 10]
    tags = events.tags(tmp_path)
    assert "accumulator/accumulator/hollow/number/norm" in tags
    assert not any("nothing" in tag for tag in tags)


def test_embedding(tmp_path):
    ids = np.array([[0, 3], [3, 3], [1, 0], [3, 1]] * 5)
    model = keras.Sequential(
        [
            keras.layers.Embedding(6, 3, name="embedding"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    data = tf.data.Dataset.from_tensor_slices((ids, arrays()[1])).batch(2)
    beside = fit(compiled(model), tmp_path, data, every=5)
    assert logged_steps(tmp_path, beside) == [5, 10]
    assert any("embedding/embeddings" in tag for tag in events.tags(tmp_path))


# Half precision


@pytest.mark.slow
@pytest.mark.parametrize(
    "several", [1, pytest.param(4, marks=pytest.mark.slow)], ids="steps-per-execution-{}".format
)
def test_steps_that_loss_scaling_skips_write_nothing(several, tmp_path):
    """The first scale, 2^15, is too large for these gradients: it is halved until it is not."""
    model = make_model(policy="mixed_float16", steps_per_execution=several)
    model.compile(
        keras.optimizers.LossScaleOptimizer(tfadaopt.Adagrad(0.1)),
        "mse",
        steps_per_execution=several,
    )
    x, y = arrays()
    data = tf.data.Dataset.from_tensor_slices((x, y * 100)).batch(2)
    beside = fit(model, tmp_path / "1", data, every=1, epochs=2)
    done = beside.iterations[-1]
    assert 5 <= done < 20, "no step was skipped, or nearly all"
    assert beside.iterations[0] == 0
    seen = sorted({n for n in beside.iterations if n > 0})
    assert logged_steps(tmp_path / "1", beside) == seen

    beside = fit(model, tmp_path / "3", data, every=3, epochs=2)
    expected = [n for n in range(done + 1, done + 21) if n % 3 == 0]
    if several == 1:
        assert logged_steps(tmp_path / "3", beside) == expected
    else:
        assert len(logged_steps(tmp_path / "3", beside)) >= 4


@pytest.mark.slow
def test_skipped_steps_with_two_intervals_in_several_steps_per_execution(tmp_path):
    """A skipped step puts off what is due every 4 steps, not what is due at every step."""
    model = make_model(policy="mixed_float16")
    optimizer = keras.optimizers.LossScaleOptimizer(tfadaopt.Adagrad(0.1))
    model.compile(optimizer, "mse", steps_per_execution=4)
    x, y = arrays()
    data = tf.data.Dataset.from_tensor_slices((x, y * 100)).batch(2)
    beside = fit(model, tmp_path, data, every=(1, 4), epochs=2)
    assert beside.iterations[-1] < 20
    rates = [
        step for step, values in events.read(tmp_path) if any("effective" in tag for tag in values)
    ]
    assert rates == sorted({n for n in beside.iterations if n > 0})


@pytest.mark.parametrize(
    "policy",
    ["bfloat16", *(pytest.param(p, marks=pytest.mark.slow) for p in ("float16", "float64"))],
)
def test_variables_of_other_dtypes(policy, tmp_path):
    model = make_model(policy=policy)
    beside = fit(model, tmp_path, every=5)
    dtypes = {keras.backend.standardize_dtype(v.dtype) for v in model.trainable_variables}
    assert dtypes == {policy}
    assert logged_steps(tmp_path, beside) == [5, 10]


# How fit is called


def test_validation_between_and_steps_per_epoch(tmp_path):
    """Batches of validation are not steps; an epoch may end before its data does."""
    model = make_model()
    beside = fit(
        model,
        tmp_path,
        dataset().repeat(),
        every=3,
        epochs=3,
        steps_per_epoch=4,
        validation_data=dataset(7),
        validation_steps=2,
    )
    assert logged_steps(tmp_path, beside) == [3, 6, 9, 12]


def test_epochs_of_one_batch(tmp_path):
    beside = fit(make_model(), tmp_path, dataset(1), every=2, epochs=5)
    assert logged_steps(tmp_path, beside) == [2, 4]


@pytest.mark.slow
def test_arrays_generators_and_initial_epoch(tmp_path):
    model = make_model()
    x, y = arrays()
    beside = events.Beside()
    fit(model, tmp_path, x, y=y, batch_size=3, beside=beside, every=4)  # 7 batches, the last short
    fit(model, tmp_path, x, y=y, batch_size=10, beside=beside, every=4, initial_epoch=3, epochs=5)
    batches = ((x[:2], y[:2]) for _ in range(9))
    fit(model, tmp_path, batches, beside=beside, every=4)
    assert beside.iterations == list(range(1, 21))
    assert logged_steps(tmp_path, beside) == [4, 8, 12, 16, 20]


def test_rate_that_callbacks_change(tmp_path):
    """η is that of the epoch, as Keras' own scheduler sets it."""
    change = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 ** (epoch + 1))
    beside = events.Beside(rate=lambda step: 0.5 if step <= 10 else 0.25)
    callbacks = [change, EffectiveLearningRate(tmp_path, 5), AccumulatorMagnitude(tmp_path, 5)]
    model = make_model()
    model.fit(dataset(), epochs=2, verbose=0, shuffle=False, callbacks=[*callbacks, beside])
    assert logged_steps(tmp_path, beside) == [5, 10, 15, 20]


@pytest.mark.slow
def test_evaluate_and_predict_write_nothing(tmp_path):
    model, callbacks = make_model(), [EffectiveLearningRate(tmp_path, 1)]
    model.evaluate(dataset(), verbose=0, callbacks=callbacks)
    model.predict(dataset(), verbose=0, callbacks=callbacks)
    assert events.files(tmp_path) == []


# Two devices


def test_mirrored_strategy(two_devices):
    assert two_devices == {"replicas": 2, "steps": [[3, 6, 9, 12, 15, 18], list(range(1, 21))]}


def on_two_devices(strategy) -> dict:
    steps = []
    for every, optimizer in ((3, tfadaopt.RMSprop), (1, tfadaopt.Adagrad)):
        with strategy.scope(), tempfile.TemporaryDirectory() as folder:
            model = make_model(optimizer(0.01))
            beside = fit(model, folder, every=every, epochs=2)
            steps.append(logged_steps(folder, beside))
    return {"replicas": strategy.num_replicas_in_sync, "steps": steps}
