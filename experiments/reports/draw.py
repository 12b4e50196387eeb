"""Draw the figures of claims: from data (lines, contours, bars) to Matplotlib, all in one style."""

import dataclasses
import difflib
import re
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.reports import look
from tfadaopt.experiments.reports.figures import Bars, Contours, Lines, Panels, Series, Trajectory
from tfadaopt.experiments.reports.pages import exact

# Compact, so that letters stay readable where the picture is as narrow as a phone.
_WIDTH, _HEIGHT = 4.9, 3.0
_HEIGHT_OF_PANEL = 2.4
_LINE_OF_LEGEND = 0.19
# A path's later steps lie on top of each other, and would fill the file.
STEPS_DRAWN = 400
# A logarithmic axis of more decades shows nothing but how far something diverged or vanished; it is
# cut to what lies around the values that the lines begin with.
_MOST_DECADES = 24
_DECADES_ABOVE, _DECADES_BELOW = 4, 18
_MOST_POINTS = 500
_FEW_POINTS = 40
_NUMBER = re.compile(r"[-−+]?[\d.]+(?:e[-−+]?\d+)?")
_THEORY = {"linestyle": (0, (1, 1.4)), "linewidth": 2.0, "zorder": 3}
_DASHES = ("-", (0, (6, 1.5)), (0, (2.5, 1.2)), (0, (4, 1.2, 1, 1.2)))
# Places in look.STYLES of the methods that most figures show, and other names of methods.
_PLACES = {"SGD": 0, "Momentum": 1, "Nesterov": 5, "Adagrad": 2, "RMSprop": 3, "Adam": 4}
_ALIASES = {"GD": "SGD", "OGD": "SGD", "heavy ball": "Momentum", "HB": "Momentum"}
_ALIASES |= {"NAG": "Nesterov", "gradient descent": "SGD"}
_NAMES = sorted(
    ({record.name: record.name for record in METHODS} | _ALIASES).items(),
    key=lambda item: -len(item[0]),
)


def draw(data: Lines | Panels | Contours | Bars) -> Figure:
    """Return the drawing of a figure's data."""
    drawers = {Lines: lines, Panels: panels, Contours: contours, Bars: bars}
    with mpl.rc_context(look.RC):
        return drawers[type(data)](_in_plain_words(data))


def _in_plain_words(data):
    """Return a figure's data with texts that Matplotlib draws as they stand."""
    changed = {}
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
    styles, theory = _styles(data.series)
    labels = _labels(data.series, theory)
    figure, axes = _figure(labels)
    _plot(axes, data, styles, theory)
    _legend(figure, axes, labels)
    return figure


def panels(data: Panels) -> Figure:
    """Figures of lines side by side: a label has one style in all of them, and one legend."""
    unique = {series.label: series for panel in data.panels for series in panel.series}
    styles, theory = _styles(list(unique.values()))
    style_of = dict(zip(unique, styles, strict=True))
    columns = min(data.columns, len(data.panels))
    rows = -(-len(data.panels) // columns)
    labels = _labels(list(unique.values()), theory)
    legend = -(-len(labels) // _legend_columns(labels)) * _LINE_OF_LEGEND
    size = (_WIDTH * (1.35 if columns > 1 else 1.0), rows * _HEIGHT_OF_PANEL + legend)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=data.shared, sharey=data.shared, squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= len(data.panels):
            axes.set_axis_off()
            continue
        panel = data.panels[i]
        _plot(axes, panel, [style_of[series.label] for series in panel.series], theory)
        axes.set_title(panel.title)
        if data.shared:
            # Axes that all share are labelled at the left and below.
            lowest = i + columns >= len(data.panels)
            axes.set(ylabel=panel.y_label if i % columns == 0 else None)
            axes.set(xlabel=panel.x_label if lowest else None)
            axes.tick_params(labelbottom=lowest)
    handles = {label: h for axes in grid.flat for label, h in _handles(axes).items()}
    look.legend_below(figure, handles, _legend_columns(labels))
    return figure


def _labels(series: Sequence[Series], theory: set[str]) -> list[str]:
    """Return what the legend of lines has."""
    labels = [s.label for s in series if s.label not in theory]
    return [*labels, "theory"] if theory else labels


def _plot(axes: Axes, data: Lines, styles: Sequence[dict], theory: set[str]) -> None:
    """Draw lines into axes, each in its style; those in ``theory`` have one entry of a legend."""
    if data.y_log:
        axes.set_yscale("log", nonpositive="mask")
        _cut(axes, [s.y for s in data.series])
    for i, (series, style) in enumerate(zip(data.series, styles, strict=True)):
        x, y, low, high = _thinned(series, data.x_log)
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
            ring = {"color": style["color"], "linestyle": "none", "marker": "o"}
            ring |= {"fillstyle": "none", "markersize": 11, "markeredgewidth": 1.5}
            axes.plot(np.asarray(series.x)[ringed], np.asarray(series.y)[ringed], **ring)
    if theory:
        axes.plot([], [], label="theory", **_THEORY | {"color": look.SOFT})
    axes.set(xlabel=data.x_label, ylabel=data.y_label)
    if data.x_log:
        axes.set_xscale("log", nonpositive="mask")
        _label_ratios(axes.xaxis)
    elif data.series and all(float(x).is_integer() for s in data.series for x in s.x):
        axes.xaxis.get_major_locator().set_params(integer=True)
    if data.y_log:
        _label_ratios(axes.yaxis)


def contours(data: Contours) -> Figure:
    """Paths over contours: a ring where they start, a star where they end."""
    labels = [path.label for path in data.paths]
    figure, axes = _figure(labels, extra_height=0.7)
    x, y, f = (np.asarray(values) for values in (data.x, data.y, data.f))
    axes.contour(x, y, f, levels=_levels(f, data.f_log), colors=look.FAINT, linewidths=0.8)
    for i, (path, style) in enumerate(zip(data.paths, measured_styles(labels), strict=True)):
        px, py = seen(path, data)
        if not len(px):
            continue
        every = (0.0, 0.035) if len(px) > _FEW_POINTS else None
        drawn = {"markersize": 2.8, "markevery": every, "linewidth": 1.3, "zorder": 3}
        axes.plot(px, py, label=path.label, **style, **drawn, gid=f"path-{i}")
        star = {"color": style["color"], "marker": "*", "markersize": 11, "zorder": 4}
        star |= {"markeredgecolor": look.PAPER, "markeredgewidth": 0.6}
        axes.plot(px[-1:], py[-1:], **star, gid=f"path-{i}-end")
    for start in dict.fromkeys((p.x[0], p.y[0]) for p in data.paths if len(p.x)):
        ring = {"marker": "o", "markersize": 9, "fillstyle": "none", "color": look.INK}
        axes.plot(*start, **ring, zorder=5)
    axes.grid(False)
    axes.set(xlabel=data.x_label, ylabel=data.y_label)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    _legend(figure, axes, labels)
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
        mark = {"marker": "|", "markersize": 17, "markeredgewidth": 2.4, "linestyle": "none"}
        axes.plot(theory, rows, label="theory", color=look.STYLES[2][0], **mark, zorder=3)
    axes.margins(x=0.16)
    axes.autoscale_view()
    if data.y_log:
        _label_ratios(axes.xaxis)
    for row, value in zip(rows, values, strict=True):
        ends = [v for v in (value, high[row], theory[row]) if np.isfinite(v)]
        text = exact(value, 3) if not np.isnan(value) else "none"
        at = max([*ends, 0.0] if not data.y_log else ends, default=axes.get_xlim()[0])
        if not np.isfinite(value):
            at = axes.get_xlim()[0]
        place = {"textcoords": "offset points", "xytext": (7, 0), "va": "center"}
        axes.annotate(text, (at, row), **place, fontsize="small")
    axes.set_yticks(rows, data.labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlabel(data.y_label)
    if with_theory:
        look.legend_below(figure, _handles(axes))
    return figure


def seen(path: Trajectory, data: Contours) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a path that is drawn: up to where it leaves for good, or ends."""
    points = np.column_stack([path.x, path.y])
    middle = np.array([np.mean(data.x), np.mean(data.y)])
    span = np.array([np.ptp(data.x), np.ptp(data.y)])
    # Far outside, the line that leads there is enough; NaN is no nearer.
    gone = np.flatnonzero(~(np.abs(points - middle) < 50 * span).all(axis=1))
    end = len(points)
    if len(gone):
        end = gone[0] + bool(np.isfinite(points[gone[0]]).all())
    return tuple(points[: min(end, STEPS_DRAWN)].T)


def _figure(labels: Sequence[str], extra_height: float = 0.0) -> tuple[Figure, Axes]:
    rows = -(-len(labels) // _legend_columns(labels)) if len(labels) > 1 else 0
    size = (_WIDTH, _HEIGHT + extra_height + rows * _LINE_OF_LEGEND)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max(map(len, labels), default=1)
    return int(np.clip(62 // (longest + 8), 1, 4))


def _legend(figure: Figure, axes: Axes, labels: Sequence[str]) -> None:
    if len(labels) > 1:
        look.legend_below(figure, _handles(axes), _legend_columns(labels))


def _handles(axes: Axes) -> dict[str, object]:
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def _styles(series: Sequence[Series]) -> tuple[list[dict], set[str]]:
    """Return a style per series, and the labels of those that the legend sums up as theory.

    What theory predicts is dotted, in the colour of what it predicts. Where that is plain from the
    labels for several lines, one entry is enough for them.
    """
    measured = [s.label for s in series if s.style == "measured"]
    given = dict(zip(measured, measured_styles(measured), strict=True))
    styles, partnered = [], set()
    for s in series:
        if s.style == "measured":
            styles.append(given[s.label])
            continue
        partner = _partner(s.label, measured)
        colour = given[partner]["color"] if partner else look.SOFT
        styles.append(_THEORY | {"color": colour})
        if partner:
            partnered.add(s.label)
    return styles, partnered if len(partnered) > 1 else set()


def _partner(label: str, measured: Sequence[str]) -> str | None:
    """Return the measured line that a line of theory is about: what its label shares most with."""
    if len(measured) == 1:
        return measured[0]

    def shared(other: str) -> int:
        matcher = difflib.SequenceMatcher(None, label, other, autojunk=False)
        return matcher.find_longest_match().size

    ranked = sorted(measured, key=shared, reverse=True)
    if not ranked or shared(ranked[0]) < 3 or shared(ranked[0]) == shared(ranked[1]):
        return None
    return ranked[0]


def measured_styles(labels: Sequence[str]) -> list[dict]:
    """Return a style per label: a method keeps its colour in all figures.

    Lines of one method differ in their dashes; where the figure is about one method alone, its
    lines take all the colours, or, if their labels differ in a number only, a scale of them.
    """
    methods = [_method(label) for label in labels]
    if len(labels) > 3 and len({_NUMBER.sub("#", label) for label in labels}) == 1:
        steps = np.linspace(0, len(look.RAMP) - 1, len(labels)).round().astype(int)
        return [
            _style(i) | {"color": look.RAMP[step], "linestyle": "-"} for i, step in enumerate(steps)
        ]
    if len(set(methods)) == 1:
        return [_style(i) for i in range(len(labels))]
    free = [i for i in range(len(look.STYLES)) if i not in {_PLACES.get(m) for m in methods}]
    places: dict[object, int] = {}
    styles = []
    for label, method in zip(labels, methods, strict=True):
        key = method or label
        if key not in places:
            places[key] = _PLACES[key] if key in _PLACES else free.pop(0) if free else len(places)
        same = sum(m == method for m in methods[: len(styles)]) if method else 0
        style = _style(places[key])
        if same:
            other = _style(places[key] + same)
            style |= {"linestyle": _DASHES[same % len(_DASHES)], "marker": other["marker"]}
        styles.append(style)
    return styles


def _style(place: int) -> dict:
    colour, dash, marker = look.STYLES[place % len(look.STYLES)]
    if place >= len(look.STYLES):
        dash = _DASHES[place % len(_DASHES)]
    return {"color": colour, "linestyle": dash, "marker": marker}


def _method(label: str) -> str | None:
    """Return the method that a label names, by any of its names."""
    for name, method in _NAMES:
        if re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", label, re.IGNORECASE):
            return method
    return None


def _thinned(series: Series, x_log: bool) -> tuple[np.ndarray, ...]:
    """Return x, y, low and high at no more points than can be told apart."""
    columns = [np.asarray(v) for v in (series.x, series.y, series.low, series.high)]
    n = len(columns[0])
    if n <= _MOST_POINTS:
        return tuple(columns)
    spaced = np.geomspace(1, n, _MOST_POINTS) - 1 if x_log else np.linspace(0, n - 1, _MOST_POINTS)
    keep = np.unique(spaced.round().astype(int))
    return tuple(column[keep] if len(column) else column for column in columns)


def _levels(f: np.ndarray, by_ratio: bool) -> np.ndarray:
    finite = f[np.isfinite(f)]
    lowest, span = finite.min(), np.ptp(finite) or 1.0
    return lowest + span * (
        np.geomspace(1e-5, 1, 16) if by_ratio else np.linspace(0.02, 1, 14) ** 2
    )


def _cut(axes: Axes, lines: Sequence[Sequence[float]]) -> None:
    """Fix the limits of a logarithmic axis whose lines go far beyond what they begin with."""
    positive = [y[np.isfinite(y) & (y > 0)] for y in map(np.asarray, lines)]
    logs = [np.log10(y) for y in positive if len(y)]
    if logs and np.ptp(np.concatenate(logs)) > _MOST_DECADES:
        begin = np.median([y[0] for y in logs])
        low, high = np.min(np.concatenate(logs)) - 0.5, np.max(np.concatenate(logs)) + 0.5
        low, high = max(low, begin - _DECADES_BELOW), min(high, begin + _DECADES_ABOVE)
        axes.set_ylim(10**low, 10**high)


def _label_ratios(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers where it spans few decades, and sparsely."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    if decades < 4:
        subs = (1, 1.5, 2, 3, 5, 7) if decades < 0.6 else (1, 2, 5) if decades < 2 else (1,)
        axis.set_major_locator(ticker.LogLocator(subs=subs))
        axis.set_major_formatter(lambda value, _: exact(value, 3))
    axis.set_minor_formatter(ticker.NullFormatter())
