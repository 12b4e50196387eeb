"""2.12 "Adagrad's step size falls as 1/√t": in the layers of a network."""

import numpy as np

from tfadaopt.experiments.problems.networks import Phase, image_sets, network, runs
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial.claim import Claim, Finding
from tfadaopt.experiments.trial.samples import line, number

RATES = (0.003, 0.01, 0.03)
PHASE, TOLERANCE, TUNING_SEED = Phase(10), 0.05, 1_000


def run(settings) -> Finding:
    numbers, figures = [], []
    for images in image_sets():
        tried = [network("Adagrad", images=images).train(r, TUNING_SEED, [PHASE]) for r in RATES]
        chosen = RATES[int(np.nanargmin([trace.validation_loss for trace in tried]))]
        for rate in RATES:
            traces = runs("Adagrad", rate, settings.seeds, PHASE, images=images)
            t, layers = traces[0].rate_steps, traces[0].layers
            rates, late = np.array([trace.rates for trace in traces]), t >= t[-1] / 10
            for i, layer in enumerate(layers):
                slopes = [slope(t[late], of_seed[late, i]) for of_seed in rates]
                label = f"slope of log rate over log t: {layer}, {images}, η = {rate}"
                more = {"theory": -0.5, "note": "η chosen on validation" * (rate == chosen)}
                numbers.append(number(label, slopes, (-0.5 - TOLERANCE, 0), whole=True, **more))
            if rate == chosen:
                drawn = [line(layer, t, rates[..., i]) for i, layer in enumerate(layers)]
                y = np.median(rates[:, late][:, 0]) * (t[late] / t[late][0]) ** -0.5
                drawn.append(Series("slope −½", t[late], y, style="theory"))
                title = f"Adagrad's median rate in each layer: {images}, η = {rate}"
                words = (title, "step", "effective learning rate", drawn, True, True)
                figures.append(Lines(*words, "The guide falls as t^−½. Bands: 95 % intervals."))
    at_chosen = [n.agrees for n in numbers if n.note]
    word = "confirmed" if all(at_chosen) else "depends" if any(at_chosen) else "refuted"
    small = [n.agrees for n in numbers if f"η = {RATES[0]}" in n.label]
    condition = (
        f"At the chosen η, {sum(at_chosen)} of {len(at_chosen)} layers surely fall as t^−½ or "
        f"slower; at η = {RATES[0]}, {sum(small)} of {len(small)}: there gradients still grow."
    )
    meaning = "Four times as many steps cost Adagrad up to half its rate, more if η is too small."
    return Finding(word, condition, numbers, figures, meaning)


def slope(t, rates) -> float:
    """Return the slope of log rate over log t, each stretch of log t weighing the same."""
    at = np.linspace(np.log(t[0]), np.log(t[-1]), 50)
    return float(np.polyfit(at, np.interp(at, np.log(t), np.log(rates)), 1)[0])


CLAIM = Claim(
    "claim-network-decay",
    __doc__,
    "The rate falls as t^−½ or slower in a network",
    hypothesis="Each layer's median effective rate falls with a log–log slope between −½ and 0.",
    measure=f"Slope over the last decade of {PHASE.epochs} epochs, CNN; η in {RATES}, "
    "chosen by the validation loss of a seed of its own.",
    acceptance=f"At the chosen η: confirmed if all layers' intervals are in −½ − {TOLERANCE} to 0, "
    "refuted if none is; else depends.",
    theory="r = Σ g² grows as t while gradients keep their size, slower when they vanish.",
    source="Duchi, Hazan & Singer, JMLR 12 (2011).",
    run=run,
    deterministic=False,
)
