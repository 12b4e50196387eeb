"""Nesterov's method arrives where momentum, tuned for quadratics, goes round for ever."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

L, M, STEPS, NEAR = 25.0, 1.0, 600, 1e-9  # L-smooth and M-strongly convex
STARTS = np.concatenate([[3.3, 2.5, 3.1, 3.45], np.linspace(1.5, 5, 141)])[:, np.newaxis]
METHODS: dict[str, tuple[float, dict[str, Any]]] = {
    "Momentum": (1 / 9, {"momentum": 4 / 9}),  # tuned for quadratics
    "SGD": (2 / (L + M), {}),
    "Nesterov": (1 / L, {"momentum": 2 / 3}),
    "Nesterov, 0.9/L": (0.9 / L, {"momentum": 2 / 3}),
}


@dataclass(frozen=True)
class Seen:
    """Paths [1 + steps, starts] by method."""

    paths: dict[str, np.ndarray]

    def stuck(self, label: str) -> int:
        """Return the starts from which a method has not arrived."""
        return int(np.sum(~(np.abs(self.paths[label][-3:]).max(axis=0) <= NEAR)))

    @property
    def others(self) -> int:
        return sum(self.stuck(label) for label in METHODS if label != "Momentum")


def gradient(x: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.where(x < 1, L * x, tf.where(x < 2, x + L - 1, L * x - L + 1))


def cycle(eta: float, mu: float) -> np.ndarray:
    """Points p → q → r → p of x ← x − ηf'(x) + μ(x − x₋); p, q on the piece 25x, r on 25x − 24."""
    after, before = np.roll(np.eye(3), 1, axis=1), np.roll(np.eye(3), -1, axis=1)
    equations = after + mu * before - (1 + mu - eta * L) * np.eye(3)
    return np.linalg.solve(equations, [0, 0, eta * (L - 1)])


def observe(settings: Claims) -> Seen:
    paths = {}
    for label, (eta, more) in METHODS.items():
        method = label.partition(",")[0]
        walked = walk(method, eta, STARTS, STEPS, gradient=gradient, record=["point"], **more)
        paths[label] = walked["point"][..., 0]
    return Seen(paths)


def decide(seen: Seen, limits: Limits) -> Verdict:
    if not seen.stuck("Momentum"):
        return "refuted"
    return "depends" if seen.others else "confirmed"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    n, numbers = len(STARTS), []
    for label in METHODS:
        text = f"{label}: starts of {n} from which it does not arrive"
        numbers.append(Number(text, seen.stuck(label), key=label == "Momentum"))
    points, theory = np.sort(seen.paths["Momentum"][-3:, 0]), np.sort(cycle(1 / 9, 4 / 9))
    for i, (found, expected) in enumerate(zip(points, theory, strict=True), start=1):
        text = f"Momentum from 3.3: point {i} of its last three"
        numbers.append(within(text, found, expected, absolute=1e-9))
    round_ = ", ".join(exact(float(x)) for x in points)
    stuck = {label: seen.stuck(label) for label in METHODS if label != "Momentum"}
    not_all = ", ".join(f"{label} from {count}" for label, count in stuck.items() if count)
    condition = {
        "confirmed": f"On this strongly convex function momentum does not arrive from "
        f"{seen.stuck('Momentum')} of {n} starts: from 3.3 it goes round through {round_}. "
        "Nesterov's method and SGD arrive from all.",
        "depends": f"Momentum does not arrive from {seen.stuck('Momentum')} of {n} starts; but "
        f"others do not arrive from all either: {not_all}.",
        "refuted": f"Momentum arrives from all {n} starts.",
    }[verdict]
    meaning = {
        "confirmed": "A loss that swings with a steady period is momentum going too far: lower μ "
        "or η, or use Nesterov's form, which costs nothing more per step.",
        "depends": "If a loss swings with a steady period, lower η before you change the method.",
        "refuted": "Momentum is safe here.",
    }[verdict]
    lines = tuple(Series(label, np.arange(31), x[:31, 0]) for label, x in seen.paths.items())
    ends = ", ".join(f"{label} {seen.stuck(label)}" for label in METHODS)
    figure = Lines(
        "A convex function with two kinks in its derivative, from x = 3.3",
        "step",
        "x",
        lines,
        caption=f"Starts of {n} from which the lowest point, 0, is not reached: {ends}.",
    )
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=not_all)


CLAIM = Claim(
    name="claim-nesterov-cycle",
    reading=__doc__,
    title="Where momentum cycles and Nesterov's method arrives",
    kind="by theorem",
    hypothesis="There is a smooth, strongly convex function on which momentum tuned for quadratics "
    "does not arrive, while Nesterov's method and SGD do.",
    measure=f"f' = 25x below 1, x + 24 below 2, 25x − 24 beyond: {len(STARTS)} starts from 1.5 to "
    f"5, {STEPS} steps; momentum with η = 1/9, μ = 4/9, SGD with 2/(L+m), Nesterov with 1/L and "
    "0.9/L, μ = 2/3. Arrived: |x| ≤ 10⁻⁹ in the last three steps.",
    acceptance="Confirmed if momentum does not arrive from some start, and all others do from "
    "every "
    "start; depends if others do not either; refuted if momentum always does.",
    theory="The cycle of length 3 solves three linear equations: −1.802, 0.6465, 2.116. For SGD "
    "and Nesterov there are proofs for every smooth, strongly convex function.",
    source="L. Lessard, B. Recht and A. Packard, SIAM J. Optim. 26 (2016), arXiv 1408.3595, "
    "section 4.6; Y. Nesterov, Introductory Lectures (2004), theorems 2.1.15 and 2.2.3.",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
)
