"""Directions bear rates as far apart as their curvatures, so one rate suits no two of them."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within

CURVATURES = np.logspace(-3, 0, 4)
RATES = np.logspace(np.log10(0.5), np.log10(5000), 4000)
SPREAD = float(CURVATURES[-1] / CURVATURES[0])


@dataclass(frozen=True)
class Seen:
    """Largest stable rate of each direction, and steps to a thousandth at one rate by method."""

    largest: np.ndarray
    steps: dict[str, np.ndarray]

    @property
    def spread(self) -> float:
        return float(self.largest.max() / self.largest.min())


def observe(settings: Claims) -> Seen:
    def gradient(w: np.ndarray, t: int) -> np.ndarray:
        return CURVATURES * w

    start = np.ones(len(CURVATURES))
    ends = walk("SGD", RATES, start, 400, gradient=gradient, record=["point"], every=400)
    stable = np.abs(ends["point"][-1]) <= 1
    steps = {}
    for method, rate in (("SGD", 1.0), ("Adagrad", 0.5)):
        path = walk(method, rate, start, 8000, gradient=gradient, record=["point"])["point"][:, 0]
        steps[method] = (np.abs(path) > 1e-3).sum(axis=0)
    largest = np.array([RATES[column].max(initial=0) for column in stable.T])
    return Seen(largest, steps)


def as_predicted(seen: Seen, limits: Limits) -> list[Number]:
    return [
        within(
            f"largest stable rate at λ = {curvature:g}",
            found,
            2 / curvature,
            relative=limits["deviation of the largest rate"],
        )
        for curvature, found in zip(CURVATURES, seen.largest, strict=True)
    ]


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(bool(n.agrees) for n in as_predicted(seen, limits))


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    spread = exact(seen.spread, 4)
    numbers = [
        Number(
            "largest stable rate, flattest over steepest direction",
            seen.spread,
            theory=SPREAD,
            unit="×",
            key=True,
        ),
        *as_predicted(seen, limits),
    ]
    series = []
    for method, steps in seen.steps.items():
        label = f"{method}: steps of the flattest direction to a thousandth"
        theory = np.ceil(np.log(1e-3) / np.log(0.999)) if method == "SGD" else None
        numbers.append(Number(label, float(steps[0]), theory=theory, unit="steps"))
        label = f"{method}: steps of the steepest direction to a thousandth"
        numbers.append(Number(label, float(steps[-1]), unit="steps"))
        series.append(Series(method, CURVATURES, np.maximum(steps, 1)))
    slow, fast = (exact(float(seen.steps["SGD"][i]), 4) for i in (0, -1))
    condition = {
        "confirmed": f"The largest stable rates of directions are {spread} times apart, as far as "
        f"their curvatures: 2/λ each. At one rate SGD takes {slow} steps to finish the flattest "
        f"and {fast} the steepest.",
        "depends": f"The largest stable rates are {spread} times apart; they are 2/λ for some "
        "curvatures only.",
        "refuted": f"The largest stable rates are {spread} times apart, and none is 2/λ.",
    }[verdict]
    meaning = {
        "confirmed": "The steepest layer sets the highest rate that trains; flat ones crawl along.",
        "depends": "Find the largest rate that trains by trying: the curvature alone does not say.",
        "refuted": "The curvature does not tell the largest rate of this method.",
    }[verdict]
    figure = Lines(
        "Steps until a direction is done",
        "curvature λ",
        "steps to |w| ≤ 0.001",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"At one rate SGD takes {slow} steps in the flattest direction and {fast} in the "
        "steepest.",
    )
    off = [n.label for n in as_predicted(seen, limits) if not n.agrees]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails="; ".join(off))


CLAIM = Claim(
    name="claim-stability-limits",
    reading=__doc__,
    title="Steep and flat directions",
    kind="by theorem",
    hypothesis="With curvatures 1000 apart, the largest rates that stay stable are 1000 apart.",
    measure=f"SGD on ½Σλw², {len(RATES):,} rates from 0.5 to 5,000, λ from 0.001 to 1, 400 steps "
    "each: the largest rate with |w| ≤ 1 at the end. Steps to |w| ≤ 0.001: SGD with η = 1, Adagrad "
    "with 0.5.",
    acceptance="Confirmed if the largest stable rate is 2/λ within the tolerance for all four λ, "
    "depends if for some, refuted if for none.",
    theory="w ← (1 − ηλ)w: stable up to η = 2/λ. With η = 1 and λ = 0.001, a thousandth takes "
    "ln 0.001/ln 0.999 = 6,905 steps.",
    source="Y. Nesterov, Introductory Lectures on Convex Optimization (2004), section 1.2.3; "
    "Y. LeCun, L. Bottou, G. Orr and K.-R. Müller, Efficient BackProp (1998), section 5.1.",
    dated="2026-11-29",
    limits={"deviation of the largest rate": 0.01},
    observe=observe,
    decide=decide,
    tell=tell,
)
