"""Relative to large ones, small partial derivatives hardly lower the rate from its start η/√ε."""

import numpy as np

from tfadaopt.experiments.claims.steep_and_flat import lines
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.constant_gradients import GRADIENTS, HORIZONS, Falls, falls
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

KIND, SMALL, LARGE = "ε = 1e-7", 0, -1  # places of the gradients


def observe(settings: Claims) -> Falls:
    return falls()


def relative(seen: Falls, steps: int) -> float:
    """Return the fall under the smallest gradients over that under the largest."""
    fall = seen.after(KIND, steps)
    return float(fall[SMALL] / fall[LARGE])


def decide(seen: Falls, limits: Limits) -> Verdict:
    return of_all(relative(seen, steps) <= limits["relatively small"] for steps in HORIZONS)


def tell(seen: Falls, limits: Limits, verdict: Verdict) -> Finding:
    most, small, large = (
        limits["relatively small"],
        exact(GRADIENTS[SMALL]),
        exact(GRADIENTS[LARGE]),
    )
    epsilon, numbers, found = seen.start(KIND), [], {}
    for steps in HORIZONS:
        share = relative(seen, steps)
        numbers.append(
            Number(
                f"fall after {steps:,} steps, gradients of {small} over {large}",
                share,
                agrees=share <= most,
                allowed=f"≤ {most:g}",
                key=steps == HORIZONS[0],
            )
        )
    for steps in HORIZONS:
        fall = found[steps] = float(seen.after(KIND, steps)[SMALL])
        theory = float(np.sqrt(1 + steps * GRADIENTS[SMALL] ** 2 / epsilon))
        label = f"fall after {steps:,} gradients of {small}"
        numbers.append(Number(label, fall, theory=theory, unit="×"))
    each = ", ".join(f"{exact(fall, 3)}-fold after {steps:,}" for steps, fall in found.items())
    shares = ", ".join(exact(relative(seen, steps), 3) for steps in HORIZONS)
    last = found[HORIZONS[-1]]
    but = f"In itself it is not small for ever: {each}." if last > 2 else f"It is small: {each}."
    condition = {
        "confirmed": f"Under gradients of {small} the fall is {shares} of that under gradients of "
        f"{large}. {but}",
        "depends": f"Not at each of the three: under gradients of {small} the fall is {shares} of "
        f"that under gradients of {large}.",
        "refuted": f"Under gradients of {small} the fall is {shares} of that under gradients of "
        f"{large}: not small beside it.",
    }[verdict]
    meaning = {
        "confirmed": "Weights with small gradients keep more of their rate than others; in a long "
        "run they lose it too, once t exceeds ε/g². Only where gradients are exactly zero (rare "
        "words) the rate waits for them.",
        "depends": "Look at the rates themselves before you count on weights with small gradients.",
        "refuted": "Weights with small gradients lose as much of their rate as all others.",
    }[verdict]
    figure = lines(seen, "Fall of the rate since the start", KIND, f"Smallest gradients: {each}.")
    fails = {
        "confirmed": "",
        "depends": "; ".join(f"{s:,} steps" for s in HORIZONS if relative(seen, s) > most),
        "refuted": "the method tried",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-small-derivatives",
    reading=__doc__,
    title="Small partial derivatives",
    kind="by theorem",
    hypothesis="However long the run, the fall of the rate under gradients of 10⁻⁵ is small beside "
    "that under gradients of 1.",
    measure="Adagrad with r₀ = 0 and ε = 1e-7 under constant gradients: the rate before the first "
    "step over that after 100, 10,000 and 1,000,000, for gradients of 10⁻⁵ over those of 1.",
    acceptance="Confirmed if the quotient is at most the given one after each of the three, "
    "depends if after some, refuted if after none.",
    theory="The fall is √(1 + g²t/ε): about 1 for t ≪ ε/g² = 1,000 steps, then it grows as √t like "
    "all others, 10⁻⁵ times as large as under gradients of 1.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1; I. Goodfellow, Y. Bengio "
    "and A. Courville, Deep Learning (2016), 8.5.1.",
    dated="2026-11-29",
    limits={"relatively small": 0.1},
    observe=observe,
    decide=decide,
    tell=tell,
)
