"""Figures as data, to be kept as JSON and drawn in one style: lines, panels, paths, bars."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
import pydantic
from numpy.typing import ArrayLike
from pydantic import BeforeValidator, Field
from typing_extensions import dataclass_transform

_Class = TypeVar("_Class")


def _plain(values: ArrayLike) -> Any:
    return np.asarray(values, "float64").tolist()


if TYPE_CHECKING:  # any array is taken, and kept as numbers
    Floats: TypeAlias = Any
    Grid: TypeAlias = Any
else:
    Floats = Annotated[tuple[float, ...], BeforeValidator(_plain)]
    Grid = Annotated[tuple[tuple[float, ...], ...], BeforeValidator(_plain)]


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def record(cls: type[_Class]) -> type[_Class]:
    """Make a class a frozen dataclass that survives a trip through JSON, infinities included."""
    # JSON has no infinities: what diverged is written as "Infinity", and read back as such.
    config = pydantic.ConfigDict(extra="forbid", ser_json_inf_nan="strings")
    made: Any = pydantic.dataclasses.dataclass(frozen=True, config=config)(cls)
    return cast("type[_Class]", made)


@record
class Series:
    """A line of a figure.

    Attributes:
        label: What it is; lines of the same method have the same label in all figures.
        x: Positions; any array.
        y: Values; NaN where there is none.
        low: Lower end of the 95 % interval at each position, or empty.
        high: Upper end of it, or empty.
        ringed: Positions whose points are ringed.
        style: "measured", or "theory" for what was predicted.
        of: Label of the measured line that a line of theory is about, whose colour it takes; empty
            for none. It may be left out where there is one measured line only.
        width: Two positions; the line between them is marked, as the width that is judged. Empty
            for none.
    """

    label: str
    x: Floats
    y: Floats
    low: Floats = ()
    high: Floats = ()
    ringed: Floats = ()
    style: Literal["measured", "theory"] = "measured"
    of: str = ""
    width: Floats = ()

    def __post_init__(self) -> None:
        if len(self.width) not in (0, 2):
            raise ValueError(
                f"Series {self.label!r}: width has {len(self.width)} positions; give the two ends "
                "of what is judged, or none."
            )
        if self.of and self.style != "theory":
            raise ValueError(
                f"Series {self.label!r} is measured, and of={self.of!r}; only a line of theory is "
                "of another line."
            )
        for name in ("y", "low", "high"):
            length = len(getattr(self, name))
            if length != len(self.x) and (name == "y" or length):
                raise ValueError(
                    f"Series {self.label!r}: {name} has {length} values and x {len(self.x)}; give "
                    "one value for each position."
                )


@record
class Lines:
    """A figure of lines: convergence, sensitivity, rates over time.

    Attributes:
        title: What it shows.
        x_label: Quantity and unit of the horizontal axis.
        y_label: Quantity and unit of the vertical axis.
        series: The lines.
        x_log: Whether the horizontal axis is logarithmic.
        y_log: Whether the vertical axis is.
        caption: What to see in it, in a sentence; a screen reader says it.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_log: bool = False
    y_log: bool = False
    caption: str = ""
    kind: Literal["lines"] = "lines"

    def __post_init__(self) -> None:
        measured = [series.label for series in self.series if series.style == "measured"]
        for series in self.series:
            if series.of and series.of not in measured:
                raise ValueError(
                    f"Series {series.label!r} is of {series.of!r}, but {self.title!r} measures "
                    f"{', '.join(map(repr, measured)) or 'nothing'}; give one of these labels."
                )


@record
class Panels:
    """Several figures of lines on one page, with one legend: what to compare at a glance.

    Attributes:
        title: What they show.
        panels: The figures, row by row; their titles stand above them.
        columns: How many stand side by side.
        shared: Whether all have the same axes.
        caption: What to see in them, in a sentence; a screen reader says it.
    """

    title: str
    panels: tuple[Lines, ...]
    columns: int = 2
    shared: bool = True
    caption: str = ""
    kind: Literal["panels"] = "panels"


@record
class Trajectory:
    """A path over contours: the points (x, y) in the order of the steps."""

    label: str
    x: Floats
    y: Floats


@record
class Contours:
    """A figure of paths over the heights of a function of two numbers.

    Attributes:
        title: What it shows.
        x_label: Name of the first coordinate.
        y_label: Name of the second.
        x: Positions [n].
        y: Positions [m].
        f: Heights [m, n], a row for each y.
        paths: The paths.
        f_log: Whether contours are spaced by ratio above the lowest height, as for Rosenbrock.
        apart: Whether each path has a small picture of its own, as where they cover each other.
        caption: What to see in it, in a sentence; a screen reader says it.
    """

    title: str
    x_label: str
    y_label: str
    x: Floats
    y: Floats
    f: Grid
    paths: tuple[Trajectory, ...]
    f_log: bool = False
    apart: bool = False
    caption: str = ""
    kind: Literal["contours"] = "contours"


@record
class Bars:
    """A figure of bars, one for each label.

    Attributes:
        title: What it shows.
        y_label: Quantity and unit.
        labels: What each bar is.
        values: Heights; NaN or infinity where a method never got there.
        low: Lower ends of the 95 % intervals, or empty.
        high: Upper ends, or empty.
        theory: What was predicted for each bar, NaN where nothing was, or empty.
        y_log: Whether the axis is logarithmic.
        caption: What to see in it, in a sentence; a screen reader says it.
    """

    title: str
    y_label: str
    labels: tuple[str, ...]
    values: Floats
    low: Floats = ()
    high: Floats = ()
    theory: Floats = ()
    y_log: bool = False
    caption: str = ""
    kind: Literal["bars"] = "bars"


Figure = Annotated[Lines | Panels | Contours | Bars, Field(discriminator="kind")]
