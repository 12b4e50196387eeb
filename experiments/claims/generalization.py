"""2.20 "Adaptive methods generalize worse than SGD." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Bars, Claim, Finding, verdict, within
from tfadaopt.experiments.claims.walks import walk
from tfadaopt.experiments.statistics import interval

EXAMPLES, POSITIVE, STEPS = 200, 0.75, 8000
RATES = {"SGD": 0.3, "Adagrad": 0.1, "RMSprop": 0.1, "Adam": 0.1}


def fitted(method, unit, y) -> dict[str, np.ndarray]:
    """Test error, weights 2 and 3 over weight 1, and loss, of each seed; feature 1 is unit · y."""
    private = np.ones((*y.shape, 5))
    private[y > 0, 1:] = 0

    def loss(w):
        own = tf.reduce_sum(tf.reshape(w[:, 3:], private.shape) * private, axis=2)
        return tf.reduce_mean((unit * y * w[:, :1] + w[:, 1:2] + w[:, 2:3] + own - y) ** 2, axis=1)

    more = {} if method == "SGD" else {"epsilon": 0.0}
    more["schedule"] = tf.math.rsqrt if method in ("RMSprop", "Adam") else None
    more |= {"loss": loss, "record": ["point", "loss"], "every": STEPS}
    seen = walk(method, RATES[method], np.zeros((len(y), 3 + 5 * EXAMPLES)), STEPS, **more)
    one, rest = unit * seen["point"][-1, :, 0], seen["point"][-1, :, 1:3].sum(axis=1)
    error = POSITIVE * (one + rest <= 0) + (1 - POSITIVE) * (rest >= one)
    return {"error": error, "share": rest / one / 2, "loss": seen["loss"][-1]}


def run(settings) -> Finding:
    shape = (settings.seeds, EXAMPLES)
    y = np.where(np.random.default_rng(0).random(shape) < POSITIVE, 1.0, -1.0)
    cases = {method: (method, 1.0) for method in RATES} | {"SGD, feature 1 · 0.1": ("SGD", 0.1)}
    numbers, errors = [], []
    for label, (method, unit) in cases.items():
        seen = fitted(method, unit, y)
        error, share = interval(seen["error"]), interval(seen["share"])
        errors.append(error)
        more = {"low": error.low, "high": error.high, "key": label == "Adagrad"}
        theory = 0.0 if label == "SGD" else 1 - POSITIVE
        numbers.append(within(f"{label}: test error", error.value, theory, absolute=1e-9, **more))
        more = {"low": share.low, "high": share.high}
        if method != "SGD":
            label_share = f"{label}: weight 2 over weight 1"
            numbers.append(within(label_share, share.value, 1, absolute=1e-3, **more))
        numbers.append(
            within(f"{label}: worst training loss", seen["loss"].max(), 0, absolute=1e-3)
        )
    values, low, high = zip(*((e.value, e.low, e.high) for e in errors), strict=True)
    figure = Bars(
        *("Test error after a perfect fit", "share of errors", tuple(cases), values, low, high),
        **{"theory": (0.0, *[1 - POSITIVE] * 4), "caption": "One label in four is wrong, or none."},
    )
    condition = (
        "On data made for it: all fit the training set, SGD errs never, the adaptive three on every "
        "negative example. In other units (feature 1 · 0.1) SGD errs as often."
    )
    meaning = "Compare methods by validation after tuning each; nothing here speaks of images."
    built = verdict(numbers[:-2])
    word = "refuted" if built == "refuted" else "depends" if errors[-1].value else "confirmed"
    return Finding(word, condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-generalization",
    heading=__doc__,
    title="Which minimum they find",
    hypothesis="Fitting equally well, the adaptive methods err more on new examples than SGD.",
    measure=f"Least squares, {EXAMPLES} examples: one feature tells the label, two never, five are "
    f"private; {100 * POSITIVE:g} % positive, seeds; one rate each, {STEPS} steps; exact test error.",
    acceptance="Confirmed if errors are 0 for SGD and 25 % else; depends if units change SGD's too.",
    theory="SGD ends at the solution of least norm; the adaptive ones at a multiple of sign(Xᵀy).",
    source="A. Wilson et al., NeurIPS 2017, 3.3; but see D. Choi et al. (2019), arXiv 1910.05446.",
    run=run,
    deterministic=False,
)
