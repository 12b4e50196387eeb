"""How a snapshot reads variables: by NumPy or in a graph the same, and without a trace on them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt import compat
from tfadaopt.callbacks import sources
from tfadaopt.callbacks.optimizer_monitor import PRESETS
from tfadaopt.callbacks.request import What
from tfadaopt.callbacks.snapshots import Snapshots
from tfadaopt.callbacks.watched import Loop

SHAPES = [(3,), (3,), (2, 2), (300,), (20, 30), (60, 50), ()]


def tables(preset, dtype, optimizer, monkeypatch, on_host):
    """The numbers of one step, read one way or the other."""
    monkeypatch.setattr(compat, "is_on_host", compat.is_on_host if on_host else lambda _: False)
    random = np.random.default_rng(0)
    variables = [
        keras.Variable(random.normal(size=shape), dtype=dtype, name=f"w{i}")
        for i, shape in enumerate(SHAPES)
    ]
    optimizer.build(variables)
    snapshots = Snapshots(optimizer)
    snapshots.model = Loop(optimizer, variables)
    snapshots.find_layers()
    snapshot = snapshots.of([What(PRESETS[preset])])
    assert isinstance(snapshot.source, sources.OnHost if on_host else sources.InGraph)
    for _ in range(2):
        before = snapshot.capture()
        gradients = [tf.cast(random.normal(size=shape), dtype) for shape in SHAPES]
        optimizer.apply(gradients, variables)
    return snapshot.take(before).tables


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("preset", PRESETS)
def test_both_ways_give_the_same_numbers(preset, dtype, monkeypatch):
    found = []
    for on_host in (True, False):
        with monkeypatch.context() as patch:
            optimizer = tfadaopt.Adam(0.1, learning_rate_multipliers={"w4": 0.5})
            found.append(tables(preset, dtype, optimizer, patch, on_host))
    assert found[0].keys() == found[1].keys()
    for key, (layers, numbers) in found[0].items():
        assert layers == found[1][key][0]
        np.testing.assert_array_equal(numbers, found[1][key][1], err_msg=str(key))


@pytest.mark.parametrize("on_host", [True, False])
def test_what_was_read_is_read_without_a_copy_ever_after(on_host, monkeypatch):
    """As TensorFlow copies a variable at each read once it was gathered from where it lies."""
    optimizer = tfadaopt.Adam(0.1)
    tables("light", "float32", optimizer, monkeypatch, on_host)
    read = tf.function(lambda x: tf.raw_ops.ReadVariableOp(resource=x, dtype=tf.float32))
    for variable in optimizer.variables:
        if len(variable.shape) == 2:
            handle = variable.value.handle
            first, second = (np.asarray(read(handle)) for _ in range(2))
            assert np.shares_memory(first, second), variable.path


def test_a_variable_of_another_machine_is_not_read_as_if_it_were_here(monkeypatch):
    variable = tf.Variable([1.0])
    assert compat.is_on_host(variable)
    there = property(lambda _: "/job:ps/replica:0/task:0/device:CPU:0")
    monkeypatch.setattr(type(variable), "device", there)
    assert not compat.is_on_host(variable)
