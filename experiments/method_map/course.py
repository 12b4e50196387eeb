"""The course that every method walks: surfaces and streams of gradients for two weights by two.

A point is a weight matrix W [2, 2] in float64, as some methods treat matrices otherwise than
vectors. On a surface f, each row w of W goes its way: the loss is f(w₁) + f(w₂). A stream has one
gradient for the first weight of the first row, one for the second weight of the second, and zeros
elsewhere. All walks are deterministic. Arguments are each method's defaults; where a walk says no
η, so is that.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ANGLE = math.radians(30)
KAPPA = 100.0
HALF_DECADE = 0.5
GRID = tuple(float(f"{10**k:.3g}") for k in np.arange(-4, 2.01, HALF_DECADE))
RATES = (1e-3, 1e-2, 1e-1, 1.0)
PERIODS = (10, 100, 1000, 3000)
FAR = np.array([[2.0, 1.0], [-0.6, 1.6]])  # where walks down the ravine begin
ON_RAVINE = 2000
HALF_PRECISION = 400  # steps that are walked in bfloat16 too
LONG = 3000
LOUD, LOW = 300, 10_000  # steps with gradients of 1, before they are 0.01


@dataclass(frozen=True)
class Leg:
    """One walk of the course: on a quadratic, along a stream, or, if neither, over the saddle.

    Attributes:
        name: Unique name.
        start: Where it begins [2, 2].
        steps: How long it is.
        hessian: H [2, 2] of ½ wᵀ H w, or None.
        stream: Gradients of both weights in each step [steps, 2], or None.
        rate: η; None for the method's default.
    """

    name: str
    start: Array
    steps: int
    hessian: Array | None = None
    stream: Array | None = None
    rate: float | None = None


def turn(angle: float = ANGLE) -> Array:
    """Return the matrix that turns the rows of what stands before it."""
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, s], [-s, c]])


def height(points: Array, angle: float = 0.0) -> Array:
    """Return the loss of points [..., 2, 2] in the ravine of κ = 100."""
    heights: Array = 0.5 * np.sum((points @ turn(-angle)) ** 2 * [1 / KAPPA, 1.0], axis=(-2, -1))
    return heights


def legs() -> tuple[Leg, ...]:
    """Return the whole course."""
    time = np.arange(1, LOUD + LOW + 1)
    course = [
        _stream("steady", np.full(LONG, 1.0), flat=0.1),
        _stream("near ε", np.full(100, 1e-3), flat=0.1),
        _stream("below ε", np.full(100, 1e-6), flat=0.1),
        _stream("even", np.full(HALF_PRECISION, 1.0)),
        _stream("fading", time[:LONG] ** -0.5),
        _stream("low", np.full(LOW, 0.01)),
        _stream("loud, then low", np.where(time <= LOUD, 1.0, 0.01)),
    ]
    for period in PERIODS:
        # The mean is positive.
        sizes = np.where(time % period == 1, 2.0 * (period - 1), -1.0)
        course.append(_stream(f"rare {period}", sizes[: max(1000, 2 * period)]))
    near = np.array([[1.0, 0.5], [-0.3, 0.8]])
    for name, kappa in (("plain", 10), ("bowl", 1)):
        course.append(Leg(name, near, 100, _ravine(kappa)))
        course.append(Leg(f"{name}, turned", near @ turn(), 100, _ravine(kappa, ANGLE)))
    for label, factor in (("plain × 1000", 1e3), ("plain ÷ 1000", 1e-3)):
        course.append(Leg(label, near, 100, factor * _ravine(10)))
    for beside in (1e-3, 1e-6):
        ridge = Leg(f"saddle {beside:g}", np.array([[1.0, beside], [0.5, beside]]), 1000)
        course += [replace(ridge, name=f"{ridge.name} {rate:g}", rate=rate) for rate in RATES]
    for name, angle in (("ravine", 0.0), ("turned ravine", ANGLE)):
        leg = Leg(name, FAR @ turn(angle), ON_RAVINE, _ravine(KAPPA, angle))
        course += [replace(leg, name=f"{name} {rate:g}", rate=rate) for rate in GRID]
    return tuple(course)


def _stream(name: str, sizes: Array, flat: float = 1.0) -> Leg:
    gradients = np.stack([sizes, flat * sizes], axis=1)
    return Leg(name, np.ones((2, 2)), len(sizes), stream=gradients)


def _ravine(kappa: float, angle: float = 0.0) -> Array:
    """H of ½ (x²/κ + y²), turned."""
    hessian: Array = turn(-angle) @ np.diag([1 / kappa, 1.0]) @ turn(angle)
    return hessian
