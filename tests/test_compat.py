"""The private names of Keras that ``tfadaopt/compat.py`` uses are still there, and mean that."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from tfadaopt import compat


def private_names(source: str) -> list[tuple[str, str, str]]:
    """Return (function, argument, private name) for each private name of an argument in use."""
    found = set()
    for function in ast.parse(source).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            match node:
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    found.add((function.name, owner, name))
                case ast.Call(
                    func=ast.Name(id="getattr"),
                    args=[ast.Name(id=owner), ast.Constant(value=name), *_],
                ):
                    found.add((function.name, owner, name))
    return sorted(use for use in found if use[2].startswith("_"))


USES = private_names(Path(compat.__file__).read_text())


@pytest.fixture(scope="module")
def owners() -> dict[str, object]:
    """One object per argument name of the functions in ``compat``."""
    variable = keras.Variable([1.0, 2.0], name="w")
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0))
    optimizer.build([variable])
    # What only some settings make, and what only replicas have.
    full = keras.optimizers.SGD(use_ema=True, gradient_accumulation_steps=2)
    full.build([variable])
    for name in ("_model_variables_moving_average", "_accumulated_gradients"):
        setattr(optimizer, name, getattr(full, name))
    if not hasattr(variable, "_layout"):  # before Keras 3.9, where compat leaves it out
        variable._layout = None
    native = tf.Variable(1.0)
    native._distributed_container = None
    graph = tf.compat.v1.get_default_graph()
    model = keras.Sequential([keras.Sequential([keras.layers.BatchNormalization()])])
    model.compile("sgd", "mse")
    named = {"optimizer": optimizer, "variable": variable, "model": model}
    return {**named, "native": native, "graph": graph, "tensor": tf.constant(1.0)}


@pytest.mark.parametrize(("function", "owner", "name"), USES)
def test_keras_still_has(function, owner, name, owners):
    assert hasattr(owners[owner], name), (
        f"Keras {keras.__version__} has no private name {name!r} on its {owner}s any more: "
        f"tfadaopt/compat.py uses it in {function}()."
    )


def test_the_scan_sees_what_compat_uses():
    assert {
        ("index_of", "optimizer", "_trainable_variables_indices"),
        ("add_slot", "variable", "_layout"),  # since Keras 3.9
    } <= set(USES)


def test_private_names_mean_what_compat_says(owners):
    optimizer, variable = owners["optimizer"], owners["variable"]
    assert compat.variables_of(optimizer) == [variable]
    assert compat.index_of(optimizer, variable) == 0
    assert compat.index_of(optimizer, variable.value) == 0
    assert compat.index_of(optimizer, keras.Variable([1.0])) is None
    assert compat.path_of(variable) == "w"
    assert compat.path_of(tf.Variable(1.0, name="plain")) == "plain"
    assert not compat.is_overwritten_by_gradient(variable)
    slot = compat.add_slot(optimizer, variable, "velocity", 0.1, "float64")
    assert slot.numpy().tolist() == [0.1, 0.1]

    assert int(compat.micro_steps(optimizer)) == 0
    assert float(compat.applied_learning_rate(optimizer)) == pytest.approx(1.0)
    for done, applied in [(1, 1.0), (2, 0.9), (3, 0.8)]:
        optimizer.apply([keras.ops.ones([2])])
        assert int(compat.micro_steps(optimizer)) == done
        assert float(compat.applied_learning_rate(optimizer)) == pytest.approx(applied)


def test_private_names_of_models_mean_what_compat_says(owners):
    model = owners["model"]
    assert compat.normalizations_of(model) == model.layers[0].layers
    compat.track_loss(model, tf.constant(3.0), tf.zeros((4, 2)))
    compat.track_loss(model, tf.constant(1.0), {"x": tf.zeros((4, 2))})
    assert float(model.metrics[0].result()) == 2.0


@pytest.mark.slow
def test_another_backend_is_refused_with_a_clear_text(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", "import tfadaopt; tfadaopt.Adagrad"],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tfadaopt needs Keras on TensorFlow")
    assert "'jax'" in last
    assert "KERAS_BACKEND=tensorflow" in last


def test_a_value_is_put_inside_a_replica_and_outside():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        v = keras.Variable([1, 2], dtype="int64")
    strategy.run(compat.put, args=(v, 3.0))
    assert v.numpy().tolist() == [3, 3]
    compat.put(v, 4)
    assert v.numpy().tolist() == [4, 4]
