"""2.20 "Adaptive methods generalize worse than SGD." """

import numpy as np

from tfadaopt.experiments.problems.private_features import EXAMPLES, POSITIVE, STEPS, fitted
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial.claim import Claim, Finding, within

CASES = {  # method, η, unit of feature 1, test error by theory
    "SGD": ("SGD", 0.3, 1.0, 0.0),
    **{method: (method, 0.1, 1.0, 0.25) for method in ("Adagrad", "RMSprop", "Adam")},
    "SGD, feature 1 · 0.1": ("SGD", 0.3, 0.1, 0.25),
}


def run(settings) -> Finding:
    positive = np.random.default_rng(0).random((settings.seeds, EXAMPLES)) < POSITIVE
    numbers, errors = [], []
    for label, (method, rate, unit, theory) in CASES.items():
        error, share, loss = fitted(method, rate, unit, np.where(positive, 1.0, -1.0))
        errors.append(error)
        more = interval(error).ends | {"key": method == "Adagrad", "absolute": 1e-9}
        numbers.append(within(f"{label}: test error", np.median(error), theory, **more))
        numbers.append(within(f"{label}: largest training loss", loss.max(), 0, absolute=1e-3))
        if method != "SGD":
            text, ends = f"{label}: weight 2 over weight 1", interval(share).ends
            numbers.append(within(text, np.median(share), 1, absolute=1e-3, **ends))
    words = "Test error after a perfect fit", "share of errors", tuple(CASES)
    figure = Bars(*words, *intervals(np.transpose(errors)), caption=CAPTION)
    sgd, *others, rescaled = (np.median(error) for error in errors)
    word = "refuted" if min(others) <= sgd else "depends" if rescaled > sgd else "confirmed"
    return Finding(word, CONDITION, tuple(numbers), (figure,), MEANING)


CAPTION = "One label in four is wrong, or none."
CONDITION = (
    "On data made for it: all fit the training set, SGD errs never, the adaptive three on every "
    "negative example. In other units (feature 1 · 0.1) SGD errs as often."
)
MEANING = "Compare methods by validation after tuning each; nothing here speaks of images."
CLAIM = Claim(
    "claim-generalization",
    __doc__,
    "Which minimum they find",
    hypothesis="Fitting equally well, the adaptive methods err more on new examples than SGD.",
    measure=f"Least squares, {EXAMPLES} examples; features: label, 1, 1, five private; 3 in 4 "
    f"positive, seeds; one rate each (RMSprop, Adam: η/√t), {STEPS} steps; test error exact.",
    acceptance="Refuted if they err no more than SGD, depends if other units make SGD err as well.",
    theory="SGD ends at the solution of least norm; the adaptive ones at a multiple of sign(Xᵀy).",
    source="A. Wilson et al., NeurIPS 2017, 3.3; but see D. Choi et al. (2019), arXiv 1910.05446.",
    run=run,
    deterministic=False,
)
