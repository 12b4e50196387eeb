"""2.13 "Adagrad eliminates the need to manually tune the learning rate": for a CNN."""

import numpy as np

from tfadaopt.experiments.problems.networks import Phase, image_sets, network
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import failures_as_infinity, sensitivity, transfer
from tfadaopt.experiments.trial.claim import Claim, Failure, Finding, Number, verdict
from tfadaopt.experiments.trial.samples import number

METHODS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam")
RATES = tuple(float(f"{10 ** (k / 3):.5g}") for k in range(-12, 2))
PHASE, SEEDS, WIDE = Phase(2), 3, 2.0


def run(settings) -> Finding:
    problems = {images: {"images": images} for images in image_sets()}
    problems["digits, pixels 0–255"] = {"images": "digits", "brightness": 255.0}
    widths, figures, failures, loss_at = {}, [], [], {}
    for problem, task in problems.items():
        series = []
        for method in METHODS:
            trained, grid = network(method, **task), range(SEEDS)
            traces = [[trained.train(rate, seed, [PHASE]) for rate in RATES] for seed in grid]
            loss = failures_as_infinity([[t.validation_loss for t in row] for row in traces])
            middle = loss_at[method, problem] = np.median(loss, axis=0)
            best = sensitivity(RATES, middle)
            note = f"lowest loss {best.best_loss:.3f} at η = {best.best_rate:g}"
            note += ", at the edge of the grid" * best.at_edge
            label = f"{problem}, {method}: decades of η with a loss ≤ 1.1 × the lowest"
            sample = [sensitivity(RATES, row).width for row in loss]
            allowed = (WIDE, np.inf) if method == "Adagrad" else None
            more = {"unit": "decades", "note": note, "key": method == "Adagrad"}
            widths[method, problem] = number(label, sample, allowed, **more)
            failures.append(Failure(f"{problem}, {method}", int(np.isinf(loss).sum()), loss.size))
            series.append(Series(method, RATES, middle, loss.min(axis=0), loss.max(axis=0)))
        caption = f"Median, lowest and highest of {SEEDS} seeds after {PHASE.epochs} epochs."
        words = (f"Sensitivity to the rate: {problem}", "learning rate η", "validation loss")
        figures.append(Lines(*words, series, True, True, caption))
    first, *others = problems
    pairs = [(m, other, loss_at[m, first], loss_at[m, other]) for m in METHODS for other in others]
    label = "{}: loss on {} ÷ the lowest there, at the η that is best on {}"
    moved = [Number(label.format(m, p, first), transfer(RATES, a, b)) for m, p, a, b in pairs]
    width = np.array([[widths[m, p].measured for p in problems] for m in METHODS])
    widest = (width.max(axis=0) == width[METHODS.index("Adagrad")]).all()
    word = verdict(widths.values(), "depends" if widest else "refuted")
    spans = [f"{m} {', '.join(f'{w:.2g}' for w in width[i])}" for i, m in enumerate(METHODS)]
    condition = (
        f"Decades of η within 1.1 × the lowest loss ({'; '.join(problems)}): {'; '.join(spans)}."
    )
    meaning = "Tune η for every method: three per decade, until the best is not at the edge."
    return Finding(word, condition, [*widths.values(), *moved], figures, meaning, failures)


CLAIM = Claim(
    "claim-network-tuning",
    __doc__,
    "Sensitivity to the rate in a CNN",
    hypothesis=f"With Adagrad, rates across {WIDE:g} decades are within 1.1 × the lowest loss.",
    measure=f"Validation loss of a CNN after {PHASE.epochs} epochs of 3,500 images; each method: "
    f"the same {len(RATES)} rates from {RATES[0]:g} to {RATES[-1]:g} with {SEEDS} seeds.",
    acceptance=f"Confirmed if Adagrad's median width is ≥ {WIDE:g} on each problem, depends if "
    "it is the widest (or as wide) on each, else refuted.",
    theory="A width below two decades: a rate guessed to a factor of ten may fail.",
    source="Kasimbeg et al., ICLR 2025, arXiv 2502.15015; DeepOBS, ICLR 2019.",
    run=run,
    deterministic=False,
)
