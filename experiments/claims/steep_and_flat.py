"""2.11 "Reduces learning rate faster for … large slope." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, within

RATE, STEPS = 0.1, 200_000
SLOPES = np.logspace(-5, 2, 8)
EPSILON, KERAS = "ε = 1e-7", "r₀ = 0.1 (Keras)"
KINDS = {KERAS: (1e-7, 0.1), EPSILON: (1e-7, 0.0), "ε → 0": (0.0, 0.0)}


def run(settings) -> Finding:
    t, rates = np.arange(1, STEPS + 1), {}
    for kind, (epsilon, start) in KINDS.items():
        more = {"gradient": lambda w, t: SLOPES * tf.ones_like(w), "record": ["rate"]}
        more |= {"epsilon": epsilon, "initial_accumulator_value": start}
        rates[kind] = walk("Adagrad", RATE, np.zeros(8), STEPS, **more)["rate"][1:, 0]
    level = np.abs(rates[EPSILON][-1] * SLOPES * np.sqrt(STEPS) / RATE - 1)[SLOPES >= 1e-4].max()
    alike = np.abs(rates["ε → 0"] / rates["ε → 0"][0] * np.sqrt(t)[:, np.newaxis] - 1).max()
    size = within("level: |rate · c√t / η − 1|, c ≥ 10⁻⁴", level, 0.0, absolute=0.01)
    decay = within("decay, ε → 0: |rate(t)/rate(1) · √t − 1|, any c", alike, 0.0, absolute=1e-9)
    numbers = [size, decay]
    for kind, i in ((EPSILON, 1), (EPSILON, 0), (KERAS, 3)):
        initial, rate = sum(KINDS[kind]), rates[kind][:, i]
        halved = int(np.argmax(rate <= RATE / np.sqrt(2 * initial))) + 1
        label, theory = (
            f"steps to c²t = ε + r₀, c = {SLOPES[i]:g}, {kind}",
            initial / SLOPES[i] ** 2,
        )
        numbers.append(within(label, halved, theory, absolute=1.5, unit="steps", key=kind == KERAS))
    shown = np.unique(np.logspace(0, np.log10(STEPS), 80).astype(int)) - 1
    figures = []
    for kind, rate in rates.items():
        lines = [
            Series(f"c = {SLOPES[i]:g}", t[shown], (rate / rate[0])[shown, i]) for i in (0, 3, 7)
        ]
        words = f"Rate over its first, {kind}", "step t", "rate(t) / rate(1)"
        figures.append(Lines(*words, tuple(lines), x_log=True, y_log=True, caption=CAPTION))
    word = "refuted" if not size.agrees else "depends" if decay.agrees else "confirmed"
    return Finding(word, CONDITION, tuple(numbers), tuple(figures), MEANING)


CAPTION = "Flat slopes are late to begin 1/√t; without ε and r₀ all are alike."
CONDITION = (
    "The size of the rate is η/(c√t): smaller for a steep slope c. But its decay, 1/√t, is the "
    "same for all slopes; only ε and r₀ delay it for flat ones, until t = (ε + r₀)/c²."
)
MEANING = "With Keras' r₀ = 0.1, layers of slopes near 0.01 keep their rate for 1000 batches."
CLAIM = Claim(
    "claim-steep-and-flat",
    __doc__,
    "Steep and flat, faster and slower",
    hypothesis="The larger a slope c is, the smaller its rate (level), and the faster it falls.",
    measure=f"Adagrad under constant slopes c from 10⁻⁵ to 100, {STEPS} steps.",
    acceptance="Refuted if level ≠ η/c√t; depends if the decay is the same for all c as ε → 0.",
    theory="rate = η/√(ε + r₀ + c²t): for c²t ≫ ε + r₀ it is η/(c√t), before that constant.",
    source="Computed here; Adagrad as in the lecture and in Keras 3.",
    run=run,
)
