"""Adagrad's default η will do, whatever the unit of the features."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.logistic import BATCH, DIMENSIONS, EXAMPLES, STEPS, final_losses
from tfadaopt.experiments.reports.figures import Lines, Panels, Series
from tfadaopt.experiments.reports.intervals import intervals, sensitivity
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Failure, Finding, Limits, Number, Verdict
from tfadaopt.experiments.trial.samples import OneRate, one_rate_for_all, worst_at

METHODS = ("Adagrad", "SGD", "Adam")
DEFAULT = 0.01  # of tfadaopt.Adagrad
WITHOUT = "DoG"  # has no rate to be tuned
UNITS = {"× 0.01": 0.01, "× 1": 1.0, "× 100": 100.0}


@dataclass(frozen=True)
class Seen:
    """Final losses [seeds, rates] by method and unit of the features; DoG has one rate, 1."""

    rates: np.ndarray
    losses: dict[tuple[str, str], np.ndarray]

    def medians(self, method: str) -> np.ndarray:
        """Return the median losses [units, rates]."""
        return np.array([np.median(self.losses[method, unit], axis=0) for unit in UNITS])

    @property
    def lowest(self) -> np.ndarray:
        """Lowest median loss of all methods that have a rate [units]."""
        return np.min([self.medians(method).min(axis=1) for method in METHODS], axis=0)

    def one(self, method: str) -> OneRate:
        rates = self.rates if method in METHODS else np.ones(1)
        return one_rate_for_all(rates, self.medians(method), self.lowest)

    def at_default(self) -> float:
        """Return how much worse than the lowest loss Adagrad is at its default η, at worst."""
        return worst_at(DEFAULT, self.rates, self.medians("Adagrad"), self.lowest)


def observe(settings: Claims) -> Seen:
    rates, losses = np.array(settings.learning_rates), {}
    for unit, size in UNITS.items():
        for method in (*METHODS, WITHOUT):
            tried = rates if method in METHODS else np.ones(1)
            scales = np.full(DIMENSIONS, size)
            found = final_losses(method, tried, settings.seeds, scales, settings.seed)
            losses[method, unit] = np.where(np.isnan(found), np.inf, found)
    return Seen(rates, losses)


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = 1 + limits["excess of the loss"]
    if seen.at_default() <= most:
        return "confirmed"
    return "depends" if seen.one("Adagrad").worst <= most else "refuted"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, failures = [], []
    for method in (*METHODS, WITHOUT):
        one = seen.one(method)
        numbers.append(
            Number(
                f"{method}: worst loss / lowest with one η for all three units",
                one.worst,
                unit="×",
                note=f"at η = {one.rate:g}",
                key=method == "Adagrad",
            )
        )
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
        for unit, losses in zip(UNITS, seen.medians(method), strict=True):
            found = sensitivity(seen.rates, losses)
            label = f"{method}, features {unit}: best η"
            more: dict[str, Any] = {
                "note": f"loss {found.best_loss:.3g}; {found.width:.3g} decades of good η"
            }
            numbers.append(Number(label, found.best_rate, **more))
            worse = int((seen.losses[method, unit] > np.log(2)).sum())
            label = f"{method}, features {unit}: worse than untrained"
            failures.append(Failure(label, worse, seen.losses[method, unit].size))
    ours, sgd, free = (seen.one(m).worst for m in ("Adagrad", "SGD", WITHOUT))
    best = [exact(float(seen.rates[i]), 3) for i in seen.medians("Adagrad").argmin(axis=1)]
    moves = f"Its best η is {', '.join(best)} for features {', '.join(UNITS)}."
    beside = f"(SGD: {exact(sgd, 3)} ×; DoG, which has no rate: {exact(free, 3)} ×)"
    default = f"its default η = {DEFAULT} is {exact(seen.at_default(), 3)} × the lowest loss"
    single = f"the best single η is {exact(ours, 3)} × the lowest loss in the worst unit {beside}"
    condition = {
        "confirmed": f"Untuned it will do: {default}, in the worst unit. {moves}",
        "depends": f"One η serves all units, but it has to be found: {single}; {default}. {moves}",
        "refuted": f"No single η will do: {single}; {default}. {moves}",
    }[verdict]
    meaning = {
        "confirmed": "Leave η where it is.",
        "depends": "Tune Adagrad's η once; a change of units does not ask for it again.",
        "refuted": "Tune η for Adagrad as for others, over decades, and normalize the inputs: it "
        "has the unit of the weights.",
    }[verdict]
    panels = tuple(
        Lines(
            f"Features {unit}",
            "learning rate η",
            "final loss",
            tuple(
                Series(method, seen.rates, *intervals(seen.losses[method, unit]))
                for method in METHODS
            ),
            x_log=True,
            y_log=True,
        )
        for unit in UNITS
    )
    figure = Panels("Final loss in three units of the features", panels, 3, caption=moves)
    fails = {
        "confirmed": "",
        "depends": "the default η",
        "refuted": "a change of the features' unit",
    }[verdict]
    return Finding(
        verdict, condition, tuple(numbers), (figure,), meaning, tuple(failures), fails=fails
    )


CLAIM = Claim(
    name="claim-no-tuning",
    reading=__doc__,
    title="No tuning?",
    kind="measured",
    hypothesis="With its default η Adagrad comes close to the lowest loss, whatever the unit of "
    "the "
    "features.",
    measure=f"Logistic loss, {EXAMPLES} examples, d = {DIMENSIONS}, {STEPS} batches of {BATCH}, "
    "one "
    "grid of rates and seeds for all; features × 0.01, 1 and 100, the decay of the weights in the "
    "same units. For each η the worst of three quotients, median loss over the lowest of all "
    "methods and rates; of those the best. DoG as it is, η = 1.",
    acceptance="Confirmed if Adagrad's default η = 0.01 is above the lowest loss by at most the "
    "given "
    "share, in each unit; depends if it is not, but some one η is, which has to be found; else "
    "refuted.",
    theory="η has the unit of the weights: features × 0.01, 1, 100 move the best η as 100, 1, "
    "1/100 "
    "(SGD's as the square of it). Duchi's bound wants η = D∞/√2, the size of the region; only the "
    "scale of the loss drops out.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Theorem 5 and Corollary 6; "
    "M. Ivgi, O. Hinder and Y. Carmon, ICML 2023, arXiv 2302.12022 (DoG).",
    dated="2026-11-29",
    limits={"excess of the loss": 0.1},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
