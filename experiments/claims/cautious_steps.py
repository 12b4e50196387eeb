"""A method that leaves out steps against the gradient, coordinate by coordinate, arrives sooner."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

DIMENSIONS, KAPPA, STEPS, FALL = 16, 100.0, 1500, 1e-6
RATES = np.geomspace(0.01, 1.0, 7)
METHODS, RAVINES = ("Momentum", "Adam"), ("along the axes", "turned")


@dataclass(frozen=True)
class Seen:
    """By method and ravine: steps to the level at each rate and the losses, plainly and masked.

    And the share of coordinates that the mask leaves out, over the steps until then.
    """

    steps: dict[tuple[str, str, bool], np.ndarray]
    losses: dict[tuple[str, str, bool], np.ndarray]
    left_out: dict[tuple[str, str], float]

    def best(self, method: str, ravine: str, masked: bool) -> float:
        return float(self.steps[method, ravine, masked].min())

    def ratio(self, method: str, ravine: str) -> float:
        plain = self.best(method, ravine, False)
        masked = self.best(method, ravine, True)
        return masked / plain if np.isfinite(plain) else (1.0 if np.isinf(masked) else 0.0)


def observe(settings: Claims) -> Seen:
    steps, losses, left_out = {}, {}, {}
    # Sylvester's matrix: each turned axis has a part of equal size in every coordinate.
    turn = np.ones((1, 1))
    while len(turn) < DIMENSIONS:
        turn = np.block([[turn, turn], [turn, -turn]]) / np.sqrt(2)
    for ravine in RAVINES:
        basis = turn if ravine == "turned" else np.eye(DIMENSIONS)
        hessian = basis.T @ np.diag(np.geomspace(1 / KAPPA, 1, DIMENSIONS)) @ basis

        def bowl(w: tf.Tensor, hessian: np.ndarray = hessian) -> tf.Tensor:
            return 0.5 * tf.reduce_sum(w * (w @ hessian), axis=1)

        for method in METHODS:
            for masked in (False, True):
                walked = walk(
                    method,
                    RATES,
                    basis.T @ np.ones(DIMENSIONS),
                    STEPS,
                    loss=bowl,
                    record=["loss", "caution"] if masked else ["loss"],
                    cautious=masked,
                )
                loss = walked["loss"]
                found = arrivals(loss, FALL * loss[0])
                steps[method, ravine, masked], losses[method, ravine, masked] = found, loss
                if masked:
                    at = int(np.argmin(found))
                    end = int(min(found[at], STEPS))
                    left_out[method, ravine] = float(
                        np.mean(walked["caution"][1 : end + 1, at] == 0)
                    )
    return Seen(steps, losses, left_out)


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = limits["steps over those without"]
    return of_all(seen.ratio(m, ravine) <= most for m in METHODS for ravine in RAVINES)


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, parts, worse = [], [], []
    for ravine in RAVINES:
        for method in METHODS:
            ratio = seen.ratio(method, ravine)
            key = method == "Momentum" and ravine == RAVINES[-1]
            label = f"{method}, {ravine}"
            numbers.append(Number(f"{label}: steps, masked over plain", ratio, unit="×", key=key))
            for masked, name in ((False, "plain"), (True, "masked")):
                best = seen.best(method, ravine, masked)
                numbers.append(Number(f"{label}, {name}: steps at its best η", best, unit="steps"))
            share = seen.left_out[method, ravine]
            numbers.append(Number(f"{label}: share of coordinates left out", share))
            parts.append(f"{exact(ratio, 3)} ({label})")
            if ratio > limits["steps over those without"]:
                worse.append(label)
    counts = ", ".join(parts)
    condition = {
        "confirmed": f"With the mask no run takes longer: {counts} times the steps without.",
        "depends": f"With the mask it takes {counts} times the steps without: more for "
        f"{', '.join(worse)}.",
        "refuted": f"With the mask every run takes longer: {counts} times the steps without.",
    }[verdict]
    meaning = {
        "confirmed": "Where a method with momentum overshoots, try cautious=True at the same η.",
        "depends": "Try cautious=True, and compare at the best η of each: it does not always help.",
        "refuted": "Leave cautious=True out on such problems.",
    }[verdict]
    ravine, series = RAVINES[-1], []
    for method in METHODS:
        for masked in (False, True):
            loss = seen.losses[method, ravine, masked]
            at = int(np.argmin(seen.steps[method, ravine, masked]))
            label = f"{method}, masked" if masked else method
            curve = np.maximum(loss[:, at] / loss[0, at], 1e-16)
            series.append(Series(label, np.arange(STEPS + 1), curve))
    figure = Lines(
        f"Each at its best η, the ravine {ravine}",
        "step",
        "f / f₀",
        tuple(series),
        y_log=True,
        caption=f"Steps to {FALL:g} of the start, with the mask over without: {counts}.",
    )
    fails = ", ".join(worse)
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-cautious-steps",
    reading=__doc__,
    title="Cautious steps",
    kind="measured",
    hypothesis="At the best η of each, a method arrives with the mask in no more steps than "
    "without.",
    measure=f"A quadratic with {DIMENSIONS} curvatures from 1/{KAPPA:g} to 1, along the axes and "
    "turned so that each has a part in every coordinate, from 1 in each of them, float64: Momentum "
    f"and Adam, with and without cautious=True, at {len(RATES)} η from 0.01 to 1; steps until f "
    f"stays below {FALL:g} f₀, at most {STEPS}.",
    acceptance="Confirmed if the quotient of the two counts is within the threshold for both "
    "methods and both ravines, depends if for some, refuted if for none.",
    theory="The mask keeps the loss falling in continuous time and the method's fixed points; it "
    "promises no rate.",
    source="K. Liang, L. Chen, B. Liu and Q. Liu, Cautious optimizers: improving training with one "
    "line of code (2024), arXiv 2411.16085, Algorithm 1 and its theorem on the Hamiltonian.",
    dated="2026-11-29",
    limits={"steps over those without": 1.0},
    observe=observe,
    decide=decide,
    tell=tell,
)
