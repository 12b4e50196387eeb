"""A configuration survives every way of writing it down; training resumes bit for bit."""

import functools
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt

from .cases import (
    BY_ID,
    RATE,
    SHAPES,
    SOME,
    each_shape,
    each_shape_with_a_rate,
    quick,
    three_methods,
)
from .support import models
from .support.models import X, Y

RATES = {
    "number": lambda: RATE,
    "schedule": lambda: keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.2, 0.05]),
}


def through_json(config):
    return json.loads(json.dumps(config))


WAYS = {
    "from_config": lambda o: type(o).from_config(o.get_config()),
    "serialize": lambda o: keras.optimizers.deserialize(
        through_json(keras.optimizers.serialize(o))
    ),
    "saving": lambda o: keras.saving.deserialize_keras_object(
        through_json(keras.saving.serialize_keras_object(o))
    ),
    "pickle": lambda o: pickle.loads(pickle.dumps(o)),
}


@pytest.mark.parametrize(
    ("case", "rate", "way"),
    [
        *(quick(case, "number", "from_config") for case in SOME),
        # The other ways are Keras' code, the same for all.
        *((BY_ID["rmsprop-centered-momentum"], rate, way) for rate in RATES for way in WAYS),
    ],
)
def test_configuration_survives(case, rate, way):
    optimizer = case.make(
        learning_rate=RATES[rate](),
        weight_decay=0.125,
        clipnorm=2.0,
        exclude_from_weight_decay=["bias"],
        name="by_hand",
    )
    copy = WAYS[way](optimizer)
    assert type(copy) is type(optimizer)
    config, expected = copy.get_config(), optimizer.get_config()
    assert config == expected
    for name, value in {**case.arguments, "weight_decay": 0.125}.items():
        assert config[name] == value
    assert config["weight_decay"] == 0.125
    assert config["clipnorm"] == 2.0
    assert config["name"] == "by_hand"


@each_shape
def test_serialized_name(case):
    optimizer = case.make()
    config = keras.optimizers.serialize(optimizer)
    assert config["registered_name"] == f"tfadaopt>{case.name}"
    assert keras.optimizers.get(through_json(config)).get_config() == optimizer.get_config()


def test_configuration_is_not_shared():
    """``from_config`` leaves the dictionary it is given as it was."""
    config = tfadaopt.Adagrad(RATES["schedule"]()).get_config()
    before = json.dumps(config)
    tfadaopt.Adagrad.from_config(through_json(config))
    assert json.dumps(config) == before


make_model = functools.partial(models.make_model, run_eagerly=True)


def train(model, batches):
    for batch in batches:
        rows = slice(4 * batch, 4 * batch + 4)
        model.train_on_batch(X[rows], Y[rows])


def state(model):
    return [v.numpy() for v in [*model.trainable_variables, *model.optimizer.variables]]


def from_keras_file(path, make):
    return keras.models.load_model(path / "model.keras")


def from_weights_file(path, make):
    model = make_model(make(), seed=4)
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path / "model.weights.h5")
    return model


def from_checkpoint(path, make):
    model = make_model(make(), seed=4)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).restore(
        tf.train.latest_checkpoint(path)
    )
    return model


def from_pickle(path, make):
    return pickle.loads((path / "model.pickle").read_bytes())


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize(
    ("case", "rate"),
    [*(quick(case, "number") for case in SHAPES), (BY_ID["adagrad"], "schedule")],
)
def test_resumes_bit_for_bit(case, rate, tmp_path):
    """Three steps, save, load, three steps: the same as six, in all formats."""
    make = lambda: case.make(learning_rate=RATES[rate]())  # noqa: E731
    model = make_model(make())
    train(model, range(3))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(str(tmp_path / "checkpoint"))
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    train(model, range(3, 6))
    for load in (from_keras_file, from_weights_file, from_checkpoint, from_pickle):
        resumed = load(tmp_path, make)
        train(resumed, range(3, 6))
        assert int(resumed.optimizer.iterations.numpy()) == 6
        pairs = list(zip(state(resumed), state(model), strict=True))
        assert len(pairs) >= 5
        for actual, expected in pairs:
            np.testing.assert_array_equal(actual, expected, err_msg=load.__name__)


@each_shape_with_a_rate
def test_loaded_state_can_be_read(case, tmp_path):
    model = make_model(case.make())
    train(model, range(2))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for v, w in zip(model.trainable_variables, loaded.trainable_variables, strict=True):
        for read in (tfadaopt.effective_learning_rate, tfadaopt.accumulators):
            tf.nest.map_structure(
                np.testing.assert_array_equal, read(model.optimizer, v), read(loaded.optimizer, w)
            )


@three_methods
def test_build_twice_keeps_the_state(case):
    model = make_model(case.make())
    train(model, range(1))
    before = len(model.optimizer.variables)
    model.optimizer.build(model.trainable_variables)
    assert len(model.optimizer.variables) == before
