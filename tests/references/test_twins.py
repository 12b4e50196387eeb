"""What every twin promises: its step is rate times direction, and it changes nothing else."""

import inspect

import numpy as np
import pytest

from tfadaopt.catalog import METHODS

from . import REFERENCES
from .joint import Joint

RECORDS = {method.name: method for method in METHODS}
# By default these decay apart from the direction; others not at all, or inside of it.
DECAY_APART = ("AdamW", "NadamW", "StableAdamW")
SETTINGS = [
    *((name, {}) for name in REFERENCES),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
]
each_twin = pytest.mark.parametrize(
    ("name", "arguments"), SETTINGS, ids=["-".join((name, *given)) for name, given in SETTINGS]
)


def make(name, arguments, **more):
    """A twin; of what is added, the arguments that it has."""
    method = REFERENCES[name]
    own = inspect.signature(method).parameters
    return method(**arguments, **{key: value for key, value in more.items() if key in own})


def alone(name) -> bool:
    """Whether each coordinate has a state of its own, and nothing else moves it."""
    return RECORDS[name].elementwise and not issubclass(REFERENCES[name], Joint)


@each_twin
def test_the_step_is_rate_times_direction(name, arguments):
    for shape in ((), (1,), (5,), (3, 4), (1, 4), (2, 3, 2), (0, 3)):
        random, seen = np.random.default_rng(0), []

        def eta(step, seen=seen):
            seen.append(step)
            return 0.1 / (step + 1)

        decay = {"weight_decay": None} if name in DECAY_APART else {}
        twin = make(name, arguments, learning_rate=eta, **decay)
        assert twin.t == 0
        assert twin.effective_learning_rate is None
        assert all(np.ndim(slot) == 0 for slot in twin.accumulators.values())
        names = {key for key in twin.accumulators if not key[-1].isdigit()}
        theta = random.normal(size=shape)
        for _ in range(30):
            g = random.normal(size=shape)
            before, handed_g, handed = np.copy(theta), np.copy(g), theta
            old = {key: (slot, np.copy(slot)) for key, slot in twin.accumulators.items()}
            theta = twin.step(handed, g)
            np.testing.assert_array_equal(handed, before)
            np.testing.assert_array_equal(g, handed_g)
            if shape:  # without one NumPy gives numbers, not arrays
                g[...] = 7.0
                handed[...] = 7.0
            for slot, kept in old.values():
                np.testing.assert_array_equal(slot, kept)
            rate = twin.effective_learning_rate
            if rate is None:
                assert not RECORDS[name].has_rate
                rate = 0.1 / twin.t
            else:
                # Muon has none of a matrix and one of the rest.
                assert RECORDS[name].has_rate or name == "Muon"
                assert rate.shape == shape
                assert rate.dtype == np.float64
            np.testing.assert_allclose(before - theta, rate * twin.direction, 1e-13, 1e-14)
            assert theta.dtype == np.float64
            assert theta.shape == twin.direction.shape == shape
            for slot in twin.accumulators.values() if alone(name) else ():
                assert np.shape(slot) in ((), shape)
            if 0 not in shape:
                assert names <= set(twin.accumulators)
            assert twin.accumulators.get("updates", twin.t) == twin.t
        assert seen == list(range(30))


@each_twin
def test_zero_over_zero_is_no_step(name, arguments):
    zero = {"epsilon": 0.0, "initial_accumulator_value": 0.0, "weight_decay": None}
    if name == "Adadelta":
        del zero["epsilon"]  # which it starts from
    for start in (0.0, 2.0):
        twin = make(name, arguments, learning_rate=0.1, **zero)
        theta = np.full((2, 3), start)
        with np.errstate(all="raise"):
            for _ in range(3):
                theta = twin.step(theta, np.zeros((2, 3)))
                np.testing.assert_array_equal(theta, start)
            for _ in range(3):
                theta = twin.step(theta, [[1.0, -1.0, 2.0], [0.0, 3.0, 0.0]])
        assert np.isfinite(theta).all()
        # ADOPT divides by the gradients before this one: a first one of 0 is not divided by.
        assert np.any(theta != start)
        if alone(name):
            np.testing.assert_array_equal(theta == start, [[False] * 3, [True, False, True]])
