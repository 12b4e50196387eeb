"""To forget old gradients does no harm on convex problems."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.online import into_box
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

ROUNDS, LARGE = 30_000, (3, 10)
FORGETTING = ("RMSprop", "Adam")
CASES = (*FORGETTING, "AMSGrad", "ADOPT", "ADOPT (no clip)", "Adagrad", "SGD")


@dataclass(frozen=True)
class Seen:
    """Average regret after each round, by the large gradient C and case."""

    regret: dict[tuple[int, str], np.ndarray]

    def end(self, c: int, case: str) -> float:
        return float(self.regret[c, case][-1])


def arguments(case: str, c: int) -> dict[str, Any]:
    """Return the arguments of a case; β₂ is that of the theorem."""
    rho = 1 / (1 + c**2)
    adam: dict[str, Any] = {"beta_1": 0.0, "beta_2": rho}
    known: dict[str, dict[str, Any]] = {
        "RMSprop": {"rho": rho, "epsilon": 0.0},
        "Adam": adam | {"epsilon": 0.0},
        "AMSGrad": adam | {"epsilon": 0.0},
        "ADOPT": adam,
        "ADOPT (no clip)": adam | {"clip": False},
    }
    return known.get(case, {})


def play(case: str, c: int) -> np.ndarray:
    """Return points x₁, …, x_T in [−1, 1] against gradients c, −1, −1, c, … from x₁ = 1."""
    method = case.partition(" (")[0]
    return walk(
        method,
        0.5 * c / np.sqrt(1 + c**2),
        [1.0],
        ROUNDS,
        gradient=lambda w, t: tf.where(t % 3 == 1, np.float64(c), -1.0) * tf.ones_like(w),
        schedule=None if method == "Adagrad" else tf.math.rsqrt,  # r makes its own √t
        project=into_box,
        record=["point"],
        **arguments(case, c),
    )["point"][:-1, 0, 0]


def observe(settings: Claims) -> Seen:
    t, regret = np.arange(1, ROUNDS + 1), {}
    for c in LARGE:
        for case in CASES:
            losses = np.where(t % 3 == 1, c, -1.0) * (play(case, c) + 1)
            regret[c, case] = np.cumsum(losses) / t
    return Seen(regret)


def worst(c: int) -> float:
    """Return the average regret of the worst point, 1."""
    return (2 * c - 4) / 3


def decide(seen: Seen, limits: Limits) -> Verdict:
    share = limits["share of the worst regret"]
    harmed = [seen.end(c, case) >= share * worst(c) for c in LARGE for case in FORGETTING]
    return "refuted" if all(harmed) else "depends" if any(harmed) else "confirmed"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    share, numbers, series = limits["share of the worst regret"], [], []
    t = np.arange(1, ROUNDS + 1)
    shown = np.unique(np.logspace(0, np.log10(ROUNDS), 60).astype(int)) - 1
    for c in LARGE:
        for case in CASES:
            forgets = case in FORGETTING
            numbers.append(
                Number(
                    f"C = {c}, {case}: average regret",
                    seen.end(c, case),
                    theory=worst(c) if forgets else 0.0,
                    agrees=seen.end(c, case) < share * worst(c) if forgets else None,
                    allowed=f"< {share * worst(c):.3g}" if forgets else "",
                    key=(c, case) == (3, "Adam"),
                )
            )
            if c == LARGE[0]:
                series.append(Series(case, t[shown], seen.regret[c, case][shown]))
    ends = "; ".join(
        f"{case} {' and '.join(exact(seen.end(c, case), 3) for c in LARGE)}" for case in FORGETTING
    )
    rest = [case for case in CASES if case not in FORGETTING]
    others = max(seen.end(c, case) for c in LARGE for case in rest)
    fact = f"Average regret after {ROUNDS} rounds, C = {' and '.join(map(str, LARGE))}: {ends}; of "
    fact += f"the others at most {exact(others, 2)}."
    condition = {
        "confirmed": f"Both go towards the best point. {fact}",
        "depends": f"It harms in some cases. {fact}",
        "refuted": f"It harms both, which stay at the worst point. {fact}",
    }[verdict]
    meaning = {
        "confirmed": "A short memory is safe here.",
        "depends": "Take a longer memory where one of these is harmed.",
        "refuted": "A small β₂ forgets rare large gradients (rare classes): take a larger one, or "
        "AMSGrad.",
    }[verdict]
    figure = Lines(
        f"Gradients {LARGE[0]}, −1, −1, {LARGE[0]}, …: best is x = −1",
        "rounds T",
        "average regret",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"At the end {', '.join(f'{k} {exact(seen.end(LARGE[0], k), 3)}' for k in CASES)}.",
    )
    harmed = [
        f"{case}, C = {c}"
        for c in LARGE
        for case in FORGETTING
        if seen.end(c, case) >= share * worst(c)
    ]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails="; ".join(harmed))


CLAIM = Claim(
    name="claim-short-memory",
    reading=__doc__,
    title="Forgetting",
    kind="by theorem",
    hypothesis="The average regret of RMSProp and Adam falls towards 0 on linear losses in [−1, "
    "1].",
    measure=f"{ROUNDS} rounds of gradients C, −1, −1, from x = 1, C = 3 and 10, β₂ = 1/(1 + C²), "
    "α = ½√(1−β₂)/√t, β₁ = 0; for Adagrad α = ½√(1−β₂). One rate each.",
    acceptance="A method is harmed if its average regret stays at the given share of the worst "
    "point's or above. Refuted if both are harmed for both C, depends if some are, confirmed if "
    "none is.",
    theory="The step after C is too small, those after −1 too large: x = 1 again and again; regret "
    "(2C − 4)/3. RMSprop with β₁ = 0 and no bias correction is the theorem's own form.",
    source="S. Reddi, S. Kale and S. Kumar, ICLR 2018, arXiv 1904.09237, Theorem 1.",
    dated="2026-11-29",
    limits={"share of the worst regret": 0.5},
    observe=observe,
    decide=decide,
    tell=tell,
)
