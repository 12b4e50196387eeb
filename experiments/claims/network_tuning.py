"""2.13 "Adagrad eliminates the need to manually tune the learning rate": for a CNN."""

import numpy as np

from tfadaopt.experiments.claims.claim import Claim, Failure, Finding, Lines, Number, Series
from tfadaopt.experiments.networks import Phase, image_sets, network
from tfadaopt.experiments.statistics import interval, sensitivity, transfer

METHODS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam")
RATES = tuple(float(f"{10 ** (k / 3):.3g}") for k in range(-15, 3))
EPOCHS, SEEDS, LEAST_WIDTH = 2, 3, 2.0


def run(settings) -> Finding:
    problems = {images: {"images": images} for images in image_sets()}
    problems["digits, pixels 0–255"] = {"images": "digits", "brightness": 255.0}
    numbers, figures, failures, width, loss_at = [], [], [], {}, {}
    for problem, task in problems.items():
        series = []
        for method in METHODS:
            trained = network(method, **task)
            grid = [[trained.train(r, s, [Phase(EPOCHS)]) for r in RATES] for s in range(SEEDS)]
            losses = np.array([[t.validation_loss for t in row] for row in grid])
            losses = np.where(np.isfinite(losses), losses, np.inf)
            middle = np.median(losses, axis=0)
            curve = sensitivity(RATES, middle)
            wide = interval([sensitivity(RATES, row).width for row in losses])
            width[method, problem], loss_at[method, problem] = wide.value, middle
            label = f"{problem}: decades of η within 1.1 × the best loss, {method}"
            edge = "; at the edge of the grid" if curve.at_edge else ""
            note = f"best {curve.best_loss:.3f} at η = {curve.best_rate:g}{edge}"
            ends = {"low": wide.low, "high": wide.high, "note": note}
            numbers.append(Number(label, wide.value, unit="decades", **ends))
            missed = int(np.isinf(losses).sum())
            failures.append(Failure(f"{problem}, {method}: diverged", missed, losses.size))
            series.append(Series(method, RATES, middle, losses.min(axis=0), losses.max(axis=0)))
        caption = (
            f"Validation loss after {EPOCHS} epochs: median, lowest and highest of {SEEDS} seeds."
        )
        words = (f"Sensitivity to the rate: {problem}", "learning rate η", "validation loss")
        figures.append(Lines(*words, series, True, True, caption))
    first, *others = problems
    for method in METHODS:
        for other in others:
            worse = transfer(RATES, loss_at[method, first], loss_at[method, other])
            label = f"{method}: loss ÷ best on {other}, with the η that is best on {first}"
            numbers.append(Number(label, worse, unit="×"))
    wide = [width["Adagrad", p] >= LEAST_WIDTH for p in problems]
    widest = [width["Adagrad", p] >= max(width[m, p] for m in METHODS) for p in problems]
    verdict = "confirmed" if all(wide) else "depends" if all(widest) else "refuted"
    told = ", ".join(f"{width['Adagrad', p]:.2g} ({p})" for p in problems)
    sgd = ", ".join(f"{width['SGD', p]:.2g}" for p in problems)
    condition = f"Adagrad's good rates span {told} decades, SGD's {sgd}: it has to be tuned, too."
    meaning = "Tune η for every method: three per decade until the best is not at the edge."
    return Finding(verdict, condition, numbers, figures, meaning, failures)


CLAIM = Claim(
    *("claim-network-tuning", __doc__, "Sensitivity to the rate in a CNN"),
    hypothesis=f"With Adagrad, rates across {LEAST_WIDTH:g} decades are within 1.1 × the best loss.",
    measure=f"Validation loss of a CNN on 3,500 images after {EPOCHS} epochs; the same "
    f"{len(RATES)} rates from {RATES[0]:g} to {RATES[-1]:g} and {SEEDS} seeds for each method.",
    acceptance=f"Confirmed if Adagrad's width is ≥ {LEAST_WIDTH:g} decades on each problem, depends "
    "if it is at least the widest on each, else refuted.",
    theory="A width below two decades means that a rate guessed to a factor of ten may fail.",
    source="Kasimbeg et al., ICLR 2025, arXiv 2502.15015; DeepOBS, ICLR 2019.",
    run=run,
    deterministic=False,
)
