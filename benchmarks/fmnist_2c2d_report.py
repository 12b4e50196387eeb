"""What ``fmnist_2c2d.py`` found, beside what DeepOBS published: a table and a picture."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tfadaopt.experiments.reports import draw, look
from tfadaopt.experiments.reports.figures import Bars, Lines, Panels, Series

HERE = Path(__file__).parent
SEEDS = 10  # of the published means
# Test accuracy after these epochs, mean and standard deviation: fsschneider/DeepOBS_Baselines.
EPOCHS = (1, 2, 3, 5)
PUBLISHED = {
    "SGD": ((0.8545, 0.8754, 0.8856, 0.8956), (0.0112, 0.0086, 0.0082, 0.0064)),
    "Momentum": ((0.8517, 0.8800, 0.8854, 0.8988), (0.0080, 0.0053, 0.0050, 0.0059)),
    "Adam": ((0.8526, 0.8761, 0.8855, 0.8967), (0.0054, 0.0031, 0.0038, 0.0035)),
}
# Test accuracy after one epoch at the rates of the grid, one run each, of seed 42.
CURVES = {
    method: tuple(map(float, numbers.split()))
    for method, numbers in {
        "SGD": ".2601 .4646 .5978 .7145 .7434 .7832 .8220 .8481 .8627 .8669 .1001 .1001",
        "Momentum": ".7506 .7531 .8344 .8394 .8550 .8441 .7936 .7357 .1001 .0999 .1002 .1001",
        "Adam": ".8377 .8619 .8825 .8819 .8808 .8671 .8420 .0999 .1002 .0999 .0999 .0999",
    }.items()
}
# With ten classes, what has not learned anything is right in a tenth of all images.
NOTHING = 0.11
FEWEST = 3

Rows = Sequence[dict]


def write(rows: Rows, rates: Sequence[float], best: dict[str, float]) -> None:
    """Write ``fmnist_2c2d.md``, ``fmnist_2c2d.svg`` and ``fmnist_2c2d-methods.svg``.

    Args:
        rows: Finished epochs.
        rates: Rates of the published curves, rising.
        best: Rate of the published means, by method.
    """
    text = "\n".join(
        [*_head(rows), *_means(rows, best), *_curves(rows, rates, best), *_every_method(rows)]
    )
    (HERE / "fmnist_2c2d.md").write_text(text + "\n", encoding="utf-8")
    look.save(draw.draw(picture(rows, rates, best)), HERE / "fmnist_2c2d")
    look.save(draw.draw(methods(rows)), HERE / "fmnist_2c2d-methods")


def bar(sd_published: float, accuracies: Sequence[float]) -> float:
    """Three standard errors of the difference of two means; of fewer than three runs, the
    published standard deviation stands for theirs."""
    n = len(accuracies)
    sd = float(np.std(accuracies, ddof=1)) if n >= FEWEST else sd_published
    return 3 * math.sqrt(sd_published**2 / SEEDS + sd**2 / n)


def _head(rows: Rows) -> Iterator[str]:
    hours = sum(row["processor_seconds"] for row in rows) / 3600
    whole = [row for row in rows if row["steps"] == max(row["steps"] for row in rows)]
    processor = np.median([row["processor_seconds"] for row in whole])
    seconds = np.median([row["seconds"] for row in whole])
    yield "# DeepOBS' fmnist_2c2d, reproduced"
    yield ""
    yield (
        "`python benchmarks/fmnist_2c2d.py FOLDER`: network 2c2d (3,274,634 parameters) on the "
        "60,000 images of Fashion-MNIST, batches of 128 in the same order in every epoch, constant "
        "rates, momentum 0.99, accuracy on 9,984 test images. "
        f"{len(rows)} epochs took {hours:.2f} hours of processor time, {processor:.0f} s each; by "
        f"the clock {seconds:.0f} s, since the process had {100 * processor / seconds:.0f} % of a "
        "processor."
    )
    yield ""
    yield "![Accuracy by epoch and by rate, published and here](fmnist_2c2d.svg)"
    yield ""
    yield (
        "Above, the mean over seeds: the band of what is published is ± the standard deviation of "
        "10 seeds, the band of what was found here goes from the lowest seed to the highest. "
        "Below, one run of seed 42 for each rate."
    )
    yield ""


def _at_best(rows: Rows, best: dict[str, float]) -> dict[tuple[str, int], list[float]]:
    found = defaultdict(list)
    for row in rows:
        if math.isclose(row["rate"], best.get(row["method"], math.nan), rel_tol=1e-6):
            found[row["method"], row["epoch"]].append(row["accuracy"])
    return found


def _means(rows: Rows, best: dict[str, float]) -> Iterator[str]:
    found, lines, within, few = _at_best(rows, best), [], [], 0
    for method, (means, deviations) in PUBLISHED.items():
        for epoch, mean, sd in zip(EPOCHS, means, deviations, strict=True):
            mine = found.get((method, epoch))
            if mine is None:
                continue
            away, most = float(np.mean(mine)) - mean, bar(sd, mine)
            within.append(abs(away) <= most)
            few += len(mine) < FEWEST
            spread = f" ± {np.std(mine, ddof=1):.4f}" if len(mine) > 1 else ""
            lines.append(
                f"| {method} | {best[method]:.3g} | {epoch} | {mean:.4f} ± {sd:.4f} | {len(mine)} "
                f"| {np.mean(mine):.4f}{spread} | {away:+.4f} | {most:.4f} "
                f"| {'yes' if within[-1] else 'no'} |"
            )
    yield "## Means over seeds"
    yield ""
    yield (
        f"Published is the mean of {SEEDS} seeds ± their standard deviation, at the best of 36 "
        f"rates. {sum(within)} of {len(within)} means lie within three standard errors of the "
        f"difference."
        + (
            f" {few} of them are of fewer than {FEWEST} seeds: their bar takes the published "
            f"deviation for theirs, and is wide."
            if few
            else ""
        )
    )
    yield ""
    yield "| method | η | epoch | published | seeds | here | difference | 3 errors | within |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from lines
    yield ""


def _curve(rows: Rows, method: str, rates: Sequence[float]) -> list[float]:
    """Accuracies after one epoch of seed 42 at the rates, NaN where none is finished."""
    found = {
        row["rate"]: row["accuracy"]
        for row in rows
        if (row["method"], row["epoch"], row["seed"]) == (method, 1, 42)
    }
    return [
        next((v for r, v in found.items() if math.isclose(r, rate, rel_tol=1e-6)), math.nan)
        for rate in rates
    ]


def _curves(rows: Rows, rates: Sequence[float], best: dict[str, float]) -> Iterator[str]:
    lines, learned, ended = [], [], []
    for method, published in CURVES.items():
        mine = _curve(rows, method, rates)
        lines.append(f"| {method}, published | {' | '.join(f'{p:.4f}' for p in published)} |")
        cells = ["–" if math.isnan(v) else f"{v:.4f}" for v in mine]
        lines.append(f"| {method}, here | {' | '.join(cells)} |")
        for value, other in zip(mine, published, strict=True):
            if math.isnan(value):
                continue
            if min(value, other) < NOTHING:
                ended.append(max(value, other) < NOTHING)
            else:
                learned.append(abs(value - other))
    measured = len(learned) + len(ended)
    yield "## One epoch at twelve rates"
    yield ""
    said = f"One run each, of seed 42; {measured} of {12 * len(CURVES)} are finished."
    if learned:
        said += (
            f" Where both learn ({len(learned)}), they differ by {np.median(learned):.4f} in the "
            f"median and by {max(learned):.4f} at most."
        )
    if ended:
        said += f" Of {len(ended)} where one does not, {sum(ended)} do not in either."
    offsets = []
    for method, rate in best.items():
        place = int(np.argmin(np.abs(np.log(rates) - math.log(rate))))
        offsets.append(f"{CURVES[method][place] - PUBLISHED[method][0][0]:+.4f} ({method})")
    said += (
        " All runs of a seed share weights and order, so that a seed moves a whole curve: the "
        f"published seed 42 lies {', '.join(offsets)} from the published mean at the best rate."
    )
    yield said
    yield ""
    yield f"| η | {' | '.join(f'{rate:.2g}' for rate in rates)} |"
    yield f"|---|{'---|' * len(rates)}"
    yield from lines
    yield ""


def _after_one(rows: Rows) -> dict[str, dict[float, float]]:
    """Accuracy after one epoch of seed 42 by method and rate, the best method first."""
    found: dict[str, dict[float, float]] = defaultdict(dict)
    for row in rows:
        if (row["epoch"], row["seed"]) == (1, 42):
            found[row["method"]][row["rate"]] = row["accuracy"]
    return dict(sorted(found.items(), key=lambda item: -max(item[1].values())))


def _every_method(rows: Rows) -> Iterator[str]:
    """A table of all methods, each at its four best rates."""
    found = _after_one(rows)
    if set(found) <= set(PUBLISHED):
        return
    yield "## Every method, one epoch"
    yield ""
    yield (
        f"One run of seed 42 for each rate of {len(found)} methods. A rate in bold is the best of "
        "those that were tried, which are twelve for the three methods above, and a few around its "
        "default for each other; of more than four, the four best are shown. One seed and one "
        "epoch do not rank methods: seeds of the three methods above lie up to "
        f"{_between_seeds(rows):.4f} apart. Shampoo decomposes every 20 updates."
    )
    yield ""
    yield "![Best accuracy after one epoch, by method](fmnist_2c2d-methods.svg)"
    yield ""
    yield "| method | accuracy at η |"
    yield "|---|---|"
    for method, accuracies in found.items():
        best, cells = max(accuracies.values()), []
        for rate, accuracy in sorted(sorted(accuracies.items(), key=lambda x: -x[1])[:4]):
            cell = f"{accuracy:.4f} at {rate:.2g}"
            cells.append(f"**{cell}**" if accuracy == best else cell)
        yield f"| {method} | {', '.join(cells)} |"
    yield ""


def _between_seeds(rows: Rows) -> float:
    """The largest distance between seeds of a method at one rate, after one epoch."""
    found = defaultdict(list)
    for row in rows:
        if row["epoch"] == 1:
            found[row["method"], row["rate"]].append(row["accuracy"])
    return max(max(values) - min(values) for values in found.values())


def methods(rows: Rows) -> Bars:
    """The best accuracy of each method after one epoch."""
    best = {method: max(accuracies.values()) for method, accuracies in _after_one(rows).items()}
    caption = "The best rate of those that were tried, one run each."
    title = "One epoch of 2c2d on Fashion-MNIST"
    return Bars(title, "test accuracy", tuple(best), tuple(best.values()), caption=caption)


def picture(rows: Rows, rates: Sequence[float], best: dict[str, float]) -> Panels:
    """Above, accuracy after each epoch; below, after one epoch at each rate."""
    found, above, below = _at_best(rows, best), [], []
    for method, (means, sds) in PUBLISHED.items():
        there = [epoch for epoch in EPOCHS if (method, epoch) in found]
        mine = [found[method, epoch] for epoch in there]
        band = np.subtract(means, sds), np.add(means, sds)
        lines = (
            Series("published", EPOCHS, means, *band),
            Series(
                "here",
                there,
                [np.mean(v) for v in mine],
                [min(v) for v in mine],
                [max(v) for v in mine],
            ),
        )
        title = f"{method}, η = {best[method]:.2g}"
        above.append(Lines(title, "epoch", "test accuracy", lines))
        lines = (
            Series("published", rates, CURVES[method]),
            Series("here", rates, _curve(rows, method, rates)),
        )
        below.append(Lines(method, "learning rate η", "after one epoch", lines, x_log=True))
    title = "Accuracy of 2c2d on Fashion-MNIST, published and here"
    return Panels(title, (*above, *below), columns=3, shared=False)
