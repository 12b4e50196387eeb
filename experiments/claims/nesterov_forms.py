"""2.6 "Nesterov's method takes the gradient at the point that momentum leads to." """

import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.problems.surfaces import rosenbrock
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.trial import claim

ETA, MU, STEPS, START = 5e-4, 0.9, 500, np.array([-0.5, 1.5])


def gradient(w):
    x, y = w
    return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


def look_ahead(momentum):  # the lecture's form (A): v ← μv − η∇f(w + μv), w ← w + v
    w, v, thetas = START, np.zeros(2), [START]
    for t in range(STEPS):
        v = momentum(t) * v - ETA * gradient(w + momentum(t) * v)
        w = w + v
        thetas.append(w + momentum(t + 1) * v)
    return np.array(thetas)


def stored_point(momentum):  # the package's form (B), whose weights are θ = w + μv
    theta = tf.Variable(START)
    optimizer = tfadaopt.Nesterov(lambda: tf.constant(ETA, "float64"))
    thetas = [START]
    for t in range(STEPS):
        optimizer.momentum = momentum(t)
        optimizer.apply([tf.constant(gradient(theta.numpy()))], [theta])
        thetas.append(theta.numpy())
    return np.array(thetas)


def run(settings) -> claim.Finding:
    constant, schedule = (lambda t: MU), (lambda t: 1 - 3 / (t + 5))
    more = {"loss": rosenbrock, "record": ["point"], "momentum": MU}
    compiled = walk("Nesterov", ETA, START, STEPS, **more)["point"][:, 0]
    lecture, scheduled = look_ahead(constant), look_ahead(schedule)
    apart = {
        "constant μ": np.abs(compiled - lecture).max(axis=1),
        "μ = 1 − 3/(t + 5)": np.abs(stored_point(schedule) - scheduled).max(axis=1),
    }
    by_step = np.abs(stored_point(constant) - lecture).max()
    same, other = (gap.max() for gap in apart.values())
    label, more = "largest distance of the two forms", {"absolute": 1e-12}
    numbers = (
        claim.within(f"{label}, constant μ, compiled", same, 0.0, key=True, **more),
        claim.within(f"{label}, constant μ, step by step", by_step, 0.0, **more),
        claim.between(f"{label}, μ = 1 − 3/(t + 5)", other, 1e-6, np.inf, allowed="> 1e-6"),
    )
    t = np.arange(1, STEPS + 1)
    lines = tuple(Series(m, t, np.maximum(gap[1:], 1e-17)) for m, gap in apart.items())
    words = "Two ways to write Nesterov's method, on Rosenbrock's valley", "step", "distance of θ"
    caption = "With a constant μ the forms differ by rounding only; while μ rises, visibly."
    figure = Lines(*words, lines, y_log=True, caption=caption)
    return claim.Finding(claim.verdict(numbers), CONDITION, numbers, (figure,), MEANING)


CONDITION = (
    "With a constant μ, the weights of tfadaopt.Nesterov are the points w + μv at which the "
    "lecture takes the gradient, to rounding. While μ changes from step to step they are not: the "
    "next μ belongs into the shift, which a rule with one μ per step (PyTorch, Keras, ours) does "
    "not know."
)
MEANING = (
    "The weights you evaluate and save are the look-ahead point: no second pass is needed. Do not "
    "warm μ up and expect the textbook's path; change η instead."
)
CLAIM = claim.Claim(
    "claim-nesterov-forms",
    __doc__,
    "Nesterov's look-ahead without a second evaluation",
    hypothesis="The update of tfadaopt.Nesterov, which needs one gradient at the weights, walks "
    "the lecture's look-ahead points θ = w + μv.",
    measure=f"Rosenbrock's valley from (−0.5, 1.5), η = {ETA}, {STEPS} steps, float64: largest "
    "distance to the form v ← μv − η∇f(w + μv), w ← w + v, in a compiled loop and step by step; "
    "also with μ = 1 − 3/(t + 5), set anew before each step.",
    acceptance="Confirmed if the distance stays below 1e-12 with μ = 0.9, and the schedule of μ "
    "makes it exceed 1e-6. Else refuted.",
    theory="Substitute θ = w + μv: the same recurrence, if μ is the same in both places; with μ "
    "scheduled, θ = w + μ₍ₜ₊₁₎v.",
    source="I. Sutskever et al., ICML 2013, eqs. 3–4; Y. Bengio et al., ICASSP 2013, arXiv "
    "1212.0901.",
    run=run,
)
