"""The page of the map: a mark for each sentence and method, and the numbers behind it."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path

from tfadaopt.experiments.method_map import rows
from tfadaopt.experiments.method_map.survey import Surveyed
from tfadaopt.experiments.reports import pages
from tfadaopt.experiments.runs.files import write_whole

PAGE = "map.html"
WORDS = {
    "confirmed": "confirmed",
    "depends": "depends",
    "refuted": "refuted",
    "not tried": "not tried",
}


def write_map(folder: Path, surveyed: Sequence[Surveyed], claims: Collection[str] = ()) -> Path:
    """Write the page of the map.

    Args:
        folder: Folder of the run.
        surveyed: What is known of each method.
        claims: Names of the claims that have a page there.
    """
    parts = [
        {
            "row": row,
            "claims": [name for name in row.claims if name in claims],
            "verdicts": {s.method: s.verdict(row) for s in surveyed},
            "found": _found(row, surveyed),
            "numbers": [_line(row, s) for s in surveyed if s.numbers],
        }
        for row in rows.ROWS
    ]
    text = pages.template("map.html.j2").render(
        parts=parts,
        methods=[s.method for s in surveyed],
        gaps=[s for s in surveyed if not s.numbers],
        words=WORDS,
        dated=rows.DATED,
    )
    write_whole(folder / PAGE, text)
    return folder / PAGE


def _found(row: rows.Row, surveyed: Sequence[Surveyed]) -> list[tuple[str, list[str]]]:
    """Return the methods of each verdict, of those verdicts that there are."""
    by_word = {word: [s.method for s in surveyed if s.verdict(row) == word] for word in WORDS}
    return [(word, names) for word, names in by_word.items() if names]


def _line(row: rows.Row, surveyed: Surveyed) -> dict[str, object]:
    numbers = surveyed.numbers.get(row.name, {})
    cases = []
    for case in row.cases:
        value = numbers.get(case.label, math.nan)
        text = "without end" if math.isinf(value) else pages.exact(value, 3)
        if row.name == "saddle":
            text = pages.exact(value, 3)
        cases.append({"text": text, "holds": row.holds(value), "close": row.close(value)})
    return {
        "method": surveyed.method,
        "verdict": surveyed.verdict(row),
        "file": surveyed.file,
        "cases": cases,
    }
