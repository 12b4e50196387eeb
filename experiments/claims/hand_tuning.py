"""For Momentum and Nesterov alike, few η and few μ are good, and they have to be found."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.surfaces import beale, rosenbrock
from tfadaopt.experiments.problems.walks import arrivals, moved_by_rounding, walk
from tfadaopt.experiments.reports.figures import Contours, Lines, Panels, Series
from tfadaopt.experiments.reports.intervals import Sensitivity, sensitivity
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import (
    Claim,
    Failure,
    Finding,
    Limits,
    Number,
    Verdict,
    of_all,
)
from tfadaopt.experiments.trial.landscape import landscape

BOTH, MOMENTA = ("Momentum", "Nesterov"), (0.5, 0.9, 0.99)
OTHERS = ("Adagrad", "Adam")
PROBLEMS = {"Rosenbrock": (rosenbrock, (-0.5, 1.5)), "Beale": (beale, (1.0, 1.0))}
STEPS, TARGET, COPIES = 20_000, 1e-4, 5


@dataclass(frozen=True)
class Seen:
    """Steps to the target from each moved start, by method, μ (None: it has none) and problem."""

    rates: np.ndarray
    steps: dict[tuple[str, float | None, str], np.ndarray]  # [starts, rates]
    picture: Contours | None

    def middle(self, method: str, mu: float | None, problem: str) -> np.ndarray:
        return np.median(self.steps[method, mu, problem], axis=0)

    def best_mu(self, method: str, problem: str) -> float:
        return min(MOMENTA, key=lambda mu: float(self.middle(method, mu, problem).min()))

    def unstable(self) -> int:
        """Pairs of a setting and a rate at which a move by rounding changes steps by a tenth."""
        count = 0
        for steps in self.steps.values():
            finite = np.isfinite(steps)
            lowest, highest = steps.min(axis=0), steps.max(axis=0)
            mixed = finite.any(axis=0) & ~finite.all(axis=0)
            count += int(np.sum(mixed | (finite.all(axis=0) & (highest > 1.1 * lowest))))
        return count


def observe(settings: Claims) -> Seen:
    rates = np.array(settings.learning_rates)
    kinds: list[tuple[str, float | None]] = [(m, mu) for m in BOTH for mu in MOMENTA]
    kinds += [(method, None) for method in OTHERS]
    steps = {}
    for problem, (f, start) in PROBLEMS.items():
        starts = np.repeat(moved_by_rounding(start, COPIES), len(rates), axis=0)
        for method, mu in kinds:
            more: dict[str, Any] = {} if mu is None else {"momentum": mu}
            loss = walk(method, np.tile(rates, COPIES), starts, STEPS, loss=f, **more)["loss"]
            steps[method, mu, problem] = arrivals(loss, TARGET).reshape(COPIES, -1)
    return Seen(rates, steps, picture(rates, steps))


def picture(rates: np.ndarray, steps: dict) -> Contours | None:
    """Return the paths of both at the best rate and at its neighbours' medians, μ = 0.9."""
    f, start = PROBLEMS["Rosenbrock"]
    drawn = {}
    for method in BOTH:
        middle = np.median(steps[method, 0.9, "Rosenbrock"], axis=0)
        if np.isfinite(middle).any():
            best = rates[int(middle.argmin())]
            for factor in (1.0, 0.1):
                label = f"{method}, η = {best * factor:.2g}"
                seen = walk(method, best * factor, start, 200, loss=f, record=["point"])
                drawn[label] = seen["point"][:, 0]
    if not drawn:
        return None
    return landscape(
        "Rosenbrock's valley, at the best η and at a tenth of it",
        f,
        (-1.5, 1.6),
        (-0.6, 2.0),
        drawn,
        f_log=True,
    )


def width(seen: Seen, method: str, problem: str) -> Sensitivity:
    """Return how wide the good range of η is, at the best μ."""
    mu = seen.best_mu(method, problem)
    return sensitivity(seen.rates, seen.middle(method, mu, problem), factor=2.0)


def worse_mu(seen: Seen, method: str, problem: str) -> float:
    """Return the steps with the worst μ over those with the best, at the η best for that one."""
    at = [seen.middle(method, mu, problem) for mu in MOMENTA]
    best = min(at, key=lambda steps: float(steps.min()))
    rate = int(best.argmin())
    return float(max(steps[rate] for steps in at) / best[rate]) if best[rate] < np.inf else np.inf


def carried(seen: Seen, method: str, here: str, there: str) -> float:
    """Return the steps there with the pair of η and μ that is best here, over the best there."""
    mu = seen.best_mu(method, here)
    rate = int(seen.middle(method, mu, here).argmin())
    best = min(float(seen.middle(method, mu_there, there).min()) for mu_there in MOMENTA)
    return float(seen.middle(method, mu, there)[rate] / best) if best < np.inf else np.inf


def decide(seen: Seen, limits: Limits) -> Verdict:
    cells = [(method, problem) for method in BOTH for problem in PROBLEMS]
    if any(width(seen, *cell).good == 0 for cell in cells):
        return "depends"  # nothing arrives: there is no range to be narrow
    return of_all(
        width(seen, *cell).width <= limits["decades of good η"]
        and worse_mu(seen, *cell) >= limits["cost of another μ"]
        for cell in cells
    )


CELLS = [(method, problem) for problem in PROBLEMS for method in BOTH]
# From one problem to the other, and back.
MOVES = [(m, *pair) for m in BOTH for pair in (tuple(PROBLEMS), tuple(reversed(PROBLEMS)))]


def of_case(seen: Seen, limits: Limits, method: str, problem: str) -> list[Number]:
    """Return the width of the good rates, the fewest steps and the cost of another μ."""
    narrow, cost = limits["decades of good η"], limits["cost of another μ"]
    found, mu = width(seen, method, problem), seen.best_mu(method, problem)
    sample = seen.steps[method, mu, problem][:, int(seen.middle(method, mu, problem).argmin())]
    another = worse_mu(seen, method, problem)
    return [
        Number(
            f"{method}, {problem}: decades of good η at the best μ = {mu}",
            found.width,
            unit="decades",
            agrees=bool(0 < found.width <= narrow),
            allowed=f"above 0, ≤ {narrow:g}",
            note=f"{found.good} of {found.tried} rates within twice the fewest steps",
            key=(method, problem) == CELLS[0],
        ),
        Number(
            f"{method}, {problem}: fewest steps, at η = {found.best_rate:g}",
            found.best_loss,
            low=float(sample.min()),
            high=float(sample.max()),
            unit="steps",
            note=f"range over {COPIES} starts moved by rounding",
        ),
        Number(
            f"{method}, {problem}: steps with the worst μ over the best, at that η",
            another,
            unit="×",
            agrees=bool(another >= cost),
            allowed=f"≥ {cost:g}",
        ),
    ]


def failures_of(seen: Seen) -> list[Failure]:
    failures = []
    for (method, mu, problem), steps in seen.steps.items():
        which = method if mu is None else f"{method}, μ = {mu}"
        missed = int(np.isinf(np.median(steps, axis=0)).sum())
        label = f"{which}, {problem}: rates that never arrive"
        failures.append(Failure(label, missed, len(seen.rates)))
    tried, label = len(seen.steps) * len(seen.rates), "settings whose steps change by a tenth"
    return [*failures, Failure(f"{label} under rounding", seen.unstable(), tried)]


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = [number for cell in CELLS for number in of_case(seen, limits, *cell)]
    for method in OTHERS:
        for problem in PROBLEMS:
            spread = sensitivity(seen.rates, seen.middle(method, None, problem), factor=2.0)
            label = f"{method}, {problem}: decades of good η"
            numbers.append(Number(label, spread.width, unit="decades"))
    widths = [width(seen, *cell).width for cell in CELLS]
    costs = [worse_mu(seen, *cell) for cell in CELLS]
    moved = [carried(seen, *move) for move in MOVES]
    for (method, here, there), times in zip(MOVES, moved, strict=True):
        label = f"{method}: steps on {there} with the best η and μ of {here}, over the best"
        numbers.append(Number(label, times, unit="×"))
    span = float(np.log10(seen.rates[-1] / seen.rates[0]))
    numbers.append(Number("decades of the grid", span, unit="decades"))
    ranges = f"{exact(min(widths), 3)} to {exact(max(widths), 3)} of {exact(span, 3)} decades"
    dear = exact(min(costs), 3)
    empty = [f"{m} on {p}" for m, p in CELLS if not width(seen, m, p).good]
    condition = {
        "confirmed": f"Rates within twice the fewest steps span {ranges}, at the best μ; at that "
        f"rate another of the three μ costs at least {dear} times the steps, or never arrives.",
        "depends": f"Nothing arrives at any rate tried: {', '.join(empty)}."
        if empty
        else f"In some cases only: good rates span {ranges}, and another μ costs {dear} times the "
        "steps or more.",
        "refuted": f"Good rates span {ranges}, and another μ costs {dear} times the steps at the "
        "least: a guess will do.",
    }[verdict]
    meaning = {
        "confirmed": "Try rates a factor of 3 apart on each new network, and tune μ with η: the "
        "pair "
        f"that is best on one of the two problems costs {exact(min(moved), 3)} times the steps on "
        "the other at the least, or never arrives.",
        "depends": "Widen the grid, or tune where a guess is known to fail.",
        "refuted": "Take the first rate that trains.",
    }[verdict]
    panels = tuple(
        Lines(
            f"{method} on {problem}",
            "learning rate η",
            "steps",
            tuple(
                Series(
                    f"μ = {mu}",
                    seen.rates,
                    finite(seen.middle(method, mu, problem)),
                    # What is judged: rates within twice the fewest steps, at the best μ.
                    width=width(seen, method, problem).ends
                    if mu == seen.best_mu(method, problem)
                    else (),
                )
                for mu in MOMENTA
            ),
            x_log=True,
            y_log=True,
        )
        for problem in PROBLEMS
        for method in BOTH
    )
    figure = Panels(
        f"Steps to f ≤ {TARGET:g}",
        panels,
        caption=f"Good rates span {ranges} (a line ends where the method does not arrive).",
    )
    pictures = (figure,) if seen.picture is None else (figure, seen.picture)
    fails = {
        "confirmed": "",
        "depends": f"no rate arrives: {', '.join(empty)}" if empty else "some cases: see numbers",
        "refuted": "both methods, both problems",
    }[verdict]
    return Finding(
        verdict, condition, tuple(numbers), pictures, meaning, tuple(failures_of(seen)), fails
    )


def finite(steps: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(steps), np.nan, steps)


CLAIM = Claim(
    name="claim-hand-tuning",
    reading=__doc__,
    title="Learning rate and momentum have to be found",
    kind="measured",
    hypothesis="Momentum and Nesterov are good only in a narrow range of η, and with few of the "
    "usual μ.",
    measure="Rosenbrock from (−0.5, 1.5), Beale from (1, 1): steps until f ≤ 1e-4 for good, at "
    "most "
    f"{STEPS:,}, for each rate of one grid and μ ∈ {MOMENTA}; median over {COPIES} starts moved by "
    "rounding. Width: decades of rates within twice the fewest steps, at the best μ. Cost of "
    "another μ: the most steps with one of the three, over the fewest, at the best η.",
    acceptance="In a case (method and problem) a guess fails if the width is above 0 and at most "
    "the given one, and another μ costs at least the given factor. Confirmed if in all four, "
    "refuted if in none; depends if in some, or if in one nothing arrives at all.",
    theory="η must stay below 2(1+μ)/λ where the curvature is λ, and the steps grow as (1 − μ)/η "
    "below: twice the fewest steps is about a factor 2 of η, 0.3 decades.",
    source="B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964), on η and μ; F. Schneider, L. "
    "Balles and P. Hennig, "
    "DeepOBS, ICLR 2019, arXiv 1903.05499, on the sensitivity to η.",
    dated="2026-11-29",
    limits={"decades of good η": 1.5, "cost of another μ": 2.0},
    observe=observe,
    decide=decide,
    tell=tell,
)
