"""2.2 "SGD with Momentum is faster than SGD where the surface is a ravine." """

from math import sqrt

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial import claim
from tfadaopt.experiments.trial.landscape import landscape


def tuned(k):  # method, form, η and μ for curvatures from m = 1/k to L = 1, ρ, steps of an oracle
    q, s, i = (sqrt(k) - 1) / (sqrt(k) + 1), sqrt(3 * k + 1), (100, 1000).index(k)
    yield "SGD", "η = 2/(L+m)", 2 / (1 + 1 / k), None, (k - 1) / (k + 1), (612, 6107)[i]
    yield "SGD", "η = 1/L", 1.0, None, 1 - 1 / k, (1185, 11868)[i]
    yield "Momentum", "tuned", 4 / (1 + k**-0.5) ** 2, q * q, q, (85, 288)[i]
    yield "Nesterov", "η = 1/L", 1.0, q, 1 - k**-0.5, (139, 455)[i]
    yield "Nesterov", "tuned", 4 / (3 + 1 / k), (s - 2) / (s + 2), 1 - 2 / s, (120, 393)[i]


def run(settings) -> claim.Finding:
    gains, steps, rates, lines, n, paths = [], [], [], [], {}, {}
    for k in (100, 1000):

        def f(w, k=k):
            return 0.5 * tf.reduce_sum(np.geomspace(1 / k, 1, w.shape[1]) * w**2, axis=1)

        for method, form, eta, mu, rho, oracle in tuned(k):
            more = {"loss": f, "record": ["point", "loss"]} | ({"momentum": mu} if mu else {})
            walked = walk(method, eta, np.ones(50), 2 * oracle, **more)
            distance = np.linalg.norm(walked["point"], axis=2) / sqrt(50)
            n[method, form] = end = int(min(arrivals(distance, 1e-6)[0], 2 * oracle))
            late, label = int(0.7 * end), f"{method}, {form}, κ = {k}"
            turns = np.sum(np.diff(np.sign(walked["point"][: end + 1, 0, -1])) != 0)
            f_falls = arrivals(walked["loss"] / walked["loss"][0], 1e-6)[0]
            note = (
                f"f: {f_falls:.0f} steps; the steepest coordinate changes its sign {turns} times."
            )
            steps.append(claim.within(label, end, oracle, absolute=1, unit="steps", note=note))
            rate = (distance[end, 0] / distance[late, 0]) ** (1 / (end - late))
            rates.append(claim.between(f"ρ: {label}", rate, rho - 2e-4, rho + 0.015, theory=rho))
            if k == 100 and form != "η = 1/L":
                paths[method] = walk(method, eta, [2.0, 1.0], 60, **more)["point"][:, 0]
                t = np.arange(end + 1)
                lines += [Series(method, t, distance[: end + 1, 0])]
                lines += [Series(f"{method}: ρᵗ", t, rho**t, style="theory")]
        gain = n["SGD", "η = 2/(L+m)"] / n["Momentum", "tuned"]
        more = {"theory": sqrt(k), "key": k == 1000, "unit": "×"}
        label = f"fewer steps with momentum, κ = {k}"
        gains.append(claim.between(label, gain, sqrt(k) / 2, sqrt(k), **more))
        if k == 100:
            caption = "SGD zigzags across the ravine, momentum is carried along it."
            title = "A ravine that is 100 times as steep across as along"
            ground = landscape(title, f, (-1.3, 2.2), (-1.2, 1.2), paths, caption=caption)
    words = "Distance to the lowest point, κ = 100", "step", "‖w‖ / ‖w₀‖"
    caption = "On a logarithmic axis each method falls along the line of its theoretical ρᵗ."
    curves = Lines(*words, tuple(lines), y_log=True, caption=caption)
    numbers = (*gains, *steps, *rates)
    return claim.Finding(claim.verdict(numbers), CONDITION, numbers, (ground, curves), MEANING)


CONDITION = (
    "With η and μ tuned to the curvature, momentum needs fewer steps by a factor that grows as √κ: "
    "7 at κ = 100, 21 at κ = 1000; it loses the rest at the start, where its double root holds it."
)
MEANING = (
    "Layers and filters differ in curvature by orders of magnitude. Without momentum, η must fit "
    "the steepest direction and all others crawl: use momentum, and tune μ where a run is slow."
)
CLAIM = claim.Claim(
    "claim-ravine",
    __doc__,
    "Momentum in ravines",
    hypothesis="At its best η and μ, momentum needs √κ times fewer steps than SGD at its best η.",
    measure="½Σλᵢwᵢ² with 50 curvatures from 1/κ to 1, κ = 100 and 1000, from w = 1, float64; each "
    "method with the η and μ that theory says are best. Steps until ‖w‖ ≤ 1e-6 ‖w₀‖ (for Nesterov "
    "at the weights, which are the look-ahead point), and rate of convergence ρ over the last 30 "
    "%.",
    acceptance="Confirmed if SGD needs between √κ/2 and √κ times the steps of momentum, each count "
    "is within one step of an independent float64 computation, and each measured ρ between theory "
    "− 2e-4 and theory + 0.015. Else refuted.",
    theory="ρ = (κ−1)/(κ+1) for SGD with η = 2/(L+m), 1 − 1/κ with 1/L, (√κ−1)/(√κ+1) for "
    "momentum, 1 − 1/√κ for Nesterov with η = 1/L, 1 − 2/√(3κ+1) tuned. The double root t·ρᵗ adds "
    "a start.",
    source="B. T. Polyak, USSR Comput. Math. Math. Phys. 4 (1964); L. Lessard, B. Recht and "
    "A. Packard, SIAM J. Optim. 26 (2016), arXiv 1408.3595, Proposition 1 and Table 1.",
    run=run,
)
