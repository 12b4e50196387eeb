"""Paths over contours that can be played: the figure's SVG, with strokes that CSS draws in step.

Nothing but style moves, so the page needs no script, a reader who wants no motion gets none, and a
printer prints the whole path.
"""

import re
from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from tfadaopt.experiments.reports.draw import measured_styles, seen
from tfadaopt.experiments.reports.figures import Contours

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
    moments = _moments(data)
    for i, (points, travelled, colour) in enumerate(_paths(figure, data)):
        shares = np.interp(moments, np.arange(len(travelled)), travelled) / (travelled[-1] or 1)
        rules.append(_keyframes(f"{name}-{i}", "stroke-dashoffset", 1 - shares, 4))
        style = f"fill: none; stroke: {colour}; animation-name:{name}-{i}"
        drawn = f'pathLength="1" points="{points}" style="{style}"'
        strokes += [f'<polyline class="trail" {drawn}/>', f'<polyline class="walker" {drawn}/>']
    x0, y0, width, height = np.array(figure.axes[0].bbox.bounds) / _pixels(figure)
    corner = f'x="{x0:.1f}" y="{figure.get_figheight() * _POINTS - y0 - height:.1f}"'
    rect = f'<rect {corner} width="{width:.1f}" height="{height:.1f}"/>'
    layer = (
        f'<clipPath id="box">{rect}</clipPath>'
        f'<g class="moving" clip-path="url(#box)">{"".join(strokes)}</g>'
    )
    motion = _MOTION.replace("WHEN", when).replace("SECONDS", str(SECONDS))
    style = f'<style type="text/css">{motion}{"".join(rules)}</style>'
    # What several SVGs on a page call by the same name would be the first one's.
    own = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg.replace("</svg>", layer))
    return f"{own}{style}</svg>"


def counter(data: Contours, name: str) -> str:
    """Return the CSS motion ``name`` that counts ``--step`` in time with the paths."""
    return _keyframes(name, "--step", _moments(data), 0)


def _keyframes(name: str, what: str, values: np.ndarray, digits: int) -> str:
    shares = np.linspace(0, 100, len(values))
    frames = (f"{s:.4g}%{{{what}:{v:.{digits}f}}}" for s, v in zip(shares, values, strict=True))
    return f"@keyframes {name}{{{''.join(frames)}}}"


def _moments(data: Contours) -> np.ndarray:
    """Return the step, not always whole, that is shown in each frame."""
    steps = max((len(seen(path, data)[0]) for path in data.paths), default=1) - 1
    return steps * np.expm1(_HASTE * np.linspace(0, 1, _FRAMES + 1)) / np.expm1(_HASTE)


def _paths(figure: Figure, data: Contours) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield points in the SVG, distance travelled at each step, and colour, of each path."""
    height = figure.get_figheight() * _POINTS
    styles = measured_styles([path.label for path in data.paths])
    for path, style in zip(data.paths, styles, strict=True):
        x, y = seen(path, data)
        if len(x) < 2:
            continue
        at = figure.axes[0].transData.transform(np.column_stack([x, y])) / _pixels(figure)
        at[:, 1] = height - at[:, 1]
        travelled = np.concatenate([[0], np.hypot(*np.diff(at, axis=0).T).cumsum()])
        yield " ".join(f"{px:.1f},{py:.1f}" for px, py in at), travelled, style["color"]


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
