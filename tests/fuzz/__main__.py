"""``python -m tests.fuzz``: feed the readers of files, for so many seconds, what nobody wrote."""

import argparse
import contextlib
import logging
import math
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import HypothesisWarning
from hypothesis.strategies import SearchStrategy

from tests.fuzz import logs, results, state

# A case that takes more is a fault; a machine that is busy is slower than these by far less.
SECONDS_OF_CASE = 30
MEBIBYTES_OF_CASE = 512
CASES_OF_ROUND = 50
_MOST = 2000  # characters of a case that are shown


class Target(NamedTuple):
    """A reader, and what it is fed.

    Attributes:
        cases: Called with an empty folder, it gives the cases.
        read: Called with a case and an empty folder; raises where the reader is at fault.
    """

    cases: Callable[[Path], SearchStrategy[Any]]
    read: Callable[[Any, Path], None]


TARGETS = {
    "log": Target(lambda place: logs.logs(logs.whole(place)), logs.read_log),
    "tab": Target(lambda _: logs.tabs(), logs.ask_tab),
    "numbers": Target(
        lambda place: logs.files_of_numbers(
            logs.notebook(place / "run.csv"), logs.notebook(place / "run.npz")
        ),
        logs.go_on,
    ),
    "results": Target(lambda place: results.folders(results.whole(place)), results.report),
    "settings": Target(lambda _: results.settings(), results.check_settings),
    "state": Target(lambda _: state.states(state.whole()), state.load_state),
    "model": Target(lambda _: state.models(state.model()), state.load_model),
}


class TooLongError(BaseException):
    """A case took too long; no ``except Exception`` of a reader may swallow it."""


@contextlib.contextmanager
def bounded(place: Path) -> Iterator[None]:
    """Raise where what is inside takes too long, needs too much, or leaves its folder."""

    def stop(*_: object) -> None:
        raise TooLongError(f"more than {SECONDS_OF_CASE} s")

    outside = _around(place)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_OF_CASE)
    try:
        yield
    finally:
        signal.alarm(0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    assert grown < MEBIBYTES_OF_CASE, f"{grown} MiB more memory"
    assert _around(place) == outside, f"written outside: {_around(place) ^ outside}"


def _around(place: Path) -> set[Path]:
    """What lies beside a folder, also where a relative path leads, and where our names would."""
    near = (path for path in Path.cwd().rglob("*") if not path.is_relative_to(place))
    return {*near, *Path("/tmp").glob("evil*"), *Path("/").glob("evil*")}


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class FaultError(Exception):
    """A reader is at fault; the cause is what a case led to, and its notes show the case.

    Attributes:
        seed: Of the round that finds it again.
    """

    def __init__(self, seed: int):
        super().__init__(seed)
        self.seed = seed


def fuzz(
    target: Target, seed: int, end: float, rounds: float = math.inf, shrink: bool = False
) -> tuple[int, int]:
    """Feed one reader, round after round, each with the next seed.

    Args:
        target: The reader.
        seed: Of the first round.
        end: When to end, as ``time.monotonic`` has it.
        rounds: How many rounds at most.
        shrink: Whether a case that fails is made small, which takes minutes.

    Returns:
        How many cases there were, and the seed of the next round.

    Raises:
        FaultError: A case failed.
    """
    count, first = 0, seed
    with tempfile.TemporaryDirectory(prefix="fuzz-") as outer, _inside(Path(outer)):
        place = Path(outer, "whole")
        place.mkdir()
        cases = target.cases(place)
        while time.monotonic() < end and seed < first + rounds:

            @hypothesis.seed(seed)
            @hypothesis.settings(
                max_examples=CASES_OF_ROUND,
                deadline=None,
                database=None,
                phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
                suppress_health_check=list(HealthCheck),
            )
            @hypothesis.given(cases)
            def try_case(case: Any) -> None:
                nonlocal count
                if time.monotonic() > end and not shrink:
                    return  # A round has no other way to end early.
                count += 1
                with tempfile.TemporaryDirectory(dir=outer) as folder:
                    inner = Path(folder, "in")
                    inner.mkdir()
                    with bounded(inner):
                        target.read(case, inner)

            try:
                try_case()
            except (Exception, TooLongError) as error:
                raise FaultError(seed) from error
            seed += 1
    return count, seed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"only these: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60, help="for all of them together")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--rounds", type=int, help="so many of each, instead of the seconds")
    parser.add_argument("--shrink", action="store_true", help="make a failing case small: minutes")
    given = parser.parse_args(arguments)
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {sorted(unknown)[0]!r}; there are {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    failed = 0
    for name in names:
        end = math.inf if given.rounds else time.monotonic() + given.seconds / len(names)
        rounds = given.rounds or math.inf
        try:
            count, seed = fuzz(TARGETS[name], given.seed, end, rounds, given.shrink)
        except FaultError as error:
            cause = error.__cause__
            notes = getattr(cause, "__notes__", [])
            notes[:] = [note[:_MOST] for note in notes]
            print("".join(traceback.format_exception(cause)))
            again = f"python -m tests.fuzz {name} --seed {error.seed} --rounds 1 --shrink"
            print(f"{name}: a fault, see above; once more: {again}", flush=True)
            failed += 1
            continue
        print(f"{name}: {count} cases, seeds {given.seed} to {seed - 1}, no fault", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    # What readers log and warn of is what they should; a long case may be shown all the same.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", HypothesisWarning)
    sys.exit(main())
