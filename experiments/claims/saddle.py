"""2.19 "Trajectory may pass through many complex terrains." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Bars, Claim, Failure, Finding, Number, within
from tfadaopt.experiments.claims.walks import walk

OFF, STEPS = 1e-6, 5000
KINDS = {
    "SGD": ("SGD", 0.05, {}),
    "Momentum": ("Momentum", 0.05, {"momentum": 0.9}),
    "Nesterov": ("Nesterov", 0.05, {"momentum": 0.9}),
    "Adagrad, ε = 1e-7": ("Adagrad", 0.05, {"epsilon": 1e-7}),
    "Adagrad, ε → 0": ("Adagrad", 0.05, {"epsilon": 0.0}),
    "RMSprop": ("RMSprop", 0.01, {}),
    "Adam": ("Adam", 0.01, {}),
}


def predicted(trace: float, determinant: float, first: float) -> float:
    """Steps to ½ of yₜ₊₁ = trace yₜ − determinant yₜ₋₁, y₁ = first · y₀."""
    z, other = np.roots([1, -trace, determinant])
    share = (first - other) / (z - other)
    return float(np.ceil(np.log(0.5 / OFF / share) / np.log(z)))


THEORY = {
    "SGD": predicted(1.05, 0, 1.05),
    "Momentum": predicted(1.05 + 0.9, 0.9, 1.05),
    "Nesterov": predicted(1.9 * 1.05, 0.9 * 1.05, 1 + 1.9 * 0.05),
}


def run(settings) -> Finding:
    numbers, escaped, steps = [], {}, {}
    slope = lambda w, t: tf.stack([w[:, 0], w[:, 1] ** 3 - w[:, 1]], axis=1)  # noqa: E731
    for kind, (method, rate, arguments) in KINDS.items():
        more = {"gradient": slope, "record": ["point"], **arguments}
        y = walk(method, rate, [[1, OFF], [1, 0]], STEPS, **more)["point"][..., 1]
        away = np.abs(y) > 0.5
        escaped[kind] = away.any(axis=0)
        steps[kind] = away[:, 0].argmax() if escaped[kind][0] else np.inf
        label, note = f"{kind}: steps to |y| > ½, η = {rate:g}", ""
        if kind in THEORY:
            note = "Theory leaves out y³, which slows the last steps." if kind == "SGD" else ""
            more = {"absolute": 3, "unit": "steps", "note": note, "key": kind == "SGD"}
            numbers.append(within(label, steps[kind], THEORY[kind], **more))
        else:
            numbers.append(Number(label, steps[kind], unit="steps"))
    never = sum(not on_ridge for _, on_ridge in escaped.values())
    theory = tuple(THEORY.get(kind, np.nan) for kind in KINDS)
    figure = Bars(
        *("Leaving a saddle", "steps to |y| > ½", tuple(KINDS), tuple(steps.values())),
        **{"theory": theory, "y_log": True, "caption": "Adagrad and its heirs leave first."},
    )
    condition = (
        f"From 10⁻⁶ beside the ridge all get through, SGD last; from y = 0 exactly {never} of "
        f"{len(KINDS)} methods never do."
    )
    meaning = "The noise of batches keeps weights off the ridge; equal initial weights would not."
    off, on = (all(e[i] for e in escaped.values()) for i in (0, 1))
    verdict = "confirmed" if off and on else "depends" if off else "refuted"
    failures = (Failure("never left from y = 0", never, len(KINDS)),)
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, failures)


CLAIM = Claim(
    name="claim-saddle",
    heading=__doc__,
    title="Through a saddle",
    hypothesis="All methods leave the saddle of ½x² − ½y² + ¼y⁴, the adaptive ones first.",
    measure=f"Steps from (1, 10⁻⁶) to |y| > ½, and from (1, 0), at most {STEPS}; η is given.",
    acceptance="Confirmed if all leave from both starts, depends if from the first only.",
    theory="Near the ridge y grows by 1 + η a step: ln(½ · 10⁶)/ln 1.05 = 269; momenta by more.",
    source="B. T. Polyak, USSR CMMP 4 (1964): the roots of the recurrence.",
    run=run,
)
