"""2.10 "Scale factor … inversely proportional to the square root …" """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict, within

RATE, EPSILON, STEPS = 0.01, 1e-7, 1000
SIZES = np.logspace(-6, 6, 13)


def run(settings) -> Finding:
    g = SIZES * np.random.default_rng(0).standard_normal((STEPS, len(SIZES)))
    stream = tf.constant(g)
    rate = walk(
        "Adagrad",
        RATE,
        np.zeros(len(SIZES)),
        STEPS,
        gradient=lambda w, t: stream[t - 1][tf.newaxis],
        record=["rate"],
    )["rate"][1:, 0]
    r = np.cumsum(g**2, axis=0)
    worst = np.max(np.abs(rate * np.sqrt(EPSILON + r) / RATE - 1))
    slope = np.polyfit(np.log(r[:, -1]), np.log(rate[:, -1]), 1)[0]
    small = rate[-1, 0] * np.sqrt(r[-1, 0]) / RATE
    numbers = (
        within("largest deviation of rate · √(ε + r) from η", worst, 0, absolute=1e-12, key=True),
        within("slope of log rate over log r, slopes of size 10⁶", slope, -0.5, absolute=1e-9),
        within(
            "rate · √r / η after 1000 slopes of size 10⁻⁶",
            small,
            np.sqrt(r[-1, 0] / (EPSILON + r[-1, 0])),
            relative=1e-9,
            note="Not 1: below √ε = 3·10⁻⁴ the ε in the root takes over, and the rate is η/√ε.",
        ),
    )
    shown = np.logspace(-13, 15, 200)
    series = (
        Series("Adagrad", r[-1], rate[-1]),
        Series("η / √(ε + r)", shown, RATE / np.sqrt(EPSILON + shown), style="theory"),
    )
    figure = Lines(
        "Rate of each coordinate after 1000 steps",
        "sum of squares r",
        "rate",
        series,
        x_log=True,
        y_log=True,
        caption="On the line for all sizes; flat below ε.",
    )
    condition = (
        "rate · √(ε + r) = η at every step, for every coordinate; with r alone, only for r ≫ ε."
    )
    meaning = "Layers whose slopes stay below 3·10⁻⁴ are not sped up as they should be: lower ε."
    return Finding(verdict(numbers), condition, numbers, (figure,), meaning)


CLAIM = Claim(
    name="claim-scale-factor",
    heading=__doc__,
    title="What Adagrad scales by",
    hypothesis="The rate of every coordinate, times √(ε + r), is η at every step.",
    measure=f"Adagrad, ε = {EPSILON}, {STEPS} random slopes of sizes from 10⁻⁶ to 10⁶.",
    acceptance="Confirmed if no coordinate ever deviates by more than 1e-12. Else refuted.",
    theory="It is the definition; r is summed here anew from the slopes, in float64.",
    source="The lecture; J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Figure 1.",
    run=run,
)
