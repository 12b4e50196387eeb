"""The rate of each coordinate is η/√(ε + r), r the sum of its squared gradients."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

RATE, EPSILON, STEPS = 0.01, 1e-7, 1000
SIZES = np.logspace(-6, 6, 13)


@dataclass(frozen=True)
class Seen:
    """Rates and sums of squares [steps, sizes]."""

    rates: np.ndarray
    r: np.ndarray

    @property
    def apart(self) -> float:
        return float(np.max(np.abs(self.rates * np.sqrt(EPSILON + self.r) / RATE - 1)))

    @property
    def without_epsilon(self) -> np.ndarray:
        """rate · √r / η at the end, by size: 1 where ε plays no part."""
        return self.rates[-1] * np.sqrt(self.r[-1]) / RATE

    @property
    def exponent(self) -> float:
        large = self.r[:, -1]
        return float(np.polyfit(np.log(large), np.log(self.rates[:, -1]), 1)[0])


def observe(settings: Claims) -> Seen:
    g = SIZES * np.random.default_rng(settings.seed).standard_normal((STEPS, len(SIZES)))
    stream = tf.constant(g[:, np.newaxis])
    rates = walk(
        "Adagrad",
        RATE,
        np.zeros(len(SIZES)),
        STEPS,
        gradient=lambda w, t: stream[t - 1],
        record=["rate"],
    )["rate"][1:, 0]
    return Seen(rates, np.cumsum(g**2, axis=0))


def decide(seen: Seen, limits: Limits) -> Verdict:
    if seen.apart <= limits["deviation of the rate"]:
        return "confirmed"
    return (
        "depends" if abs(seen.exponent + 0.5) <= limits["deviation of the exponent"] else "refuted"
    )


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    smallest = float(seen.without_epsilon[0])
    numbers = (
        within(
            "largest relative deviation of rate · √(ε + r) from η",
            seen.apart,
            0,
            absolute=limits["deviation of the rate"],
            key=True,
        ),
        within(
            "exponent of the rate in r, gradients of size 10⁶",
            seen.exponent,
            -0.5,
            absolute=limits["deviation of the exponent"],
        ),
        Number(f"rate · √r / η after {STEPS} gradients of size 10⁻⁶", smallest),
        Number(
            f"rate · √r / η after {STEPS} gradients of size 10⁻⁴", float(seen.without_epsilon[2])
        ),
    )
    condition = {
        "confirmed": "rate · √(ε + r) = η at every step, for every coordinate, to rounding. With r "
        f"alone it is so once r ≫ ε: after {STEPS} gradients of size 10⁻⁶, rate · √r is "
        f"{exact(smallest, 3)} η.",
        "depends": f"The rate falls as r to the power {exact(seen.exponent, 3)}, but it is not "
        f"η/√(ε + r): it deviates by up to {exact(seen.apart, 3)} of it.",
        "refuted": f"The rate falls as r to the power {exact(seen.exponent, 3)}, and is off "
        f"η/√(ε + r) by up to {exact(seen.apart, 3)} of it.",
    }[verdict]
    meaning = {
        "confirmed": "Layers of small gradients g are sped up as all others once t > ε/g², as r "
        "sums up; before, ε holds their rate at η/√ε.",
        "depends": "Check the factor: what you set as η is not the η of the formula.",
        "refuted": "This method does not scale by the root of the sum of squares.",
    }[verdict]
    shown = np.logspace(-13, 15, 200)
    figure = Lines(
        f"Rate of each coordinate after {STEPS} steps",
        "sum of squares r",
        "rate",
        (
            Series("Adagrad", seen.r[-1], seen.rates[-1]),
            Series("η / √(ε + r)", shown, RATE / np.sqrt(EPSILON + shown), style="theory"),
        ),
        x_log=True,
        y_log=True,
        caption=f"Points deviate from η/√(ε + r) by {exact(seen.apart, 3)} of it at most.",
    )
    fails = {
        "confirmed": "with r alone: while r is not much larger than ε",
        "depends": "the factor",
        "refuted": "the method tried",
    }[verdict]
    return Finding(verdict, condition, numbers, (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-scale-factor",
    reading=__doc__,
    title="What Adagrad scales by",
    kind="by definition",
    hypothesis="The rate of every coordinate, times √(ε + r), is η at every step.",
    measure=f"Adagrad, η = {RATE}, ε = {EPSILON}, {STEPS} random gradients of sizes from 10⁻⁶ to "
    "10⁶; r is summed anew from them, in float64.",
    acceptance="Confirmed if no coordinate ever deviates by more than the tolerance; depends if "
    "only the exponent of r is −½ within its own; else refuted.",
    theory="It is the definition. With gradients of a steady size g, r = g²t exceeds ε from "
    "t = ε/g² on.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1 (where δ stands outside of "
    "the root); the lecture.",
    dated="2026-11-29",
    limits={"deviation of the rate": 1e-12, "deviation of the exponent": 1e-9},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
