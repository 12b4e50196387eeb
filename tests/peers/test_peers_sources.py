"""Tests of peers with our classes; and that the comparison with stock can fail."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tests.peers.differences import compare, read_expected
from tests.peers.keras_adapters import ADAPTERS
from tests.peers.optax_adapters import transformation
from tests.peers.runner import PEERS, check

OURS = {
    "same": ("passed", ""),
    "both": ("failed", "a"),
    "meant": ("failed", "b"),
    "skipped": ("skipped", ""),
}
STOCK = {"both": ("failed", "a"), "meant": ("passed", "")}
EXPECTED = {"meant": "a reason"}


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_tests_of_a_peer_differ_as_expected(peer, tmp_path):
    folder = os.environ.get(peer.variable)
    if not folder:
        pytest.skip(f"{peer.variable} names no folder with the sources of {peer.name}")
    _, wrong = check(peer, Path(folder).resolve(), tmp_path)
    assert wrong == []


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_every_expected_difference_has_a_reason(peer):
    expected = read_expected(peer.expected)
    assert expected or peer.name == "optax"  # with which there is none
    assert all(len(reason) > 10 for reason in expected.values())


def test_the_expected_differences_are_as_expected():
    assert compare(OURS, STOCK, EXPECTED) == []


@pytest.mark.parametrize(
    ("ours", "stock", "expected", "said"),
    [
        ({"new": ("failed", "c")}, {"new": ("passed", "")}, {}, "new: fails with our classes"),
        ({"new": ("failed", "c")}, {}, {}, "new: fails, and stock was not tried"),
        ({"meant": ("passed", "")}, {}, {}, "meant: expected to differ (a reason), but passed"),
        ({"meant": ("skipped", "")}, {}, {}, "meant: expected to differ (a reason), but skipped"),
        ({}, {"meant": ("failed", "")}, {}, "meant: expected to differ (a reason), but stock"),
        ({}, {}, {"gone": "a reason"}, "gone: expected to differ (a reason), but is not there"),
    ],
)
def test_a_difference_in_either_direction_is_found(ours, stock, expected, said):
    (wrong,) = compare({**OURS, **ours}, {**STOCK, **stock}, {**EXPECTED, **expected})
    assert wrong.startswith(said)


@pytest.mark.parametrize("name", ["Adam", "DoG", "SM3"])
def test_a_transformation_does_what_the_optimizer_does(name):
    """Its state is all that is remembered: two trainings in turn do not mix."""
    rate = 1.0 if name == "DoG" else 0.1
    made = transformation(name, rate, ())
    starts = [np.array([1.0, -2.0], "float32"), np.ones((2, 3), "float32")]
    optimizer = getattr(tfadaopt, name)(rate)
    variables = [keras.Variable(start) for start in starts]
    first = second = ([jnp.asarray(start) for start in starts], made.init(starts))
    for step in range(4):
        gradients = [(step + 1) * start for start in starts]
        optimizer.apply([tf.constant(g) for g in gradients], variables)
        for _ in range(2):  # each of the two in turn
            params, state = first
            updates, state = jax.jit(made.update)(
                [jnp.asarray(g) for g in gradients], state, params
            )
            first, second = second, ([p + u for p, u in zip(params, updates, strict=True)], state)
    for params, _ in (first, second):
        for actual, variable in zip(params, variables, strict=True):
            np.testing.assert_allclose(actual, variable.numpy(), rtol=1e-5)


def test_a_run_without_tests_is_no_success():
    assert len(compare({}, {}, {})) == 1
    assert len(compare({"a": ("failed", "not collected")}, {"a": ("failed", "")}, {})) == 1


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("SGD", {}, tfadaopt.SGD),
        ("SGD", {"momentum": 0.5}, tfadaopt.Momentum),
        ("SGD", {"momentum": 0.5, "nesterov": True}, tfadaopt.Nesterov),
        ("Adam", {}, tfadaopt.Adam),
        ("Adam", {"amsgrad": True}, tfadaopt.AMSGrad),
        ("AdamW", {}, tfadaopt.AdamW),
        ("Nadam", {}, tfadaopt.Nadam),
    ],
)
def test_an_adapter_has_the_defaults_of_keras(name, given, kind):
    stock = getattr(keras.optimizers, name)
    front, _ = ADAPTERS[name].in_place_of(stock)
    optimizer, theirs = front(**given), stock(**given)
    assert isinstance(optimizer, kind)
    assert isinstance(optimizer, front)
    config, wanted = optimizer.get_config(), theirs.get_config()
    assert {key: config[key] for key in wanted if key != "name"} == {
        key: value for key, value in wanted.items() if key != "name"
    }
    again = type(optimizer).from_config(config)
    assert type(again) is type(optimizer)
