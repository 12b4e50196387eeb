"""SGD, Momentum and Nesterov multiply each coordinate's direction by one and the same rate."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within

CURVATURES, STEPS = np.logspace(-3, 0, 50), 100
ONE_RATE, OWN_RATES = ("SGD", "Momentum", "Nesterov"), ("Adagrad", "RMSprop", "Adam")


@dataclass(frozen=True)
class Seen:
    """Largest effective rate over the smallest at each step, by method."""

    ratio: dict[str, np.ndarray]

    def most(self, method: str) -> float:
        return float(self.ratio[method].max())


def observe(settings: Claims) -> Seen:
    ratio = {}
    for method in ONE_RATE + OWN_RATES:
        more: dict[str, Any] = {} if method in ONE_RATE else {"epsilon": 0.0}
        rates = walk(
            method,
            0.01,
            np.ones(50),
            STEPS,
            gradient=lambda w, t: CURVATURES * w,
            record=["rate"],
            **more,
        )["rate"][1:, 0]
        ratio[method] = rates.max(axis=1) / rates.min(axis=1)
    return Seen(ratio)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(seen.most(method) == 1 for method in ONE_RATE)


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, series = [], []
    for method, ratio in seen.ratio.items():
        if method in ONE_RATE:
            label = f"{method}: largest rate over the smallest, at most"
            most = seen.most(method)
            numbers.append(within(label, most, 1, unit="×", key=method == "SGD"))
        else:
            label = f"{method}: largest rate over the smallest, first step"
            numbers.append(Number(label, float(ratio[0]), theory=1000.0, unit="×"))
        series.append(Series(method, np.arange(1, STEPS + 1), ratio))
    one = [m for m in ONE_RATE if seen.most(m) == 1]
    several = [f"{m} ({exact(seen.most(m), 3)} ×)" for m in ONE_RATE if m not in one]
    first = ", ".join(f"{m} {exact(float(seen.ratio[m][0]), 4)}" for m in OWN_RATES)
    condition = {
        "confirmed": f"The effective rate of {', '.join(one)} is one number at every step. The "
        f"largest over the smallest at the first step of others: {first}.",
        "depends": f"So {', '.join(one)}; but not {', '.join(several)}.",
        "refuted": f"None has one rate: {', '.join(several)}.",
    }[verdict]
    meaning = {
        "confirmed": "With one rate, the layer with the largest curvature decides how fast all may "
        "go; log the size of the updates of each layer to see which are left behind.",
        "depends": "Ask for each method whether its rate is one number.",
        "refuted": "Look at the rates of each layer, whatever the method.",
    }[verdict]
    figure = Lines(
        "Largest effective rate over the smallest",
        "step t",
        "ratio of rates",
        tuple(series),
        y_log=True,
        caption=f"At 1 throughout: {', '.join(one) or 'none'}. At the first step: {first}.",
    )
    fails = "" if not several else ", ".join(several)
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-one-rate",
    reading=__doc__,
    title="One rate for all dimensions",
    kind="by definition",
    hypothesis="At every step, all coordinates of SGD, Momentum and Nesterov have the same rate.",
    measure=f"Largest over smallest effective rate, {STEPS} steps on ½Σλw², 50 λ from 0.001 to 1.",
    acceptance="Confirmed if it is exactly 1 at each step for these three, depends if for some of "
    "them, refuted if for none.",
    theory="Their rate is η. The first one of Adagrad, RMSProp and Adam is proportional to 1/|gᵢ|: "
    "a ratio of 1000 where gradients differ 1000 times.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), section 1.1, on one η for all, and "
    "Figure 1; the definitions of the methods.",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
)
