"""2.18 "So at some point the model may stop learning." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, within

RATE, STEPS = 0.01, 1_000_000
AGES = np.logspace(9, 12, 601)  # steps of slope 1 that lie behind


def last_age_that_moves(start: float) -> float:
    """Age at which float32 weights stop; one first slope of √age stands for the steps behind."""
    first = tf.constant(np.sqrt(AGES)[:, np.newaxis], "float32")
    more = {"gradient": lambda w, t: tf.where(t == 1, first, tf.ones_like(w)), "dtype": "float32"}
    starts = np.full((len(AGES), 1), start)
    w = walk("Adagrad", RATE, starts, 11, record=["point"], epsilon=0.0, **more)["point"][..., 0]
    return float(AGES[w[-1] != w[1]].max(initial=0))


def run(settings) -> Finding:
    more = {"gradient": lambda w, t: tf.ones_like(w), "record": ["point"], "every": 100}
    seen = walk("Adagrad", RATE, [0.0], STEPS, epsilon=0.0, **more)
    t, way = seen["step"][1:], -seen["point"][1:, 0, 0]
    exponent = np.polyfit(np.log(t[100:]), np.log(way[100:]), 1)[0]
    numbers = [
        within("exponent of the way in t, float64", exponent, 0.5, absolute=0.005),
        within("way / 2η√t at t = 10⁶", way[-1] / 2 / RATE / 1e3, 1, absolute=0.001),
    ]
    for start, spacing in ((1.25, 2.0**-23), (0.75, 2.0**-24)):
        stop, theory = last_age_that_moves(start), (2 * RATE / spacing) ** 2
        text, more = f"float32, w ≈ {start}: last step that moves w", {"key": start > 1}
        numbers.append(within(text, stop, theory, relative=0.03, unit="steps", **more))
    shown = np.unique(np.logspace(0, np.log10(len(t)), 60).astype(int)) - 1
    line = Series("2η√t", t[shown], 2 * RATE * np.sqrt(t[shown]), style="theory")
    words = "The way along a constant slope", "step t", "way"
    lines = (Series("Adagrad", t[shown], way[shown]), line)
    figure = Lines(*words, lines, x_log=True, y_log=True, caption=CAPTION)
    stops = max(n.measured for n in numbers[2:]) < AGES[-1]
    word = "confirmed" if exponent < 0.25 else "depends" if stops else "refuted"
    return Finding(word, CONDITION, tuple(numbers), (figure,), MEANING)


CAPTION = "It grows as the root of t, without an end."
CONDITION = (
    "Not in exact arithmetic: the way grows as 2η√t without bound; a float32 weight near 1 stops "
    "after some 3·10¹⁰ steps, so never. What is seen is the slowdown as 1/√t, or early slopes."
)
MEANING = "A run that stalls under Adagrad is slow, not dead: a higher η, or a reset, revives it."
CLAIM = Claim(
    "claim-stop-learning",
    __doc__,
    "Does it stop?",
    hypothesis="Along a constant slope, Adagrad's weights come to rest.",
    measure=f"The way in {STEPS} steps; the age at which η|g|/√r moves a float32 weight no longer.",
    acceptance="Confirmed if the way ends (exponent < ¼), depends if in float32, else refuted.",
    theory="Σ 1/√t diverges. A step below half the spacing s of numbers is lost: t = (2η/s)².",
    source="IEEE 754; Duchi, Hazan and Singer, JMLR 12 (2011).",
    run=run,
)
