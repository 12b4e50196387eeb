"""2.9 "The loss has a different sensitivity in different dimensions": the layers of a network."""

import numpy as np

from tfadaopt.experiments.claims.claim import Bars, Claim, Finding, Lines, Number, Series
from tfadaopt.experiments.networks import Phase, image_sets, network
from tfadaopt.experiments.statistics import interval

ARCHITECTURES = {"digits_cnn": "CNN", "narrow_2c2d": "2c2d", "small_mlp": "MLP"}
RATES = {"SGD": 0.1, "Adagrad": 0.01}
EPOCHS, APART = 3, 10.0


def run(settings) -> Finding:
    numbers, found, series = [], [], []
    for images in image_sets():
        for architecture, title in ARCHITECTURES.items():
            for method, rate in RATES.items():
                trained = network(method, images=images, architecture=architecture)
                traces = [trained.train(rate, s, [Phase(EPOCHS)]) for s in range(settings.seeds)]
                rms = np.array([trace.gradient_rms for trace in traces])  # [seeds, steps, layers]
                spread = interval(np.median(rms.max(axis=2) / rms.min(axis=2), axis=1))
                name = f"{title} on {images}, {method}"
                note = f"largest in {traces[0].layers[np.median(rms, axis=(0, 1)).argmax()]}"
                numbers.append(
                    Number(
                        *(f"gradient of a layer, largest ÷ smallest: {name}", spread.value, None),
                        **{"low": spread.low, "high": spread.high, "unit": "×", "note": note},
                        **{"agrees": spread.low >= APART, "allowed": f"interval from {APART:g} on"},
                    )
                )
                found.append((name, spread))
                if (images, architecture, method) == ("digits", "digits_cnn", "SGD"):
                    steps = np.arange(1, rms.shape[1] + 1)
                    of_layers = zip(traces[0].layers, np.median(rms, axis=0).T, strict=True)
                    series = [Series(layer, steps, values) for layer, values in of_layers]
    apart = [spread.low >= APART for _, spread in found]
    verdict = "confirmed" if all(apart) else "depends" if any(apart) else "refuted"
    lowest, highest = (f(found, key=lambda pair: pair[1].value) for f in (min, max))
    names, spreads = zip(*found, strict=True)
    ends = {end: [getattr(s, end) for s in spreads] for end in ("low", "high")}
    bars = Bars(
        "How far apart the layers' gradients are", "largest ÷ smallest RMS gradient", names,
        [s.value for s in spreads], **ends, y_log=True,
        caption=f"Medians over seeds, 95 % intervals; {APART:g} was asked for.",
    )  # fmt: skip
    caption = "The root mean square of the gradient of each kernel, median over seeds."
    lines = Lines(
        "Layers of the CNN under SGD", "step", "RMS gradient", series, False, True, caption
    )
    condition = (
        f"Layers differ everywhere, by {lowest[1].value:.2g}× ({lowest[0]}) to "
        f"{highest[1].value:.2g}× ({highest[0]}): {sum(apart)} of {len(apart)} cases reach "
        f"{APART:g}×. Architecture and start decide more than the images."
    )
    meaning = "One rate suits no two layers equally: compare the layers' rates before blaming η."
    return Finding(verdict, condition, numbers, (bars, lines), meaning)


CLAIM = Claim(
    name="claim-network-layers",
    heading=__doc__,
    title="Layers of a network differ in sensitivity",
    hypothesis=f"The RMS gradient differs ≥ {APART:g}× between the layers of a network.",
    measure=f"Ratio of the largest to the smallest RMS gradient of a kernel, median over the steps "
    f"of {EPOCHS} epochs: {', '.join(ARCHITECTURES.values())}; η: {RATES}; 3,500 images.",
    acceptance=f"Confirmed if the interval begins at {APART:g}× or more in all cases, refuted if it "
    "does in none; else depends.",
    theory="Backpropagation multiplies by a layer's weights and activities at each layer.",
    source="Glorot & Bengio, AISTATS 2010; 2c2d: DeepOBS, ICLR 2019, narrowed to 8/16/128 units.",
    run=run,
    deterministic=False,
)
