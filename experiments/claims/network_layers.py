"""2.9 "The loss has a different sensitivity in different dimensions": the layers of a network."""

import numpy as np

from tfadaopt.experiments.problems.networks import Phase, image_sets, runs
from tfadaopt.experiments.reports.figures import Bars, Lines
from tfadaopt.experiments.trial.claim import Claim, Finding, verdict
from tfadaopt.experiments.trial.samples import line, number

NETWORKS = {"digits_cnn": "CNN", "narrow_2c2d": "2c2d", "small_mlp": "MLP"}
RATES = {"SGD": 0.1, "Adagrad": 0.01}
EPOCHS, APART = 3, 10.0


def run(settings) -> Finding:
    found, drawn = {}, []
    cases = [(i, n, m) for i in image_sets() for n in NETWORKS for m in RATES]
    for images, net, method in cases:
        task = {"images": images, "architecture": net}
        traces = runs(method, RATES[method], settings.seeds, Phase(EPOCHS), **task)
        rms = np.array([trace.gradient_rms for trace in traces])  # [seeds, steps, layers]
        ratio, layers = rms.max(axis=2) / rms.min(axis=2), traces[0].layers
        name = f"{NETWORKS[net]} on {images}, {method}"
        more = {"unit": "×", "note": f"largest in {layers[np.median(rms, (0, 1)).argmax()]}"}
        label = f"RMS gradient of a layer, largest ÷ smallest: {name}"
        sample = np.median(ratio, axis=1)
        found[name] = number(label, sample, (APART, np.inf), whole=True, **more)
        if not drawn:
            each, t = range(len(layers)), np.arange(1, rms.shape[1] + 1)
            drawn = [line(layers[i], t[::5], rms[:, ::5, i]) for i in each]
    apart, values = [n.agrees for n in found.values()], [n.measured for n in found.values()]
    word = verdict(found.values(), "depends" if any(apart) else "refuted")
    ends = {end: [getattr(n, end) for n in found.values()] for end in ("low", "high")}
    words = ("How far apart the layers' gradients are", "largest ÷ smallest RMS gradient")
    caption = f"Medians over seeds with 95 % intervals; {APART:g} was asked for."
    bars = Bars(*words, tuple(found), values, **ends, y_log=True, caption=caption)
    words = (f"Gradients in the layers: {next(iter(found))}", "step", "RMS gradient of the kernel")
    lines = Lines(*words, drawn, y_log=True, caption="Medians over seeds with 95 % intervals.")
    least, most = (
        min(found, key=lambda n: found[n].measured),
        max(found, key=lambda n: found[n].measured),
    )
    condition = (
        f"Layers differ in all, by {min(values):.2g}× ({least}) to {max(values):.2g}× ({most}); "
        f"{sum(apart)} of {len(apart)} cases reach {APART:g}×. It is up to network and method."
    )
    meaning = "One rate suits no two layers equally: look at the rates per layer before blaming η."
    return Finding(word, condition, tuple(found.values()), (bars, lines), meaning)


CLAIM = Claim(
    "claim-network-layers",
    __doc__,
    "Layers of a network differ in sensitivity",
    hypothesis=f"The RMS gradient differs by {APART:g}× or more between the layers of a network.",
    measure=f"Largest ÷ smallest RMS gradient of a kernel, median over {EPOCHS} epochs; η {RATES}.",
    acceptance=f"Confirmed if the interval is ≥ {APART:g} in all cases, refuted if in none.",
    theory="Backpropagation multiplies by weights and activities at each layer.",
    source="Glorot & Bengio, AISTATS 2010; 2c2d: DeepOBS, ICLR 2019, narrowed to 8/16/128 units.",
    run=run,
    deterministic=False,
)
