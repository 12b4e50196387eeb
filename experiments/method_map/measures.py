"""What is measured of the paths of a method: a number for each case of a sentence."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from tfadaopt.experiments.method_map import course

Paths = Mapping[str, np.ndarray]
Measure = Callable[[Paths], float]


def _rates(path: np.ndarray, *gradients: float) -> np.ndarray:
    """Return what each gradient was multiplied with, in each step [steps, coordinates]."""
    moved = np.diff(path[:, range(len(gradients)), range(len(gradients))], axis=0)
    rates: np.ndarray = -moved / gradients
    return rates


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b else math.nan


def flat_over_steep(leg: str, steep: float) -> Measure:
    """Mean rate of the flat dimension over that of the steep one, in the first 100 steps."""

    def measure(paths: Paths) -> float:
        rates = _rates(paths[leg][:101], steep, steep / 10).mean(axis=0)
        return _ratio(rates[1], rates[0])

    return measure


def falls_faster(leg: str, steep: float) -> Measure:
    """How many times more the steep rate falls, from the first step that moves to the 100th."""

    def measure(paths: Paths) -> float:
        rates = np.abs(_rates(paths[leg][:101], steep, steep / 10))
        first = rates[(rates > 0).all(axis=1)][:1]
        if not len(first) or not rates[-1].all():
            return math.nan
        fall = first[0] / rates[-1]
        return float(fall[0] / fall[1])

    return measure


def exponent(leg: str, gradient: Callable[[float], float]) -> Measure:
    """Exponent of t in the rate, between steps 300 and 3,000; infinity: it left float64."""

    def measure(paths: Paths) -> float:
        rates = np.abs(_rates(paths[leg], 1.0)[:, 0])
        if not np.isfinite(rates).all():
            return math.inf
        early, late = rates[299] / gradient(300), rates[2999] / gradient(3000)
        return math.log10(late / early) if early and late else math.nan

    return measure


def speed(leg: str) -> Measure:
    """The 100th step over the first one that moves."""

    def measure(paths: Paths) -> float:
        steps = np.abs(np.diff(paths[leg][:101, 0, 0]))
        return _ratio(steps[-1], steps[steps > 0][0]) if steps.any() else math.nan

    return measure


def recovers(after: int) -> Measure:
    """Rate so many steps after large gradients, over that of one that has seen none."""

    def measure(paths: Paths) -> float:
        seen = np.diff(paths["loud, then low"][:, 0, 0])[course.LOUD + after - 10 :][:10].sum()
        fresh = np.diff(paths["low"][:, 0, 0])[after - 10 :][:10].sum()
        # One whose rate grew without end has no rate to compare.
        return _ratio(abs(seen), abs(fresh)) if np.isfinite([seen, fresh]).all() else math.nan

    return measure


def apart(leg: str, other: str, angle: float = 0.0) -> Measure:
    """How far two paths come apart, relative to how far the first one goes; turned back first."""

    def measure(paths: Paths) -> float:
        one, two = paths[leg], paths[other] @ course.turn(-angle)
        went = np.linalg.norm(one - one[0], axis=(1, 2)).max()
        apart = np.linalg.norm(one - two, axis=(1, 2)).max()
        return (float(apart / went) if np.isfinite(apart) else math.inf) if went else math.nan

    return measure


def leaves(beside: float) -> Measure:
    """Steps until both rows are off the ridge of the saddle, at the best η."""

    def measure(paths: Paths) -> float:
        steps = [
            np.flatnonzero(
                (np.abs(paths[f"saddle {beside:g} {rate:g}"][..., 1]) >= 0.5).all(axis=1)
            )
            for rate in course.RATES
        ]
        return float(min((found[0] for found in steps if len(found)), default=math.inf))

    return measure


def arrival(heights: np.ndarray, part: float) -> float:
    """Return the step from which on heights stay within a part of the first; infinity: never.

    Example:
        >>> from tfadaopt.experiments.method_map.measures import arrival
        >>> arrival(np.array([8.0, 1.0, 4.0, 1.0, 1.0]), 0.25)
        3.0
    """
    outside = ~(heights <= part * heights[0])  # NaN is outside
    return math.inf if outside[-1] else float(len(heights) - outside[::-1].argmax())


def _heights(paths: Paths, ravine: str, rate: float) -> np.ndarray:
    angle = course.ANGLE if ravine == "turned ravine" else 0.0
    return course.height(paths[f"{ravine} {rate:g}"], angle)


def _of_gradient_descent() -> float:
    """Return the fewest steps of SGD on the grid: its path in a quadratic is known."""
    t = np.arange(course.ON_RAVINE + 1)[:, np.newaxis, np.newaxis]
    curvature = np.array([1 / course.KAPPA, 1.0])
    steps = []
    with np.errstate(over="ignore", invalid="ignore"):
        for rate in course.GRID:
            steps.append(arrival(course.height(course.FAR * (1 - rate * curvature) ** t), 1e-6))
    return min(steps)


def gain(ravine: str) -> Measure:
    """Steps of SGD over those of the method, each at its best η."""

    def measure(paths: Paths) -> float:
        steps = [arrival(_heights(paths, ravine, rate), 1e-6) for rate in course.GRID]
        return _of_gradient_descent() / min(steps)

    return measure


def width(ravine: str) -> Measure:
    """Decades of η with which it arrives."""

    def measure(paths: Paths) -> float:
        arrived = [arrival(_heights(paths, ravine, rate), 1e-3) for rate in course.GRID]
        return course.HALF_DECADE * float(np.isfinite(arrived).sum())

    return measure


def rest(ravine: str) -> Measure:
    """Height at the end over the height at the start, at the best η."""

    def measure(paths: Paths) -> float:
        ends = [_heights(paths, ravine, rate)[[0, -1]] for rate in course.GRID]
        return float(min(end / first if np.isfinite(end) else math.inf for first, end in ends))

    return measure


def in_bfloat16() -> Measure:
    """Distance of bfloat16 weights over that of float64 weights, in the second half."""

    def measure(paths: Paths) -> float:
        half = course.HALF_PRECISION // 2
        went = [
            (path[half] - path[-1])[[0, 1], [0, 1]].mean()
            for path in (paths["bfloat16"], paths["even"])
        ]
        return _ratio(*went)

    return measure


def drift(period: int) -> Measure:
    """Distance down the mean gradient over the length of the path."""

    def measure(paths: Paths) -> float:
        path = paths[f"rare {period}"][:, 0, 0]
        path = path[np.isfinite(path)]
        return _ratio(path[0] - path[-1], np.abs(np.diff(path)).sum())

    return measure
