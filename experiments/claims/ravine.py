"""At its best η and μ, momentum converges √κ times as fast in a ravine as SGD at its best η."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.zigzag import paths
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Contours, Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within

CONDITIONS, DIMENSIONS, NEAR = (100, 1000), 50, 1e-6
SGD, MOMENTUM = ("SGD", "η = 2/(L+m)"), ("Momentum", "tuned")


@dataclass(frozen=True)
class Tuned:
    """A method with the η and μ that theory says are best for curvatures from m = 1/κ to L = 1.

    Attributes:
        method: Its name.
        form: How it is tuned.
        eta: Learning rate.
        mu: Momentum, or None.
        rho: Rate of convergence by theory.
        double: Whether the slowest root is double, so that distances fall as t·ρᵗ.
    """

    method: str
    form: str
    eta: float
    mu: float | None
    rho: float
    double: bool

    @property
    def arguments(self) -> dict[str, Any]:
        return {} if self.mu is None else {"momentum": self.mu}


def tuned(k: int) -> Iterator[Tuned]:
    """Yield the methods for condition number k."""
    q, s = (sqrt(k) - 1) / (sqrt(k) + 1), sqrt(3 * k + 1)
    yield Tuned("SGD", "η = 2/(L+m)", 2 / (1 + 1 / k), None, (k - 1) / (k + 1), False)
    yield Tuned("SGD", "η = 1/L", 1.0, None, 1 - 1 / k, False)
    yield Tuned("Momentum", "tuned", 4 / (1 + k**-0.5) ** 2, q * q, q, True)
    yield Tuned("Nesterov", "η = 1/L", 1.0, q, 1 - k**-0.5, True)
    yield Tuned("Nesterov", "tuned", 4 / (3 + 1 / k), (s - 2) / (s + 2), 1 - 2 / s, True)


@dataclass(frozen=True)
class Walked:
    """Distance to the lowest point over that at the start, and the step where it is a millionth."""

    how: Tuned
    distance: np.ndarray
    end: int

    @property
    def rate(self) -> float:
        """Rate over the last 30 % of the steps; t of a double root t·ρᵗ is divided out."""
        late = int(0.7 * self.end)
        fall = self.distance[self.end] / self.distance[late]
        if self.how.double:
            fall *= late / self.end
        return float(fall ** (1 / (self.end - late)))


@dataclass(frozen=True)
class Seen:
    """Walks by κ, method and form."""

    walks: dict[tuple[int, tuple[str, str]], Walked]
    left: dict[str, float]
    picture: Contours

    def gain(self, k: int) -> float:
        """How many times as fast momentum is: the ratio of the logarithms of the rates."""
        return log(self.walks[k, MOMENTUM].rate) / log(self.walks[k, SGD].rate)

    def fewer(self, k: int) -> float:
        return self.walks[k, SGD].end / self.walks[k, MOMENTUM].end


def observe(settings: Claims) -> Seen:
    walks = {}
    for k in CONDITIONS:

        def f(w: tf.Tensor, k: int = k) -> tf.Tensor:
            return 0.5 * tf.reduce_sum(np.geomspace(1 / k, 1, DIMENSIONS) * w**2, axis=1)

        for how in tuned(k):
            limit = int(1.5 * log(NEAR) / log(how.rho)) + 50
            w = walk(
                how.method,
                how.eta,
                np.ones(DIMENSIONS),
                limit,
                loss=f,
                record=["point"],
                **how.arguments,
            )["point"][:, 0]
            distance = np.linalg.norm(w, axis=1) / sqrt(DIMENSIONS)
            arrived = arrivals(distance[:, np.newaxis], NEAR)[0]
            walks[k, (how.method, how.form)] = Walked(how, distance, int(min(arrived, limit)))
    picture, left = paths()
    return Seen(walks, left, picture)


def gains(seen: Seen, limits: Limits) -> list[Number]:
    return [
        within(
            f"convergence of momentum over that of SGD (ln ρ), κ = {k}",
            seen.gain(k),
            log((sqrt(k) - 1) / (sqrt(k) + 1)) / log((k - 1) / (k + 1)),
            relative=limits["deviation of the gain"],
            key=k == CONDITIONS[-1],
            unit="×",
        )
        for k in CONDITIONS
    ]


def decide(seen: Seen, limits: Limits) -> Verdict:
    if all(seen.gain(k) <= 1 for k in CONDITIONS):
        return "refuted"
    as_predicted = of_all(bool(n.agrees) for n in gains(seen, limits))
    return "confirmed" if as_predicted == "confirmed" else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = [*gains(seen, limits)]
    curves = []
    for k in CONDITIONS:
        numbers.append(Number(f"steps of SGD over those of momentum, κ = {k}", seen.fewer(k)))
    for (k, (method, form)), walked in seen.walks.items():
        label = f"{method}, {form}, κ = {k}"
        numbers.append(Number(f"{label}: steps", walked.end, unit="steps"))
        numbers.append(within(f"{label}: ρ", walked.rate, walked.how.rho, relative=0.01))
        if k == CONDITIONS[0] and form != "η = 1/L":
            t = np.arange(walked.end + 1)
            curves.append(Series(method, t, walked.distance[: walked.end + 1]))
            predicted = walked.how.rho**t
            curves.append(Series(f"{method}: ρᵗ", t, predicted, style="theory", of=method))
    for method, left in seen.left.items():
        label = f"{method} at SGD's best η: what is left of the zigzag after 40 steps"
        numbers.append(Number(label, left))
    faster = " and ".join(f"{exact(seen.gain(k), 3)} (κ = {k})" for k in CONDITIONS)
    fewer = " and ".join(exact(seen.fewer(k), 3) for k in CONDITIONS)
    condition = {
        "confirmed": f"With η and μ tuned to the curvature, momentum converges {faster} times as "
        f"fast as SGD: √κ. To a millionth of the distance it needs {fewer} times fewer steps; the "
        "rest is lost at the start, where its double root holds it.",
        "depends": f"A gain, but not √κ: momentum converges {faster} times as fast as SGD here, "
        "and "
        f"needs {fewer} times fewer steps.",
        "refuted": f"No gain: momentum converges {faster} times as fast as SGD here.",
    }[verdict]
    meaning = {
        "confirmed": "Layers and filters differ in curvature by orders of magnitude. Without "
        "momentum η must fit the steepest direction and all others crawl: use momentum, and tune "
        "μ together with η.",
        "depends": "Momentum helps, by how much is for your problem to say: tune μ and η together.",
        "refuted": "Momentum gains nothing here: leave it at 0.",
    }[verdict]
    figure = Lines(
        f"Distance to the lowest point, κ = {CONDITIONS[0]}",
        "step",
        "‖w‖ / ‖w₀‖",
        tuple(curves),
        y_log=True,
        caption=f"Momentum needs {exact(seen.fewer(CONDITIONS[0]), 3)} times fewer steps than SGD.",
    )
    fails = {
        "confirmed": "steps to a fixed distance: less than √κ, for the start of the double root",
        "depends": "the gain is not √κ",
        "refuted": "every κ tried",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (seen.picture, figure), meaning, fails=fails)


CLAIM = Claim(
    name="claim-ravine",
    reading=__doc__,
    title="Momentum in ravines",
    kind="by theorem",
    hypothesis="With the best η and μ for quadratics, the logarithm of momentum's rate ρ is √κ "
    "times that of SGD's with its best η.",
    measure="½Σλᵢwᵢ² with 50 curvatures from 1/κ to 1, κ = 100 and 1000, from w = 1, float64; each "
    "method with the η and μ that theory says are best. Rate ρ over the last 30 % of the steps to "
    "‖w‖ ≤ 1e-6 ‖w₀‖, divided by t where the root is double (Nesterov at its weights, the "
    "look-ahead point). The first figure: κ = 100, both with SGD's best η, μ = 0.9.",
    acceptance="Refuted if momentum converges no faster at both κ. Confirmed if ln ρ of momentum "
    "over ln ρ of SGD is what theory says within the tolerance, at both; else it depends.",
    theory="ρ = (κ−1)/(κ+1) for SGD with η = 2/(L+m), 1 − 1/κ with 1/L, (√κ−1)/(√κ+1) for "
    "momentum with η = 4/(√L+√m)², μ = ρ²; on quadratics 1 − 1/√κ for Nesterov with η = 1/L, "
    "1 − 2/√(3κ+1) tuned. ln ρ over ln ρ: 10.03 at κ = 100, 31.63 at 1000: √κ. A double root falls "
    "as t·ρᵗ, which delays the start.",
    source="B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964); L. Lessard, B. Recht "
    "and A. Packard, SIAM J. Optim. 26 (2016), arXiv 1408.3595, Proposition 1.",
    dated="2026-11-29",
    limits={"deviation of the gain": 0.05},
    observe=observe,
    decide=decide,
    tell=tell,
)
