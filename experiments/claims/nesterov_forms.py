"""tfadaopt.Nesterov walks the textbook's look-ahead points w + μv, with one gradient per step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.surfaces import rosenbrock
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

ETA, MU, STEPS, START = 5e-4, 0.9, 500, np.array([-0.5, 1.5])
CONSTANT, SCHEDULED = "constant μ", "μ = 1 − 3/(t + 5)"
Momentum = Callable[[int], float]
MOMENTA: dict[str, Momentum] = {CONSTANT: lambda t: MU, SCHEDULED: lambda t: 1 - 3 / (t + 5)}


@dataclass(frozen=True)
class Seen:
    """Distance of the two forms at each step, and with constant μ of the compiled loop."""

    apart: dict[str, np.ndarray]
    compiled: np.ndarray

    def most(self, kind: str) -> float:
        found = self.apart[kind].max()
        return float(max(found, self.compiled.max()) if kind == CONSTANT else found)


def gradient(w: np.ndarray) -> np.ndarray:
    x, y = w
    return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


def look_ahead(momentum: Momentum) -> np.ndarray:
    """Return w + μv of v ← μv − η∇f(w + μv), w ← w + v [1 + steps, 2]."""
    w, v, thetas = START, np.zeros(2), [START]
    for t in range(STEPS):
        v = momentum(t) * v - ETA * gradient(w + momentum(t) * v)
        w = w + v
        thetas.append(w + momentum(t + 1) * v)
    return np.array(thetas)


def stored_point(momentum: Momentum) -> np.ndarray:
    """Return the weights of the package's form [1 + steps, 2]."""
    theta = tf.Variable(START)
    optimizer = tfadaopt.Nesterov(lambda: tf.constant(ETA, "float64"))
    thetas = [START]
    for t in range(STEPS):
        optimizer.momentum = momentum(t)
        optimizer.apply([tf.constant(gradient(theta.numpy()))], [theta])
        thetas.append(theta.numpy())
    return np.array(thetas)


def observe(settings: Claims) -> Seen:
    apart = {
        kind: np.abs(stored_point(momentum) - look_ahead(momentum)).max(axis=1)
        for kind, momentum in MOMENTA.items()
    }
    walked = walk("Nesterov", ETA, START, STEPS, loss=rosenbrock, record=["point"], momentum=MU)
    compiled = np.abs(walked["point"][:, 0] - look_ahead(MOMENTA[CONSTANT])).max(axis=1)
    return Seen(apart, compiled)


def decide(seen: Seen, limits: Limits) -> Verdict:
    most = limits["distance by rounding"]
    if not seen.most(CONSTANT) <= most:
        return "refuted"
    return "confirmed" if seen.most(SCHEDULED) <= most else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    most = limits["distance by rounding"]
    numbers = tuple(
        Number(
            f"largest distance of the two forms, {kind}",
            seen.most(kind),
            agrees=seen.most(kind) <= most,
            allowed=f"≤ {exact(most)}",
            key=kind == CONSTANT,
        )
        for kind in MOMENTA
    )
    same, other = (exact(seen.most(kind), 2) for kind in MOMENTA)
    condition = {
        "confirmed": f"To rounding: the forms are at most {same} apart with a constant μ, and "
        f"{other} with one that rises.",
        "depends": f"With a constant μ, to rounding: at most {same} apart. While μ rises they are "
        f"up to {other} apart: the next μ belongs in the shift, which a rule with one μ per step "
        "(PyTorch, Keras, ours) does not know.",
        "refuted": f"Even with a constant μ they are {same} apart.",
    }[verdict]
    meaning = {
        "confirmed": "The weights that you evaluate and save are the look-ahead points.",
        "depends": "The weights that you evaluate and save are the look-ahead points: no second "
        "pass is needed. Do not warm μ up and expect the textbook's path; change η instead.",
        "refuted": "Do not take the weights of this method for the textbook's points.",
    }[verdict]
    t = np.arange(1, STEPS + 1)
    figure = Lines(
        "Two ways to write Nesterov's method, on Rosenbrock's valley",
        "step",
        "distance of the two",
        tuple(Series(kind, t, np.maximum(gap[1:], 1e-17)) for kind, gap in seen.apart.items()),
        y_log=True,
        caption=f"At most {same} with a constant μ, {other} while it rises.",
    )
    fails = {"confirmed": "", "depends": "a μ that changes", "refuted": "every μ tried"}[verdict]
    return Finding(verdict, condition, numbers, (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-nesterov-forms",
    reading=__doc__,
    title="Nesterov's look-ahead without a second evaluation",
    kind="by theorem",
    hypothesis="The weights of tfadaopt.Nesterov are the points w + μv at which the textbook's "
    "form "
    "takes its gradients.",
    measure=f"Rosenbrock's valley from (−0.5, 1.5), η = {ETA}, {STEPS} steps, float64: largest "
    "distance to w + μv of the form v ← μv − η∇f(w + μv), w ← w + v; with μ = 0.9, compiled and "
    "step by step, and with μ = 1 − 3/(t + 5), set anew before each step.",
    acceptance="Confirmed if the distance stays within rounding for both, depends if for the "
    "constant μ only, else refuted.",
    theory="Substitute θ = w + μv: the same recurrence, if μ is the same in both places; with μ "
    "scheduled, θ = w + μ₍ₜ₊₁₎v.",
    source="I. Sutskever et al., ICML 2013, equations 3 and 4; Y. Bengio, N. Boulanger-Lewandowski "
    "and R. Pascanu, ICASSP 2013, arXiv 1212.0901, equations 6 and 7.",
    dated="2026-11-29",
    limits={"distance by rounding": 1e-12},
    observe=observe,
    decide=decide,
    tell=tell,
)
