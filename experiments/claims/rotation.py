"""Adagrad makes the condition κ of a ravine play no part, in any position (stronger, ours)."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import stats

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval, intervals
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, between

RATES = np.array([0.1, 0.3, 0.5, 1, 2, 3, 10])
DIMENSIONS, CONDITIONS = 50, (100, 1000)
STEPS = {100: 6000, 1000: 20_000}


@dataclass(frozen=True)
class Seen:
    """Steps needed: along the axes [κ, rates], and turned [turns, rates] by κ."""

    aligned: np.ndarray
    turned: dict[int, np.ndarray]

    @property
    def growth_aligned(self) -> float:
        """Steps at the larger κ over those at the smaller, at the worst η along the axes."""
        return float(np.max(self.aligned[1] / self.aligned[0]))

    def best(self, k: int) -> tuple[float, Interval]:
        i = int(np.argmin(np.median(self.turned[k], axis=0)))
        return float(RATES[i]), interval(self.turned[k][:, i])

    @property
    def growth_turned(self) -> float:
        return self.best(CONDITIONS[1])[1].value / self.best(CONDITIONS[0])[1].value


def steps_needed(condition: int, turns: np.ndarray, limit: int) -> np.ndarray:
    """Return the steps to f ≤ 1e-6 f₀ [turns, rates], from w = 1 in the frame of each turn."""
    spectrum = np.geomspace(1 / condition, 1, DIMENSIONS)
    hessians = tf.constant(turns * spectrum @ turns.transpose(0, 2, 1))
    shape = (len(turns), len(RATES), DIMENSIONS)

    def gradient(w: tf.Tensor, t: tf.Tensor | int = 0) -> tf.Tensor:
        return tf.reshape(tf.reshape(w, shape) @ hessians, w.shape)

    def loss(w: tf.Tensor) -> tf.Tensor:
        return 0.5 * tf.reduce_sum(w * gradient(w), axis=1)

    start, rates = np.repeat(turns.sum(axis=2), len(RATES), axis=0), np.tile(RATES, len(turns))
    f = walk("Adagrad", rates, start, limit, loss=loss, gradient=gradient, epsilon=0.0)["loss"]
    return arrivals(f, 1e-6 * f[0]).reshape(shape[:2])


def random_turns(settings: Claims) -> np.ndarray:
    turns = stats.ortho_group.rvs(DIMENSIONS, size=settings.seeds, random_state=settings.seed)
    return np.asarray(turns)


def observe(settings: Claims) -> Seen:
    straight, turns = np.eye(DIMENSIONS)[np.newaxis], random_turns(settings)
    aligned = np.array([steps_needed(k, straight, 1000)[0] for k in CONDITIONS])
    return Seen(aligned, {k: steps_needed(k, turns, STEPS[k]) for k in CONDITIONS})


def decide(seen: Seen, limits: Limits) -> Verdict:
    if not seen.growth_aligned <= limits["growth of the steps"]:
        return "refuted"
    return "confirmed" if seen.growth_turned <= limits["growth of the steps"] else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, times = limits["growth of the steps"], CONDITIONS[1] // CONDITIONS[0]
    straight, turned = seen.growth_aligned, seen.growth_turned
    numbers = [
        between(
            f"turned: steps with {times} times the κ, over", turned, 0, most, unit="×", key=True
        ),
        between(
            f"along the axes: steps with {times} times the κ, over", straight, 0, most, theory=1.0
        ),
        Number("along the axes: steps at η = 0.5", seen.aligned[0][2], unit="steps"),
    ]
    series = [Series("along the axes, any κ", RATES, seen.aligned[0])]
    for k in CONDITIONS:
        rate, best = seen.best(k)
        label = f"turned, κ = {k}: steps at the best η = {rate:g}"
        numbers.append(Number(label, best.value, unit="steps", **best.ends))
        series.append(Series(f"turned, κ = {k}", RATES, *intervals(seen.turned[k])))
    grown = f"{times} times the κ needs {exact(turned, 3)} times the steps"
    condition = {
        "confirmed": f"Along the axes κ plays no part, and turned {grown}.",
        "depends": f"Along the axes κ plays no part. Turned at random, {grown}.",
        "refuted": f"Even along the axes {times} times the κ needs {exact(straight, 3)} times the "
        "steps.",
    }[verdict]
    meaning = {
        "confirmed": "Adagrad needs no help against ill-conditioning.",
        "depends": "Adagrad evens out layers and units, not directions that mix weights; Shampoo "
        "and SOAP are made for those.",
        "refuted": "Adagrad does not even out curvatures here: scale the inputs.",
    }[verdict]
    figure = Lines(
        "Adagrad on a ravine",
        "learning rate η",
        "steps to f ≤ 10⁻⁶ f₀",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"Turned, {grown}.",
    )
    fails = {
        "confirmed": "",
        "depends": "ravines that are not along the axes",
        "refuted": "ravines along the axes already",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-rotation",
    reading=__doc__,
    title="Along the axes only",
    kind="by theorem",
    hypothesis="Steps to f ≤ 10⁻⁶ f₀ do not depend on κ, in any position of the ravine.",
    measure=f"Adagrad (ε = 0), ½Σλw², d = {DIMENSIONS}, w = 1, κ = 100 and 1000, the best η of "
    f"{RATES.tolist()}; along the axes, and turned at random, seeds.",
    acceptance="Refuted if ten times the κ needs more than the given factor of steps along the "
    "axes; depends if only turned, confirmed if neither.",
    theory="From equal weights, λᵢ scales out of gᵢ/√rᵢ: along the axes all coordinates take one "
    "path. The diagonal form is not invariant under turns: then κ counts.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), section 1.1, full against diagonal "
    "matrices; Z. Zhuang et al., TMLR (2022), arXiv 2202.00089, section 4, on coordinate-wise "
    "scales.",
    dated="2026-11-29",
    limits={"growth of the steps": 2.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
