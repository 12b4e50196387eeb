"""2.15 "RMSProp", "Adam": to forget old gradients does no harm on convex problems."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.online import into_box
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding, between, within

ROUNDS = 30_000


def play(method, c, **arguments) -> np.ndarray:
    """Points x₁, …, x_T in [−1, 1] against slopes c, −1, −1, c, … from x₁ = 1."""
    slope = lambda w, t: tf.where(t % 3 == 1, np.float64(c), -1.0) * tf.ones_like(w)  # noqa: E731
    arguments["schedule"] = None if method == "Adagrad" else tf.math.rsqrt  # r makes its own √t
    more = {"gradient": slope, "project": into_box, "record": ["point"], **arguments}
    return walk(method, 0.5 * c / np.sqrt(1 + c**2), [1.0], ROUNDS, **more)["point"][:-1, 0, 0]


def run(settings) -> Finding:
    numbers, series, t = [], [], np.arange(1, ROUNDS + 1)
    shown = np.unique(np.logspace(0, np.log10(ROUNDS), 60).astype(int)) - 1
    for c in (3, 10):
        rho, exact = 1 / (1 + c**2), {"epsilon": 0.0}
        adam = {"beta_1": 0.0, "beta_2": rho}
        cases = (
            ("RMSprop", {"rho": rho} | exact),
            ("Adam", adam | exact),
            ("AMSGrad", adam | exact),
            ("ADOPT", adam),
            ("ADOPT", adam | {"clip": False}),
            ("Adagrad", {}),
            ("SGD", {}),
        )
        for method, arguments in cases:
            x = play(method, c, **arguments)
            regret = np.cumsum(np.where(t % 3 == 1, c, -1.0) * (x + 1)) / t
            label = f"{method}, no clip" if "clip" in arguments else method
            text, theory = f"C = {c}, {label}: average regret", (2 * c - 4) / 3
            if method in ("RMSprop", "Adam"):
                more = {"relative": 0.01, "key": c == 3 and method == "Adam"}
                numbers.append(within(text, regret[-1], theory, **more))
            else:
                numbers.append(between(text, regret[-1], 0, 0.05, theory=0.0))
            series += [Series(label, t[shown], regret[shown])] * (c == 3)
    words = "Slopes 3, −1, −1, 3, …: best is x = −1", "rounds T", "average regret"
    figure = Lines(*words, tuple(series), x_log=True, y_log=True, caption=CAPTION)
    harmed = [n.agrees for n in numbers if "RMSprop" in n.label or "Adam:" in n.label]
    word = "refuted" if all(harmed) else "depends" if any(harmed) else "confirmed"
    return Finding(word, CONDITION, tuple(numbers), (figure,), MEANING)


CAPTION = "RMSprop and Adam stay at ⅔; the others fall."
CONDITION = "With β₂ = 1/(1 + C²) both return to the worst point in each cycle, for ever."
MEANING = "Rare large gradients (rare classes) are forgotten by a small β₂: take 0.999, or AMSGrad."
CLAIM = Claim(
    "claim-short-memory",
    __doc__,
    "Forgetting",
    hypothesis="The average regret of RMSProp and Adam falls to 0 on linear losses in [−1, 1].",
    measure=f"{ROUNDS} rounds, α = ½√(1−β₂)/√t, β₁ = 0; for Adagrad α = ½√(1−β₂). One rate each.",
    acceptance="Refuted if the regret of both is (2C − 4)/3 to 1 %, depends if of one.",
    theory="The step after C is too small, those after −1 too large: x = 1; regret (2C − 4)/3.",
    source="S. Reddi, S. Kale and S. Kumar, ICLR 2018, Theorem 1; RMSprop is its exact form.",
    run=run,
)
