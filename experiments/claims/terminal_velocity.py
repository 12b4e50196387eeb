"""Along a constant gradient momentum speeds up to 1/(1 − μ) times SGD's steps, and no further."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all, within

RATE, GRADIENT, MOMENTA = 0.01, 2.0, (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Seen:
    """Step lengths over ηg, by μ."""

    speed: dict[float, np.ndarray]

    def apart(self, mu: float) -> float:
        t = np.arange(1, len(self.speed[mu]) + 1)
        return float(np.max(np.abs(self.speed[mu] * (1 - mu) / (1 - mu**t) - 1)))


def observe(settings: Claims) -> Seen:
    speed = {}
    for mu in MOMENTA:
        point = walk(
            "Momentum",
            RATE,
            [0.0],
            round(40 / (1 - mu)),
            gradient=lambda w, t: GRADIENT * tf.ones_like(w),
            momentum=mu,
            record=["point"],
        )["point"][:, 0, 0]
        speed[mu] = -np.diff(point) / (RATE * GRADIENT)
    return Seen(speed)


def exactly(seen: Seen, limits: Limits) -> list[Number]:
    label = "largest relative deviation from (1 − μᵗ)/(1 − μ)"
    most = limits["deviation of the speed"]
    return [within(f"{label}, μ = {mu}", seen.apart(mu), 0, absolute=most) for mu in MOMENTA]


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(bool(n.agrees) for n in exactly(seen, limits))


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, series = [], []
    for mu in MOMENTA:
        label = f"last step over that of SGD, μ = {mu}"
        last = float(seen.speed[mu][-1])
        numbers.append(Number(label, last, theory=1 / (1 - mu), unit="×", key=mu == 0.9))
        t = np.arange(1, min(len(seen.speed[mu]), 600) + 1)
        theory = (1 - mu**t) / (1 - mu)
        line = f"Momentum, μ = {mu}"
        series.append(Series(line, t, seen.speed[mu][: len(t)]))
        series.append(Series(f"{line}, theory", t, theory, style="theory", of=line))
    ends = ", ".join(f"{exact(float(seen.speed[mu][-1]), 4)} (μ = {mu})" for mu in MOMENTA)
    off = [n.label.rpartition(", ")[2] for n in exactly(seen, limits) if not n.agrees]
    condition = {
        "confirmed": f"The speed at step t is ηg(1 − μᵗ)/(1 − μ): it ends at {ends} times SGD's.",
        "depends": f"The speed ends at {ends} times SGD's, but is not ηg(1 − μᵗ)/(1 − μ) for "
        f"{', '.join(off)}.",
        "refuted": f"The speed ends at {ends} times SGD's and follows ηg(1 − μᵗ)/(1 − μ) for no μ.",
    }[verdict]
    tenfold = float(seen.speed[0.99][-1] / seen.speed[0.9][-1])
    numbers.append(Number("last step with μ = 0.99 over that with 0.9", tenfold, unit="×"))
    meaning = {
        "confirmed": f"Raising μ from 0.9 to 0.99 makes steps {exact(tenfold, 3)} times as long "
        "after some 100 batches: lower η with it.",
        "depends": "Measure how μ lengthens the steps before you raise it.",
        "refuted": "Do not count on 1/(1 − μ) for this method.",
    }[verdict]
    figure = Lines(
        "Speed along a constant gradient",
        "step t",
        "step / ηg",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"The last steps are {ends} times SGD's.",
    )
    every = [*numbers, *exactly(seen, limits)]
    return Finding(verdict, condition, tuple(every), (figure,), meaning, fails=", ".join(off))


CLAIM = Claim(
    name="claim-terminal-velocity",
    reading=__doc__,
    title="Terminal velocity",
    kind="by theorem",
    hypothesis="Under a constant gradient g the step at t is ηg(1 − μᵗ)/(1 − μ).",
    measure=f"Momentum under a gradient of {GRADIENT:g}, η = {RATE}, μ ∈ {MOMENTA}, 40/(1 − μ) "
    "steps; the figure shows 600 of them.",
    acceptance="Confirmed if every step is so within the tolerance for all μ, depends if for some, "
    "refuted if for none.",
    theory="v ← μv + g from v = 0 is the geometric sum g(1 − μᵗ)/(1 − μ). It is 63 % of its end "
    "after 1/(1 − μ) steps: 100 with μ = 0.99.",
    source="I. Goodfellow, Y. Bengio and A. Courville, Deep Learning (2016), 8.3.2, equation 8.17; "
    "B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964).",
    dated="2026-11-29",
    limits={"deviation of the speed": 1e-12},
    observe=observe,
    decide=decide,
    tell=tell,
)
