"""Local minima, plateaus, cliffs and vanishing gradients each harm gradient descent."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import Interval, interval
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, of_all

STARTS, DEPTH, WIDTH, BATCH = 200, 10, 32, 64


@dataclass(frozen=True)
class Seen:
    """Share that ends too high, steps ÷ steps, distance ÷ distance, and gradient ÷ gradient."""

    trapped: float
    plateau: float
    thrown: float
    thrown_clipped: float
    vanishing: Interval


def share_trapped(seed: int) -> float:
    """Return the share of starts in [−2, 2] that end in the higher of two minima."""
    starts = np.random.default_rng(seed).uniform(-2, 2, (STARTS, 1))
    ends = walk(
        "SGD",
        0.01,
        starts,
        1000,
        loss=lambda w: (w[:, 0] ** 2 - 1) ** 2 + 0.3 * w[:, 0],
        record=["point"],
        every=1000,
    )["point"][-1]
    return float(np.mean(ends > 0))


def cost_of_a_plateau() -> float:
    """Return the steps from the flat end of a sigmoid over those from its steep part."""
    seen = walk("SGD", 1.0, [[8.0], [2.0]], 5000, loss=lambda w: tf.sigmoid(w[:, 0]))
    flat, steep = arrivals(seen["loss"], 0.1)
    return float(flat / steep)


def thrown_at_a_cliff(**arguments: Any) -> float:
    """Return how much further from the minimum, 1, a step at a cliff leads."""
    start = -0.01
    after = walk(
        "SGD",
        0.1,
        [start],
        1,
        gradient=lambda w, t: tf.where(w < 0, np.float64(-1000), 0.1 * (w - 1)),
        record=["point"],
        **arguments,
    )["point"][1, 0, 0]
    return float(abs(after - 1) / abs(start - 1))


def vanishing(seed: int) -> float:
    """Return the RMS gradient of the first kernel over that of the last, through sigmoids."""
    rng = np.random.default_rng(seed)
    bound = np.sqrt(3 / WIDTH)  # Glorot's, of layers as wide as they are long
    kernels = [tf.constant(rng.uniform(-bound, bound, (WIDTH, WIDTH))) for _ in range(DEPTH)]
    x = tf.constant(rng.standard_normal((BATCH, WIDTH)))
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        for kernel in kernels:
            x = tf.sigmoid(x @ kernel)
        loss = tf.reduce_mean(x**2)
    first, *_, last = tape.gradient(loss, kernels)
    return float(tf.sqrt(tf.reduce_mean(first**2) / tf.reduce_mean(last**2)))


def observe(settings: Claims) -> Seen:
    seeds = range(1000 * settings.seed, 1000 * settings.seed + settings.seeds)
    return Seen(
        trapped=share_trapped(settings.seed),
        plateau=cost_of_a_plateau(),
        thrown=thrown_at_a_cliff(),
        thrown_clipped=thrown_at_a_cliff(clipnorm=1.0),
        vanishing=interval([vanishing(seed) for seed in seeds]),
    )


def harms(seen: Seen, limits: Limits) -> dict[str, bool]:
    return {
        "local minima": seen.trapped >= limits["share in the higher minimum"],
        "plateaus": seen.plateau >= limits["harm"],
        "cliffs": seen.thrown >= limits["harm"],
        "vanishing gradients": seen.vanishing.high <= 1 / limits["harm"],
    }


def decide(seen: Seen, limits: Limits) -> Verdict:
    return of_all(harms(seen, limits).values())


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    share, harm = limits["share in the higher minimum"], limits["harm"]
    holds = harms(seen, limits)
    numbers = (
        Number(
            "local minima: share of starts that end in the higher one",
            seen.trapped,
            agrees=holds["local minima"],
            allowed=f"≥ {share:g}",
            key=True,
        ),
        Number(
            "plateau: steps from the flat end ÷ from the steep part",
            seen.plateau,
            agrees=holds["plateaus"],
            allowed=f"≥ {harm:g}",
            unit="×",
        ),
        Number(
            "cliff: distance to the minimum after one step ÷ before",
            seen.thrown,
            agrees=holds["cliffs"],
            allowed=f"≥ {harm:g}",
            unit="×",
        ),
        Number("the same with the gradient clipped to norm 1", seen.thrown_clipped, unit="×"),
        Number(
            f"vanishing: RMS gradient of the first of {DEPTH} layers ÷ the last",
            seen.vanishing.value,
            low=seen.vanishing.low,
            high=seen.vanishing.high,
            agrees=holds["vanishing gradients"],
            allowed=f"interval ≤ {1 / harm:g}",
        ),
    )
    yes = [name for name, holds_there in holds.items() if holds_there]
    no = [name for name in holds if name not in yes]
    lead = {
        "confirmed": "Each of the four harms SGD by as much as was asked for",
        "depends": f"Of the four, {', '.join(yes)} harm SGD here and {', '.join(no)} do not",
        "refuted": "None of the four harms SGD by as much as was asked for",
    }[verdict]
    condition = (
        f"{lead}: {seen.trapped:.0%} of starts end in the higher minimum, a plateau costs "
        f"{exact(seen.plateau, 3)} times the steps, a cliff leads {exact(seen.thrown, 3)} times as "
        f"far away, and the first layer's gradient is {exact(seen.vanishing.value, 3)} of the last."
    )
    meaning = {
        "confirmed": "Warm up, clip, normalize and start from well-scaled weights: each of these "
        "answers one of the four.",
        "depends": f"Look for what harms your run first among: {', '.join(yes)}.",
        "refuted": "On these problems plain SGD needs no remedy.",
    }[verdict]
    bars = Bars(
        "How much each of them harms SGD",
        "factor of harm",
        ("plateau: steps", "cliff: distance", "vanishing: last ÷ first"),
        (seen.plateau, seen.thrown, 1 / seen.vanishing.value),
        y_log=True,
        caption=f"{lead} ({harm:g} ×).",
    )
    fails = f"not harmful here: {', '.join(no)}" if no else ""
    return Finding(verdict, condition, numbers, (bars,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-challenges",
    reading=__doc__,
    title="Four challenges",
    kind="measured",
    hypothesis="On a small problem made for each of the four, SGD ends too high, needs many times "
    "the steps, is thrown away, or gets next to no gradient.",
    measure=f"SGD. Minima: (x² − 1)² + 0.3x from {STARTS} random starts in [−2, 2], η = 0.01. "
    "Plateau: the sigmoid from 8 and from 2 down to 0.1, η = 1. Cliff: gradient −1000 below 0, "
    f"0.1(x − 1) above, one step from −0.01 with η = 0.1. Vanishing: {DEPTH} layers of {WIDTH} "
    "sigmoids, Glorot's weights, seeds.",
    acceptance="A challenge harms if at least the given share of starts ends in the higher "
    "minimum, "
    "or by at least the given factor. Confirmed if all four harm, depends if some, refuted if "
    "none.",
    theory="The barrier is near x = 0.04, so half of the starts lie above it. Steps on a plateau "
    "grow as eˣ; a cliff moves by η times its gradient; a sigmoid passes on a quarter at most, so "
    "gradients shrink at least as 4⁻ᵈ relative to the weights' products.",
    source="I. Goodfellow, Y. Bengio and A. Courville, Deep Learning (2016), 8.2.2–8.2.5; "
    "R. Pascanu, T. Mikolov and Y. Bengio, ICML 2013, arXiv 1211.5063, section 3.2 (clipping); "
    "X. Glorot and Y. Bengio, AISTATS 2010, section 3.",
    dated="2026-11-29",
    limits={"share in the higher minimum": 0.1, "harm": 10.0},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
