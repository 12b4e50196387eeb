"""For a CNN, Adagrad's default η will do, whatever the unit of the pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.networks import Phase, image_sets, network
from tfadaopt.experiments.reports.figures import Lines, Panels, Series
from tfadaopt.experiments.reports.intervals import failures_as_infinity, sensitivity
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Failure, Finding, Limits, Number, Verdict
from tfadaopt.experiments.trial.samples import OneRate, one_rate_for_all, worst_at

METHODS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam")
RATES = tuple(float(f"{10 ** (k / 3):.5g}") for k in range(-12, 2))
BRIGHTNESS = {"pixels 0–1": 1.0, "pixels 0–255": 255.0}
PHASE, SEEDS = Phase(2), 3
DEFAULT = 0.01  # of tfadaopt.Adagrad


@dataclass(frozen=True)
class Seen:
    """Validation losses [seeds, rates] by method and brightness."""

    images: str
    losses: dict[tuple[str, str], np.ndarray]

    def medians(self, method: str) -> np.ndarray:
        return np.array([np.median(self.losses[method, unit], axis=0) for unit in BRIGHTNESS])

    @property
    def lowest(self) -> np.ndarray:
        return np.min([self.medians(method).min(axis=1) for method in METHODS], axis=0)

    def one(self, method: str) -> OneRate:
        return one_rate_for_all(RATES, self.medians(method), self.lowest)

    def at_default(self) -> float:
        """Return how much worse than the lowest loss Adagrad is at its default η, at worst."""
        return worst_at(DEFAULT, RATES, self.medians("Adagrad"), self.lowest)


def observe(settings: Claims) -> Seen:
    (images,) = image_sets()
    losses = {}
    for unit, brightness in BRIGHTNESS.items():
        for method in METHODS:
            trained = network(method, images=images, brightness=brightness)
            seeds = range(1000 * settings.seed, 1000 * settings.seed + SEEDS)
            found = [[trained.train(r, s, [PHASE]).validation_loss for r in RATES] for s in seeds]
            losses[method, unit] = failures_as_infinity(found)
    return Seen(images, losses)


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = 1 + limits["excess of the loss"]
    if seen.at_default() <= most:
        return "confirmed"
    return "depends" if seen.one("Adagrad").worst <= most else "refuted"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, failures = [], []
    for method in METHODS:
        one = seen.one(method)
        label = f"{method}: worst loss / lowest with one η for both units"
        more: dict[str, Any] = {"note": f"at η = {one.rate:g}", "key": method == "Adagrad"}
        numbers.append(Number(label, one.worst, unit="×", **more))
    most = 1 + limits["excess of the loss"]
    numbers.insert(
        0,
        Number(
            f"Adagrad at its default η = {DEFAULT}: worst loss / lowest",
            seen.at_default(),
            unit="×",
            agrees=seen.at_default() <= most,
            allowed=f"≤ {most:g}",
        ),
    )
    for method in METHODS:
        for unit, losses in zip(BRIGHTNESS, seen.medians(method), strict=True):
            best = sensitivity(RATES, losses)
            label = f"{method}, {unit}: best η"
            note = f"loss {best.best_loss:.3g}; {best.width:.3g} decades of good η"
            note += ", at the edge of the grid" if best.at_edge else ""
            numbers.append(Number(label, best.best_rate, note=note))
            diverged = int(np.isinf(seen.losses[method, unit]).sum())
            label = f"{method}, {unit}: runs that diverged"
            failures.append(Failure(label, diverged, seen.losses[method, unit].size))
    ours, sgd = seen.one("Adagrad").worst, seen.one("SGD").worst
    etas = [exact(RATES[i], 3) for i in seen.medians("Adagrad").argmin(axis=1)]
    moves = f"Its best η is {' and '.join(etas)} for {' and '.join(BRIGHTNESS)} ({seen.images})."
    quotients = f"{exact(ours, 3)} × the lowest loss (SGD: {exact(sgd, 3)} ×)"
    default = f"its default η = {DEFAULT} is {exact(seen.at_default(), 3)} × the lowest loss"
    single = f"the best single η, {exact(seen.one('Adagrad').rate, 3)}, is {quotients}"
    condition = {
        "confirmed": f"Untuned it will do: {default}, in the worse unit. {moves}",
        "depends": f"One η serves both units, but it has to be found: {single}; {default}. {moves}",
        "refuted": f"No single η is close to the best for both: {single}; {default}. {moves}",
    }[verdict]
    meaning = {
        "confirmed": "Leave η at its default.",
        "depends": "Tune Adagrad's η once; a change of the pixels' unit does not ask for it again.",
        "refuted": "Normalize the images, and tune η for Adagrad as for others: three per decade, "
        "until the best is not at the edge.",
    }[verdict]
    panels = tuple(
        Lines(
            unit,
            "learning rate η",
            "validation loss",
            tuple(curve(method, seen.losses[method, unit]) for method in METHODS),
            x_log=True,
            y_log=True,
        )
        for unit in BRIGHTNESS
    )
    figure = Panels(f"Sensitivity to the rate: {seen.images}", panels, caption=moves)
    fails = {
        "confirmed": "",
        "depends": "the default η",
        "refuted": "a change of the pixels' unit",
    }[verdict]
    return Finding(
        verdict, condition, tuple(numbers), (figure,), meaning, tuple(failures), fails=fails
    )


def curve(method: str, losses: np.ndarray) -> Series:
    middle, low, high = np.median(losses, axis=0), losses.min(axis=0), losses.max(axis=0)
    return Series(method, RATES, middle, low, high)


CLAIM = Claim(
    name="claim-network-tuning",
    reading=__doc__,
    title="Sensitivity to the rate in a CNN",
    kind="measured",
    hypothesis="With its default η Adagrad comes close to the lowest validation loss, with pixels "
    "from 0 to 1 and from 0 to 255.",
    measure=f"Validation loss of a CNN after {PHASE.epochs} epochs; each method: the same "
    f"{len(RATES)} rates from {RATES[0]:g} to {RATES[-1]:g} with {SEEDS} seeds. For each η the "
    "worse of two quotients, median loss over the lowest of all methods and rates; of those the "
    "best. Bands of the figure: lowest and highest of the seeds.",
    acceptance="Confirmed if Adagrad's default η = 0.01 is above the lowest loss by at most the "
    "given "
    "share, in each unit; depends if it is not, but some one η is, which has to be found; else "
    "refuted.",
    theory="η has the unit of the weights: the first layer's best η moves against the pixels'; the "
    "other layers' do not.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Corollary 6 (η = D∞/√2); "
    "F. Schneider, L. Balles and P. Hennig, DeepOBS, ICLR 2019, arXiv 1903.05499.",
    dated="2026-11-29",
    limits={"excess of the loss": 0.1},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
