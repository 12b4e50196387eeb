"""Which colour, dash and marker a line has: a method has one style, but for colours that clash."""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.reports import look
from tfadaopt.experiments.reports.figures import Series

# Arguments of Matplotlib's ``plot``.
Style: TypeAlias = dict[str, Any]

THEORY: Style = {"linestyle": (0, (1, 1.4)), "linewidth": 2.0, "zorder": 3}
DASHES = ("-", (0, (6, 1.5)), (0, (2.5, 1.2)), (0, (4, 1.2, 1, 1.2)))
# The methods that most figures show have the styles of ``look``, in this order.
_FIRST = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam", "Nesterov")
# All others share these colours, in the order of the catalog; six of them have a marker.
_MARKERS = ("X", "<", ">", "p", "h", "d", "8", "*", "H", "1", "2", "3", "4")
_ALIASES = {"GD": "SGD", "OGD": "SGD", "heavy ball": "Momentum", "HB": "Momentum"}
_ALIASES |= {"NAG": "Nesterov", "gradient descent": "SGD"}
_PLACES = {
    name: place
    for place, name in enumerate(
        [*_FIRST, *(record.name for record in METHODS if record.name not in _FIRST)]
    )
}
# The longest first: "SGD with Momentum" is Momentum.
_NAMES = sorted(
    ({record.name: record.name for record in METHODS} | _ALIASES).items(),
    key=lambda item: -len(item[0]),
)
_NUMBER = re.compile(r"[-−+]?[\d.]+(?:e[-−+]?\d+)?")


def method_in(label: str) -> str | None:
    """Return the method that a label names, by any of its names.

    Example:
        >>> from tfadaopt.experiments.reports.styles import method_in
        >>> method_in("NAG, η = 1"), method_in("dense layer")
        ('Nesterov', None)
    """
    for name, method in _NAMES:
        if re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", label, re.IGNORECASE):
            return method
    return None


def of_method(name: str) -> Style:
    """Return the style of a method: no other has the same colour and marker.

    Example:
        >>> from tfadaopt.experiments.reports.styles import of_method
        >>> of_method("Adagrad")
        {'color': '#d4550a', 'linestyle': '-', 'marker': 'D'}
    """
    return _at(_PLACES[name])


def of_labels(labels: Sequence[str]) -> list[Style]:
    """Return a style per label: that of the method it names, else one that is free.

    Where two methods have one colour, the later in the catalog takes a free one, if there is one.
    Further lines of one method differ in dash and marker. Where three lines or more are about one
    method alone, or where more than three differ in a number only, they take a scale of colours
    that belong to no method.
    """
    methods = [method_in(label) for label in labels]
    numbers = len(labels) > 3 and len({_NUMBER.sub("#", label) for label in labels}) == 1
    if numbers or (len(labels) > 2 and len(set(methods)) == 1 and methods[0]):
        return _scale(len(labels), solid=numbers)
    colours = _apart({method for method in methods if method})
    free = [i for i, (colour, *_) in enumerate(look.STYLES) if colour not in colours.values()]
    styles: list[Style] = []
    for i, method in enumerate(methods):
        if method is None:
            unnamed = methods[:i].count(None)
            styles.append(_at(free[unnamed] if unnamed < len(free) else unnamed + len(_PLACES)))
            continue
        style, same = of_method(method) | {"color": colours[method]}, methods[:i].count(method)
        if same:
            dash = (_dash(style["linestyle"]) + same) % len(DASHES)
            marker = _at(_PLACES[method] + same)["marker"]
            style |= {"linestyle": DASHES[dash], "marker": marker}
        styles.append(style)
    return styles


def of_series(series: Sequence[Series]) -> tuple[list[Style], set[str]]:
    """Return a style per series, and the labels of those that a legend sums up as theory.

    What theory predicts is dotted, in the colour of the line that it is ``of``. Where several
    lines have their theory, one entry is enough for them.
    """
    measured = [s.label for s in series if s.style == "measured"]
    given = dict(zip(measured, of_labels(measured), strict=True))
    styles, summed = [], set()
    for s in series:
        if s.style == "measured":
            styles.append(given[s.label])
            continue
        about = s.of or (measured[0] if len(measured) == 1 else "")
        styles.append(THEORY | {"color": given[about]["color"] if about in given else look.SOFT})
        if about:
            summed.add(s.label)
    return styles, summed if len(summed) > 1 else set()


def _apart(methods: set[str]) -> dict[str, str]:
    """Return a colour per method, as different as there are colours."""
    own = {name: of_method(name)["color"] for name in sorted(methods, key=_PLACES.__getitem__)}
    free = [colour for colour, *_ in look.STYLES if colour not in own.values()]
    colours: dict[str, str] = {}
    for name, colour in own.items():
        colours[name] = free.pop(0) if free and colour in colours.values() else colour
    return colours


def _scale(n: int, solid: bool) -> list[Style]:
    steps = np.linspace(0, len(look.RAMP) - 1, n).round().astype(int)
    styles = [_at(i) | {"color": look.RAMP[step]} for i, step in enumerate(steps)]
    return [style | {"linestyle": "-"} for style in styles] if solid else styles


def _at(place: int) -> Style:
    """Return the style of a place: after those of ``look``, their colours with other markers."""
    turn, i = divmod(place, len(look.STYLES))
    colour, dash, marker = look.STYLES[i]
    if turn:
        dash = DASHES[(_dash(dash) + turn) % len(DASHES)]
        marker = _MARKERS[(turn - 1) % len(_MARKERS)]
    return {"color": colour, "linestyle": dash, "marker": marker}


def _dash(dash: object) -> int:
    return DASHES.index(dash) if dash in DASHES else 0
