"""2.14 "Adagrad converges rapidly when applied to convex functions": its regret is bounded."""

import numpy as np

from tfadaopt.experiments.problems.online import DIMENSIONS, regret_and_bound, sparse_stream
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial import claim

HORIZONS = (50, 500, 5000)


def run(settings) -> claim.Finding:
    seeds, numbers, series = 2 * settings.seeds, [], []
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (HORIZONS[-1], seeds, DIMENSIONS))
    for label, stream in (("hinge", sparse_stream(seeds, HORIZONS[-1])[0]), ("±1", signs)):
        seen = [regret_and_bound(stream[:rounds], label == "hinge") for rounds in HORIZONS]
        regret, bound = np.moveaxis(seen, 1, 0)
        last, text = interval((regret / bound)[-1]), f"{label}: median regret over bound, T = 5000"
        if label == "hinge":
            numbers.append(claim.between(text, last.value, 0, 1, **last.ends))
        else:
            theory = np.sqrt(2 / np.pi) / np.sqrt(8)
            numbers.append(claim.within(text, last.value, theory, absolute=0.01, **last.ends))
        text, worst = f"{label}: largest of {regret.size} ratios", (regret / bound).max()
        numbers.append(claim.between(text, worst, 0, 1, key=label == "hinge"))
        series.append(Series(f"{label}: regret", HORIZONS, *intervals(regret.T)))
        series.append(Series(f"{label}: bound", HORIZONS, *intervals(bound.T), style="theory"))
    words = "Adagrad's regret in a box", "rounds T", "regret"
    figure = Lines(*words, tuple(series), x_log=True, y_log=True, caption=CAPTION)
    return claim.Finding(
        claim.verdict(numbers[1::2]), CONDITION, tuple(numbers), (figure,), MEANING
    )


CAPTION = "Regret stays below its bound; both grow as √T."
CONDITION = "The regret never exceeds its bound and grows as √T: the mean loss nears the best."
MEANING = "The guarantee is for convex losses and bounded weights; a CNN's loss is not convex."
CLAIM = claim.Claim(
    "claim-regret",
    __doc__,
    "Adagrad's guarantee",
    hypothesis="Adagrad's regret is at most √2 D Σᵢ‖g₁:T,ᵢ‖₂ on every stream of convex losses.",
    measure=f"d = {DIMENSIONS}, box, η = √2, T ∈ {HORIZONS}: hinge losses, sparse features, "
    "and random slopes ±1; twice the seeds. Of linearized losses, whose regret is larger.",
    acceptance="Confirmed if no ratio of regret to bound exceeds 1. Else refuted.",
    theory="D = 2. For random ±1, regret is d√(2T/π) and the bound d√(8T): a ratio of 0.282.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Theorem 5 and Corollary 6.",
    run=run,
    deterministic=False,
)
