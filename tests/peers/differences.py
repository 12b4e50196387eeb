"""What differs from stock, against the list of what is meant to."""

import json
from collections.abc import Mapping
from pathlib import Path

Outcomes = Mapping[str, tuple[str, str]]


def read_outcomes(file: Path) -> dict[str, tuple[str, str]]:
    """(outcome, why) of each test; a test that failed in any of its phases failed."""
    found: dict[str, tuple[str, str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        test, outcome, why = json.loads(line)
        if found.get(test, ("", ""))[0] != "failed":
            found[test] = (outcome, why)
    return found


def read_expected(file: Path) -> dict[str, str]:
    """Reason of each expected difference, by test: ``{reason: [tests]}`` in the file."""
    groups = json.loads(file.read_text(encoding="utf-8"))
    return {test: reason for reason, tests in groups.items() for test in tests}


def failed(outcomes: Outcomes) -> list[str]:
    """Tests that failed."""
    return [test for test, (outcome, _) in outcomes.items() if outcome == "failed"]


def compare(ours: Outcomes, stock: Outcomes, expected: Mapping[str, str]) -> list[str]:
    """One line for each difference that is not expected, and each expected one that is not there.

    Args:
        ours: All outcomes with our classes.
        stock: Outcomes with the peer's own, at least of the tests that failed with ours. What
            fails there too is no difference.
        expected: Reasons by test.
    """
    if not any(outcome == "passed" for outcome, _ in ours.values()):
        return ["no test passed at all: the sources, or their needs, are not there"]
    wrong = []
    for test in failed(ours):
        if test not in stock:
            wrong.append(f"{test}: fails, and stock was not tried")
        elif stock[test][0] != "failed" and test not in expected:
            wrong.append(f"{test}: fails with our classes only: {ours[test][1]}")
    for test, reason in expected.items():
        if test not in ours:
            wrong.append(f"{test}: expected to differ ({reason}), but is not there")
        elif ours[test][0] != "failed":
            wrong.append(f"{test}: expected to differ ({reason}), but {ours[test][0]}")
        elif stock.get(test, ("", ""))[0] == "failed":
            wrong.append(f"{test}: expected to differ ({reason}), but stock fails too")
    return wrong
