"""Along a constant gradient, Adagrad's float32 weights come to rest within a long training."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

RATE, STEPS = 0.01, 1_000_000
AGES = np.logspace(2, 12, 2001)  # steps of gradient 1 that lie behind
SPACINGS = {1.25: 2.0**-23, 0.75: 2.0**-24}  # of float32 numbers near a weight
METHOD = "Adagrad"


@dataclass(frozen=True)
class Seen:
    """Distances in float64, and by weight the last age at which a float32 weight moves."""

    t: np.ndarray
    distance: np.ndarray
    last: dict[float, float]

    @property
    def exponent(self) -> float:
        late = self.t >= STEPS / 100
        return float(np.polyfit(np.log(self.t[late]), np.log(self.distance[late]), 1)[0])

    @property
    def first_rest(self) -> float:
        """Step at which the first of the weights rests; infinity: none does."""
        return min(age if age < AGES[-1] else np.inf for age in self.last.values())


def last_age_that_moves(start: float) -> float:
    """Return the last age at which a weight moves; one first gradient of √age stands for it."""
    first = tf.constant(np.sqrt(AGES)[:, np.newaxis], "float32")
    w = walk(
        METHOD,
        RATE,
        np.full((len(AGES), 1), start),
        11,
        gradient=lambda w, t: tf.where(t == 1, first, tf.ones_like(w)),
        dtype="float32",
        record=["point"],
        epsilon=0.0,
    )["point"][..., 0]
    return float(AGES[w[-1] != w[1]].max(initial=0))


def observe(settings: Claims) -> Seen:
    seen = walk(
        METHOD,
        RATE,
        [0.0],
        STEPS,
        gradient=lambda w, t: tf.ones_like(w),
        record=["point"],
        every=100,
        epsilon=0.0,
    )
    distance = np.abs(seen["point"][1:, 0, 0])
    return Seen(seen["step"][1:], distance, {w: last_age_that_moves(w) for w in SPACINGS})


def decide(seen: Seen, limits: Limits) -> Verdict:
    if seen.first_rest <= limits["steps of a long training"]:
        return "confirmed"
    return "depends" if np.isfinite(seen.first_rest) else "refuted"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    long = limits["steps of a long training"]
    end = float(seen.distance[-1] / (2 * RATE * np.sqrt(STEPS)))
    numbers = [
        Number(
            "step from which the first float32 weight rests",
            seen.first_rest,
            unit="steps",
            agrees=seen.first_rest <= long,
            allowed=f"≤ {exact(long)}",
            key=True,
        ),
        within("exponent of the distance in t, float64", seen.exponent, 0.5, absolute=0.005),
        Number(f"distance / 2η√t at t = {exact(STEPS)}", end, theory=1.0),
    ]
    for w, spacing in SPACINGS.items():
        theory = (2 * RATE / spacing) ** 2
        label = f"float32, w ≈ {w}: last step that moves w"
        numbers.append(within(label, seen.last[w], theory, relative=0.03, unit="steps"))
    rest, exponent = exact(seen.first_rest, 2), exact(seen.exponent, 3)
    endless = f"in float64 the distance grows as t to the power {exponent}"
    condition = {
        "confirmed": f"It comes to rest: a float32 weight near 1 moves no more after {rest} steps; "
        f"{endless}.",
        "depends": f"By rounding, and in theory only: a float32 weight near 1 rests after {rest} "
        f"steps, which no training takes; {endless}, without a bound. What is seen in practice is "
        "that it slows down.",
        "refuted": f"It does not: no float32 weight near 1 has come to rest after "
        f"{exact(AGES[-1])} steps; {endless}.",
    }[verdict]
    meaning = {
        "confirmed": "Watch for weights that rounding holds: lower precision stops sooner.",
        "depends": "A run that stalls under Adagrad is slow, not dead: a higher η, or a reset, "
        "revives it.",
        "refuted": "If the loss stands still, look for another cause than the rate.",
    }[verdict]
    shown = np.unique(np.logspace(0, np.log10(len(seen.t)), 60).astype(int)) - 1
    t = seen.t[shown]
    figure = Lines(
        "Distance along a constant gradient, float64",
        "step t",
        "distance",
        (
            Series(METHOD, t, seen.distance[shown]),
            Series(f"{METHOD}: 2η√t", t, 2 * RATE * np.sqrt(t), style="theory"),
        ),
        x_log=True,
        y_log=True,
        caption=f"It grows as t to the power {exponent}.",
    )
    fails = {
        "confirmed": "",
        "depends": "exact arithmetic, and float32 in any training of usual length",
        "refuted": "float32 and float64, as far as tried",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-stop-learning",
    reading=__doc__,
    title="Does it stop?",
    kind="measured",
    hypothesis="A float32 weight near 1, under a constant gradient of 1, is moved no longer after "
    "the steps of a long training.",
    measure=f"Adagrad, η = {RATE}, ε = 0: the last age, from 10² to 10¹² steps, at which a float32 "
    f"weight near 1.25 or 0.75 still moves in ten steps; in float64 the distance of {STEPS:,} "
    "steps.",
    acceptance="Confirmed if the first of the two rests within the given number of steps, depends "
    "if only later, refuted if at no age tried.",
    theory="Σ 1/√t diverges: the distance is 2η√t. A step below half the spacing s of numbers is "
    "lost: from t = (2η/s)² on, 2.8·10¹⁰ with s = 2⁻²³ and 1.1·10¹¹ with 2⁻²⁴.",
    source="IEEE 754-2019, 4.3.1 (round to nearest); J. Duchi, E. Hazan and Y. Singer, JMLR 12 "
    "(2011), Figure 1.",
    dated="2026-11-29",
    limits={"steps of a long training": 1e7},
    observe=observe,
    decide=decide,
    tell=tell,
)
