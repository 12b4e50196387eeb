"""Adagrad gives each dimension a rate of its own, by that dimension's gradients."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

SIZES, STEPS = np.logspace(-3, 0, 50), 100


@dataclass(frozen=True)
class Seen:
    """Rates [steps, dimensions], and the root of each dimension's sum of squares."""

    rates: np.ndarray
    roots: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        return self.rates.max(axis=1) / self.rates.min(axis=1)

    @property
    def distinct(self) -> int:
        return len(np.unique(self.rates[-1]))

    @property
    def apart(self) -> float:
        """Largest relative deviation of the rates' ratios from those of the roots."""
        product = self.rates * self.roots
        return float(np.max(product.max(axis=1) / product.min(axis=1)) - 1)


def observe(settings: Claims) -> Seen:
    g = SIZES * np.random.default_rng(settings.seed).standard_normal((STEPS, len(SIZES)))
    stream = tf.constant(g[:, np.newaxis])
    rates = walk(
        "Adagrad",
        0.01,
        np.zeros(len(SIZES)),
        STEPS,
        gradient=lambda w, t: stream[t - 1],
        record=["rate"],
        epsilon=0.0,
    )["rate"][1:, 0]
    return Seen(rates, np.sqrt(np.cumsum(g**2, axis=0)))


def decide(seen: Seen, limits: Limits) -> Verdict:
    if seen.distinct == 1:
        return "refuted"
    return "confirmed" if seen.apart <= limits["deviation of the ratios"] else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    last, count = float(seen.spread[-1]), len(SIZES)
    numbers = (
        Number("largest rate over the smallest, last step", last, unit="×", key=True),
        Number(f"different rates among {count} dimensions, last step", seen.distinct),
        within(
            "deviation of the rates' ratios from those of 1/√(Σg²)",
            seen.apart,
            0,
            absolute=limits["deviation of the ratios"],
        ),
    )
    condition = {
        "confirmed": f"Each of {count} dimensions has its own: {seen.distinct} different rates, up "
        f"to {exact(last, 3)} times apart, in proportion to 1/√(Σg²) of its own gradients.",
        "depends": f"There are {seen.distinct} different rates, up to {exact(last, 3)} times "
        "apart, "
        f"but they deviate by {exact(seen.apart, 3)} of their size from 1/√(Σg²).",
        "refuted": f"All {count} dimensions have one rate.",
    }[verdict]
    meaning = {
        "confirmed": "Adagrad tunes the rates of dimensions relative to each other; their common "
        "factor η is still yours to set.",
        "depends": "The rates differ, but look at what they follow.",
        "refuted": "Expect of this method what you expect of SGD.",
    }[verdict]
    t = np.arange(1, STEPS + 1)
    chosen = {"largest": -1, "middle": count // 2, "smallest": 0}
    figure = Lines(
        "Rates of three dimensions",
        "step t",
        "effective learning rate",
        tuple(Series(f"{name} gradients", t, seen.rates[:, i]) for name, i in chosen.items()),
        y_log=True,
        caption=f"At the last step the largest rate is {exact(last, 3)} times the smallest.",
    )
    fails = "" if verdict == "confirmed" else "the method tried"
    return Finding(verdict, condition, numbers, (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-own-rates",
    reading=__doc__,
    title="A rate for each dimension",
    kind="by definition",
    hypothesis="The rates of dimensions are to each other as 1/√(Σg²) of their own gradients.",
    measure=f"Adagrad, ε = 0, {STEPS} random gradients of 50 sizes from 0.001 to 1: the effective "
    "rates at every step, beside the sums of squares, taken anew in float64.",
    acceptance="Refuted if all dimensions have one rate; confirmed if the rates' ratios are those "
    "of 1/√(Σg²) within the tolerance, at every step; else it depends.",
    theory="It is the definition: rate = η/√(ε + Σg²), dimension by dimension.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1 (diagonal form).",
    dated="2026-11-29",
    limits={"deviation of the ratios": 1e-12},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
