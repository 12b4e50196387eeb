"""2.3 "Along a constant slope, momentum builds up speed, up to a terminal velocity." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict, within

RATE, SLOPE = 0.01, 2.0
MOMENTA = (0.5, 0.9, 0.99)


def run(settings) -> Finding:
    numbers, series = [], []
    for mu in MOMENTA:
        steps = round(40 / (1 - mu))
        constant_slope = lambda w, t: SLOPE * tf.ones_like(w)  # noqa: E731
        point = walk(
            "Momentum",
            RATE,
            [0.0],
            steps,
            gradient=constant_slope,
            momentum=mu,
            record=["point"],
        )["point"][:, 0, 0]
        t = np.arange(1, steps + 1)
        speed = -np.diff(point)
        theory = RATE * SLOPE * (1 - mu**t) / (1 - mu)
        gain = speed[-1] / (RATE * SLOPE)
        label = f"terminal speed over that of SGD, μ = {mu}"
        numbers.append(within(label, gain, 1 / (1 - mu), relative=1e-12, unit="×", key=mu == 0.9))
        worst = np.max(np.abs(speed / theory - 1))
        label = f"largest relative deviation from ηg(1 − μᵗ)/(1 − μ), μ = {mu}"
        numbers.append(within(label, worst, 0.0, absolute=1e-12))
        shown = t <= 600
        series += [
            Series(f"Momentum, μ = {mu}", t[shown], speed[shown] / (RATE * SLOPE)),
            Series(
                f"(1 − μᵗ)/(1 − μ), μ = {mu}",
                t[shown],
                theory[shown] / RATE / SLOPE,
                style="theory",
            ),
        ]
    figure = Lines(
        "Speed along a constant slope",
        "step t",
        "speed / ηg",
        tuple(series),
        x_log=True,
        y_log=True,
        caption="Each curve rises to 1/(1 − μ) and stays.",
    )
    condition = "The speed at step t is ηg(1 − μᵗ)/(1 − μ), so 10 times SGD's at μ = 0.9."
    meaning = "Raising μ from 0.9 to 0.99 makes steps tenfold, after some 100 batches: lower η too."
    return Finding(verdict(numbers), condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-terminal-velocity",
    heading=__doc__,
    title="Terminal velocity",
    hypothesis="Under a constant gradient g the step grows to ηg/(1 − μ) and no further.",
    measure=f"Momentum on a slope of {SLOPE}, η = {RATE}, μ ∈ {MOMENTA}, 40/(1 − μ) steps.",
    acceptance="Confirmed if every step is ηg(1 − μᵗ)/(1 − μ) to 1e-12. Else refuted.",
    theory="v ← μv + g from v = 0 is the geometric sum g(1 − μᵗ)/(1 − μ).",
    source="B. T. Polyak, USSR CMMP 4 (1964); Goodfellow et al. (2016), 8.3.2.",
    run=run,
)
