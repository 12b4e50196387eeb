"""Trajectories end in a region that is locally convex, and stay in it."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.terrains import (
    RATES,
    STARTS,
    STEPS,
    downward_directions,
    trajectories,
)
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all


@dataclass(frozen=True)
class Seen:
    """Whether each trajectory is in a bowl [1 + steps, starts], by method."""

    bowl: dict[str, np.ndarray]

    def outside(self, method: str) -> float:
        """Share of the starts that are outside of a bowl at some step of the last tenth."""
        return float(np.mean(~self.bowl[method][-STEPS // 10 :].all(axis=0)))


def observe(settings: Claims) -> Seen:
    walked = trajectories(settings.seed)
    return Seen(
        {
            method: (downward_directions(points) == 0) & np.isfinite(points).all(axis=2)
            for method, points in walked.items()
        }
    )


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(seen.outside(m) <= limits["share outside"] for m in seen.bowl)


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, numbers, series = limits["share outside"], [], []
    t = np.unique(np.logspace(0, np.log10(STEPS), 60).astype(int))
    for method, bowl in seen.bowl.items():
        outside = seen.outside(method)
        numbers.append(
            Number(
                f"{method}: share of starts that end in a bowl and stay",
                1 - outside,
                agrees=outside <= most,
                allowed=f"≥ {1 - most:g}",
            )
        )
        first = float(np.mean(bowl[0]))
        series.append(Series(method, t, bowl[t].mean(axis=1)))
    numbers.append(Number("share of starts in a bowl from the beginning", first))
    each = ", ".join(f"{method} {1 - seen.outside(method):.0%}" for method in seen.bowl)
    late = [method for method in seen.bowl if seen.outside(method) > most]
    begun = f"{first:.0%} begin in one."
    condition = {
        "confirmed": f"With each method nearly all end in a bowl and stay: {each}; {begun}",
        "depends": f"With some methods: {each} end in a bowl and stay; {begun}",
        "refuted": f"With no method do nearly all end in a bowl: {each}; {begun}",
    }[verdict]
    meaning = {
        "confirmed": "At the end of training the loss may be thought of as convex nearby: there "
        "schedules and averages of weights work as theory says.",
        "depends": f"Give {', '.join(late)} more steps or a better rate before you think of the "
        "loss as convex.",
        "refuted": "Do not think of the loss as convex, even late.",
    }[verdict]
    figure = Lines(
        "Share of trajectories in a locally convex region",
        "step",
        "share of starts",
        tuple(series),
        x_log=True,
        caption=f"At the end: {each}.",
    )
    fails = ", ".join(late)
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-convex-region",
    reading=__doc__,
    title="Ending in a convex region",
    kind="measured",
    hypothesis="With each method, nearly all trajectories are in a bowl, where the Hessian has no "
    "negative eigenvalue, all through the last tenth of the steps.",
    measure=f"Himmelblau's function, {STARTS} random starts in [−5, 5]², {STEPS:,} steps; η: "
    f"{', '.join(f'{m} {r:g}' for m, r in RATES.items())}; μ = 0.9.",
    acceptance="Confirmed if at most the given share ends outside with each method, depends if "
    "with some, refuted if with none.",
    theory="From almost every start, gradient descent with a small step ends in a minimum, near "
    "which the Hessian has no negative eigenvalue.",
    source="J. Lee, M. Simchowitz, M. Jordan and B. Recht, COLT 2016, arXiv 1602.04915, main "
    "theorem; "
    "I. Goodfellow, Y. Bengio and A. Courville, Deep Learning (2016), 8.5.2.",
    dated="2026-11-29",
    limits={"share outside": 0.1},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
