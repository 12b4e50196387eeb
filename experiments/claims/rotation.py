"""2.10 "Adagrad adaptively scales the learning rate for different dimensions." """

import numpy as np
import tensorflow as tf
from scipy import stats

from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial.claim import Claim, Finding, Number, within

RATES = np.array([0.1, 0.3, 0.5, 1, 2, 3, 10])
DIMENSIONS, CONDITIONS, STEPS = 50, (100, 1000), {100: 6000, 1000: 20_000}


def steps_needed(condition, turns, limit) -> np.ndarray:
    """Steps to f ≤ 1e-6 f₀ [turns, rates], from w = 1 in the frame of each turn."""
    hessians = tf.constant(turns * np.geomspace(1 / condition, 1, 50) @ turns.transpose(0, 2, 1))
    shape = (len(turns), len(RATES), DIMENSIONS)
    slope = lambda w, t=0: tf.reshape(tf.reshape(w, shape) @ hessians, w.shape)  # noqa: E731
    loss = lambda w: 0.5 * tf.reduce_sum(w * slope(w), axis=1)  # noqa: E731
    start, rates = np.repeat(turns.sum(axis=2), len(RATES), axis=0), np.tile(RATES, len(turns))
    f = walk("Adagrad", rates, start, limit, loss=loss, gradient=slope, epsilon=0.0)["loss"]
    return arrivals(f, 1e-6 * f[0]).reshape(shape[:2])


def run(settings) -> Finding:
    turns = stats.ortho_group.rvs(DIMENSIONS, size=settings.seeds, random_state=0)
    aligned = [steps_needed(k, np.eye(DIMENSIONS)[np.newaxis], 1000)[0] for k in CONDITIONS]
    label, apart = "along the axes: κ = 1000 less 100, any η", np.abs(aligned[1] - aligned[0])
    same = within(label, apart.max(), 0, absolute=1, unit="steps")
    numbers, series = [same], [Series("along the axes, any κ", RATES, aligned[0])]
    numbers.append(Number("along the axes: steps at η = 0.5", aligned[0][2], unit="steps"))
    for k in CONDITIONS:
        needed = steps_needed(k, turns, STEPS[k])
        i = int(np.argmin(np.median(needed, axis=0)))
        best, text = interval(needed[:, i]), f"turned, κ = {k}: steps at best η = {RATES[i]:g}"
        numbers.append(Number(text, best.value, **best.ends, unit="steps", key=k == 1000))
        series.append(Series(f"turned, κ = {k}", RATES, *intervals(needed)))
    growth = numbers[3].measured / numbers[2].measured
    words = "Adagrad on a ravine", "learning rate η", "steps to f ≤ 10⁻⁶ f₀"
    figure = Lines(*words, tuple(series), x_log=True, y_log=True, caption=CAPTION)
    condition = f"{CONDITION} Turned, ten times the κ needs {growth:.1f} times the steps."
    word = "refuted" if not same.agrees else "depends" if growth > 2 else "confirmed"
    return Finding(word, condition, tuple(numbers), (figure,), MEANING)


CAPTION = "Turned, the same ravine needs many times the steps, at every rate."
CONDITION = "Only for ravines along the axes: there κ plays no part."
MEANING = "It evens out layers and units, not directions that mix weights; Shampoo and SOAP do."
CLAIM = Claim(
    "claim-rotation",
    __doc__,
    "Along the axes only",
    hypothesis="Steps to f ≤ 10⁻⁶ f₀ do not depend on κ, in any position of the ravine.",
    measure=f"Adagrad (ε = 0), ½Σλw², d = 50, w = 1, η ∈ {RATES.tolist()}; turns: seeds.",
    acceptance="Refuted if κ counts along the axes; depends if only turned (more than twice).",
    theory="From w = 1, wᵢ scales out of gᵢ/√rᵢ: all coordinates take one path. Turned, not.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011): the diagonal form.",
    run=run,
    deterministic=False,
)
