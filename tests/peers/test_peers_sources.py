"""Keras' own tests with our classes; and that the comparison with stock can fail."""

import os
from pathlib import Path

import keras
import pytest

import tfadaopt
from tests.peers.differences import compare, read_expected
from tests.peers.keras_adapters import ADAPTERS
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
    assert expected
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
