"""η/(1 − μ) decides: momentum moves as SGD with that rate does."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

RATE, MOMENTA, STEPS = 0.01, (0.5, 0.9, 0.99), 10_000
CURVATURES = np.logspace(-2, 2, 9)
SHOWN = MOMENTA.index(0.9)


@dataclass(frozen=True)
class Seen:
    """Steps to half the distance: of SGD [curvatures], and of Momentum [momenta, curvatures]."""

    sgd: np.ndarray
    momentum: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        return self.momentum / self.sgd


def steps_to_half(method: str, rate: float, **arguments: Any) -> np.ndarray:
    """Return the time at which w of ½λw², from 1, first is ½ [curvatures], between steps too."""
    w = walk(
        method,
        rate,
        np.ones((len(CURVATURES), 1)),
        STEPS,
        gradient=lambda w, t: CURVATURES[:, np.newaxis] * w,
        record=["point"],
        **arguments,
    )["point"][..., 0]
    below = w <= 0.5
    after = np.where(below.any(axis=0), below.argmax(axis=0), 1)
    columns = np.arange(len(CURVATURES))
    before, at = w[after - 1, columns], w[after, columns]
    times = after - 1 + (before - 0.5) / (before - at)
    return np.where(below.any(axis=0), times, np.inf)


def observe(settings: Claims) -> Seen:
    momentum = [steps_to_half("Momentum", RATE * (1 - mu), momentum=mu) for mu in MOMENTA]
    return Seen(steps_to_half("SGD", RATE), np.array(momentum))


def alike(seen: Seen, limits: Limits) -> np.ndarray:
    return np.abs(seen.ratio - 1) <= limits["difference in steps"]


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(alike(seen, limits).ravel())


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    share = limits["difference in steps"]
    holds = alike(seen, limits)
    numbers, series, ends = [], [], []
    for i, mu in enumerate(MOMENTA):
        for j in (0, 4, 8):
            numbers.append(
                Number(
                    f"steps to half, Momentum over SGD, μ = {mu}, λ = {CURVATURES[j]:g}",
                    seen.ratio[i, j],
                    theory=1.0,
                    unit="×",
                    agrees=bool(holds[i, j]),
                    allowed=f"± {share:.0%}",
                    key=mu == 0.9 and j == 4,
                )
            )
        last = float(CURVATURES[holds[i]].max(initial=0))
        half = float(np.log(2) / RATE / last) if last else np.inf
        numbers.append(Number(f"largest λ at which they are alike, μ = {mu}", last))
        numbers.append(Number(f"SGD's steps to half there, μ = {mu}", half, unit="steps"))
        ends.append(f"{exact(half, 3)} (μ = {mu})")
        series.append(Series(f"Momentum, μ = {mu}", CURVATURES, seen.ratio[i]))
    slowest = exact(seen.ratio[SHOWN, 0], 5)
    fastest = exact(seen.ratio[SHOWN, -1], 3)
    condition = {
        "confirmed": f"At equal η/(1 − μ) the steps to half the distance differ by at most "
        f"{share:.0%}, for every curvature and μ tried.",
        "depends": "Where the surface changes little within the memory of 1/(1 − μ) steps: with μ "
        f"= 0.9 momentum needs {slowest} times SGD's steps in the flattest direction, but "
        f"{fastest} "
        f"times in the steepest. They are alike if SGD takes {', '.join(ends)} steps or more to "
        "half.",
        "refuted": f"At equal η/(1 − μ) the steps to half differ by more than {share:.0%} for "
        f"every curvature and μ tried; with μ = 0.9 by a factor {slowest} to {fastest}.",
    }[verdict]
    meaning = {
        "confirmed": "Change η and 1 − μ together and nothing changes.",
        "depends": "Raise μ and lower η in proportion, and most of training stays as it was; steep "
        "directions, where SGD needs a few steps only, feel the memory.",
        "refuted": "Tune η and μ apart: their quotient tells little.",
    }[verdict]
    figure = Lines(
        "Momentum beside SGD at equal η/(1 − μ)",
        "curvature λ",
        "steps to half, Momentum ÷ SGD",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"With μ = 0.9 the quotient is {slowest} at the left end and {fastest} at the "
        "right.",
    )
    fails = {
        "confirmed": "",
        "depends": "steep directions, where SGD would need a few steps only",
        "refuted": "every curvature and μ tried",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-momentum-rate",
    reading=__doc__,
    title="What η and μ decide together",
    kind="by theorem",
    hypothesis="Momentum with η(1 − μ) needs as many steps as SGD with η, for every curvature.",
    measure=f"½λw² from 1, nine λ from 0.01 to 100, SGD with η = {RATE}, Momentum with η(1 − μ) "
    "for "
    f"μ ∈ {MOMENTA}: steps until w ≤ ½, between steps too, at most {STEPS:,}.",
    acceptance="Confirmed if they differ by at most the given share for all λ and μ, depends if "
    "for "
    "some, refuted if for none.",
    theory="Under a constant gradient the velocity is ηg(1 − μᵗ)/(1 − μ), so steps are those of "
    "SGD with η/(1 − μ) once t ≫ 1/(1 − μ). Alike if the gradient hardly changes meanwhile: "
    "ηλ/(1 − μ) ≪ 1 − μ.",
    source="I. Goodfellow, Y. Bengio and A. Courville, Deep Learning (2016), 8.3.2, equation 8.17; "
    "S. Mandt, M. Hoffman and D. Blei, JMLR 18 (2017), arXiv 1704.04289, on momentum.",
    dated="2026-11-29",
    limits={"difference in steps": 0.1},
    observe=observe,
    decide=decide,
    tell=tell,
)
