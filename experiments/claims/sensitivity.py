"""Non-convexity is what makes the sensitivity of dimensions differ."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import Gradient, walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

STEEP = 1000.0
RATES = np.logspace(-4, 1, 1001)


def bowl(steep: float) -> Gradient:
    return lambda w, t: tf.stack([steep * w[:, 0], w[:, 1]], axis=1)


def double_well(steep: float) -> Gradient:
    """Return the gradient of ½·steep·x² − ½y² + ¼y⁴ at y − 1: 2 is the curvature in its minimum."""
    return lambda w, t: tf.stack([steep * w[:, 0], (w[:, 1] + 1) ** 3 - w[:, 1] - 1], axis=1)


SURFACES = {  # gradient, whether convex, curvatures at the minimum
    "convex with equal curvatures": (bowl(1.0), True, (1.0, 1.0)),
    "convex with unequal curvatures": (bowl(STEEP), True, (STEEP, 1.0)),
    "non-convex with equal curvatures": (double_well(2.0), False, (2.0, 2.0)),
    "non-convex with unequal curvatures": (double_well(STEEP), False, (STEEP, 2.0)),
}


@dataclass(frozen=True)
class Seen:
    """Largest stable rate of one dimension over that of the other, by surface."""

    spread: dict[str, float]


def spread(gradient: Gradient) -> float:
    """Return how far apart the largest rates are with which SGD returns to a minimum at 0."""
    largest = []
    for i in (0, 1):
        start = np.zeros(2)
        start[i] = 1e-3
        ends = walk("SGD", RATES, start, 2000, gradient=gradient, record=["point"], every=2000)
        largest.append(RATES[np.abs(ends["point"][-1, :, i]) <= start[i]].max(initial=0))
    return float(max(largest) / max(min(largest), 1e-300))


def observe(settings: Claims) -> Seen:
    return Seen({name: spread(gradient) for name, (gradient, *_) in SURFACES.items()})


def differing(seen: Seen, limits: Limits, convex: bool) -> list[str]:
    """Return the surfaces of a kind whose dimensions differ in sensitivity."""
    factor = limits["different"]
    return [n for n, (_, kind, _) in SURFACES.items() if kind is convex and seen.spread[n] > factor]


def decide(seen: Seen, limits: Limits) -> Verdict:
    if not differing(seen, limits, convex=False):
        return "refuted"
    all_of_them = len(differing(seen, limits, convex=False)) == 2
    return "confirmed" if all_of_them and not differing(seen, limits, convex=True) else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = tuple(
        Number(
            f"{name}: largest stable rates, one dimension over the other",
            seen.spread[name],
            theory=max(curvatures) / min(curvatures),
            unit="×",
            key=name == "convex with unequal curvatures",
        )
        for name, (_, _, curvatures) in SURFACES.items()
    )
    convex, other = differing(seen, limits, convex=True), differing(seen, limits, convex=False)
    spreads = {name: exact(value, 4) for name, value in seen.spread.items()}
    each = ", ".join(f"{value} × ({name})" for name, value in spreads.items())
    condition = {
        "confirmed": f"Only the non-convex surfaces have dimensions that differ: {each}.",
        "depends": f"It may, but is not the cause: sensitivity differs on {', '.join(other)}"
        f"{' and on ' + ', '.join(convex) if convex else ''}. It follows the spread of the "
        f"curvatures: {each}.",
        "refuted": f"No non-convex surface has dimensions that differ: {each}.",
    }[verdict]
    meaning = {
        "confirmed": "Expect one rate to suit a convex model.",
        "depends": "Also a convex model, such as a regression on features of unequal scale, has "
        "directions that one rate does not suit: normalize the inputs.",
        "refuted": "Look for another cause than the shape of the loss.",
    }[verdict]
    bars = Bars(
        "How far apart the largest stable rates of two dimensions are",
        "ratio of rates",
        tuple(seen.spread),
        tuple(seen.spread.values()),
        theory=tuple(max(c) / min(c) for _, _, c in SURFACES.values()),
        y_log=True,
        caption=f"{each}.",
    )
    fails = {
        "confirmed": "",
        "depends": "; ".join(
            convex + [n for n, (_, k, _) in SURFACES.items() if not k and n not in other]
        ),
        "refuted": "every non-convex surface tried",
    }[verdict]
    return Finding(verdict, condition, numbers, (bars,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-sensitivity",
    reading=__doc__,
    title="Where different sensitivity comes from",
    kind="by theorem",
    hypothesis="The largest stable rates of two dimensions differ on non-convex surfaces, and on "
    "no convex one.",
    measure="SGD near a minimum of a bowl and of a double well, each with equal curvatures and "
    "with "
    f"curvatures {STEEP:g} against 1 or 2: {len(RATES):,} rates from 10⁻⁴ to 10, 2,000 steps from "
    "10⁻³ beside it in each dimension. Largest rate that does not move away, one dimension over "
    "the other.",
    acceptance="Two dimensions differ if those rates are more than the given factor apart. "
    "Confirmed if they differ on both non-convex surfaces and on no convex one, refuted if on no "
    "non-convex one; else it depends.",
    theory="Near a minimum the largest stable rate is 2/λ: it is the spread of the curvatures that "
    "counts, and a convex quadratic can have any.",
    source="Y. Nesterov, Introductory Lectures on Convex Optimization (2004), section 1.2.3; "
    "Y. LeCun, L. Bottou, G. Orr and K.-R. Müller, Efficient BackProp (1998), section 5.1.",
    dated="2026-11-29",
    limits={"different": 5.0},
    observe=observe,
    decide=decide,
    tell=tell,
)
