"""The fuzzers find what is wrong, the same each time, and end in time."""

import math
import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.fuzz import __main__ as fuzz


def cases_of(seed: int) -> list:
    seen = []
    target = fuzz.Target(lambda _: st.binary(), lambda case, _: seen.append(case))
    fuzz.fuzz(target, seed, math.inf, rounds=1)
    return seen


@pytest.mark.slow
def test_a_seed_gives_the_same_cases():
    assert len(cases_of(1)) == fuzz.CASES_OF_ROUND
    assert cases_of(1) == cases_of(1) != cases_of(2)


def outside(_, place: Path) -> None:
    (place.parent / "evil").touch()


def endless(_, __) -> None:
    while True:
        try:
            time.sleep(10)
        except Exception:
            continue


FAULTS = {
    "an error": (lambda *_: {}["x"], "KeyError"),
    "a file outside": (outside, "written outside"),
    "time": (endless, "more than 1 s"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, monkeypatch, capsys):
    read, said = FAULTS[fault]
    monkeypatch.setattr(fuzz, "SECONDS_OF_CASE", 1)
    monkeypatch.setitem(fuzz.TARGETS, "broken", fuzz.Target(lambda _: st.just(1), read))
    assert fuzz.main(["broken", "--rounds", "1", "--seed", "7"]) == 1
    told = capsys.readouterr().out
    assert "broken: a fault" in told
    assert said in told
    assert "--seed 7 --rounds 1" in told
