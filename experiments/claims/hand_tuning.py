"""2.7 "Both the algorithms require the hyper-parameters to be set manually." """

import numpy as np

from tfadaopt.experiments.problems.surfaces import beale, rosenbrock
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import sensitivity, transfer
from tfadaopt.experiments.trial import claim
from tfadaopt.experiments.trial.landscape import landscape

BOTH = ("SGD", "Momentum")  # the two that the sentence is about
METHODS = (*BOTH, "Nesterov", "Adagrad", "RMSprop", "Adam")
PROBLEMS = {"Rosenbrock": (rosenbrock, (-0.5, 1.5)), "Beale": (beale, (1.0, 1.0))}
STEPS, TARGET = 20_000, 1e-4


def run(settings) -> claim.Finding:
    rates, needed, failures, paths = settings.learning_rates, {}, [], {}
    for problem, (f, start) in PROBLEMS.items():
        for method in METHODS:
            seen = walk(method, rates, start, STEPS, loss=f, record=["loss", "point"])
            steps = needed[method, problem] = arrivals(seen["loss"], TARGET)
            label = f"{method}, {problem}: rates that"
            diverged, unsolved = ~np.isfinite(seen["loss"][-1]), np.isinf(steps)
            failures.append(claim.Failure(f"{label} diverge", diverged.sum(), len(rates)))
            failures.append(claim.Failure(f"{label} do not arrive", unsolved.sum(), len(rates)))
            if problem == "Rosenbrock" and not unsolved.all():
                paths[method] = seen["point"][:, steps.argmin()]
    numbers = []
    for (method, problem), steps in needed.items():
        found = sensitivity(rates, steps, factor=2.0)
        note = f"best: {found.best_loss:.0f} steps at η = {found.best_rate:g}; {found.good} of "
        note += f"{found.tried} rates within twice that, {found.tried - found.failed} arrive at all"
        more = {"note": note, "unit": "decades", "key": (method, problem) == ("SGD", "Rosenbrock")}
        label = f"width of good rates, {method}, {problem}"
        if method in BOTH:
            numbers.append(claim.between(label, found.width, 0, 1.5, allowed="≤ 1.5", **more))
        else:
            numbers.append(claim.Number(label, found.width, **more))
    for method in METHODS:
        for here, there in (("Rosenbrock", "Beale"), ("Beale", "Rosenbrock")):
            worse = transfer(rates, needed[method, here], needed[method, there])
            label = f"steps on {there} with the best rate of {here}, over the best, {method}"
            numbers.append(claim.Number(label, worse, unit="×"))
    curves = tuple(
        Series(method, rates, np.where(np.isinf(steps), np.nan, steps))
        for (method, problem), steps in needed.items()
        if problem == "Rosenbrock"
    )
    words = "Steps to f ≤ 1e-4 on Rosenbrock's valley", "learning rate η", f"steps, of {STEPS:,}"
    caption = "A line ends where the method does not arrive: each has its own, narrow range."
    lines = Lines(*words, curves, x_log=True, y_log=True, caption=caption)
    more = {"f_log": True, "caption": "The first 200 steps of each method at its best rate."}
    title = "Rosenbrock's valley, each method at its best rate"
    ground = landscape(title, rosenbrock, (-1.5, 1.6), (-0.6, 2.0), paths, **more)
    verdict = claim.verdict(numbers)
    return claim.Finding(verdict, CONDITION, tuple(numbers), (lines, ground), MEANING, failures)


CONDITION = (
    "Rates within twice the fewest steps span 0.5 to 0.75 of 6 decades, 2 or 3 rates of 25. The "
    "best rate on Beale never arrives on Rosenbrock. Adagrad and RMSprop have ranges as narrow; "
    "only Adam arrives with most rates, and its best rate serves both problems within a factor 1.6."
)
MEANING = (
    "Try rates a factor of 3 apart, on each new network, whatever the method: a rate that was "
    "tuned elsewhere may diverge. Among the rates that work, take one below the largest."
)
CLAIM = claim.Claim(
    "claim-hand-tuning",
    __doc__,
    "Learning rates have to be found",
    hypothesis="SGD and momentum are good only in a narrow range of learning rates, which differs "
    "from problem to problem.",
    measure=f"Rosenbrock from (−0.5, 1.5), Beale from (1, 1): steps until f ≤ {TARGET:g}, at most "
    f"{STEPS:,}, for each rate of one grid of 25 from 1e-5 to 10: the same budget for each method; "
    "μ = 0.9, all else at its default. Width: decades of rates within twice the fewest steps.",
    acceptance="Confirmed if for SGD and momentum the good rates span at most 1.5 of 6 decades on "
    "both problems, so that a guess fails three times of four. Else refuted.",
    theory="η must stay below 2/λ (2(1+μ)/λ with momentum) where the curvature is λ, and the steps "
    "grow as 1/η below: twice the fewest steps is about a factor 2 of η, 0.3 decades.",
    source="F. Schneider, L. Balles and P. Hennig, DeepOBS, ICLR 2019, arXiv 1903.05499.",
    run=run,
)
