"""2.9 "… small in some dimension and large in another …" """

import numpy as np

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict, within

CURVATURES = np.logspace(-3, 0, 4)
RATES = np.logspace(np.log10(0.5), np.log10(5000), 1000)


def slope(w, t):
    return CURVATURES * w


def run(settings) -> Finding:
    ends = walk("SGD", RATES, np.ones(4), 400, gradient=slope, record=["point"], every=400)
    stable = np.abs(ends["point"][-1]) <= 1
    limits = np.array([RATES[column].max() for column in stable.T])
    label = "largest stable rate, flattest over steepest direction"
    numbers = [within(label, limits.max() / limits.min(), 1000, relative=0.02, unit="×", key=True)]
    for curvature, limit in zip(CURVATURES, limits, strict=True):
        numbers.append(
            within(f"largest stable rate at λ = {curvature:g}", limit, 2 / curvature, relative=0.01)
        )
    best = 2 / (CURVATURES[0] + CURVATURES[-1])
    path = np.abs(walk("SGD", best, np.ones(4), 2, gradient=slope, record=["point"])["point"][:, 0])
    label = f"contraction per step of the slowest direction at η = {best:.4g}"
    numbers.append(within(label, (path[1] / path[0]).max(), 1 - best / 1000, absolute=1e-12))
    series = []
    for method, theory in (("SGD", np.ceil(np.log(1e-3) / np.log(0.999))), ("Adagrad", None)):
        rate = 1.0 if method == "SGD" else 0.5
        path = walk(method, rate, np.ones(4), 8000, gradient=slope, record=["point"])["point"][:, 0]
        steps = (np.abs(path) > 1e-3).sum(axis=0)
        theory = steps[-1] if theory is None else theory
        label = f"{method}: steps of the flattest direction to a thousandth, η = {rate:g}"
        numbers.append(within(label, steps[0], theory, absolute=1, unit="steps"))
        series.append(Series(method, CURVATURES, steps))
    figure = Lines(
        "Steps until a direction is done",
        "curvature λ",
        "steps to |w| ≤ 0.001",
        tuple(series),
        x_log=True,
        y_log=True,
        caption="One rate leaves flat directions far behind.",
    )
    condition = "The rates that directions can bear differ as much as their curvatures: 1000 times."
    meaning = "The steepest layer sets the highest rate that trains; flat ones crawl along with it."
    return Finding(verdict(numbers), condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-stability-limits",
    heading=__doc__,
    title="Steep and flat directions",
    hypothesis="With curvatures 1000 apart, the largest rates that stay stable are 1000 apart.",
    measure=f"SGD on ½Σλw², {len(RATES)} rates of 0.5 to 5000, λ from 0.001 to 1, 400 steps each.",
    acceptance="Confirmed if limits are 2/λ to 1 %, and the slowest factor |1 − ηλ|. Else refuted.",
    theory="w ← (1 − ηλ)w: stable up to η = 2/λ. Adagrad takes all directions along one path.",
    source="Y. Nesterov, Introductory Lectures on Convex Optimization (2004), 2.1.5.",
    run=run,
)
