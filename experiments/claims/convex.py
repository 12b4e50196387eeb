"""Adagrad is as fast as tuned SGD, Momentum and Nesterov on convex quadratics, in any position."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.ravine import tuned
from tfadaopt.experiments.claims.rotation import DIMENSIONS, RATES, random_turns, steps_needed
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

CONDITIONS, POSITIONS = (100, 1000), ("along the axes", "turned")
OTHERS = (("SGD", "η = 2/(L+m)"), ("Momentum", "tuned"), ("Nesterov", "η = 1/L"))


@dataclass(frozen=True)
class Seen:
    """Steps: of others by (κ, name), of Adagrad at its best η by (κ, position)."""

    others: dict[tuple[int, str], float]
    ours: dict[tuple[int, str], Interval]

    def fastest(self, k: int) -> float:
        return min(steps for (k_, _), steps in self.others.items() if k_ == k)

    def times(self, k: int, position: str) -> float:
        """Return Adagrad's steps over those of the fastest other method."""
        return self.ours[k, position].value / self.fastest(k)


def observe(settings: Claims) -> Seen:
    others, ours, turns = {}, {}, random_turns(settings)
    for k in CONDITIONS:

        def f(w: tf.Tensor, k: int = k) -> tf.Tensor:
            return tf.reduce_sum(np.geomspace(1 / k, 1, DIMENSIONS) * w**2, axis=1) / 2

        for how in tuned(k):
            if (how.method, how.form) in OTHERS:
                start = np.ones(DIMENSIONS)
                loss = walk(how.method, how.eta, start, 3500, loss=f, **how.arguments)["loss"]
                name = f"{how.method}, {how.form}"
                others[k, name] = float(arrivals(loss, 1e-6 * loss[0])[0])
        # From w = 1, η = 1 would land on the lowest point at once, by luck.
        aligned = steps_needed(k, np.eye(DIMENSIONS)[np.newaxis], 4000)[0, RATES != 1].min()
        turned = steps_needed(k, turns, 4000)
        ours[k, POSITIONS[0]] = Interval(aligned, aligned, aligned)
        ours[k, POSITIONS[1]] = interval(turned[:, np.argmin(np.median(turned, axis=0))])
    return Seen(others, ours)


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = limits["steps over the fastest"]
    return of_all(seen.times(k, p) <= most for k in CONDITIONS for p in POSITIONS)


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, numbers, bars = limits["steps over the fastest"], [], {}
    for k in CONDITIONS:
        for position in POSITIONS:
            times = seen.times(k, position)
            numbers.append(
                Number(
                    f"κ = {k}, {position}: Adagrad's steps over the fastest other's",
                    times,
                    unit="×",
                    agrees=times <= most,
                    allowed=f"≤ {most:g}",
                    key=(k, position) == (CONDITIONS[-1], POSITIONS[-1]),
                )
            )
    for (k, name), steps in seen.others.items():
        numbers.append(Number(f"κ = {k}, {name}: steps", steps, unit="steps"))
        bars[f"{name}, κ = {k}"] = Interval(steps, steps, steps)
    for (k, position), found in seen.ours.items():
        label = f"Adagrad {position}, κ = {k}"
        numbers.append(Number(f"{label}: steps at best η", found.value, unit="steps", **found.ends))
        bars[label] = found
    each = {
        position: " and ".join(f"{exact(seen.times(k, position), 3)} (κ = {k})" for k in CONDITIONS)
        for position in POSITIONS
    }
    both = "; ".join(f"{position} {words}" for position, words in each.items())
    condition = {
        "confirmed": f"In each case, at its best η. Its steps over the fastest other's: {both}.",
        "depends": f"In some cases, at its best η. Its steps over the fastest other's: {both}.",
        "refuted": f"In no case, even at its best η. Its steps over the fastest other's: {both}.",
    }[verdict]
    meaning = {
        "confirmed": "On convex losses Adagrad will do as well as a tuned momentum.",
        "depends": "For dense layers, whose directions mix weights, tuned momentum is the faster "
        "one; Adagrad's home is sparse, uneven gradients.",
        "refuted": "Take a tuned momentum instead.",
    }[verdict]
    figure = Bars(
        "Ravines",
        "steps to f ≤ 10⁻⁶ f₀",
        tuple(bars),
        tuple(bar.value for bar in bars.values()),
        tuple(bar.low for bar in bars.values()),
        tuple(bar.high for bar in bars.values()),
        y_log=True,
        caption=f"{both}.",
    )
    lost = [n.label.partition(": ")[0] for n in numbers[:4] if not n.agrees]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails="; ".join(lost))


CLAIM = Claim(
    name="claim-convex",
    reading=__doc__,
    title="Rapid on convex functions?",
    kind="measured",
    hypothesis="On ½Σλw², along the axes and turned, Adagrad at its best η is as fast as SGD, "
    "Momentum and Nesterov with η and μ by theory.",
    measure="Steps to f ≤ 10⁻⁶ f₀ for good, d = 50, κ = 100 and 1000; Adagrad's the best η of 7; "
    "turns at random, seeds.",
    acceptance="Confirmed if Adagrad's steps are at most the given multiple of the fastest other's "
    "in all four cases, depends if in some, refuted if in none.",
    theory="For convex functions in general the bound is O(1/√T); for smooth ones O(1/T), and "
    "for a "
    "class of strongly convex ones a linear rate, of methods with one adaptive rate such as "
    "AdaGrad-Norm. Tuned momentum needs steps in proportion to √κ.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Corollary 6 (regret √T); K. Levy, "
    "NIPS 2017, and X. Li and F. Orabona, AISTATS 2019, on smooth convex functions (1/T); Y. Xie, "
    "X. Wu and R. Ward, AISTATS 2020, arXiv 1908.10525, on strongly convex ones (linear).",
    dated="2026-11-29",
    limits={"steps over the fastest": 1.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
