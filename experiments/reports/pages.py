"""What the pages of all reports are made of: templates, pictures, numbers for a reader."""

import math
from dataclasses import dataclass

import jinja2


@dataclass(frozen=True)
class Picture:
    """A figure on a page.

    Attributes:
        name: Name of its files, without the ending.
        alt: What a screen reader says of it.
        source: Address that carries it.
        title: What it shows.
        caption: What to see in it.
        width: Pixels that it wants; 0 as wide as there is room.
        height: The same for its height.
        animated: An SVG to put into the page instead, or empty.
        motion: Style that counts its steps, or empty.
    """

    name: str
    alt: str
    source: str
    title: str = ""
    caption: str = ""
    width: int = 0
    height: int = 0
    animated: str = ""
    motion: str = ""


def template(name: str) -> jinja2.Template:
    """Return a template of this package; what is put into it is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tfadaopt.experiments.reports", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).get_template(name)


def short(value: float | None, digits: int = 3) -> str:
    """Return a number in few digits, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "—"
    return f"{value:.{digits}g}"


def exact(value: float | None, digits: int = 4) -> str:
    """Return a number to read: 6 107, 0.98005, 2.4 × 10⁻⁷; infinity is what never came.

    Example:
        >>> exact(6107), exact(0.980052), exact(2.4e-7), exact(float("inf")), exact(None)
        ('6\\u202f107', '0.9801', '2.4 × 10⁻⁷', 'never', '—')
    """
    if value is None or math.isnan(value):
        return "—"
    if math.isinf(value):
        return "never" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e7:
        return _signed(f"{int(value):,}".replace(",", "\u202f"))
    if 1e-3 <= abs(value) < 1e5:
        return _signed(f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return _signed(f"{mantissa} × 10{raised}" if mantissa not in ("1", "-1") else f"10{raised}")


def duration(seconds: float) -> str:
    """Return a duration in words: 0.4 s, 12 s, 3 min 5 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _signed(text: str) -> str:
    return text.replace("-", "−")
