"""2.18 "So at some point the model may stop learning": in low precision it does."""

import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.problems.bfloat16 import bfloat16_walk
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, within

RATE, STEPS = 0.01, 400


def run(settings) -> Finding:
    numbers, series, t = [], [], np.arange(STEPS + 1)
    last_move = lambda path: np.flatnonzero(np.diff(path))[-1] + 1  # noqa: E731
    for start, spacing in ((1.5, 2.0**-7), (0.9, 2.0**-8)):
        rounding = keras.optimizers.Adagrad(RATE, initial_accumulator_value=0.0)
        way, r = bfloat16_walk(rounding, start, STEPS)
        stop, theory = last_move(way[:, 0]), np.floor((2 * RATE / spacing) ** 2)
        text = f"Keras, w ≈ {start}: last step that moves w"
        numbers.append(within(text, stop, theory, absolute=1, unit="steps"))
        series.append(Series(f"Keras, from {start}", t, way[:, 0]))
    numbers.append(within("Keras: r after 400 slopes of 1", r, 256))
    way, r = bfloat16_walk(tfadaopt.Adagrad(RATE), 1.5, STEPS)
    way, theory = way.mean(axis=1), 2 * RATE * np.sqrt(t) - 1.46 * RATE * (t > 0)
    more = {"relative": 0.05, "key": True}
    numbers.append(within("tfadaopt: mean way in 400 steps", way[-1], theory[-1], **more))
    numbers.append(within("tfadaopt: r after 400 slopes of 1", r, 400))
    series += [Series("tfadaopt, mean", t, way), Series("2η√t − 1.46η", t, theory, style="theory")]
    more = {"gradient": lambda w, t: tf.ones_like(w), "dtype": "float32", "record": ["accumulator"]}
    more["initial_accumulator_value"] = 2.0**24 - 1000
    stop = last_move(walk("Adagrad", RATE, [0.0], 2000, **more)["accumulator"][:, 0, 0])
    numbers.append(within("float32 r from 2²⁴ − 1000: last step it grows", stop, 1000, absolute=1))
    words = "bfloat16 weights under slopes of 1", "step t", "way", tuple(series)
    figure = Lines(*words, caption=CAPTION)
    nearest, random = numbers[0].agrees and numbers[1].agrees, way[-1] < 1.05 * way[STEPS // 2]
    word = "refuted" if not nearest else "confirmed" if random else "depends"
    return Finding(word, CONDITION, tuple(numbers), (figure,), MEANING)


CAPTION = "Rounded to nearest, weights stop after a few steps; rounded at random they go on."
CONDITION = "With weights rounded to nearest (Keras); rounded at random (tfadaopt) they go on."
MEANING = "Train bfloat16 weights with random rounding, or keep a float32 copy of them."
CLAIM = Claim(
    "claim-low-precision",
    __doc__,
    "Stopping by rounding",
    hypothesis="A step below half the spacing of bfloat16 numbers is lost, so training stops.",
    measure=f"Adagrad of Keras and tfadaopt, η = {RATE}, slopes of 1, {STEPS} steps; r near 2²⁴.",
    acceptance="Confirmed if both stop, depends if only rounding to nearest does, else refuted.",
    theory="Spacing s: t = (2η/s)², 6 or 26. r + 1 = r from 256 on; in float32 from 2²⁴ on.",
    source="IEEE 754; random rounding: S. Gupta et al., ICML 2015, arXiv 1502.02551.",
    run=run,
)
