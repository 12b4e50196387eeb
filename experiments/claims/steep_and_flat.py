"""2.11 "Reduces learning rate faster for … large slope." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Series, within
from tfadaopt.experiments.claims.walks import walk

RATE, STEPS = 0.1, 200_000
SLOPES = np.logspace(-5, 2, 8)
KINDS = {"ε → 0": (0.0, 0.0), "ε = 1e-7": (1e-7, 0.0), "r₀ = 0.1 (Keras)": (1e-7, 0.1)}
DELAYS = (("ε = 1e-7", 1e-4), ("ε = 1e-7", 1e-5), ("r₀ = 0.1 (Keras)", 0.01))


def run(settings) -> Finding:
    t, rates = np.arange(1, STEPS + 1), {}
    for kind, (epsilon, start) in KINDS.items():
        rates[kind] = walk(
            *("Adagrad", RATE, np.zeros(8), STEPS),
            **{"gradient": lambda w, t: tf.constant(SLOPES)[tf.newaxis], "record": ["rate"]},
            **{"epsilon": epsilon, "initial_accumulator_value": start},
        )["rate"][1:, 0]
    level = np.abs(rates["ε = 1e-7"][-1] * SLOPES * np.sqrt(STEPS) / RATE - 1)[SLOPES >= 1e-4].max()
    alike = np.abs(rates["ε → 0"] / rates["ε → 0"][0] * np.sqrt(t)[:, np.newaxis] - 1).max()
    size = within("level: |rate · c√t / η − 1|, c ≥ 10⁻⁴", level, 0.0, absolute=0.01)
    decay = within("decay, ε → 0: |rate(t)/rate(1) · √t − 1|, any c", alike, 0.0, absolute=1e-9)
    numbers = [size, decay]
    for kind, c in DELAYS:
        initial, rate = sum(KINDS[kind]), rates[kind][:, np.argmin(np.abs(SLOPES - c))]
        halved = int(np.argmax(rate <= RATE / np.sqrt(2 * initial))) + 1
        label, theory = f"steps until c²t = ε + r₀, c = {c:g}, {kind}", np.ceil(initial / c**2)
        numbers.append(within(label, halved, theory, absolute=1, unit="steps", key=c == 0.01))
    shown = np.unique(np.logspace(0, np.log10(STEPS), 80).astype(int)) - 1
    figures = tuple(
        Lines(
            *(f"Rate over its first, {kind}", "step t", "rate(t) / rate(1)"),
            tuple(
                Series(f"c = {SLOPES[i]:g}", t[shown], rates[kind][shown, i] / rates[kind][0, i])
                for i in range(0, 8, 2)
            ),
            **{"x_log": True, "y_log": True, "caption": "Flat slopes are late to begin 1/√t."},
        )
        for kind in reversed(KINDS)
    )
    condition = (
        "The size of the rate is η/(c√t): smaller for a steep slope c. But its decay, 1/√t, is the "
        "same for all slopes; only ε and r₀ delay it for flat ones, until t = (ε + r₀)/c²."
    )
    meaning = "With Keras' r₀ = 0.1, layers of slopes near 0.01 keep their rate for 1000 batches."
    verdict = "refuted" if not size.agrees else "depends" if decay.agrees else "confirmed"
    return Finding(verdict, condition, tuple(numbers), figures, meaning)


CLAIM = Claim(
    name="claim-steep-and-flat",
    heading=__doc__,
    title="Steep and flat, faster and slower",
    hypothesis="The larger a slope c is, the smaller its rate (level), and the faster it falls.",
    measure=f"Adagrad under constant slopes c from 10⁻⁵ to 100, {STEPS} steps.",
    acceptance="Refuted if level ≠ η/c√t; depends if the decay is the same for all c as ε → 0.",
    theory="rate = η/√(ε + r₀ + c²t): for c²t ≫ ε + r₀ it is η/(c√t), before that constant.",
    source="Computed here; Adagrad as in the lecture and in Keras 3.",
    run=run,
)
