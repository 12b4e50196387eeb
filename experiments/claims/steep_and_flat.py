"""From the common start η/√ε, the rate falls the more, the larger the partial derivative."""

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.constant_gradients import AT, GRADIENTS, MANY, Falls, falls
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

STARTS = ("ε = 1e-7", "r₀ = 0.1 (Keras)")
LECTURE, KERAS = STARTS


def lines(seen: Falls, title: str, kind: str, caption: str) -> Lines:
    """Return the falls of the rate over the steps."""
    series = [
        Series(f"gradient {exact(g)}", AT, seen.falls[kind][:, i]) for i, g in enumerate(GRADIENTS)
    ]
    labels = ("step t", "rate at the start ÷ rate")
    return Lines(title, *labels, tuple(series), x_log=True, y_log=True, caption=caption)


def observe(settings: Claims) -> Falls:
    return falls()


def decide(seen: Falls, limits: Limits) -> Verdict:
    fall = seen.after(LECTURE, MANY)
    if not np.all(np.diff(fall) > 0):
        return "refuted"
    return "confirmed" if fall[-1] / fall[0] >= limits["largest over smallest fall"] else "depends"


def tell(seen: Falls, limits: Limits, verdict: Verdict) -> Finding:
    least = limits["largest over smallest fall"]
    fall = seen.after(LECTURE, MANY)
    apart = float(fall[-1] / fall[0])
    numbers = [
        Number(
            f"fall after {MANY} gradients: of 1 over of 10⁻⁵",
            apart,
            agrees=apart >= least,
            allowed=f"≥ {least:g}",
            unit="×",
            key=True,
        )
    ]
    for kind in STARTS:
        epsilon = seen.start(kind)
        for g, found in zip(GRADIENTS, seen.after(kind, MANY), strict=True):
            theory = np.sqrt(1 + MANY * g**2 / epsilon)
            label = f"{kind}: fall after {MANY} gradients of {exact(g)}"
            numbers.append(Number(label, found, theory=theory, unit="×"))
    by_size = ", ".join(
        f"{exact(found, 3)} ({exact(g)})"
        for g, found in reversed(list(zip(GRADIENTS, fall, strict=True)))
    )
    condition = {
        "confirmed": f"It falls the more, the larger the gradients are: after {MANY} of them by a "
        f"factor of {by_size}.",
        "depends": f"It falls more for larger gradients, but by less than the {least:g} asked for: "
        f"after {MANY} of them by a factor of {by_size}.",
        "refuted": f"It does not fall more for larger gradients: after {MANY} of them by a factor "
        f"of {by_size}.",
    }[verdict]
    keras = seen.after(KERAS, MANY)
    meaning = {
        "confirmed": "The first steps set the rates apart, most for large gradients. Keras starts "
        f"from r₀ = 0.1 instead: there the falls are {exact(keras[-1], 3)} (gradients of 1) to "
        f"{exact(keras[0], 3)} (10⁻⁵).",
        "depends": "The rates are set apart, but little.",
        "refuted": "Do not expect this method to slow down large gradients more.",
    }[verdict]
    caption = f"Falls after {MANY} steps, by size of the gradient: {by_size}."
    figure = lines(seen, f"Fall of the rate since the start, {LECTURE}", LECTURE, caption)
    fails = {
        "confirmed": "",
        "depends": "by less than was asked for",
        "refuted": "the method tried",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-steep-and-flat",
    reading=__doc__,
    title="Large partial derivatives",
    kind="by theorem",
    hypothesis="After equally many gradients of a constant size, the rate has fallen more from its "
    "start η/√ε, the larger they are.",
    measure="Adagrad with r₀ = 0 and ε = 1e-7 under constant gradients of 10⁻⁵, 10⁻⁴, 10⁻² and 1: "
    f"the rate before the first step over that after {MANY}. Beside it Keras' r₀ = 0.1.",
    acceptance="Refuted if the falls do not rise with the gradient; confirmed if they do, and the "
    "largest is at least the given factor of the smallest; else it depends.",
    theory="rate = η/√(ε + r₀ + g²t), so the fall since the start is √(1 + g²t/(ε + r₀)).",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1; I. Goodfellow, Y. Bengio "
    "and A. Courville, Deep Learning (2016), 8.5.1; Keras 3, Adagrad.",
    dated="2026-11-29",
    limits={"largest over smallest fall": 10.0},
    observe=observe,
    decide=decide,
    tell=tell,
)
