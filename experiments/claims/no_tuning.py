"""2.13 "Adagrad eliminates the need to manually tune the learning rate." """

import numpy as np

from tfadaopt.experiments.problems.logistic import BATCH, DIMENSIONS, EXAMPLES, STEPS, final_losses
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import intervals, sensitivity, transfer
from tfadaopt.experiments.trial import claim

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
            series[scale].append(Series(method, rates, *bands))
            medians.append(bands[0])
            s = found[method, scale] = sensitivity(rates, bands[0])
            note = f"lowest loss {s.best_loss:.3f} at η = {s.best_rate:.3g}"
            more = {"note": note, "key": label == "Adagrad, equal"}
            numbers.append(claim.Number(f"{label}: width", s.width, unit="decades", **more))
            worse = int((losses > np.log(2)).sum())
            failures.append(claim.Failure(f"{label}: worse than untrained", worse, losses.size))
        moved[method] = transfer(rates, *medians)
        numbers.append(claim.Number(f"{method}: transfer, loss / lowest", moved[method], unit="×"))
    axes, look = ("learning rate η", "final loss"), {"x_log": True, "y_log": True}
    lines = lambda scale: (f"Features {scale}", *axes, tuple(series[scale]))  # noqa: E731
    figures = tuple(Lines(*lines(s), caption=CAPTION, **look) for s in reversed(SCALES))
    ours, sgd = ([found[method, scale] for scale in SCALES] for method in ("Adagrad", "SGD"))
    condition = SPANS.format(*(s.width for s in ours + sgd))
    condition += MOVED.format(moved["Adagrad"], moved["SGD"])
    word = verdict(ours, sgd, moved["Adagrad"] < moved["SGD"])
    return claim.Finding(word, condition, tuple(numbers), figures, MEANING, tuple(failures))


def verdict(ours, sgd, moves_better) -> claim.Verdict:
    wide = all(a.width >= b.width for a, b in zip(ours, sgd, strict=True))
    word = "depends" if wide and moves_better else "refuted"
    return "confirmed" if all(s.good == s.tried for s in ours) else word


SPANS = "Good rates span {:g} and {:g} decades (SGD: {:g}, {:g}). "
MOVED = "At a rate from features of equal scale the loss is {:.2f} × the lowest (SGD: {:.3g} ×)."
CAPTION = "Every method has its range of rates; that of SGD moves with the scale of the features."
MEANING = "Tune η for Adagrad as for others, over decades; a rate that worked elsewhere is a start."
CLAIM = claim.Claim(
    "claim-no-tuning",
    __doc__,
    "No tuning?",
    hypothesis="Adagrad's final loss is within 10 % of its lowest at every η, on both problems.",
    measure=f"Logistic loss, {EXAMPLES} examples, d = {DIMENSIONS}, {STEPS} batches of {BATCH}, "
    "one grid of rates and seeds for all, the rest by default. Width: median loss ≤ 1.1 × lowest.",
    acceptance="Confirmed if all η are good, depends if as wide as SGD and moved better.",
    theory="η sets the first step, and must fit ‖w*‖/√T; being free of scale, it need not fit L.",
    source="P. Kasimbeg et al. (2025), arXiv 2505.24005, find the same on networks.",
    run=run,
    deterministic=False,
)
