"""Models as people build them: callbacks that change nothing and log all, files that go on."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import (
    AccumulatorMagnitude,
    AveragedWeights,
    EffectiveLearningRate,
    OptimizerMonitor,
    StallWarning,
    UpdateRatio,
)

from . import events, logged
from .cases import BY_ID, quick
from .zoo import ANIMALS, BATCHES

EVERY = 2
EPOCHS = 2
# Those whose loops of layers make TensorFlow trace for seconds.
SLOW = {"transformer", "gru", "lstm", "bidirectional", "resnet", "cnn", "embedding", "transfer"}
ROWS = {
    name: pytest.param(animal, id=name, marks=pytest.mark.slow if name in SLOW else ())
    for name, animal in ANIMALS.items()
}
each_animal = pytest.mark.parametrize("animal", [ROWS[name] for name in ANIMALS if name != "gan"])


@pytest.fixture(autouse=True)
def no_notes_on_retracing():
    """TensorFlow notes that one process traces many functions: so it does, with many models."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    yield
    logger.setLevel(level)


def all_callbacks(folder) -> list[keras.callbacks.Callback]:
    return [
        EffectiveLearningRate(folder, every=EVERY),
        AccumulatorMagnitude(folder, every=EVERY),
        UpdateRatio(folder, every=EVERY),
        OptimizerMonitor(folder, every=EVERY),
        StallWarning(folder, every=EVERY),
    ]


def trained(animal, optimizer, callbacks=()):
    """A model after two epochs, its history, and the warnings there were."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = animal.compiled(optimizer)
        history = animal.fit(model, EPOCHS, callbacks)
    return model, history.history, {str(warning.message) for warning in caught}


def arrays_of(model) -> list[np.ndarray]:
    """Values of all variables: weights, counts, states of optimizers and metrics."""
    return [np.asarray(v) for v in (*model.variables, *optimizer_variables(model))]


def optimizer_variables(model) -> list:
    found = [getattr(model, name, None) for name in ("optimizer", "d_optimizer", "g_optimizer")]
    return [v for optimizer in found if optimizer is not None for v in optimizer.variables]


def same(one, other) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def names_of(variables) -> list[str]:
    return [v.path for v in variables]


def logged_layers(folder, quantity: str, statistic: str) -> dict[int, set[str]]:
    """Names of layers by step, of the table of one statistic."""
    return {step: set(row) for step, row in logged.curves(folder)[quantity, statistic].items()}


@pytest.mark.quick_rows(2)
@each_animal
def test_callbacks_change_nothing_and_log_every_layer(animal, tmp_path, capsys):
    alone, history, noted = trained(animal, tfadaopt.Adam(0.01))
    capsys.readouterr()
    watched, seen, more = trained(animal, tfadaopt.Adam(0.01), all_callbacks(tmp_path))

    same(arrays_of(alone), arrays_of(watched))
    assert history == seen
    assert more <= noted
    assert capsys.readouterr() == ("", "")

    steps = list(range(EVERY, EPOCHS * BATCHES + 1, EVERY))
    layers = set(names_of(watched.trainable_variables))
    assert len(layers) == len(watched.trainable_variables)
    for quantity, statistic in (("effective_learning_rate", "p50"), ("update_ratio", "value")):
        assert logged_layers(tmp_path, quantity, statistic) == dict.fromkeys(steps, layers)
    assert sorted(set(events.steps(tmp_path))) == steps
    # One file: the callbacks of a folder share one writer.
    assert len(events.files(tmp_path)) == 1


@pytest.mark.quick_rows(2)
@each_animal
def test_a_file_goes_on_where_training_was(animal, tmp_path):
    if not animal.saves:
        pytest.skip("a subclass that is built at its first call has no weights when it is loaded")
    if animal is ANIMALS["lora"]:
        pytest.skip("Keras writes LoRA's factors into the kernel, and begins with fresh ones")
    model, _, _ = trained(animal, tfadaopt.Adam(0.01))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is tfadaopt.Adam
    for other in (model, loaded):
        for layer in other.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign([0, 3])  # a file does not keep it
        animal.fit(other)
    same([np.asarray(v) for v in model.weights], [np.asarray(v) for v in loaded.weights])
    same([np.asarray(v) for v in model.optimizer.variables], loaded.optimizer.variables)


# No state, rows and columns of state, an average, numbers that all share, no rate.
UNLIKE = ("sgd", "sm3", "schedulefreesgd", "dog", "soap")


@pytest.mark.parametrize("case", [quick(BY_ID[name]) for name in UNLIKE])
def test_unlike_methods_under_all_callbacks(case, tmp_path):
    animal = ANIMALS["two-heads"]
    averages = [AveragedWeights()] if case.name == "ScheduleFreeSGD" else []
    callbacks = all_callbacks(tmp_path)
    if not case.has_rate:
        callbacks = [c for c in callbacks if not isinstance(c, EffectiveLearningRate)]
    alone, history, _ = trained(animal, case.make(), averages)
    watched, seen, _ = trained(animal, case.make(), [*averages, *callbacks])
    same(arrays_of(alone), arrays_of(watched))
    assert history == seen
    layers = set(names_of(watched.trainable_variables))
    steps = range(EVERY, EPOCHS * BATCHES + 1, EVERY)
    assert logged_layers(tmp_path, "update_ratio", "value") == dict.fromkeys(steps, layers)


@pytest.mark.slow
def test_callbacks_find_the_optimizers_of_a_gan(tmp_path, capsys):
    animal = ANIMALS["gan"]
    alone, history, noted = trained(animal, tfadaopt.Adam(0.01))
    capsys.readouterr()
    watched, seen, more = trained(animal, tfadaopt.Adam(0.01), all_callbacks(tmp_path))
    same(arrays_of(alone), arrays_of(watched))
    assert history == seen
    assert more <= noted
    assert capsys.readouterr() == ("", "")
    found = set().union(*logged_layers(tmp_path, "effective_learning_rate", "p50").values())
    for name in names_of(watched.trainable_variables):
        assert any(layer.endswith(name) for layer in found)
