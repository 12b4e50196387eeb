"""The methods as data, and by name."""

import keras
import pytest

import tfadaopt
from tfadaopt.catalog import PEERS
from tfadaopt.keras_readers import kinds
from tfadaopt.optimizers.base import Optimizer

from . import generated
from .cases import SHAPE_OF

METHODS = tfadaopt.methods()


def test_get_by_any_spelling():
    for method in METHODS:
        for name in (method.name, method.name.lower(), method.name.upper()):
            assert type(tfadaopt.get(name)) is method.cls


def test_get_passes_arguments_on():
    assert tfadaopt.get("schedule-free-sgd", beta=0.5).beta == 0.5
    assert tfadaopt.get("schedule_free_sgd", beta=0.5).beta == 0.5
    with pytest.raises(ValueError, match="beta=2"):
        tfadaopt.get("schedule free SGD", beta=2)


def test_get_in_compile():
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    model.compile(optimizer=tfadaopt.get("adagrad", learning_rate=0.5), loss="mse")
    assert type(model.optimizer) is tfadaopt.Adagrad


def test_get_leaves_an_optimizer_as_it_is():
    optimizer = tfadaopt.SGD()
    assert tfadaopt.get(optimizer) is optimizer


@pytest.mark.parametrize(
    ("name", "guess"),
    [("adagard", "'Adagrad'"), ("Adm", "'Adam'"), ("nesterow", "'Nesterov'"), ("qqq", "SGD, ")],
)
def test_unknown_name_is_an_error_that_helps(name, guess):
    with pytest.raises(ValueError, match=f"no method '{name}'.*{guess}.*SOAP"):
        tfadaopt.get(name)


@pytest.mark.parametrize("name", [None, 3, tfadaopt.SGD, ["sgd"]])
def test_no_name_is_an_error(name):
    with pytest.raises(TypeError, match="takes the name of a method"):
        tfadaopt.get(name)


def test_arguments_for_an_optimizer_are_refused():
    with pytest.raises(TypeError, match="momentum"):
        tfadaopt.get(tfadaopt.SGD(), momentum=0.9)


def test_in_order_of_appearance():
    years = [method.year for method in METHODS]
    assert years == sorted(years)


def floats_of_state(cls) -> int:
    """Of a 64 × 64 matrix, per parameter; numbers and rows do not count."""
    optimizer = cls()
    optimizer.build([keras.Variable(keras.ops.zeros([64, 64]))])
    return sum(v.value.shape.num_elements() for v in optimizer.variables) // 64**2


def test_state_is_what_is_counted():
    counted = {method.name: floats_of_state(method.cls) for method in METHODS}
    assert counted == {method.name: method.state for method in METHODS}


@pytest.mark.parametrize("path", generated.TEXTS, ids=lambda path: path.name)
def test_what_follows_from_the_catalog_is_up_to_date(path):
    text = path.read_text(encoding="utf-8")
    assert generated.TEXTS[path](text) == text, "run make format"


def test_a_method_says_how_each_peer_has_it():
    assert [method.name for method in METHODS if len(method.peers) != len(PEERS)] == []


def test_each_built_in_of_keras_has_a_counterpart():
    ours = {method.name.lower() for method in METHODS}
    assert {kind.__name__ for kind in kinds() if kind.__name__.lower() not in ours} <= {"Muon"}


HOOKS = [
    "direction",
    "update",
    "decay_and_update",
    "decay_now",
    "shared",
    "update_all",
    "kernel",
]


def hooks_of(cls) -> set[str]:
    ours = [c for c in cls.__mro__ if issubclass(c, Optimizer) and c is not Optimizer]
    return {hook for hook in HOOKS if any(hook in vars(c) for c in ours)}


def test_each_hook_is_written_by_one_of_the_shapes():
    written = set().union(*(hooks_of(method.cls) for method in METHODS))
    assert written == set(HOOKS)
    assert set().union(*(hooks_of(tfadaopt.get(name).__class__) for name in SHAPE_OF)) == written
