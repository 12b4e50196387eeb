"""The scale of the loss plays no part for Adagrad: c·f is trained in the steps of f."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Failure, Finding, Limits, Number, Verdict

FACTORS, STEPS, START = np.logspace(-6, 6, 13), 500, (-0.5, 1.5)
UNIT = 6  # the place of c = 1
FREE, LECTURE = "Adagrad, ε = 0", "Adagrad, ε = 1e-7"
KINDS: dict[str, tuple[str, float, dict[str, Any]]] = {
    FREE: ("Adagrad", 0.5, {"epsilon": 0.0}),
    LECTURE: ("Adagrad", 0.5, {"epsilon": 1e-7}),
    "Adam, ε = 1e-8": ("Adam", 0.1, {"epsilon": 1e-8}),
    "SGD": ("SGD", 1e-4, {}),
}


@dataclass(frozen=True)
class Seen:
    """Largest distance to the path of c = 1 [factors], by kind; infinity: it diverged."""

    apart: dict[str, np.ndarray]

    def most(self, kind: str) -> float:
        return float(self.apart[kind].max())


def gradient(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    x, y = w[:, :1], w[:, 1:]
    g = tf.concat([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=1)
    return FACTORS[:, np.newaxis] * g


def observe(settings: Claims) -> Seen:
    apart = {}
    for kind, (method, rate, arguments) in KINDS.items():
        starts = np.tile(START, (len(FACTORS), 1))
        walked = walk(method, rate, starts, STEPS, gradient=gradient, record=["point"], **arguments)
        path = walked["point"]
        finite = np.isfinite(path).all(axis=(0, 2))
        distance = np.linalg.norm(path - path[:, [UNIT]], axis=2).max(axis=0)
        apart[kind] = np.where(finite, distance, np.inf)
    return Seen(apart)


def decide(seen: Seen, limits: Limits) -> Verdict:
    if not seen.most(FREE) <= limits["distance by rounding"]:
        return "refuted"
    return "confirmed" if seen.most(LECTURE) <= limits["distance by rounding"] else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, numbers, failures, series = limits["distance by rounding"], [], [], []
    for kind, apart in seen.apart.items():
        ours = kind in (FREE, LECTURE)
        numbers.append(
            Number(
                f"{kind}: largest distance, any c",
                seen.most(kind),
                agrees=seen.most(kind) <= most if ours else None,
                allowed=f"≤ {exact(most)}" if ours else "",
                key=kind == LECTURE,
            )
        )
        diverged = int(np.isinf(apart).sum())
        failures.append(Failure(f"{kind}: factors with which it diverged", diverged, len(apart)))
        series.append(Series(kind, FACTORS, np.clip(apart, 1e-16, 1e3)))
    small, large = (float(seen.apart[LECTURE][i]) for i in (0, -1))
    numbers.append(Number(f"{LECTURE}: distance at c = 10⁻⁶", small))
    numbers.append(Number(f"{LECTURE}: distance at c = 10⁶", large))
    free = exact(seen.most(FREE), 2)
    with_epsilon = f"{exact(small, 3)} at c = 10⁻⁶ and {exact(large, 2)} at c = 10⁶"
    condition = {
        "confirmed": f"To rounding, also with ε = 1e-7: {with_epsilon} from the path of c = 1.",
        "depends": f"With ε = 0 to rounding, at most {free} apart; with ε = 1e-7 only where "
        f"gradients are far above √ε: {with_epsilon} from the path of c = 1.",
        "refuted": f"Even with ε = 0 the paths are up to {free} apart.",
    }[verdict]
    meaning = {
        "confirmed": "A loss that is scaled, by mixed precision or by a mean in place of a sum, "
        "leaves Adagrad's best η where it is.",
        "depends": "Scaling the loss changes SGD's best rate but not Adagrad's, while gradients "
        "stay above √ε. The scale of the features is another matter: η has the unit of the "
        "weights.",
        "refuted": "Tune η again when the loss is scaled.",
    }[verdict]
    figure = Lines(
        "Paths on Rosenbrock's function times c",
        "c",
        "largest distance to the path of c = 1",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"Adagrad: at most {free} with ε = 0; with ε = 1e-7 {with_epsilon}.",
    )
    fails = {"confirmed": "", "depends": "gradients near or below √ε", "refuted": "also with ε = 0"}
    return Finding(
        verdict,
        condition,
        tuple(numbers),
        (figure,),
        meaning,
        tuple(failures),
        fails[verdict],
    )


CLAIM = Claim(
    name="claim-scale-free",
    reading=__doc__,
    title="Free of the loss's scale",
    kind="by theorem",
    hypothesis="Replacing f by c·f changes no step of Adagrad, with ε = 0 and with ε = 1e-7.",
    measure=f"Largest distance to the path of c = 1, {STEPS} steps on Rosenbrock from (−0.5, 1.5), "
    "13 c from 10⁻⁶ to 10⁶, float64; η: Adagrad 0.5, Adam 0.1, SGD 10⁻⁴.",
    acceptance="Confirmed if within rounding also with ε = 1e-7, depends if only with ε = 0, else "
    "refuted.",
    theory="g/√r does not change if all gradients are multiplied by c; with an ε beside r it does. "
    "The unit of the features is not free: η has that of the weights.",
    source="Z. Zhuang, M. Liu, A. Cutkosky and F. Orabona, TMLR (2022), arXiv 2202.00089, section "
    "4 (scale-freeness).",
    dated="2026-11-29",
    limits={"distance by rounding": 1e-9},
    observe=observe,
    decide=decide,
    tell=tell,
)
