"""In an embedding, Adagrad at its best rate errs less than SGD at its best."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.words import BATCH, STEPS, TESTS, WORDS, errors_on_new_texts
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval, intervals
from tfadaopt.experiments.trial.claim import Claim, Failure, Finding, Limits, Number, Verdict

RATES, METHODS = np.logspace(-2, 3, 11), ("Adagrad", "SGD")


@dataclass(frozen=True)
class Seen:
    """Shares of wrong labels [seeds, rates] by method."""

    errors: dict[str, np.ndarray]

    def best(self, method: str) -> int:
        return int(np.argmin(np.median(self.errors[method], axis=0)))

    def at_best(self, method: str) -> np.ndarray:
        errors: np.ndarray = self.errors[method][:, self.best(method)]
        return errors

    @property
    def quotient(self) -> Interval:
        """Adagrad's error over SGD's, each at its best rate, seed by seed."""
        return interval(self.at_best("Adagrad") / self.at_best("SGD"))


def observe(settings: Claims) -> Seen:
    return Seen({m: errors_on_new_texts(m, RATES, settings.seeds, settings.seed) for m in METHODS})


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = limits["Adagrad's error over SGD's"]
    if seen.quotient.high < most:
        return "confirmed"
    return "refuted" if seen.quotient.low > most else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most, found = limits["Adagrad's error over SGD's"], seen.quotient
    numbers = [
        Number(
            "Adagrad's test error over SGD's, each at its best rate",
            found.value,
            agrees=found.high < most,
            allowed=f"interval below {most:g}",
            unit="×",
            key=True,
            **found.ends,
        )
    ]
    series, failures, middle = [], [], {}
    for method in METHODS:
        errors, at = seen.errors[method], interval(seen.at_best(method))
        middle[method] = at.value
        label = f"{method}: test error at its best η = {RATES[seen.best(method)]:.3g}"
        numbers.append(Number(label, at.value, **at.ends))
        series.append(Series(method, RATES, *intervals(errors)))
        guessing = int((errors >= 0.5).sum())
        failures.append(Failure(f"{method}: no better than a guess", guessing, errors.size))
    each = f"{middle['Adagrad']:.1%} of new texts, SGD on {middle['SGD']:.1%}"
    condition = {
        "confirmed": f"Less: at its best rate Adagrad errs on {each}.",
        "depends": f"The seeds do not tell which is less: at its best rate Adagrad errs on {each}.",
        "refuted": f"More: at its best rate Adagrad errs on {each}.",
    }[verdict]
    meaning = {
        "confirmed": "In an embedding, Adagrad moves a word that is k times rarer √k times less, "
        "where SGD moves it k times less.",
        "depends": "For an embedding try both.",
        "refuted": "For such an embedding SGD at its best rate will do.",
    }[verdict]
    figure = Lines(
        "A bag of words, Zipf's law",
        "learning rate η",
        "test error",
        tuple(series),
        x_log=True,
        caption=f"At the best rates Adagrad errs on {each}.",
    )
    fails = {"confirmed": "", "depends": "not decided", "refuted": "at the best rates"}[verdict]
    return Finding(
        verdict, condition, tuple(numbers), (figure,), meaning, tuple(failures), fails=fails
    )


CLAIM = Claim(
    name="claim-sparse-words",
    reading=__doc__,
    title="Rare words",
    kind="measured",
    hypothesis="In an embedding, Adagrad's test error at its best rate is lower than SGD's.",
    measure=f"Embedding({WORDS}, 1), sum of 20 words, logistic loss, {STEPS} batches of {BATCH}, "
    f"{TESTS} new texts; {len(RATES)} rates each, seeds. The quotient of errors, seed by seed.",
    acceptance="Confirmed if the quotient's interval lies below the given value, refuted if above "
    "it, else it depends.",
    theory="Word k has the chance 1/k, up to a factor: under gradients of one size SGD moves it k "
    "times less than word 1, Adagrad √k times less, as its T/k steps sum up to 2η√(T/k).",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), section 1.3 and Figure 1.",
    dated="2026-11-29",
    limits={"Adagrad's error over SGD's": 1.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
