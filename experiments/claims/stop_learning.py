"""2.18 "So at some point the model may stop learning." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Series, within
from tfadaopt.experiments.claims.walks import walk

RATE, STEPS = 0.01, 1_000_000
AGES = np.logspace(9, 12, 601)  # steps of slope 1 that lie behind


def last_age_that_moves(start: float) -> float:
    """Age at which float32 weights stop: one slope of √age stands for the steps behind."""
    first = tf.constant(np.sqrt(AGES)[:, np.newaxis], "float32")
    slope = lambda w, t: tf.where(t == 1, first, tf.ones_like(w))  # noqa: E731
    starts = np.full((len(AGES), 1), start)
    more = {"gradient": slope, "record": ["point"], "dtype": "float32", "epsilon": 0.0}
    w = walk("Adagrad", RATE, starts, 11, **more)["point"][..., 0]
    return float(AGES[w[-1] != w[1]].max(initial=0))


def run(settings) -> Finding:
    slope = lambda w, t: tf.ones_like(w)  # noqa: E731
    more = {"gradient": slope, "record": ["point"], "every": 100, "epsilon": 0.0}
    seen = walk("Adagrad", RATE, [0.0], STEPS, **more)
    t, way = seen["step"][1:], -seen["point"][1:, 0, 0]
    late = t >= STEPS // 100
    exponent = np.polyfit(np.log(t[late]), np.log(way[late]), 1)[0]
    grows = within("exponent of the way in t, float64", exponent, 0.5, absolute=0.005)
    numbers = [grows, within("way / 2η√t at t = 10⁶", way[-1] / 2 / RATE / 1e3, 1, absolute=0.001)]
    for start, spacing in ((1.25, 2.0**-23), (0.75, 2.0**-24)):
        stop, theory = last_age_that_moves(start), (RATE / (spacing / 2)) ** 2
        label = f"float32, w ≈ {start}: last step that moves w"
        numbers.append(within(label, stop, theory, relative=0.03, unit="steps", key=start == 1.25))
    shown = np.unique(np.logspace(0, np.log10(len(t)), 60).astype(int)) - 1
    series = (
        Series("Adagrad", t[shown], way[shown]),
        Series("2η√t", t[shown], 2 * RATE * np.sqrt(t[shown]), style="theory"),
    )
    figure = Lines(
        *("The way along a constant slope", "step t", "way", series),
        **{"x_log": True, "y_log": True, "caption": "It grows as the root of t, without an end."},
    )
    condition = (
        "Not in exact arithmetic: the way grows as 2η√t without bound. In float32 a step falls "
        f"below half the spacing of numbers near 1 after {numbers[2].measured:.1e} steps: never in "
        "practice. What is seen as stopping is the slowdown as 1/√t, or a large slope before."
    )
    meaning = (
        "A run that stalls under Adagrad is slow, not dead: a higher η, or a reset, revives it."
    )
    stops = all(n.measured > 0 for n in numbers[2:]) and max(n.measured for n in numbers[2:]) < 1e12
    verdict = "confirmed" if exponent < 0.25 else "depends" if stops else "refuted"
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-stop-learning",
    heading=__doc__,
    title="Does it stop?",
    hypothesis="Along a constant slope, Adagrad's weights come to rest.",
    measure=f"The way in {STEPS} steps; the age at which η|g|/√r no longer moves a float32 weight.",
    acceptance="Confirmed if the way ends (exponent < ¼); depends if in float32 only; else refuted.",
    theory="Σ 1/√t diverges. A step below half the spacing s of numbers is lost: t = (2η/s)².",
    source="IEEE 754; Duchi, Hazan and Singer, JMLR 12 (2011).",
    run=run,
)
