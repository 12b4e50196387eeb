"""A long memory makes Adam safe from rare large gradients."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.online import into_box
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval, intervals
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict

ROUNDS, EVERY, MEMORIES = 200_000, 1000, (0.99, 0.999, 0.9999)
BLOCK, RARE = 1000, 10  # so that the mean of each block is (10 · 1010 − 990 · 10)/1000 = 0.2
KINDS: dict[str, dict[str, Any] | None] = {
    "Adam": {},
    "AMSGrad": {},
    "ADOPT": {},
    "ADOPT (no clip)": {"clip": False},
    "Adagrad": None,
}
CONSTANT, FALLING = "α = 0.001", "α = 0.5/√t"


@dataclass(frozen=True)
class Seen:
    """Mean point of the last tenth [seeds], by kind, β₂ and α."""

    ends: dict[tuple[str, float, str], np.ndarray]

    def adam(self, memory: float) -> Interval:
        return interval(self.ends["Adam", memory, FALLING])


def stream(seeds: int, seed: int) -> np.ndarray:
    """Return gradients [rounds, seeds]: in each block of 1,000 ten are 1010, at random places."""
    block = np.where(np.arange(BLOCK) < RARE, 1010.0, -10.0)
    blocks = np.tile(block[:, np.newaxis], (-(-ROUNDS // BLOCK), 1, seeds))
    shuffled = np.random.default_rng(seed).permuted(blocks, axis=1)
    return shuffled.reshape(-1, seeds)[:ROUNDS]


def play(method: str, gradients: np.ndarray, **arguments: Any) -> np.ndarray:
    """Mean point of the last tenth of the rounds [2 schedules, seeds], from x = 0 in [−1, 1]."""
    each = tf.constant(np.tile(gradients, 2)[..., np.newaxis])
    seeds = gradients.shape[1]
    falls = np.repeat([[False], [method != "Adagrad"]], seeds, axis=0)
    x = walk(
        method,
        np.repeat([0.001, 0.5], seeds),
        np.zeros((2 * seeds, 1)),
        ROUNDS,
        gradient=lambda w, t: each[t - 1],
        schedule=lambda t: tf.where(falls, tf.math.rsqrt(t), tf.ones_like(t)),
        project=into_box,
        record=["point"],
        every=EVERY,
        **arguments,
    )["point"][..., 0]
    return x[-ROUNDS // EVERY // 10 :].mean(axis=0).reshape(2, seeds)


def observe(settings: Claims) -> Seen:
    gradients, ends = stream(settings.seeds, settings.seed), {}
    for kind, arguments in KINDS.items():
        method = kind.partition(" (")[0]
        for memory in MEMORIES if arguments is not None else MEMORIES[:1]:
            more = {} if arguments is None else {"beta_2": memory, **arguments}
            found = play(method, gradients, **more)
            for alpha, end in zip((CONSTANT, FALLING), found, strict=True):
                ends[kind, memory, alpha] = end
    return Seen(ends)


def decide(seen: Seen, limits: Limits) -> Verdict:
    wrong = [seen.adam(memory).low > 0 for memory in MEMORIES]
    right = [seen.adam(memory).high < 0 for memory in MEMORIES]
    if all(wrong):
        return "refuted"
    return "confirmed" if all(right) else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers, series = [], []
    for (kind, memory, alpha), ends in seen.ends.items():
        found = interval(ends)
        label = f"{kind}, {alpha}" + (f", β₂ = {memory}" if KINDS[kind] is not None else "")
        key = (kind, memory, alpha) == ("Adam", MEMORIES[0], FALLING)
        numbers.append(Number(label, found.value, key=key, **found.ends))
    for kind, arguments in KINDS.items():
        memories = MEMORIES if arguments is not None else MEMORIES[:1] * 3
        columns = np.transpose([seen.ends[kind, memory, FALLING] for memory in memories])
        series.append(Series(kind, 1 / (1 - np.array(MEMORIES)), *intervals(columns)))
    each = ", ".join(f"{exact(seen.adam(m).value, 2)} (β₂ = {m})" for m in MEMORIES)
    sides = {
        "right": [m for m in MEMORIES if seen.adam(m).high < 0],
        "wrong": [m for m in MEMORIES if seen.adam(m).low > 0],
    }
    open_ = [m for m in MEMORIES if m not in sides["right"] + sides["wrong"]]
    told = [
        f"on the {side} side with β₂ = {' and '.join(map(str, memories))}"
        for side, memories in sides.items()
        if memories
    ]
    told += [f"undecided with β₂ = {' and '.join(map(str, open_))}"] if open_ else []
    condition = {
        "confirmed": f"With each of the three it ends on the right side: {each}; best is −1.",
        "depends": f"It ends {', '.join(told)}: {each}; best is −1.",
        "refuted": f"With none of the three: it ends on the wrong side, {each}; best is −1.",
    }[verdict]
    meaning = {
        "confirmed": "The usual β₂ are long enough here.",
        "depends": "Keep 1/(1 − β₂) well above the batches between rare events.",
        "refuted": "With rare large gradients use a method whose memory never shrinks: AMSGrad, "
        "Adagrad.",
    }[verdict]
    figure = Lines(
        "Gradients 1010 in 1 % of the rounds, else −10",
        "rounds remembered, 1/(1 − β₂)",
        "end; best −1",
        tuple(series),
        x_log=True,
        caption=f"Adam ends at {each}. Bands: 95 % intervals over seeds.",
    )
    fails = ", ".join(f"β₂ = {memory}" for memory in sides["wrong"])
    return Finding(verdict, condition, tuple(numbers), (figure,), meaning, fails=fails)


CLAIM = Claim(
    name="claim-long-memory",
    reading=__doc__,
    title="How long a memory?",
    kind="measured",
    hypothesis="Adam ends on the right side, below 0, of rare large gradients, with β₂ from 0.99 "
    "on.",
    measure=f"{ROUNDS} rounds in [−1, 1] from 0; in each block of {BLOCK} rounds {RARE} gradients "
    "of 1010 at random places, else −10: a mean of 0.2; α = 0.001 or 0.5/√t, β₁ = 0.9, seeds; mean "
    "point of the last tenth.",
    acceptance="Of Adam with 0.5/√t: confirmed if the interval is below 0 for each β₂, refuted if "
    "above 0 for each, else it depends.",
    theory="The mean gradient is 0.2 in every block: the best point is −1. Adam's drift has the "
    "sign of E[m/√v], which turns where its memory 1/(1−β₂) is not much longer than the 100 rounds "
    "between two large gradients.",
    source="S. Reddi, S. Kale and S. Kumar, ICLR 2018, arXiv 1904.09237, Theorem 3 and section 5; "
    "S. Taniguchi et al., NeurIPS 2024, arXiv 2411.02853 (ADOPT).",
    dated="2026-11-29",
    limits={},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
