"""2.20 "Adaptive methods generalize worse than SGD." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Bars, Claim, Finding, within
from tfadaopt.experiments.claims.walks import walk
from tfadaopt.experiments.statistics import interval, intervals

EXAMPLES, POSITIVE, STEPS = 200, 0.75, 4000
CASES = {  # method, η, unit of feature 1, test error by theory
    "SGD": ("SGD", 0.3, 1.0, 0.0),
    **{method: (method, 0.1, 1.0, 0.25) for method in ("Adagrad", "RMSprop", "Adam")},
    "SGD, feature 1 · 0.1": ("SGD", 0.3, 0.1, 0.25),
}


def fitted(method, rate, unit, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Test error, weight 2 over weight 1, and loss, of each seed; feature 1 is unit · y."""
    private = np.ones((*y.shape, 5))
    private[y > 0, 1:] = 0

    def loss(w):
        own = tf.reduce_sum(tf.reshape(w[:, 3:], private.shape) * private, axis=2)
        return tf.reduce_mean((unit * y * w[:, :1] + w[:, 1:2] + w[:, 2:3] + own - y) ** 2, axis=1)

    more = {"loss": loss, "record": ["point", "loss"], "every": STEPS}
    more |= {} if method == "SGD" else {"epsilon": 0.0}
    more |= {"schedule": tf.math.rsqrt} if method in ("RMSprop", "Adam") else {}
    seen = walk(method, rate, np.zeros((len(y), 3 + 5 * EXAMPLES)), STEPS, **more)
    own, rest = unit * seen["point"][-1, :, 0], seen["point"][-1, :, 1:3].sum(axis=1)
    error = POSITIVE * (own + rest <= 0) + (1 - POSITIVE) * (rest >= own)
    return error, rest / 2 / own, seen["loss"][-1]


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
    *("claim-generalization", __doc__, "Which minimum they find"),
    hypothesis="Fitting equally well, the adaptive methods err more on new examples than SGD.",
    measure=f"Least squares, {EXAMPLES} examples; features: label, 1, 1, five private; 3 in 4 "
    f"positive, seeds; one rate each (RMSprop, Adam: η/√t), {STEPS} steps; test error exact.",
    acceptance="Refuted if they err no more than SGD, depends if other units make SGD err as well.",
    theory="SGD ends at the solution of least norm; the adaptive ones at a multiple of sign(Xᵀy).",
    source="A. Wilson et al., NeurIPS 2017, 3.3; but see D. Choi et al. (2019), arXiv 1910.05446.",
    run=run,
    deterministic=False,
)
