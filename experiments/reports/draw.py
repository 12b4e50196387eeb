"""Draw the figures of reports: from data to Matplotlib, all in one style."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfadaopt.experiments.reports import look
from tfadaopt.experiments.reports.figures import Bars, Contours, Lines, Panels, Series, Trajectory
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.reports.scales import Array, cut, label_ratios, levels, seen, thinned
from tfadaopt.experiments.reports.styles import THEORY, Style, of_labels, of_series

# Compact, so that letters stay readable where the picture is as narrow as a phone.
_WIDTH, _HEIGHT = 4.9, 3.0
_HEIGHT_OF_PANEL = 2.4
_LINE_OF_LEGEND = 0.19
_FEW_POINTS = 40


def draw(data: Lines | Panels | Contours | Bars) -> Figure:
    """Return the drawing of a figure's data."""
    with mpl.rc_context(look.RC):
        match _in_plain_words(data):
            case Lines() as found:
                return lines(found)
            case Panels() as found:
                return panels(found)
            case Contours() as found:
                return contours(found)
            case found:
                return bars(found)


def _in_plain_words(data: Any) -> Any:
    """Return a figure's data with texts that Matplotlib draws as they stand."""
    changed: dict[str, object] = {}
    for field in dataclasses.fields(data):
        value = getattr(data, field.name)
        if isinstance(value, str):
            changed[field.name] = look.plain(value)
        elif field.name == "labels":
            changed[field.name] = tuple(map(look.plain, value))
        elif field.name in ("panels", "series", "paths"):
            changed[field.name] = tuple(map(_in_plain_words, value))
    return dataclasses.replace(data, **changed)


def lines(data: Lines) -> Figure:
    """Measured lines with their bands, and dotted what theory predicts for them."""
    styles, theory = of_series(data.series)
    labels = _labels(data.series, theory)
    figure, axes = _figure(labels)
    _plot(axes, data, styles, theory)
    _legend(figure, [axes], labels)
    return figure


def panels(data: Panels) -> Figure:
    """Figures of lines side by side: a label has one style in all of them, and one legend."""
    unique = {series.label: series for panel in data.panels for series in panel.series}
    styles, theory = of_series(list(unique.values()))
    style_of = dict(zip(unique, styles, strict=True))
    labels = _labels(list(unique.values()), theory)
    figure, grid = _grid(len(data.panels), data.columns, _legend_rows(labels), data.shared)
    for i, (axes, panel) in enumerate(zip(grid, data.panels, strict=True)):
        _plot(axes, panel, [style_of[series.label] for series in panel.series], theory)
        axes.set_title(panel.title)
        if data.shared:
            # Axes that all share are labelled at the left and below.
            lowest = i + data.columns >= len(data.panels)
            axes.set(ylabel=panel.y_label if i % data.columns == 0 else None)
            axes.set(xlabel=panel.x_label if lowest else None)
            axes.tick_params(labelbottom=lowest)
    _legend(figure, grid, labels, always=True)
    return figure


def contours(data: Contours) -> Figure:
    """Paths over contours: a ring where they start, a star where they end."""
    labels = [path.label for path in data.paths]
    styles = of_labels(labels)
    if not data.apart or len(labels) < 2:
        figure, axes = _figure(labels, extra_height=0.7)
        _paths(axes, data, data.paths, styles, first=0)
        axes.set(xlabel=data.x_label, ylabel=data.y_label)
        _legend(figure, [axes], labels)
        return figure
    columns = 2 if len(labels) < 5 else 3
    figure, grid = _grid(len(labels), columns, legend=0, shared=True)
    for i, (path, ax) in enumerate(zip(data.paths, grid, strict=True)):
        _paths(ax, data, (path,), styles[i : i + 1], first=i)
        ax.set_title(path.label)
        ax.set(ylabel=data.y_label if i % columns == 0 else None)
        lowest = i + columns >= len(labels)
        ax.set(xlabel=data.x_label if lowest else None)
        ax.tick_params(labelbottom=lowest)
    return figure


def bars(data: Bars) -> Figure:
    """A bar each (on a logarithmic axis, which has no zero, a dot), its interval, its theory."""
    values, rows = np.asarray(data.values), np.arange(len(data.values))
    low, high, theory = (
        np.asarray(ends if len(ends) else np.full(len(values), np.nan))
        for ends in (data.low, data.high, data.theory)
    )
    with_theory = bool(np.isfinite(theory).any())
    height = 0.3 * len(rows) + 0.75 + _LINE_OF_LEGEND * with_theory
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    colour = look.STYLES[1][0]
    if data.y_log:
        axes.set_xscale("log", nonpositive="mask")
        axes.plot(values, rows, linestyle="none", marker="s", markersize=6.5, color=colour)
        axes.hlines(
            rows, 0, 1, color=look.FAINT, linewidth=0.5, transform=axes.get_yaxis_transform()
        )
    else:
        axes.barh(rows, np.where(np.isfinite(values), values, 0), height=0.6, color=colour)
        axes.axvline(0, color=look.SOFT, linewidth=0.8)
    error = np.abs(np.stack([values - low, high - values]))
    axes.errorbar(values, rows, xerr=error, fmt="none", ecolor=look.INK, capsize=2.5, zorder=4)
    if with_theory:
        mark: Style = {"marker": "|", "markersize": 17, "markeredgewidth": 2.4, "linestyle": "none"}
        axes.plot(theory, rows, label="theory", color=look.STYLES[2][0], **mark, zorder=3)
    axes.margins(x=0.16)
    axes.autoscale_view()
    if data.y_log:
        label_ratios(axes.xaxis)
    elif not np.isfinite([*values, *high, *theory]).any():
        axes.set_xlim(0, 1)  # else rounding errors around zero
    for row, value in zip(rows, values, strict=True):
        ends = [v for v in (value, high[row], theory[row]) if np.isfinite(v)]
        text = exact(value, 3) if not np.isnan(value) else "none"
        at = max([*ends, 0.0] if not data.y_log else ends, default=axes.get_xlim()[0])
        if not np.isfinite(value):
            at = axes.get_xlim()[0]
        place: Style = {"textcoords": "offset points", "xytext": (7, 0), "va": "center"}
        axes.annotate(text, (at, row), **place, fontsize="small")
    axes.set_yticks(rows, data.labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlabel(data.y_label)
    if with_theory:
        look.legend_below(figure, _handles([axes]))
    return figure


def _labels(series: Sequence[Series], theory: set[str]) -> list[str]:
    """Return what the legend of lines has."""
    labels = [s.label for s in series if s.label not in theory]
    return [*labels, "theory"] if theory else labels


def _plot(axes: Axes, data: Lines, styles: Sequence[Style], theory: set[str]) -> None:
    """Draw lines into axes, each in its style; those in ``theory`` have one entry of a legend."""
    if data.y_log:
        axes.set_yscale("log", nonpositive="mask")
        cut(axes, [s.y for s in data.series])
    for i, (series, style) in enumerate(zip(data.series, styles, strict=True)):
        x, y, low, high = thinned(series, data.x_log)
        if series.style == "theory":
            axes.plot(x, y, label=None if series.label in theory else series.label, **style)
            continue
        # Where there are many points, markers are spread evenly, each line's a little further on.
        every = None if len(x) <= _FEW_POINTS else (0.02 + 0.021 * (i % 6), 0.14)
        axes.plot(x, y, label=series.label, **style, markersize=3.6, markevery=every)
        if len(low) and len(high):
            axes.fill_between(x, low, high, color=style["color"], alpha=0.16, linewidth=0)
        if len(series.ringed):
            ringed = np.isin(series.x, series.ringed)
            ring: Style = {"color": style["color"], "linestyle": "none", "marker": "o"}
            ring |= {"fillstyle": "none", "markersize": 11, "markeredgewidth": 1.5}
            axes.plot(np.asarray(series.x)[ringed], np.asarray(series.y)[ringed], **ring)
        if len(series.width):
            _mark_width(axes, series, style)
    if theory:
        axes.plot([], [], label="theory", **THEORY | {"color": look.SOFT})
    axes.set(xlabel=data.x_label, ylabel=data.y_label)
    if data.x_log:
        axes.set_xscale("log", nonpositive="mask")
        label_ratios(axes.xaxis)
    elif data.series and all(float(x).is_integer() for s in data.series for x in s.x):
        axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    if data.y_log:
        label_ratios(axes.yaxis)


def _mark_width(axes: Axes, series: Series, style: Style) -> None:
    """Mark the part of a line that is judged: broad and pale, with an end at each side."""
    x, y = np.asarray(series.x), np.asarray(series.y)
    low, high = sorted(series.width)
    inside = (x >= low) & (x <= high) & np.isfinite(y)
    colour = style["color"]
    broad: Style = {"linewidth": 7, "alpha": 0.3, "solid_capstyle": "butt", "zorder": 1.5}
    axes.plot(x[inside], y[inside], color=colour, **broad)
    ends = np.flatnonzero(inside)[[0, -1] if inside.any() else []]
    mark: Style = {"marker": "|", "markersize": 13, "markeredgewidth": 1.8, "linestyle": "none"}
    axes.plot(x[ends], y[ends], color=colour, **mark)


def _paths(
    axes: Axes,
    data: Contours,
    paths: Sequence[Trajectory],
    styles: Sequence[Style],
    first: int,
) -> None:
    """Draw paths over the contours; ``first`` is the number of the first one."""
    x, y, f = (np.asarray(values) for values in (data.x, data.y, data.f))
    axes.contour(x, y, f, levels=levels(f, data.f_log), colors=look.FAINT, linewidths=0.8)
    for i, (path, style) in enumerate(zip(paths, styles, strict=True), first):
        px, py = seen(path, data)
        if not len(px):
            continue
        every = (0.0, 0.035) if len(px) > _FEW_POINTS else None
        drawn: Style = {"markersize": 2.8, "markevery": every, "linewidth": 1.3, "zorder": 3}
        axes.plot(px, py, label=path.label, **style, **drawn, gid=f"path-{i}")
        star: Style = {"color": style["color"], "marker": "*", "markersize": 11, "zorder": 4}
        star |= {"markeredgecolor": look.PAPER, "markeredgewidth": 0.6}
        axes.plot(px[-1:], py[-1:], **star, gid=f"path-{i}-end")
    for start in dict.fromkeys((p.x[0], p.y[0]) for p in paths if len(p.x)):
        ring: Style = {"marker": "o", "markersize": 9, "fillstyle": "none", "color": look.INK}
        axes.plot(*start, **ring, zorder=5)
    axes.grid(False)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def _figure(labels: Sequence[str], extra_height: float = 0.0) -> tuple[Figure, Axes]:
    rows = _legend_rows(labels) if len(labels) > 1 else 0
    size = (_WIDTH, _HEIGHT + extra_height + rows * _LINE_OF_LEGEND)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def _grid(n: int, columns: int, legend: int, shared: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with n axes, row by row, and room for the lines of a legend."""
    columns = min(columns, n)
    rows = -(-n // columns)
    size = (
        _WIDTH * (1.35 if columns > 1 else 1.0),
        rows * _HEIGHT_OF_PANEL + legend * _LINE_OF_LEGEND,
    )
    figure = Figure(figsize=size, layout="constrained")
    grid: Array = figure.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False)
    for axes in grid.flat[n:]:
        axes.set_axis_off()
    return figure, list(grid.flat[:n])


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max(map(len, labels), default=1)
    return int(np.clip(62 // (longest + 8), 1, 4))


def _legend_rows(labels: Sequence[str]) -> int:
    return -(-len(labels) // _legend_columns(labels))


def _legend(
    figure: Figure, grid: Sequence[Axes], labels: Sequence[str], always: bool = False
) -> None:
    if always or len(labels) > 1:
        look.legend_below(figure, _handles(grid), _legend_columns(labels))


def _handles(grid: Sequence[Axes]) -> dict[str, Artist]:
    found: dict[str, Artist] = {}
    for axes in grid:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    return found
