"""2.18 "So at some point the model may stop learning": in low precision it does."""

import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Series, within
from tfadaopt.experiments.claims.walks import walk

RATE, STEPS, COPIES = 0.01, 400, 256


def bfloat16_walk(optimizer, start: float) -> tuple[np.ndarray, float]:
    """Path [1 + steps, copies] of bfloat16 weights under slopes of 1, and the accumulator's end."""
    w = keras.Variable(np.full(COPIES, start), dtype="bfloat16")
    optimizer.build([w])

    @tf.function(jit_compile=True, autograph=False)
    def go():
        log = tf.TensorArray(tf.float32, STEPS + 1).write(0, tf.cast(w, "float32"))

        def step(t, log):
            optimizer.apply([tf.ones_like(w)], [w])
            return t + 1, log.write(t, tf.cast(w, "float32"))

        return tf.while_loop(lambda t, _: t <= STEPS, step, (1, log))[1].stack()

    path = go().numpy()
    return path, float(tf.cast(optimizer.variables[-1], "float32")[0])


def run(settings) -> Finding:
    numbers, series, t = [], [], np.arange(STEPS + 1)
    for start, spacing in ((1.5, 2.0**-7), (0.9, 2.0**-8)):
        rounding = keras.optimizers.Adagrad(RATE, initial_accumulator_value=0.0)
        path, r = bfloat16_walk(rounding, start)
        stop, theory = np.flatnonzero(np.diff(path[:, 0]))[-1] + 1, (2 * RATE / spacing) ** 2
        label = f"Keras' Adagrad, w ≈ {start}: last step that moves w"
        numbers.append(within(label, stop, np.floor(theory), absolute=1, unit="steps"))
        series.append(Series(f"Keras, from {start}", t, start - path[:, 0]))
    numbers.append(within("Keras' r after 400 slopes of 1", r, 256, note="256 + 1 rounds to 256."))
    path, r = bfloat16_walk(tfadaopt.Adagrad(RATE), 1.5)
    way, theory = path[0] - path.mean(axis=1), 2 * RATE * np.sqrt(t) - 1.46 * RATE * (t > 0)
    label = "tfadaopt.Adagrad: mean way in 400 steps"
    numbers.append(within(label, way[-1], theory[-1], relative=0.05, key=True))
    numbers.append(within("tfadaopt's r after 400 slopes of 1", r, 400))
    series += [Series("tfadaopt, mean", t, way), Series("2η√t − 1.46η", t, theory, style="theory")]
    more = {"gradient": lambda w, t: tf.ones_like(w), "dtype": "float32", "record": ["accumulator"]}
    more["initial_accumulator_value"] = 2.0**24 - 1000
    r = walk("Adagrad", RATE, [0.0], 2000, **more)["accumulator"][:, 0, 0]
    stop = np.flatnonzero(np.diff(r))[-1] + 1
    numbers.append(within("float32 r from 2²⁴ − 1000: last step it grows", stop, 1000, absolute=1))
    figure = Lines(
        *("bfloat16 weights under slopes of 1", "step t", "way", tuple(series)),
        caption="Rounded to nearest they stop after a few steps; rounded at random they go on.",
    )
    stops = way[-1] < way[-1 - STEPS // 2] * 1.01
    condition = (
        "bfloat16 weights rounded to nearest (Keras) stop after 6 to 26 steps of η = 0.01, and r "
        "after 256. tfadaopt rounds weights at random and keeps r in float32: it goes on as 2η√t."
    )
    meaning = "Train bfloat16 weights with random rounding, or keep a float32 copy of them."
    verdict = (
        "confirmed" if stops else "depends" if all(n.agrees for n in numbers[:2]) else "refuted"
    )
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-low-precision",
    heading=__doc__,
    title="Stopping by rounding",
    hypothesis="A step below half the spacing of the weights' numbers is lost, so training stops.",
    measure=f"Adagrad, η = {RATE}, slopes of 1, {STEPS} steps, bfloat16 weights; float32 r at 2²⁴.",
    acceptance="Confirmed if both stop; depends if by rounding to nearest only; refuted if neither.",
    theory="Spacing s: stops at t = (2η/s)², 6 or 26. r + 1 = r from 256 on in bfloat16, 2²⁴ in 32.",
    source="IEEE 754; random rounding: S. Gupta et al., ICML 2015, arXiv 1502.02551.",
    run=run,
)
