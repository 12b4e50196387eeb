"""All methods leave a saddle, from a hair beside its ridge."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import (
    Claim,
    Failure,
    Finding,
    Limits,
    Number,
    Verdict,
    of_all,
)

OFF, STEPS = 1e-6, 5000


def predicted(trace: float, determinant: float, first: float) -> float:
    """Steps to ½ of yₜ₊₁ = trace yₜ − determinant yₜ₋₁, y₁ = first · y₀."""
    z, other = np.roots([1, -trace, determinant])
    return float(np.ceil(np.log(0.5 / 1e-6 * (z - other) / (first - other)) / np.log(z)))


CASES: dict[str, tuple[str, float, dict[str, Any], float | None]] = {
    # method, η, arguments, theory
    "SGD": ("SGD", 0.05, {}, predicted(1.05, 0, 1.05)),
    "Momentum": ("Momentum", 0.05, {}, predicted(1.95, 0.9, 1.05)),
    "Nesterov": ("Nesterov", 0.05, {}, predicted(1.9 * 1.05, 0.9 * 1.05, 1 + 1.9 * 0.05)),
    "Adagrad, ε = 1e-7": ("Adagrad", 0.05, {}, None),
    "Adagrad, ε → 0": ("Adagrad", 0.05, {"epsilon": 0.0}, None),
    "RMSprop": ("RMSprop", 0.01, {}, None),
    "Adam": ("Adam", 0.01, {}, None),
}


@dataclass(frozen=True)
class Seen:
    """First steps with y at ½ or −½ from beside the ridge and from on it, by case."""

    beside: dict[str, float]
    on: dict[str, float]


def observe(settings: Claims) -> Seen:
    def gradient(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        return tf.stack([w[:, 0], w[:, 1] ** 3 - w[:, 1]], axis=1)

    beside, on = {}, {}
    for label, (method, rate, arguments, _) in CASES.items():
        starts = [[1.0, OFF], [1.0, 0.0]]
        walked = walk(method, rate, starts, STEPS, gradient=gradient, record=["point"], **arguments)
        out = np.abs(walked["point"][..., 1]) >= 0.5
        first = np.where(out.any(axis=0), out.argmax(axis=0).astype(float), np.inf)
        beside[label], on[label] = (float(x) for x in first)
    return Seen(beside, on)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(bool(np.isfinite(steps)) for steps in seen.beside.values())


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = []
    for label, (_, rate, _, theory) in CASES.items():
        steps = seen.beside[label]
        numbers.append(
            Number(
                f"{label}: steps to |y| ≥ ½, η = {rate:g}",
                steps,
                theory,
                unit="steps",
                agrees=None if theory is None else bool(abs(steps - theory) <= 3),
                allowed="" if theory is None else "± 3",
                note="" if theory is None else "theory leaves out y³, which slows the last steps",
            )
        )
    count = len(CASES)
    stay = [label for label, steps in seen.beside.items() if np.isinf(steps)]
    stuck = int(np.sum(np.isinf(list(seen.on.values()))))
    order = sorted(seen.beside, key=lambda label: seen.beside[label])
    span = f"{exact(seen.beside[order[0]])} ({order[0]}) to {exact(seen.beside[order[-1]])} "
    span += f"({order[-1]}) steps"
    ridge = f"From the ridge itself {stuck} of {count} do not leave"
    ridge += ", by symmetry." if stuck == count else "."
    condition = {
        "confirmed": f"All {count} leave from 10⁻⁶ beside the ridge, after {span}. {ridge}",
        "depends": f"{count - len(stay)} of {count} leave from 10⁻⁶ beside the ridge; "
        f"not {', '.join(stay)}. {ridge}",
        "refuted": f"None of {count} leaves from that start. {ridge}",
    }[verdict]
    meaning = {
        "confirmed": "The noise of batches keeps weights off the ridge; equal initial weights stay "
        "on it.",
        "depends": f"Saddles hold {', '.join(stay)}: use another method, or noise.",
        "refuted": "Initialize at random: what starts on the ridge stays on it.",
    }[verdict]
    figure = Bars(
        "Leaving a saddle",
        "steps to |y| ≥ ½",
        tuple(CASES),
        tuple(seen.beside.values()),
        theory=tuple(np.nan if case[3] is None else case[3] for case in CASES.values()),
        y_log=True,
        caption=f"From 10⁻⁶ beside the ridge: {span}." if not stay else f"Stay: {', '.join(stay)}.",
    )
    failures = (
        Failure("did not leave, from 10⁻⁶ beside the ridge", len(stay), count),
        Failure("did not leave, from the ridge itself", stuck, count),
    )
    numbers.append(Number("do not leave from the ridge itself", stuck, theory=count))
    numbers.append(Number("leave from 10⁻⁶ beside it", count - len(stay)))
    fails = ", ".join(stay) if stay else "starts on the ridge itself"
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, failures, fails)


CLAIM = Claim(
    name="claim-saddle",
    reading=__doc__,
    title="Leaving a saddle",
    kind="measured",
    hypothesis="From 10⁻⁶ beside the ridge, each method leaves the saddle of ½x² − ½y² + ¼y⁴.",
    measure=f"First step from (1, 10⁻⁶) with |y| ≥ ½, and from (1, 0), within {STEPS}; η as given, "
    "μ = 0.9.",
    acceptance="Confirmed if all seven leave from 10⁻⁶ beside the ridge, depends if some do, "
    "refuted if none does.",
    theory="Near the ridge y grows by 1 + η a step with SGD: ln(½ · 10⁶)/ln 1.05 = 269; by the "
    "larger root with momentum. On the ridge the gradient across is 0 for ever: no method leaves.",
    source="B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964), the recurrence's roots; J. Lee, "
    "M. Simchowitz, M. Jordan and B. Recht, COLT 2016, arXiv 1602.04915, main theorem.",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
)
