"""At equal η, with μ = 0.9, momentum damps the zigzag across a ravine."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Contours, Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within
from tfadaopt.experiments.trial.landscape import landscape

MU, KAPPA, STEPS, WINDOW = 0.9, 100.0, 200, 20
# η times the curvature across; SGD diverges from 2 on.
PRODUCTS = np.round(np.arange(0.05, 4, 0.005), 3)
AT_EQUAL_RATE: dict[str, dict[str, Any]] = {"SGD": {}, "Momentum": {"momentum": MU}}


@dataclass(frozen=True)
class Seen:
    """By method: what is left per step, and changes of sign in 50 steps, at each product ηλ.

    And what is left of the zigzag at the end of the paths of the picture.
    """

    kept: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]
    left: dict[str, float]
    picture: Contours

    @property
    def zigzags(self) -> np.ndarray:
        """Where SGD zigzags, and does not diverge."""
        return (self.turns["SGD"] > 1) & (PRODUCTS < 2)

    @property
    def damped(self) -> np.ndarray:
        return self.kept["Momentum"] < self.kept["SGD"]

    @property
    def crossing(self) -> float:
        """Product from which on momentum damps; infinity: it never does."""
        return float(PRODUCTS[self.zigzags & self.damped].min(initial=np.inf))

    @property
    def stable(self) -> float:
        return float(PRODUCTS[self.kept["Momentum"] < 1].max(initial=0))


def ravine(w: tf.Tensor) -> tf.Tensor:
    """A ravine that is 100 times as steep across (second coordinate) as along."""
    return 0.5 * (w[:, 0] ** 2 / KAPPA + w[:, 1] ** 2)


def paths(steps: int = 40) -> tuple[Contours, dict[str, float]]:
    """Return the paths of SGD and Momentum at SGD's best η, and what is left of the zigzags."""
    rate, seen = 2 / (1 + 1 / KAPPA), {}
    for method, more in AT_EQUAL_RATE.items():
        walked = walk(method, rate, [2.0, 0.8], steps, loss=ravine, record=["point"], **more)
        seen[method] = walked["point"][:, 0]
    left = {m: np.abs(points[-5:, 1]).max() / 0.8 for m, points in seen.items()}
    words = "smaller" if left["Momentum"] < left["SGD"] else "no smaller"
    picture = landscape(
        f"Equal η: the first {steps} steps across a ravine",
        ravine,
        (-1.3, 2.2),
        (-1.1, 1.1),
        seen,
        caption=f"After {steps} steps SGD's zigzag is at {left['SGD']:.0%} of its start, "
        f"momentum's at {left['Momentum']:.0%}: {words}.",
    )
    return picture, left


def observe(settings: Claims) -> Seen:
    kept, turns = {}, {}
    for method, more in AT_EQUAL_RATE.items():
        w = walk(
            method,
            PRODUCTS,
            [1.0],
            STEPS,
            gradient=lambda w, t: w,
            record=["point"],
            **more,
        )["point"][..., 0]
        late, early = np.abs(w[-WINDOW:]).max(axis=0), np.abs(w[80 - WINDOW : 80]).max(axis=0)
        span = STEPS + 1 - 80
        kept[method] = np.where(late > 0, late / np.maximum(early, 1e-300), 0.0) ** (1 / span)
        turns[method] = np.sum(np.sign(w[1:51]) * np.sign(w[:50]) < 0, axis=0)
    picture, left = paths()
    return Seen(kept, turns, left, picture)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(seen.damped[seen.zigzags])


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    half = int(np.flatnonzero(PRODUCTS == 0.5)[0])
    swings = int(seen.turns["Momentum"][half])
    still = int(seen.turns["SGD"][half])
    share = float(np.mean(seen.damped[seen.zigzags]))
    numbers = (
        within(
            "ηλ from which on momentum damps the zigzag",
            seen.crossing,
            1 + np.sqrt(MU),
            absolute=0.01,
            key=True,
        ),
        Number("share of the rates at which SGD zigzags where it does", share),
        within("largest ηλ at which momentum converges", seen.stable, 2 * (1 + MU), absolute=0.01),
        *(
            Number(f"{method}: what is left of the zigzag of the figure after 40 steps", left)
            for method, left in seen.left.items()
        ),
        Number("SGD, ηλ = 0.5: changes of sign in 50 steps", still),
        Number("Momentum, ηλ = 0.5: changes of sign in 50 steps", swings),
    )
    crossing = exact(seen.crossing, 4)
    below = (
        f"at ηλ = 0.5 SGD changes its sign {still} times in 50 steps and momentum {swings} times."
    )
    condition = {
        "confirmed": f"At every η at which SGD zigzags, momentum's zigzag dies sooner; {below}",
        "depends": f"Only close to the rate at which SGD diverges, from ηλ = {crossing} on. Below, "
        f"momentum's zigzag lasts longer than SGD's, and it zigzags where SGD does not: {below}",
        "refuted": f"At no η at which SGD zigzags does momentum's zigzag die sooner; {below}",
    }[verdict]
    meaning = {
        "confirmed": "Where the loss zigzags, more momentum at the same η is a remedy.",
        "depends": "Momentum helps where η is close to the largest stable one, which it also "
        "raises; at a small η it swings where SGD glides. Its speed along the ravine is another "
        "matter.",
        "refuted": "Do not count on momentum against a zigzag: lower η.",
    }[verdict]
    shown = PRODUCTS < 2
    curves = Lines(
        "What a step leaves of the zigzag",
        "η times the curvature λ across",
        "share left per step",
        (
            Series("SGD", PRODUCTS[shown], seen.kept["SGD"][shown]),
            Series("Momentum", PRODUCTS[shown], seen.kept["Momentum"][shown]),
        ),
        caption={
            "confirmed": "Momentum's line is the lower one wherever SGD zigzags (ηλ > 1).",
            "depends": f"The lines cross at ηλ = {crossing}; left of it SGD damps more.",
            "refuted": "Momentum's line is never the lower one where SGD zigzags (ηλ > 1).",
        }[verdict],
    )
    fails = {
        "confirmed": "",
        "depends": f"ηλ below {crossing}",
        "refuted": "every η at which SGD zigzags",
    }[verdict]
    return Finding(verdict, condition, numbers, (seen.picture, curves), meaning, fails=fails)


CLAIM = Claim(
    name="claim-zigzag",
    reading=__doc__,
    title="Momentum and the zigzag",
    kind="by theorem",
    hypothesis="At every η at which SGD zigzags without diverging, momentum with μ = 0.9 and the "
    "same η leaves less of the zigzag after a step.",
    measure="SGD and Momentum on ½λw² from 1, ηλ from 0.05 to 4 in steps of 0.005, 200 steps: the "
    "factor per step by which the largest |w| of 20 steps falls, and changes of sign in 50 steps. "
    "The figure: κ = 100, η = 2/(L+m), 40 steps.",
    acceptance="Among the ηλ below 2 at which SGD changes its sign: confirmed if momentum's factor "
    "is the smaller one at all, depends if at some, refuted if at none.",
    theory="SGD keeps |1 − ηλ| per step. Momentum's roots are complex for (1−√μ)² < ηλ < (1+√μ)², "
    "where it keeps √μ: less than SGD only for ηλ > 1 + √μ = 1.9487. It converges up to "
    "ηλ = 2(1+μ) = 3.8.",
    source="B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964); G. Goh, Why momentum really "
    "works, Distill (2017), section on the dynamics of momentum.",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
)
