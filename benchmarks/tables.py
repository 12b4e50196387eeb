"""The tables that the benchmarks write into this folder, in Markdown."""

import statistics
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def as_markdown(rows: Sequence[dict]) -> str:
    """A table of rows, each by its heads; numbers with two decimals."""
    heads = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row.get(head, "") for head in heads]
        cells = [f"{x:.2f}" if isinstance(x, float) else str(x) for x in cells]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def rows_of(name: str) -> list[dict[str, str]]:
    """The table of a file, as it is written; none where there is no file."""
    path = HERE / name
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    cells = [[x.strip() for x in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
    if not cells:
        return []
    heads, _, *rows = cells
    return [dict(zip(heads, row, strict=True)) for row in rows]


def spread(numbers: Sequence[float], head: str, digits: int = 2) -> dict[str, str]:
    """Cells of a median and of the middle half."""
    ordered = sorted(numbers)
    quarter = len(ordered) // 4
    low, high = (f"{x:.{digits}f}" for x in (ordered[quarter], ordered[-1 - quarter]))
    return {head: f"{statistics.median(ordered):.{digits}f}", "middle half": f"{low}–{high}"}


class Kept:
    """A table that is measured row by row: a new row takes the place of an old one.

    Args:
        name: Its file.
        orders: The heads that tell rows apart, the first sorts first; and of each the order of what
            stands there.
    """

    def __init__(self, name: str, orders: dict[str, Sequence]) -> None:
        self._path = HERE / name
        self._orders = {head: [str(x) for x in order] for head, order in orders.items()}
        self._rows = {self._place(row): row for row in rows_of(name)}

    def __contains__(self, row: dict) -> bool:
        """Whether such a row is there."""
        return self._place(row) in self._rows

    @property
    def rows(self) -> list[dict]:
        """All rows, in their order."""
        return [self._rows[place] for place in sorted(self._rows)]

    def put(self, row: dict) -> None:
        """Add a row, and write the file."""
        self._rows[self._place(row)] = row
        self._path.write_text(as_markdown(self.rows), encoding="utf-8")

    def _place(self, row: dict) -> tuple[int, ...]:
        return tuple(order.index(str(row[head])) for head, order in self._orders.items())
