"""Pieces of the documentation that follow from what was measured, kept in ``docs/measured``."""

from collections.abc import Sequence
from pathlib import Path

from tfadaopt.experiments.reports import draw, look
from tfadaopt.experiments.reports.figures import Figure
from tfadaopt.experiments.reports.picture import describe

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "measured"


def write_figure(name: str, data: Figure) -> None:
    """Write a picture, and the Markdown that a page in ``docs`` includes to show it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    look.save(draw.draw(data), FOLDER / name)
    caption = f"{data.title}. {data.caption}".strip()
    lines = ["```{figure} measured/" + name + ".svg", f":alt: {describe(data)}", "", caption, "```"]
    write_text(name, lines)


def write_text(name: str, lines: Sequence[str]) -> None:
    """Write Markdown that a page includes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
