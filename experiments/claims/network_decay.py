"""2.12 "Adagrad's rate shrinks with 1/√t": in the layers of a network."""

import numpy as np

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Number, Series
from tfadaopt.experiments.networks import Phase, image_sets, network
from tfadaopt.experiments.statistics import interval

RATES = (0.003, 0.01, 0.03)
EPOCHS, TOLERANCE, TUNING_SEED = 10, 0.05, 1_000


def run(settings) -> Finding:
    numbers, figures, steepest = [], [], []
    for images in image_sets():
        trained = network("Adagrad", images=images)
        losses = [trained.train(r, TUNING_SEED, [Phase(EPOCHS)]).validation_loss for r in RATES]
        chosen = RATES[int(np.nanargmin(losses))]
        for rate in RATES:
            traces = [trained.train(rate, s, [Phase(EPOCHS)]) for s in range(settings.seeds)]
            steps, layers = traces[0].rate_steps, traces[0].layers
            rates = np.array([trace.rates for trace in traces])  # [seeds, readings, layers]
            late = steps >= steps[-1] / 10
            for i, layer in enumerate(layers):
                slopes = [slope(steps[late], of_seed[late, i]) for of_seed in rates]
                found = interval(slopes)
                agrees = bool(-0.5 - TOLERANCE <= found.low and found.high <= 0)
                numbers.append(
                    Number(
                        f"slope of log rate over log t: {layer}, {images}, η = {rate}", found.value,
                        -0.5, found.low, found.high, "", agrees,
                        f"interval in {-0.5 - TOLERANCE:g} to 0", key=rate == chosen and agrees,
                        note="η chosen on validation" if rate == chosen else "",
                    )
                )  # fmt: skip
                if rate == chosen:
                    steepest.append(agrees)
            if rate == chosen:
                middle = np.median(rates, axis=0)
                drawn = [Series(*(n, steps, y)) for n, y in zip(layers, middle.T, strict=True)]
                guide = middle[late][0].mean() * (steps[late] / steps[late][0]) ** -0.5
                drawn.append(Series("slope −½", steps[late], guide, style="theory"))
                title = f"Adagrad's median rate in each layer: {images}, η = {rate}"
                caption = (
                    "Medians over seeds of the median coordinate; parallel to the guide: t^−½."
                )
                words = (title, "step", "effective learning rate")
                figures.append(Lines(*words, drawn, True, True, caption))
    verdict = "confirmed" if all(steepest) else "depends" if any(steepest) else "refuted"
    fast = sum(not n.agrees for n in numbers)
    condition = (
        f"At the chosen η, {sum(steepest)} of {len(steepest)} layers fall as t^−½ or slower over "
        f"the last decade of steps. Of all rates and layers, {fast} of {len(numbers)} fall faster "
        "or not surely slower: where η is too small, gradients still grow, and r faster than t."
    )
    meaning = (
        "Expect Adagrad's rate to halve each time training takes four times as long, or later."
    )
    return Finding(verdict, condition, numbers, figures, meaning)


def slope(steps, rates) -> float:
    """Return the slope of log rate over log t, each stretch of log t weighing the same."""
    at = np.linspace(np.log(steps[0]), np.log(steps[-1]), 50)
    return float(np.polyfit(at, np.interp(at, np.log(steps), np.log(rates)), 1)[0])


CLAIM = Claim(
    *("claim-network-decay", __doc__, "The rate falls as t^−½ or slower in a network"),
    hypothesis="Each layer's median effective rate falls with a log–log slope between −½ and 0.",
    measure=f"Slope over the last decade of {EPOCHS} epochs on 3,500 images, CNN, Adagrad with η in "
    f"{RATES}; η chosen by the validation loss of a seed of its own.",
    acceptance=f"At the chosen η: confirmed if each layer's interval lies in −½ − {TOLERANCE} to 0, "
    "refuted if none does; else depends.",
    theory="r is a sum of squares: with stationary gradients it grows as t, with vanishing ones less.",
    source="Duchi, Hazan & Singer, JMLR 12 (2011).",
    run=run,
    deterministic=False,
)
