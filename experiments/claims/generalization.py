"""Fitting equally well, adaptive methods err more on new examples than SGD."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.private_features import EXAMPLES, POSITIVE, STEPS, fitted
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

ADAPTIVE, RESCALED = ("Adagrad", "RMSprop", "Adam"), "SGD, feature 1 · 0.1"
CASES = {  # method, η, unit of feature 1, test error by theory
    "SGD": ("SGD", 0.3, 1.0, 0.0),
    **{method: (method, 0.1, 1.0, 0.25) for method in ADAPTIVE},
    RESCALED: ("SGD", 0.3, 0.1, 0.25),
}


@dataclass(frozen=True)
class Seen:
    """Test error, weight 2 over weight 1, and training loss [seeds], by case."""

    error: dict[str, np.ndarray]
    share: dict[str, np.ndarray]
    loss: dict[str, np.ndarray]

    def middle(self, case: str) -> float:
        return float(np.median(self.error[case]))


def observe(settings: Claims) -> Seen:
    rng = np.random.default_rng(settings.seed)
    labels = np.where(rng.random((settings.seeds, EXAMPLES)) < POSITIVE, 1.0, -1.0)
    found = {case: fitted(m, rate, unit, labels) for case, (m, rate, unit, _) in CASES.items()}
    parts = ({case: values[i] for case, values in found.items()} for i in range(3))
    error, share, loss = parts
    return Seen(error, share, loss)


def decide(seen: Seen, limits: Limits) -> Verdict:
    more = limits["further errors"]
    if not all(seen.middle(case) - seen.middle("SGD") >= more for case in ADAPTIVE):
        return "refuted"
    return "depends" if seen.middle(RESCALED) - seen.middle("SGD") >= more else "confirmed"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, errors = [], []
    for case, (*_, theory) in CASES.items():
        error, share = interval(seen.error[case]), interval(seen.share[case])
        errors.append(seen.error[case])
        more: dict[str, Any] = error.ends | {"key": case == "Adagrad", "absolute": 1e-9}
        numbers.append(within(f"{case}: test error", error.value, theory, **more))
        worst = float(seen.loss[case].max())
        numbers.append(Number(f"{case}: largest training loss", worst, theory=0.0))
        label = f"{case}: weight 2 over weight 1"
        predicted = None if case == "SGD" else 1.0
        numbers.append(Number(label, share.value, theory=predicted, **share.ends))
    each = ", ".join(f"{case} {seen.middle(case):.0%}" for case in ADAPTIVE)
    sgd, other = f"{seen.middle('SGD'):.0%}", f"{seen.middle(RESCALED):.0%}"
    condition = {
        "confirmed": f"In both units of the features: on data made for it SGD errs on {sgd} of new "
        f"examples and {each}; with feature 1 · 0.1 SGD errs on {other}.",
        "depends": f"In one unit of the features only: on data made for it SGD errs on {sgd} of "
        f"new examples and {each}; but with feature 1 · 0.1 SGD errs on {other}.",
        "refuted": f"They do not err more: SGD on {sgd} of new examples, {each}.",
    }[verdict]
    meaning = {
        "confirmed": "Prefer SGD where a perfect fit is easy.",
        "depends": "Compare methods by validation after tuning each: which of them generalizes "
        "depends on the units of the features, and nothing here speaks of images.",
        "refuted": "Choose among these methods by other things than generalization.",
    }[verdict]
    values, low, high = intervals(np.transpose(errors))
    figure = Bars(
        "Test error after a perfect fit",
        "share of errors",
        tuple(CASES),
        values,
        low,
        high,
        caption=f"SGD {sgd}, {each}; SGD in other units {other}.",
    )
    fails = {
        "confirmed": "",
        "depends": "other units of the features",
        "refuted": "the data made for it",
    }[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-generalization",
    reading=__doc__,
    title="Which minimum they find",
    kind="by theorem",
    hypothesis="On data made for it, Adagrad, RMSProp and Adam err more on new examples than SGD, "
    "in any unit of the features.",
    measure=f"Least squares, {EXAMPLES} examples; features: label, 1, 1, and five private ones; "
    f"3 in 4 positive, seeds; one rate each (RMSprop, Adam: η/√t), ε = 0, {STEPS} steps; test "
    "error "
    "exact. SGD also with feature 1 · 0.1.",
    acceptance="Refuted if not each of the three has at least the given further share of errors; "
    "depends if SGD has it too in the other unit, else confirmed.",
    theory="From 0, gradient descent ends at the solution of least norm. The adaptive ones end at "
    "a multiple of sign(Xᵀy), which weighs all features alike and errs on the rarer label: 25 %. "
    "The least norm is of the units chosen.",
    source="A. Wilson et al., NeurIPS 2017, arXiv 1705.08292, Lemma 3.1 and section 3.3; against "
    "it: D. Choi et al. (2019), arXiv 1910.05446.",
    dated="2026-11-29",
    limits={"further errors": 0.05},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
