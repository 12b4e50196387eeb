"""The look that all reports share: colours and dashes of the figures, and how these are kept."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tfadaopt.experiments.runs.files import printable, write_whole

INK, SOFT, FAINT, PAPER = "#1b1b1b", "#595959", "#c8c8c8", "#ffffff"
# Six colours that stay at least 19 apart (ΔE, CIE 1976) under deuteranopia, protanopia and
# tritanopia, and at least 3:1 from the paper; dashes and markers for those who see none.
STYLES = (
    (INK, "-", "o"),
    ("#1667d9", (0, (6, 1.5)), "s"),
    ("#d4550a", "-", "D"),
    ("#00593b", (0, (4, 1.2, 1, 1.2)), "v"),
    ("#8e2a6b", (0, (2.5, 1.2)), "P"),
    ("#3f9fb5", "-", "^"),
)
# The same on a dark page; applied by the SVG itself, so that a figure is one file.
_DARK = {
    PAPER: "#161616",
    INK: "#f0f0f0",
    SOFT: "#b0b0b0",
    FAINT: "#4a4a4a",
    "#1667d9": "#5f86ee",
    "#d4550a": "#e0812a",
    "#00593b": "#23d07c",
    "#8e2a6b": "#d0559a",
    "#3f9fb5": "#8ccbe6",
}
# A scale from dark to light, for lines that differ in one number.
RAMP = tuple(to_hex(mpl.colormaps["viridis"](0.08 * i)) for i in range(9))
_DARK |= {light: to_hex(mpl.colormaps["viridis"](0.36 + 0.08 * i)) for i, light in enumerate(RAMP)}
RC: dict[Any, Any] = {
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    # A fixed salt and no date: the same data give the same bytes.
    "svg.hashsalt": "tfadaopt",
}
_PIXELS_PER_INCH = 200


def legend_below(figure: Figure, handles: Mapping[str, Artist], columns: int = 3) -> None:
    """Put a legend of the handles, by label, under the figure, where it hides nothing."""
    if handles:
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=min(columns, len(handles)),
            handlelength=2.6,
        )


def save(figure: Figure, path: Path, png: bool = False) -> str:
    """Write a figure beside ``path`` as ``.svg`` (and ``.png``), and return the SVG's source.

    The SVG obeys the reader's wish for dark pages; the PNG is for slides and documents.
    """
    with mpl.rc_context(RC):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        # The layout is found; each further drawing would find it again.
        figure.set_layout_engine("none")
        if png:
            pixels = io.BytesIO()
            figure.savefig(pixels, format="png", dpi=_PIXELS_PER_INCH)
            # Names may have dots: what follows one is no ending.
            write_whole(path.with_name(f"{path.name}.png"), pixels.getvalue())
    source = buffer.getvalue().replace("</style>", f"</style>\n{_dark_style()}", 1)
    write_whole(path.with_name(f"{path.name}.svg"), source)
    return source


def on_dark(colour: str) -> str:
    """Return what a colour of the figures is on a dark page.

    Example:
        >>> on_dark("#d4550a")
        '#e0812a'
    """
    return _DARK[colour]


def plain(text: str) -> str:
    r"""Return text that Matplotlib draws as it stands: a dollar sign begins no formula.

    Example:
        >>> plain(r"$\frac{1}$"), plain("a\nb")
        ('\\$\\frac{1}\\$', 'a b')
    """
    return printable(text).replace("$", r"\$")


def data_uri(svg: str) -> str:
    """Return the source of a figure as an address that a page can carry."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _dark_style() -> str:
    # Attribute selectors: programs that do not know them show the light figure.
    rules = [
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    ]
    # Matplotlib leaves out the fill of what is black.
    rules.append(f"svg{{fill:{_DARK[INK]}}}")
    return (
        '<style type="text/css">@media screen and (prefers-color-scheme: dark) {'
        + "".join(rules)
        + "}</style>"
    )
