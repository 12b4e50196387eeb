"""2.5 "Nesterov's method corrects the momentum: it looks ahead before it goes too far." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial import claim

L, M, STEPS = 25.0, 1.0, 600  # L-smooth and M-strongly convex
STARTS = np.concatenate([[3.3, 2.5, 3.1, 3.45], np.linspace(1.5, 5, 141)])[:, np.newaxis]
METHODS = {
    "Momentum": (1 / 9, {"momentum": 4 / 9}),  # tuned for quadratics
    "SGD": (2 / (L + M), {}),
    "Nesterov": (1 / L, {"momentum": 2 / 3}),
    "Nesterov, 0.9/L": (0.9 / L, {"momentum": 2 / 3}),
}


def slope(x, t):
    return tf.where(x < 1, L * x, tf.where(x < 2, x + L - 1, L * x - L + 1))


def cycle(eta, mu):
    """Points p → q → r → p of x ← x − ηf'(x) + μ(x − x₋); p, q on the piece 25x, r on 25x − 24."""
    after, before = np.roll(np.eye(3), 1, axis=1), np.roll(np.eye(3), -1, axis=1)
    equations = after + mu * before - (1 + mu - eta * L) * np.eye(3)
    return np.linalg.solve(equations, [0, 0, eta * (L - 1)])


def run(settings) -> claim.Finding:
    stuck, points, lines = {}, np.empty(0), []
    for label, (eta, more) in METHODS.items():
        more = {"gradient": slope, "record": ["point"], **more}
        x = walk(label.split(",")[0], eta, STARTS, STEPS, **more)["point"][..., 0]
        stuck[label] = int(np.sum(np.abs(x[-3:]).max(axis=0) > 1e-9))
        lines.append(Series(label, np.arange(31), x[:31, 0]))
        if label == "Momentum":
            points = np.sort(x[-3:, 0])
    theory, n = np.sort(cycle(1 / 9, 4 / 9)), len(STARTS)
    name = f"starts of {n} from which it never arrives: "
    numbers = [
        claim.between(f"{name}Momentum", stuck["Momentum"], 1, n, key=True),
        *(claim.within(name + m, stuck[m], 0) for m in METHODS if m != "Momentum"),
        *(
            claim.within(f"point {i} of the cycle from x₀ = 3.3", *pair, absolute=1e-9)
            for i, pair in enumerate(zip(points, theory, strict=True), start=1)
        ),
    ]
    words = "A convex function with two kinks in its slope, from x = 3.3", "step", "x"
    caption = "Momentum goes round in three steps for ever; all others arrive at 0."
    failures = (claim.Failure("starts from which Momentum cycles", stuck["Momentum"], n),)
    return claim.Finding(
        claim.verdict(numbers),
        CONDITION,
        tuple(numbers),
        figures=(Lines(*words, tuple(lines), caption=caption),),
        meaning=MEANING,
        failures=failures,
    )


CONDITION = (
    "Where the curvature changes along the way, momentum with the best η and μ for quadratics can "
    "go round for ever, on a strongly convex function; Nesterov's method and SGD always arrive "
    "there."
)
MEANING = (
    "A loss that swings with a steady period is momentum going too far: lower μ or η, or use "
    "Nesterov's form, which costs nothing more per step."
)
CLAIM = claim.Claim(
    "claim-nesterov-cycle",
    __doc__,
    "Where momentum cycles and Nesterov's method arrives",
    hypothesis="There are smooth, strongly convex functions on which momentum tuned for quadratics "
    "never arrives, while Nesterov's method does.",
    measure=f"f' = 25x below 1, x + 24 below 2, 25x − 24 beyond: {len(STARTS)} starts, {STEPS} "
    "steps; momentum with η = 1/9, μ = 4/9, SGD with 2/(L+m), Nesterov with 1/L and 0.9/L, μ = "
    "2/3.",
    acceptance="Confirmed if momentum cycles from some start, in the points of theory to 1e-9, and "
    "all others arrive (|x| ≤ 1e-9) from every start. Else refuted.",
    theory="The cycle of length 3 solves three linear equations: −1.8024, 0.6465, 2.1159. For SGD "
    "and Nesterov there are proofs for every smooth, strongly convex function.",
    source="L. Lessard, B. Recht and A. Packard, SIAM J. Optim. 26 (2016), arXiv 1408.3595, 4.6.",
    run=run,
)
