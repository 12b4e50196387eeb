"""2.16 "Adagrad learns from rare features": words of an embedding."""

import numpy as np

from tfadaopt.experiments.problems.words import BATCH, STEPS, TESTS, WORDS, errors_on_new_texts
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial import claim

RATES = np.logspace(-2, 3, 11)


def run(settings) -> claim.Finding:
    numbers, series, best, failures = [], [], [], []
    for method in ("Adagrad", "SGD"):
        errors = errors_on_new_texts(method, RATES, settings.seeds)
        bands = intervals(errors)
        i = int(np.argmin(bands[0]))
        best.append(interval(errors[:, i]))
        text, ends = f"{method}: test error at best η = {RATES[i]:.3g}", best[-1].ends
        numbers.append(claim.Number(text, best[-1].value, **ends, key=method == "Adagrad"))
        series.append(Series(method, RATES, *bands))
        guessing = int((errors >= 0.5).sum())
        failures.append(claim.Failure(f"{method}: no better than a guess", guessing, errors.size))
    words = "A bag of words, Zipf's law", "learning rate η", "test error"
    figure = Lines(*words, tuple(series), x_log=True, caption=CAPTION)
    ours, sgd = best
    condition = (
        f"At its best rate Adagrad errs on {ours.value:.1%} of new texts, SGD on {sgd.value:.1%}."
    )
    word = "depends" if ours.value < sgd.value else "refuted"
    word = "confirmed" if ours.high < sgd.low else word
    return claim.Finding(word, condition, tuple(numbers), (figure,), MEANING, tuple(failures))


CAPTION = "Each at its best rate: Adagrad's error is lower."
MEANING = "In an embedding, Adagrad trains rare rows at nearly the pace of common ones."
CLAIM = claim.Claim(
    "claim-sparse-words",
    __doc__,
    "Rare words",
    hypothesis="In an embedding, Adagrad's test error at its best rate is lower than SGD's.",
    measure=f"Embedding({WORDS}, 1), sum of 20 words, logistic loss, {STEPS} batches of {BATCH}, "
    f"{TESTS} new texts; {len(RATES)} rates each, seeds.",
    acceptance="Confirmed if the intervals are apart, depends if they overlap, refuted if higher.",
    theory="Word k has the chance 1/k: SGD moves it k times less, Adagrad √k times less.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), section 1.3.",
    run=run,
    deterministic=False,
)
