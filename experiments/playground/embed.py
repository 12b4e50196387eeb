"""The interactive picture as a part of a page that needs nothing else: markup, style and script."""

import json
import re
from pathlib import Path

from markupsafe import Markup

from tfadaopt.experiments.reports import look, pages, styles

METHODS = ("SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop")
# In the order in which one needs the other: a page without a server cannot import them.
_SCRIPTS = ("descent.js", "drawing.js", "controls.js")
_FOLDER = Path(__file__).parent
_LINE = 2.0  # the width of a line, in which a dash is given


def playground() -> Markup:
    """Return the picture with its style and script, to be put into a page once."""
    drawn = {name: {"colour": _variable_of(name), "dash": _dash(name)} for name in METHODS}
    made = pages.template("playground.html.j2").render(
        methods=METHODS,
        styles=json.dumps(drawn),
        dashes={name: style["dash"] for name, style in drawn.items()},
        colours={name: style["colour"] for name, style in drawn.items()},
        css=Markup(_colours() + (_FOLDER / "style.css").read_text(encoding="utf-8")),
        script=Markup(script()),
    )
    return Markup(made)


def script(*names: str) -> str:
    """Return modules of the picture as one script: what they import of each other is in it.

    Args:
        *names: Files; all of them if none is named.
    """
    parts = []
    for name in names or _SCRIPTS:
        text = (_FOLDER / name).read_text(encoding="utf-8")
        text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


def _colours() -> str:
    """Return the colours of the reports' figures as variables, on a light and on a dark page."""
    colours = {"contour": look.FAINT} | {
        _variable_of(m): styles.of_method(m)["color"] for m in METHODS
    }
    light = "".join(f"--{name}: {colour};" for name, colour in colours.items())
    dark = "".join(f"--{name}: {look.on_dark(colour)};" for name, colour in colours.items())
    return (
        f".playground {{ {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ .playground {{ {dark} }} }}\n"
    )


def _variable_of(method: str) -> str:
    return f"of-{method.lower()}"


def _dash(method: str) -> str:
    """Return a dash of Matplotlib's as one of SVG's."""
    dash = styles.of_method(method)["linestyle"]
    return "none" if dash == "-" else " ".join(f"{_LINE * part:g}" for part in dash[1])
