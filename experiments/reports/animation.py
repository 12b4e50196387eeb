"""Paths over contours that can be played: the figure's SVG, with strokes that CSS draws in step.

Nothing but style moves, so the page needs no script, a reader who wants no motion gets none, and a
printer prints the whole path.
"""

import re
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfadaopt.experiments.reports.figures import Contours
from tfadaopt.experiments.reports.scales import Array, seen
from tfadaopt.experiments.reports.styles import of_labels

SECONDS = 8
_FRAMES = 80
# All paths take their steps at the same moments; the first ones slowly, as most happens there.
_HASTE = 3.0
_POINTS = 72  # in an inch


def animate(figure: Figure, data: Contours, svg: str, name: str, when: str = "svg") -> str:
    """Return the SVG of a figure with paths that are drawn step by step.

    Args:
        figure: The drawing, after it was saved: its layout is final.
        data: What it shows.
        svg: Its SVG.
        name: Unique on the page; begins all ids in the SVG and the names of its motions.
        when: CSS selector of the SVG while it plays; by default it plays at once.
    """
    strokes, rules = [], []
    boxes: dict[Axes, str] = {}
    moments = _moments(data)
    for i, (axes, points, travelled, colour) in enumerate(_paths(figure, data)):
        box = boxes.setdefault(axes, f"box-{len(boxes)}")
        shares = np.interp(moments, np.arange(len(travelled)), travelled) / (travelled[-1] or 1)
        rules.append(_keyframes(f"{name}-{i}", "stroke-dashoffset", 1 - shares, 4))
        style = f"fill: none; stroke: {colour}; animation-name:{name}-{i}"
        clipped = f'clip-path="url(#{box})"'
        drawn = f'{clipped} pathLength="1" points="{points}" style="{style}"'
        strokes += [f'<polyline class="trail" {drawn}/>', f'<polyline class="walker" {drawn}/>']
    clips = [
        f'<clipPath id="{box}">{_rectangle(figure, axes)}</clipPath>' for axes, box in boxes.items()
    ]
    layer = f'{"".join(clips)}<g class="moving">{"".join(strokes)}</g>'
    motion = _MOTION.replace("WHEN", when).replace("SECONDS", str(SECONDS))
    style = f'<style type="text/css">{motion}{"".join(rules)}</style>'
    # What several SVGs on a page call by the same name would be the first one's.
    own = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg.replace("</svg>", layer))
    return f"{own}{style}</svg>"


def counter(data: Contours, name: str) -> str:
    """Return the CSS motion ``name`` that counts ``--step`` in time with the paths."""
    return _keyframes(name, "--step", _moments(data), 0)


def _keyframes(name: str, what: str, values: Array, digits: int) -> str:
    shares = np.linspace(0, 100, len(values))
    frames = (f"{s:.4g}%{{{what}:{v:.{digits}f}}}" for s, v in zip(shares, values, strict=True))
    return f"@keyframes {name}{{{''.join(frames)}}}"


def _moments(data: Contours) -> Array:
    """Return the step, not always whole, that is shown in each frame."""
    steps = max((len(seen(path, data)[0]) for path in data.paths), default=1) - 1
    moments: Array = np.expm1(_HASTE * np.linspace(0, 1, _FRAMES + 1)) / np.expm1(_HASTE)
    return steps * moments


def _paths(figure: Figure, data: Contours) -> Iterator[tuple[Axes, str, Array, str]]:
    """Yield axes, points in the SVG, distance travelled at each step, and colour, of each path."""
    height = figure.get_figheight() * _POINTS
    styles = of_labels([path.label for path in data.paths])
    apart = data.apart and len(data.paths) > 1
    for i, (path, style) in enumerate(zip(data.paths, styles, strict=True)):
        x, y = seen(path, data)
        if len(x) < 2:
            continue
        axes = figure.axes[i if apart else 0]
        at = axes.transData.transform(np.column_stack([x, y])) / _pixels(figure)
        at[:, 1] = height - at[:, 1]
        travelled = np.concatenate([[0], np.hypot(*np.diff(at, axis=0).T).cumsum()])
        yield axes, " ".join(f"{px:.1f},{py:.1f}" for px, py in at), travelled, style["color"]


def _rectangle(figure: Figure, axes: Axes) -> str:
    """Return where axes lie in the SVG."""
    x, y, width, height = np.array(axes.bbox.bounds) / _pixels(figure)
    corner = f'x="{x:.1f}" y="{figure.get_figheight() * _POINTS - y - height:.1f}"'
    return f'<rect {corner} width="{width:.1f}" height="{height:.1f}"/>'


def _pixels(figure: Figure) -> float:
    """Return the pixels of a figure in one point of its SVG."""
    return figure.dpi / _POINTS


# A dash of no length with a round cap is a dot; it lies where the trail's dash ends.
_MOTION = """
.moving{visibility:hidden} .trail{stroke-width:1.6;stroke-dasharray:1 1}
.walker{stroke-width:8;stroke-linecap:round;stroke-dasharray:.00001 1.00199}
@media screen and (prefers-reduced-motion:no-preference){
WHEN .moving{animation:tfadaopt-shown SECONDSs}
WHEN [id*="-path-"]{animation:tfadaopt-hidden SECONDSs}
WHEN polyline{animation-duration:SECONDSs;animation-timing-function:linear;animation-fill-mode:both}
}
@keyframes tfadaopt-shown{from,to{visibility:visible}}
@keyframes tfadaopt-hidden{from,to{visibility:hidden}}
"""
