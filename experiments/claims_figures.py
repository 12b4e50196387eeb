"""Draw the figures of claims: from data (lines, contours, bars) to Matplotlib, all in one style."""

import re
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tfadaopt.experiments.claims.claim import Bars, Contours, Lines, Series

from tfadaopt.catalog import METHODS
from tfadaopt.experiments import look

# Compact, so that letters stay readable where the picture is as narrow as a phone.
_WIDTH, _HEIGHT = 4.9, 3.0
_LINE_OF_LEGEND = 0.19
# A path's later steps lie on top of each other, and would fill the file.
STEPS_DRAWN = 400
# Beyond these bounds a logarithmic axis shows nothing but how far something diverged or vanished.
_DECADES_ABOVE, _DECADES_BELOW = 6, 18
_MOST_POINTS = 500
_FEW_POINTS = 40
_NUMBER = re.compile(r"[-−+]?[\d.]+(?:e[-−+]?\d+)?")
_DASHES = ("-", (0, (6, 1.5)), (0, (2.5, 1.2)), (0, (4, 1.2, 1, 1.2)))
# Places in look.STYLES of the methods that most figures show, and other names of methods.
_PLACES = {"SGD": 0, "Momentum": 1, "Nesterov": 5, "Adagrad": 2, "RMSprop": 3, "Adam": 4}
_ALIASES = {"GD": "SGD", "OGD": "SGD", "heavy ball": "Momentum", "HB": "Momentum"}
_ALIASES |= {"NAG": "Nesterov", "gradient descent": "SGD"}
_NAMES = sorted(
    ({record.name: record.name for record in METHODS} | _ALIASES).items(),
    key=lambda item: -len(item[0]),
)


def draw(data: Lines | Contours | Bars) -> Figure:
    """Return the drawing of a figure's data."""
    drawers = {Lines: lines, Contours: contours, Bars: bars}
    with mpl.rc_context(look.RC):
        return drawers[type(data)](data)


def lines(data: Lines) -> Figure:
    """Measured lines with their bands, and dashed what theory predicts for them."""
    labels = [series.label for series in data.series]
    figure, axes = _figure(labels)
    styles = _styles(data.series)
    for i, series in enumerate(data.series):
        x, y, low, high = _thinned(series, data.x_log)
        if series.style == "theory":
            axes.plot(x, y, label=series.label, **styles[i])
            continue
        few = len(x) <= _FEW_POINTS
        # Where there are many points, markers are spread evenly, each line's a little further on.
        every = None if few else (0.02 + 0.021 * (i % 6), 0.14)
        axes.plot(x, y, label=series.label, **styles[i], markersize=3.6, markevery=every)
        if len(low) and len(high):
            axes.fill_between(x, low, high, color=styles[i]["color"], alpha=0.16, linewidth=0)
    axes.set(xlabel=data.x_label, ylabel=data.y_label)
    _scale(axes, "x", data.x_log, [])
    _scale(axes, "y", data.y_log, [s.y for s in data.series])
    _legend(figure, axes, labels)
    return figure


def contours(data: Contours) -> Figure:
    """Paths over contours: a ring where they start, a marker per step, a star where they end."""
    labels = [path.label for path in data.paths]
    figure, axes = _figure(labels, extra_height=0.7)
    x, y, f = (np.asarray(values) for values in (data.x, data.y, data.f))
    axes.contour(x, y, f, levels=_levels(f, data.f_log), colors=look.FAINT, linewidths=0.8)
    styles = look.styles(labels) if len(set(labels)) == len(labels) else None
    for i, path in enumerate(data.paths):
        style = styles[path.label] if styles else look.styles(range(i + 1))[i]
        px, py = seen(data, i)
        if not len(px):
            continue
        many = len(px) > _FEW_POINTS
        axes.plot(
            *(px, py),
            label=path.label,
            **style,
            markersize=3 if not many else 2.6,
            markevery=(0.0, 0.035) if many else None,
            linewidth=1.3,
            zorder=3,
        )
        axes.plot(
            *(px[-1:], py[-1:]),
            **{"color": style["color"], "marker": "*", "markersize": 11, "zorder": 4},
            **{"markeredgecolor": look.PAPER, "markeredgewidth": 0.6},
        )
    for start in dict.fromkeys((p.x[0], p.y[0]) for p in data.paths if len(p.x)):
        ring = {"marker": "o", "markersize": 9, "fillstyle": "none", "color": look.INK}
        axes.plot(*start, **ring, zorder=5)
    axes.grid(False)
    axes.set(xlabel=data.x_label, ylabel=data.y_label)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    _legend(figure, axes, labels)
    return figure


def bars(data: Bars) -> Figure:
    """A bar each, with its value and its interval; a line where theory puts it."""
    height = 0.32 * len(data.labels) + 0.75
    with_theory = any(np.isfinite(data.theory)) if len(data.theory) else False
    figure = Figure(figsize=(_WIDTH, height + 0.2 * with_theory), layout="constrained")
    axes = figure.subplots()
    values = np.asarray(data.values)
    there = np.isfinite(values)
    rows = np.arange(len(values))
    axes.barh(rows[there], values[there], height=0.62, color=look.STYLES[1][0], alpha=0.85)
    if len(data.low) and len(data.high):
        low, high = np.asarray(data.low), np.asarray(data.high)
        error = np.abs(np.stack([values - low, high - values]))[:, there]
        axes.errorbar(
            values[there], rows[there], xerr=error, fmt="none", ecolor=look.INK, capsize=2.5
        )
    if with_theory:
        for row, predicted in zip(rows, data.theory, strict=True):
            if np.isfinite(predicted):
                mark = {"color": look.STYLES[2][0], "linewidth": 2.2, "solid_capstyle": "butt"}
                label = None if axes.get_legend_handles_labels()[1] else "theory"
                axes.plot([predicted] * 2, [row - 0.42, row + 0.42], label=label, **mark)
    ends = [np.nanmax([v, *_at(data.high, i)]) for i, v in enumerate(values)]
    _scale(axes, "x", data.y_log, [data.values, data.theory, data.high])
    for row, value, end in zip(rows, values, ends, strict=True):
        text = f"{value:.3g}" if np.isfinite(value) else "never" if value > 0 else "none"
        at = end if np.isfinite(value) else axes.get_xlim()[0]
        offset = {"textcoords": "offset points", "xytext": (4, 0), "va": "center"}
        axes.annotate(text, (at, row), **offset, fontsize="small")
    axes.set_yticks(rows, data.labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.set_xlabel(data.y_label)
    if with_theory:
        look.legend_below(figure, axes)
    return figure


def seen(data: Contours, path: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a path that is drawn: up to where it leaves for good, or ends."""
    x, y = np.asarray(data.paths[path].x), np.asarray(data.paths[path].y)
    broken = ~(np.isfinite(x) & np.isfinite(y))
    end = int(np.argmax(broken)) if broken.any() else len(x)
    # Far outside, the line that leads there is enough.
    spans = np.ptp(data.x), np.ptp(data.y)
    far = (np.abs(x[:end] - np.mean(data.x)) > 50 * spans[0]) | (
        np.abs(y[:end] - np.mean(data.y)) > 50 * spans[1]
    )
    end = min(end, int(np.argmax(far)) + 1 if far.any() else end, STEPS_DRAWN)
    return x[:end], y[:end]


def _figure(labels: Sequence[str], extra_height: float = 0.0) -> tuple[Figure, Axes]:
    rows = -(-len(labels) // _legend_columns(labels)) if len(labels) > 1 else 0
    size = (_WIDTH, _HEIGHT + extra_height + rows * _LINE_OF_LEGEND)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max(map(len, labels), default=1)
    return int(np.clip(66 // (longest + 9), 1, 4))


def _legend(figure: Figure, axes: Axes, labels: Sequence[str]) -> None:
    if len(labels) > 1:
        look.legend_below(figure, axes, _legend_columns(labels))


def _styles(series: Sequence[Series]) -> list[dict]:
    """Return a style per series: theory is dotted, in the colour of what it predicts."""
    measured = [s.label for s in series if s.style == "measured"]
    given = iter(measured_styles(measured))
    by_label = dict(zip(measured, measured_styles(measured), strict=True))
    styles = []
    for s in series:
        if s.style == "measured":
            styles.append(next(given))
            continue
        partner = next((m for m in sorted(measured, key=len, reverse=True) if m in s.label), None)
        colour = by_label[partner]["color"] if partner else look.SOFT
        styles.append({"color": colour, "linestyle": (0, (1, 1.4)), "linewidth": 1.8, "zorder": 3})
    return styles


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


def _scale(axes: Axes, which: str, logarithmic: bool, values: Sequence[Sequence[float]]) -> None:
    """Set an axis' scale, and leave out of its range how far something diverged or vanished."""
    if not logarithmic:
        return
    getattr(axes, f"set_{which}scale")("log", nonpositive="mask")
    all_values = np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)
    positive = all_values[np.isfinite(all_values) & (all_values > 0)]
    if not len(positive):
        return
    middle = np.median(np.log10(positive))
    set_limits, limits = getattr(axes, f"set_{which}lim"), getattr(axes, f"get_{which}lim")()
    low, high = np.log10(limits)
    set_limits(10 ** max(low, middle - _DECADES_BELOW), 10 ** min(high, middle + _DECADES_ABOVE))


def _at(values: Sequence[float], i: int) -> list[float]:
    return [values[i]] if len(values) else []
