"""On sparse features, Adagrad at its best rate loses less than SGD with η/√t at its best."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.online import DIMENSIONS, hinge_losses, least_loss, sparse_stream
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval, intervals
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

ROUNDS, RATES, RARE = 5000, np.logspace(-1.5, 1, 11), 50
LABELS = {"Adagrad": "Adagrad", "SGD": "SGD, η/√t"}


@dataclass(frozen=True)
class Seen:
    """Regrets [seeds, rates], and shares of right signs among rare features, by method."""

    regret: dict[str, np.ndarray]
    right: dict[str, np.ndarray]

    def best(self, method: str) -> int:
        return int(np.argmin(np.median(self.regret[method], axis=0)))

    @property
    def quotient(self) -> Interval:
        """Adagrad's regret over SGD's, each at its best rate, seed by seed."""
        ours, sgd = (self.regret[m][:, self.best(m)] for m in LABELS)
        return interval(ours / sgd)


def observe(settings: Claims) -> Seen:
    stream, truth = sparse_stream(settings.seeds, ROUNDS, settings.seed)
    lowest = np.array([least_loss(z) for z in np.moveaxis(stream, 1, 0)])[:, np.newaxis]
    regret, right = {}, {}
    for method in LABELS:
        more = {"schedule": tf.math.rsqrt} if method == "SGD" else {}
        losses, w = hinge_losses(method, RATES, stream, **more)
        regret[method] = losses - lowest
        signs = np.sign(w) == np.sign(truth)[:, np.newaxis]
        right[method] = signs[..., RARE:].mean(axis=2)
    return Seen(regret, right)


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = limits["Adagrad's regret over SGD's"]
    if seen.quotient.high < most:
        return "confirmed"
    return "refuted" if seen.quotient.low > most else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, found = limits["Adagrad's regret over SGD's"], seen.quotient
    numbers = [
        Number(
            "Adagrad's regret over SGD's, each at its best rate",
            found.value,
            agrees=found.high < most,
            allowed=f"interval below {most:g}",
            unit="×",
            key=True,
            **found.ends,
        )
    ]
    series = []
    for method, label in LABELS.items():
        i = seen.best(method)
        regret, right = interval(seen.regret[method][:, i]), interval(seen.right[method][:, i])
        text = f"{label}: regret at its best η = {RATES[i]:.3g}"
        numbers.append(Number(text, regret.value, **regret.ends))
        text = f"{label}: share of right signs among features j > {RARE}"
        numbers.append(Number(text, right.value, **right.ends))
        series.append(Series(label, RATES, *intervals(seen.regret[method])))
    lower = np.median(seen.regret["Adagrad"], axis=0) < np.median(seen.regret["SGD"], axis=0)
    numbers.append(Number(f"rates of {len(RATES)} at which Adagrad's regret is lower", lower.sum()))
    quotient = f"{exact(found.value, 3)} times that of SGD with η/√t"
    condition = {
        "confirmed": f"Lower: at its best rate its regret is {quotient} at its best.",
        "depends": f"The seeds do not tell which is lower: at its best rate its regret is "
        f"{quotient} at its best.",
        "refuted": f"Higher: at its best rate its regret is {quotient} at its best.",
    }[verdict]
    meaning = {
        "confirmed": "Adagrad's home is sparse data: embeddings and wide layers, more than dense "
        "filters.",
        "depends": "On sparse data try both.",
        "refuted": "On this sparse data SGD with η/√t is the better one.",
    }[verdict]
    figure = Lines(
        "Online learning from sparse features",
        "learning rate η",
        "regret",
        tuple(series),
        x_log=True,
        y_log=True,
        caption=f"Each at its best rate, Adagrad's regret is {quotient}.",
    )
    fails = {"confirmed": "", "depends": "not decided", "refuted": "at the best rates"}[verdict]
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-sparse-features",
    reading=__doc__,
    title="Sparse features",
    kind="measured",
    hypothesis="Adagrad's regret at its best rate is lower than that of SGD with η/√t at its best.",
    measure=f"Hinge losses, {ROUNDS} rounds, {DIMENSIONS} features of chance 1/j, box, seeds; "
    f"{len(RATES)} rates each. Regret: against the best weights in the box, by linear programming. "
    "The quotient of regrets, seed by seed.",
    acceptance="Confirmed if the quotient's interval lies below the given value, refuted if above "
    "it, else it depends.",
    theory="Adagrad's bound has Σᵢ‖g₁:T,ᵢ‖₂, that of SGD √d (Σᵢ‖g₁:T,ᵢ‖₂²)^½ in a box: never "
    "smaller, and larger where few features are active.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), section 1.3 and Corollary 6.",
    dated="2026-11-29",
    limits={"Adagrad's regret over SGD's": 1.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
