"""2.10 "Adagrad adaptively scales the learning rate for different dimensions." """

import numpy as np
import tensorflow as tf
from scipy import stats

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Number, Series, within
from tfadaopt.experiments.claims.walks import walk
from tfadaopt.experiments.statistics import interval

RATES = np.array([0.1, 0.3, 0.5, 1, 2, 3, 10])
DIMENSIONS, STEPS = 50, 20_000
CONDITIONS = (100, 1000)


def steps_needed(condition, turns) -> np.ndarray:
    """Steps to f ≤ 1e-6 f₀ [turns, rates] from w = 1 in the frame of each turn."""
    curvatures = np.logspace(-np.log10(condition), 0, DIMENSIONS)
    hessians = tf.constant(turns * curvatures @ turns.transpose(0, 2, 1))
    shape = (len(turns), len(RATES), DIMENSIONS)
    slope = lambda w, t=0: tf.reshape(tf.reshape(w, shape) @ hessians, w.shape)  # noqa: E731
    loss = lambda w: 0.5 * tf.reduce_sum(w * slope(w), axis=1)  # noqa: E731
    start, rates = np.repeat(turns.sum(axis=2), len(RATES), axis=0), np.tile(RATES, len(turns))
    f = walk("Adagrad", rates, start, STEPS, loss=loss, gradient=slope, epsilon=0.0)["loss"]
    there = f <= 1e-6 * f[0]
    return np.where(there.any(axis=0), there.argmax(axis=0), np.inf).reshape(shape[:2])


def run(settings) -> Finding:
    turns = stats.ortho_group.rvs(DIMENSIONS, size=settings.seeds, random_state=0)
    aligned = [steps_needed(c, np.eye(DIMENSIONS)[np.newaxis])[0] for c in CONDITIONS]
    label = "along the axes: κ = 1000 against 100, steps apart at any η"
    same = within(label, np.abs(aligned[1] - aligned[0]).max(), 0, absolute=1, unit="steps")
    numbers, series = [same], [Series("along the axes, any κ", RATES, aligned[0])]
    for condition in CONDITIONS:
        bands = [interval(steps) for steps in steps_needed(condition, turns).T]
        best = min(bands, key=lambda band: band.value)
        rate, label = (
            RATES[bands.index(best)],
            f"turned at random, κ = {condition}: steps at best η",
        )
        more = {"low": best.low, "high": best.high, "unit": "steps", "key": condition == 1000}
        numbers.append(Number(f"{label} = {rate:g}", best.value, **more))
        columns = np.array([(b.value, b.low, b.high) for b in bands]).T
        series.append(Series(f"turned, κ = {condition}", RATES, *columns))
    numbers.append(Number("along the axes: steps at η = 0.5", aligned[0][2], unit="steps"))
    growth = numbers[2].measured / numbers[1].measured
    figure = Lines(
        *("Adagrad on a ravine", "learning rate η", "steps to f ≤ 10⁻⁶ f₀", tuple(series)),
        **{"x_log": True, "y_log": True, "caption": "Turned, it needs many times the steps."},
    )
    condition = (
        "Only for ravines along the axes: there κ plays no part. Turned at random, ten times the κ "
        f"needs {growth:.1f} times the steps."
    )
    meaning = "It evens out layers and units, not directions that mix weights; Shampoo, SOAP do."
    verdict = "refuted" if not same.agrees else "depends" if growth > 2 else "confirmed"
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-rotation",
    heading=__doc__,
    title="Along the axes only",
    hypothesis="Steps to f ≤ 10⁻⁶ f₀ do not depend on κ, in any position of the ravine.",
    measure=f"Adagrad (ε = 0), ½Σλw², d = 50, w = 1, η ∈ {RATES.tolist()}; turns: seeds.",
    acceptance="Refuted if κ counts along the axes; depends if only turned (more than twice).",
    theory="From w = 1, wᵢ scales out of gᵢ/√rᵢ: all coordinates take one path. Turned, not.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011): the diagonal form.",
    run=run,
    deterministic=False,
)
