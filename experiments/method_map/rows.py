"""The sentences of the map: what is measured of a method's walks, and when a sentence holds.

All rules are of one kind. A sentence is tried in a few cases; it is confirmed if it holds in all of
them, refuted if in none, and else it depends.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.method_map import course, measures
from tfadaopt.experiments.method_map.measures import Measure, Paths

# Day of the rules; a changed rule has a new one.
DATED = "2026-11-29"
# A number this near to a threshold, as a ratio, is a close call.
_CLOSE = 1.25


@dataclass(frozen=True)
class Case:
    """A case that a sentence is tried in.

    Attributes:
        label: What it is.
        measure: The number that decides, from the paths of all legs; NaN: it says nothing.
    """

    label: str
    measure: Measure


@dataclass(frozen=True)
class Row:
    """A sentence about what a method does.

    Attributes:
        name: Name in addresses.
        sentence: The sentence, in our words.
        measured: What the number of each case is.
        lowest: The least number with which it holds.
        highest: The greatest.
        cases: Where it is tried.
        claims: Claims that look into it, by name.
    """

    name: str
    sentence: str
    measured: str
    lowest: float
    highest: float
    cases: tuple[Case, ...]
    claims: tuple[str, ...] = ()

    def holds(self, value: float) -> bool | None:
        """Return whether it holds with this number; None: nothing was measured."""
        return None if math.isnan(value) else self.lowest <= value <= self.highest

    def close(self, value: float) -> bool:
        """Return whether a number is so near to a threshold that little would turn it."""
        ends = [end for end in (self.lowest, self.highest) if end and math.isfinite(end)]
        return any(value * end > 0 and 1 / _CLOSE < value / end < _CLOSE for end in ends)

    @property
    def rule(self) -> str:
        """The rule in words."""
        bounds = [f"at least {self.lowest:g}"] * (self.lowest not in (0.0, -math.inf))
        bounds += [f"at most {self.highest:g}"] * math.isfinite(self.highest)
        return f"It holds where this is {' and '.join(bounds)}."

    @property
    def digest(self) -> str:
        """Eight letters that change with the rule."""
        text = "|".join((self.sentence, self.measured, self.rule, *(c.label for c in self.cases)))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def verdict(self, values: Mapping[str, float]) -> str:
        """Return "confirmed", "refuted", "depends" or "not tried", from the number of each case."""
        held = [self.holds(values.get(case.label, math.nan)) for case in self.cases]
        tried = [found for found in held if found is not None]
        if not tried:
            return "not tried"
        return "confirmed" if all(tried) else "depends" if any(tried) else "refuted"


ROWS = (
    Row(
        "one-rate",
        "All dimensions have one rate.",
        "Mean rate of the flat dimension over that of the steep one, in 100 steps with steady "
        "gradients that are 10 times apart.",
        0.99,
        1.01,
        (
            Case("gradients 1 and 0.1", measures.flat_over_steep("steady", 1.0)),
            Case("gradients 10⁻⁶ and 10⁻⁷", measures.flat_over_steep("below ε", 1e-6)),
        ),
        ("claim-one-rate",),
    ),
    Row(
        "steep-and-flat",
        "The rate of a steep dimension falls faster.",
        "How many times more the rate of the steep dimension falls, from the first step that moves "
        "to the 100th.",
        1.1,
        math.inf,
        (
            Case("gradients 1 and 0.1", measures.falls_faster("steady", 1.0)),
            Case("gradients 10⁻³ and 10⁻⁴", measures.falls_faster("near ε", 1e-3)),
        ),
        ("claim-steep-and-flat",),
    ),
    Row(
        "root-of-time",
        "The rate falls as 1/√t.",
        "Exponent of t in the rate, between steps 300 and 3,000.",
        -0.55,
        -0.45,
        (
            Case("gradients of 1", measures.exponent("steady", lambda t: 1.0)),
            Case("gradients of 1/√t", measures.exponent("fading", lambda t: t**-0.5)),
        ),
        ("claim-root-of-time",),
    ),
    Row(
        "speed",
        "It gathers speed under a steady gradient.",
        "The 100th step over the first one.",
        2.0,
        math.inf,
        (
            Case("gradients of 1", measures.speed("steady")),
            Case("gradients of 0.01", measures.speed("low")),
        ),
        ("claim-terminal-velocity",),
    ),
    Row(
        "memory",
        "It learns on after large gradients.",
        f"Rate after {course.LOUD} gradients of 1 and then some of 0.01, over the rate of one that "
        "has seen the small ones alone.",
        0.5,
        math.inf,
        tuple(
            Case(f"after {n:,} small ones", measures.recovers(n)) for n in (100, 1000, course.LOW)
        ),
        ("claim-plateau", "claim-short-memory"),
    ),
    Row(
        "scale-free",
        "The scale of the loss does not change its path.",
        "How far the path of the scaled loss comes from the path of the plain one in 100 steps, "
        "relative to how far that goes (a ravine of κ = 10).",
        0.0,
        0.05,
        (
            Case("loss × 1,000", measures.apart("plain", "plain × 1000")),
            Case("loss ÷ 1,000", measures.apart("plain", "plain ÷ 1000")),
        ),
        ("claim-scale-free",),
    ),
    Row(
        "rotation",
        "A turn of the coordinates does not change its path.",
        "How far the path in turned coordinates, turned back, comes from the path in the first "
        "ones in 100 steps, relative to how far that goes; turned by 30°.",
        0.0,
        0.05,
        (
            Case("ravine of κ = 10", measures.apart("plain", "plain, turned", course.ANGLE)),
            Case("round bowl", measures.apart("bowl", "bowl, turned", course.ANGLE)),
        ),
        ("claim-rotation",),
    ),
    Row(
        "saddle",
        "It leaves a saddle.",
        "Steps from beside the ridge of ½x² − ½y² + ¼y⁴ to |y| ≥ ½, at most 1,000, at the best of "
        "four η.",
        0.0,
        1000.0,
        tuple(
            Case(f"from {label}", measures.leaves(y))
            for label, y in (("10⁻³", 1e-3), ("10⁻⁶", 1e-6))
        ),
        ("claim-saddle",),
    ),
    Row(
        "ravine",
        "It is faster than SGD in a ravine.",
        "Steps of SGD over its own, until f stays at or below 10⁻⁶ f₀ in a ravine of κ = 100, each "
        "at the best of 13 η.",
        2.0,
        math.inf,
        (
            Case("along the axes", measures.gain("ravine")),
            Case("turned by 30°", measures.gain("turned ravine")),
        ),
        ("claim-ravine",),
    ),
    Row(
        "tuning",
        "Its η hardly needs tuning.",
        "Decades of η from which f stays at or below 10⁻³ f₀ within 2,000 steps in that ravine, "
        "half a decade for each η of the grid.",
        2.25,
        math.inf,
        (
            Case("along the axes", measures.width("ravine")),
            Case("turned by 30°", measures.width("turned ravine")),
        ),
        ("claim-hand-tuning", "claim-no-tuning"),
    ),
    Row(
        "rest",
        "It comes to rest at a constant η.",
        "f / f₀ after 2,000 steps in that ravine, at the best of 13 η.",
        0.0,
        1e-8,
        (
            Case("along the axes", measures.rest("ravine")),
            Case("turned by 30°", measures.rest("turned ravine")),
        ),
        ("claim-nesterov-cycle",),
    ),
    Row(
        "rare-gradients",
        "Rare large gradients pull it the right way.",
        "Distance in the direction of the mean gradient over the length of the path: one gradient "
        "of 2(n − 1) in n steps, −1 in all others.",
        1e-6,
        math.inf,
        tuple(Case(f"n = {n:,}", measures.drift(n)) for n in course.PERIODS),
        ("claim-rare-gradients",),
    ),
    Row(
        "low-precision",
        "It learns on in bfloat16.",
        "Distance of bfloat16 weights over that of float64 weights, both from 1, in the second 200 "
        "of 400 steps with gradients of 1. Such weights are rounded at random here, so that this "
        "is near 1 where it learns on, and 0 where it stands still.",
        0.1,
        10.0,
        (Case("from w = 1", measures.in_bfloat16()),),
        ("claim-low-precision",),
    ),
)


def measure(paths: Paths) -> dict[str, dict[str, float]]:
    """Return the number of each case of each row."""
    with np.errstate(all="ignore"):
        return {row.name: {c.label: float(c.measure(paths)) for c in row.cases} for row in ROWS}
