"""The layers of a network differ in sensitivity, that is in the largest curvature of the loss."""

from dataclasses import dataclass

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.networks import Phase, image_sets, runs, seeds_of
from tfadaopt.experiments.reports.figures import Bars, Lines
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all
from tfadaopt.experiments.trial.samples import line

NETWORKS = {"digits_cnn": "CNN", "narrow_2c2d": "2c2d", "small_mlp": "MLP"}
RATES = {"SGD": 0.1, "Adagrad": 0.01}
EPOCHS = 3


@dataclass(frozen=True)
class Case:
    """What the runs of one network with one method gave."""

    layers: tuple[str, ...]
    curvature: np.ndarray  # [seeds, layers], at the end
    gradient_rms: np.ndarray  # [seeds, steps, layers]

    @property
    def ratio(self) -> Interval:
        """Largest curvature of a layer over the smallest; those of no positive one count as 0."""
        positive = np.maximum(self.curvature, 0)
        with np.errstate(divide="ignore"):
            return interval(positive.max(axis=1) / positive.min(axis=1))

    @property
    def gradients(self) -> Interval:
        """The same of the RMS gradients, median over the steps."""
        ratio = self.gradient_rms.max(axis=2) / self.gradient_rms.min(axis=2)
        return interval(np.median(ratio, axis=1))

    @property
    def steepest(self) -> str:
        return self.layers[int(np.median(self.curvature, axis=0).argmax())]


@dataclass(frozen=True)
class Seen:
    """Cases by name."""

    cases: dict[str, Case]


def observe(settings: Claims) -> Seen:
    cases = {}
    for images in image_sets():
        for net, title in NETWORKS.items():
            for method, rate in RATES.items():
                traces = runs(
                    method,
                    rate,
                    seeds_of(settings),
                    Phase(EPOCHS),
                    curvature=True,
                    images=images,
                    architecture=net,
                )
                cases[f"{title} on {images}, {method}"] = Case(
                    traces[0].layers,
                    np.array([trace.curvature for trace in traces]),
                    np.array([trace.gradient_rms for trace in traces]),
                )
    return Seen(cases)


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(case.ratio.low >= limits["apart"] for case in seen.cases.values())


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    apart, numbers = limits["apart"], []
    ratios = {name: case.ratio for name, case in seen.cases.items()}
    for name, case in seen.cases.items():
        numbers.append(
            Number(
                f"largest curvature of a layer, largest ÷ smallest: {name}",
                ratios[name].value,
                agrees=ratios[name].low >= apart,
                allowed=f"interval ≥ {apart:g}",
                unit="×",
                note=f"largest in {case.steepest}",
                **ratios[name].ends,
            )
        )
    for name, case in seen.cases.items():
        label = f"RMS gradient of a layer, largest ÷ smallest: {name}"
        numbers.append(Number(label, case.gradients.value, unit="×", **case.gradients.ends))
    least = min(ratios, key=lambda name: ratios[name].value)
    most = max(ratios, key=lambda name: ratios[name].value)
    reach = sum(ratio.low >= apart for ratio in ratios.values())
    numbers.append(Number("cases that reach it", reach, note=f"of {len(ratios)}"))
    span = f"from {exact(ratios[least].value, 3)} × ({least}) to {exact(ratios[most].value, 3)} × "
    span += f"({most})"
    condition = {
        "confirmed": f"Layers differ by {apart:g} × and more in each case, {span}.",
        "depends": f"In {reach} of {len(ratios)} cases layers differ by {apart:g} × and more: "
        f"{span}.",
        "refuted": f"In no case do layers differ by {apart:g} ×: {span}.",
    }[verdict]
    meaning = {
        "confirmed": "One rate suits no two layers equally: look at the rates and updates of each "
        "layer before you blame η.",
        "depends": "How much layers differ is up to network and method: look at the updates of "
        "each layer before you blame η.",
        "refuted": "One rate suits all layers of such networks.",
    }[verdict]
    bars = Bars(
        "How far apart the layers' largest curvatures are",
        "largest ÷ smallest curvature",
        tuple(ratios),
        tuple(ratio.value for ratio in ratios.values()),
        tuple(ratio.low for ratio in ratios.values()),
        tuple(ratio.high for ratio in ratios.values()),
        y_log=True,
        caption=f"Medians over seeds with 95 % intervals: {span}.",
    )
    first = next(iter(seen.cases.values()))
    t = np.arange(1, first.gradient_rms.shape[1] + 1)
    lines = Lines(
        f"Gradients in the layers: {next(iter(seen.cases))}",
        "step",
        "RMS gradient of the kernel",
        tuple(
            line(layer, t[::5], first.gradient_rms[:, ::5, i])
            for i, layer in enumerate(first.layers)
        ),
        y_log=True,
        caption=f"Largest ÷ smallest: {exact(first.gradients.value, 3)} (median).",
    )
    fails = "; ".join(name for name, ratio in ratios.items() if ratio.low < apart)
    return Finding(verdict, condition, tuple(numbers), (bars, lines), meaning, fails=fails)


CLAIM = Claim(
    name="claim-network-layers",
    reading=__doc__,
    title="Layers of a network differ in sensitivity",
    kind="measured",
    hypothesis="The largest eigenvalues of the Hessian's blocks of the layers are apart by the "
    "given factor or more.",
    measure="Largest eigenvalue of the block of each kernel of the Hessian on a batch of 256 "
    f"images, by 12 steps of Lanczos, after {EPOCHS} epochs; three networks, "
    f"{', '.join(f'{m} with η = {r:g}' for m, r in RATES.items())}, seeds. Beside it the RMS "
    "gradients of the kernels.",
    acceptance="Confirmed if the interval of largest over smallest is at least the given factor in "
    "all cases, depends if in some, refuted if in none.",
    theory="The largest stable rate of a layer is about 2 over the largest curvature of its block. "
    "Backpropagation multiplies gradients by weights and activities at each layer.",
    source="Y. LeCun, L. Bottou, G. Orr and K.-R. Müller, Efficient BackProp (1998), section 5; "
    "X. Glorot and Y. Bengio, AISTATS 2010; B. Ghorbani, S. Krishnan and Y. Xiao, ICML 2019, arXiv "
    "1901.10159 (Lanczos); 2c2d: F. Schneider, L. Balles and P. Hennig, ICLR 2019, narrowed.",
    dated="2026-11-29",
    limits={"apart": 10.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
