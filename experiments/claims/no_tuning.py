"""2.13 "Adagrad eliminates the need to manually tune the learning rate." """

import numpy as np

from tfadaopt.experiments.claims import claim
from tfadaopt.experiments.claims.logistic import BATCH, DIMENSIONS, EXAMPLES, STEPS, final_losses
from tfadaopt.experiments.statistics import intervals, sensitivity, transfer

METHODS = ("Adagrad", "SGD", "Momentum", "RMSprop", "Adam", "AdaGradNorm", "DoG")
SCALES = {"equal": np.ones(DIMENSIONS), "1 to 100": np.logspace(0, 2, DIMENSIONS)}


def run(settings) -> claim.Finding:
    rates, numbers, failures = np.array(settings.learning_rates), [], []
    series, found, moved = {scale: [] for scale in SCALES}, {}, {}
    for method in METHODS:
        medians = []
        for scale, sizes in SCALES.items():
            losses, label = final_losses(method, rates, settings.seeds, sizes), f"{method}, {scale}"
            bands = intervals(losses)
            series[scale].append(claim.Series(method, rates, *bands))
            medians.append(bands[0])
            s = found[method, scale] = sensitivity(rates, bands[0])
            note = f"lowest loss {s.best_loss:.3f} at η = {s.best_rate:.3g}"
            note += ", an end of the grid" * s.at_edge
            more = {"unit": "decades", "note": note, "key": label == "Adagrad, equal"}
            numbers.append(claim.Number(f"{label}: width", s.width, **more))
            worse = int((losses > np.log(2)).sum())
            failures.append(claim.Failure(f"{label}: worse than untrained", worse, losses.size))
        moved[method] = transfer(rates, *medians)
        text = f"{method}, 1 to 100: loss at the best η for equal, over lowest"
        numbers.append(claim.Number(text, moved[method], unit="×"))
    figures = []
    for scale in reversed(SCALES):
        words = f"Logistic regression, features {scale}", "learning rate η", "final loss"
        lines = {"series": tuple(series[scale]), "x_log": True, "y_log": True, "caption": CAPTION}
        figures.append(claim.Lines(*words, **lines))
    ours, sgd = ([found[method, scale] for scale in SCALES] for method in ("Adagrad", "SGD"))
    condition = (
        f"Good rates span {ours[0].width:g} and {ours[1].width:g} decades (SGD: {sgd[0].width:g}, "
        f"{sgd[1].width:g}). But its rate moves to features of other scales at "
        f"{moved['Adagrad']:.2f} times the lowest loss; SGD's at {moved['SGD']:.3g} times."
    )
    word = verdict(ours, sgd, moved["Adagrad"] < moved["SGD"])
    return claim.Finding(word, condition, tuple(numbers), tuple(figures), MEANING, tuple(failures))


def verdict(ours, sgd, moves_better) -> claim.Verdict:
    if all(s.good == s.tried for s in ours):
        return "confirmed"
    wider = all(a.width >= b.width for a, b in zip(ours, sgd, strict=True))
    return "depends" if wider and moves_better else "refuted"


CAPTION = "Every method has its range of rates; that of SGD moves with the scale of the features."
MEANING = "Tune η for Adagrad as for others, over decades; a rate that worked elsewhere is a start."
CLAIM = claim.Claim(
    *("claim-no-tuning", __doc__, "No tuning?"),
    hypothesis="Adagrad's final loss is within 10 % of its lowest at every η, on both problems.",
    measure=f"Logistic loss, {EXAMPLES} examples, d = {DIMENSIONS}, {STEPS} batches of {BATCH}, "
    "one grid of rates and seeds for all, the rest by default. Width: median loss ≤ 1.1 × lowest.",
    acceptance="Confirmed: all η good. Depends: as wide as SGD or more, and moves better. Or refuted.",
    theory="η sets the first step, and must fit ‖w*‖/√T; being free of scale, it need not fit L.",
    source="P. Kasimbeg et al. (2025), arXiv 2505.24005, find the same on networks.",
    run=run,
    deterministic=False,
)
