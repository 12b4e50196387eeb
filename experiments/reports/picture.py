"""A figure on a page: drawn, kept as files, and said in words for those who do not see it."""

import html
import math
from collections.abc import Iterator
from pathlib import Path

from tfadaopt.experiments.reports import animation, draw, look, pages
from tfadaopt.experiments.reports.figures import Bars, Contours, Figure, Lines, Panels
from tfadaopt.experiments.runs.files import file_name, write_whole

_PIXELS = 96
_MOST_SAID = 8


def picture(folder: Path, name: str, data: Figure, animate: bool) -> pages.Picture:
    """Draw a figure, keep it as SVG and PNG, and return it for the page."""
    name = file_name(name)
    figure = draw.draw(data)
    svg = look.save(figure, folder / name, png=True)
    animated = motion = ""
    if animate and isinstance(data, Contours):
        moving = animation.animate(figure, data, svg, name)
        write_whole(folder / f"{name}.animated.svg", moving)
        playing = f"#{name}-play:checked ~ svg"
        animated = animation.animate(figure, data, svg, name, playing)
        seen = f'<svg role="img" aria-label="{html.escape(describe(data))}"'
        animated = animated[animated.index("<svg") :].replace("<svg", seen, 1)
        motion = animation.counter(data, f"{name}-count")
    width, height = (round(inches * _PIXELS) for inches in figure.get_size_inches())
    return pages.Picture(
        name,
        describe(data),
        look.data_uri(svg),
        title=data.title,
        caption=data.caption,
        width=width,
        height=height,
        animated=animated,
        motion=motion,
    )


def describe(data: Figure) -> str:
    """Say in words what a figure shows, for those who do not see it."""
    match data:
        case Lines():
            said = _say_lines(data)
        case Panels():
            said = _say_panels(data)
        case Contours():
            said = _say_contours(data)
        case _:
            said = _say_bars(data)
    return f"{data.title}. {' '.join(said)}"


def _say_lines(data: Lines) -> Iterator[str]:
    yield f"{data.y_label} against {data.x_label}."
    measured = [s for s in data.series if s.style == "measured"]
    for series in measured[:_MOST_SAID]:
        there = [y for y in series.y if y == y]
        if there:
            yield f"{series.label}: from {pages.exact(there[0])} to {pages.exact(there[-1])}."
        if len(series.width):
            low, high = (pages.exact(end, 3) for end in sorted(series.width))
            yield f"Marked from {low} to {high}."
    if len(measured) > _MOST_SAID:
        yield f"And {len(measured) - _MOST_SAID} more lines."
    if len(measured) < len(data.series):
        yield "Dotted: what theory predicts."


def _say_panels(data: Panels) -> Iterator[str]:
    for panel in data.panels:
        yield f"{panel.title}: {' '.join(_say_lines(panel))}"


def _say_contours(data: Contours) -> Iterator[str]:
    yield f"Paths in the plane of {data.x_label} and {data.y_label}."
    for path in data.paths[:_MOST_SAID]:
        if len(path.x):
            end = f"({pages.exact(path.x[-1], 3)}, {pages.exact(path.y[-1], 3)})"
            yield f"{path.label} ends at {end} after {len(path.x) - 1} steps."


def _say_bars(data: Bars) -> Iterator[str]:
    yield f"{data.y_label}."
    for i, (label, value) in enumerate(zip(data.labels, data.values, strict=True)):
        predicted = data.theory[i] if len(data.theory) else math.nan
        theory = "" if math.isnan(predicted) else f", theory {pages.exact(predicted)}"
        yield f"{label}: {pages.exact(value)}{theory}."
