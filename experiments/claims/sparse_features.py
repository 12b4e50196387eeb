"""2.16 "Adagrad learns from rare features": why it was made."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.online import DIMENSIONS, hinge_losses, least_loss, sparse_stream
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial import claim

ROUNDS, RATES = 5000, np.logspace(-1.5, 1, 11)


def run(settings) -> claim.Finding:
    stream, truth = sparse_stream(settings.seeds, ROUNDS)
    lowest = np.array([least_loss(z) for z in np.moveaxis(stream, 1, 0)])[:, np.newaxis]
    numbers, series, best, medians = [], [], [], []
    for method, more in (("Adagrad", {}), ("SGD", {"schedule": tf.math.rsqrt})):
        losses, w = hinge_losses(method, RATES, stream, **more)
        bands = intervals(losses - lowest)
        i, label = int(np.argmin(bands[0])), method + ", η/√t" * (method == "SGD")
        best.append(interval((losses - lowest)[:, i]))
        text, ends = f"{label}: regret at best η = {RATES[i]:.3g}", best[-1].ends
        numbers.append(claim.Number(text, best[-1].value, **ends, key=method == "Adagrad"))
        right = interval((np.sign(w[:, i]) == np.sign(truth))[:, 50:].mean(axis=1))
        text = f"{label}: share of right signs among rare features, j > 50"
        numbers.append(claim.Number(text, right.value, **right.ends))
        series.append(Series(label, RATES, *bands))
        medians.append(bands[0])
    equal = sum(medians[0] < medians[1])
    numbers.append(claim.Number(f"rates of {len(RATES)} at which Adagrad's is lower", equal))
    words = "Online learning from sparse features", "learning rate η", "regret"
    figure = Lines(*words, tuple(series), x_log=True, y_log=True, caption=CAPTION)
    gain = 1 - best[0].value / best[1].value
    condition = (
        f"At its best rate its regret is {gain:.0%} below that of SGD with η/√t at its best."
    )
    word = "confirmed" if best[0].high < best[1].low else "depends" if gain > 0 else "refuted"
    return claim.Finding(word, condition, tuple(numbers), (figure,), MEANING)


CAPTION = "Each at its best rate: Adagrad's regret is lower."
MEANING = "Adagrad's home is sparse data: embeddings and wide layers, more than dense filters."
CLAIM = claim.Claim(
    "claim-sparse-features",
    __doc__,
    "Sparse features",
    hypothesis="Adagrad's regret at its best rate is lower than that of SGD with η/√t at its best.",
    measure=f"Hinge losses, {ROUNDS} rounds, {DIMENSIONS} features of chance 1/j, box, seeds; "
    f"{len(RATES)} rates each. Regret: against the best weights, by linear programming.",
    acceptance="Confirmed if the intervals are apart, depends if they overlap, refuted if higher.",
    theory="Adagrad's bound has Σᵢ‖gᵢ‖, that of SGD √d ‖g‖: larger where few features are active.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), section 1.3.",
    run=run,
    deterministic=False,
)
