"""2.19 "Trajectory may pass through many complex terrains." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.trial.claim import Claim, Failure, Finding, Number

OFF, STEPS = 1e-6, 5000


def predicted(trace, determinant, first) -> float:
    """Steps to ½ of yₜ₊₁ = trace yₜ − determinant yₜ₋₁, y₁ = first · y₀."""
    z, other = np.roots([1, -trace, determinant])
    return float(np.ceil(np.log(0.5 / OFF * (z - other) / (first - other)) / np.log(z)))


CASES = {  # method, η, arguments, theory
    "SGD": ("SGD", 0.05, {}, predicted(1.05, 0, 1.05)),
    "Momentum": ("Momentum", 0.05, {}, predicted(1.95, 0.9, 1.05)),
    "Nesterov": ("Nesterov", 0.05, {}, predicted(1.9 * 1.05, 0.9 * 1.05, 1 + 1.9 * 0.05)),
    "Adagrad, ε = 1e-7": ("Adagrad", 0.05, {}, None),
    "Adagrad, ε → 0": ("Adagrad", 0.05, {"epsilon": 0.0}, None),
    "RMSprop": ("RMSprop", 0.01, {}, None),
    "Adam": ("Adam", 0.01, {}, None),
}


def run(settings) -> Finding:
    numbers, steps = [], []
    slope = lambda w, t: tf.stack([w[:, 0], w[:, 1] ** 3 - w[:, 1]], axis=1)  # noqa: E731
    for label, (method, rate, arguments, theory) in CASES.items():
        more = {"gradient": slope, "record": ["point"], **arguments}
        y = walk(method, rate, [[1, OFF], [1, 0]], STEPS, **more)["point"][..., 1]
        steps.append(arrivals(-np.abs(y), -0.5))
        text, more = f"{label}: steps to |y| ≥ ½, η = {rate:g}", {"unit": "steps", "note": NOTE}
        agrees = None if theory is None else bool(abs(steps[-1][0] - theory) <= 3)
        numbers.append(Number(text, steps[-1][0], theory, agrees=agrees, allowed="± 3", **more))
    off, on = np.isinf(steps).sum(axis=0)
    words = "Leaving a saddle", "steps to |y| ≥ ½", tuple(CASES), [s[0] for s in steps]
    theory = [case[3] or np.nan for case in CASES.values()]
    figure = Bars(*words, theory=theory, y_log=True, caption=CAPTION)
    condition = f"From 10⁻⁶ beside the ridge {7 - off} of 7 get through; from on it, {on} never do."
    word = "refuted" if off else "depends" if on else "confirmed"
    failures = (Failure("never left, from 10⁻⁶", off, 7), Failure("never left, from 0", on, 7))
    return Finding(word, condition, tuple(numbers), (figure,), MEANING, failures)


NOTE = "Theory leaves out y³, which slows the last steps."
CAPTION = "Adagrad and its heirs, which enlarge small slopes, leave first."
MEANING = "The noise of batches keeps weights off the ridge; equal initial weights stay on it."
CLAIM = Claim(
    "claim-saddle",
    __doc__,
    "Through a saddle",
    hypothesis="All methods leave the saddle of ½x² − ½y² + ¼y⁴.",
    measure=f"Steps from (1, 10⁻⁶) to |y| ≥ ½, and from (1, 0), at most {STEPS}; η as given.",
    acceptance="Confirmed if all leave from both starts, depends if from the first only.",
    theory="Near the ridge y grows by 1 + η a step: ln(½ · 10⁶)/ln 1.05 = 269; momenta by more.",
    source="B. T. Polyak, USSR CMMP 4 (1964): the roots of the recurrence.",
    run=run,
)
