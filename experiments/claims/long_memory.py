"""2.15 "RMSProp", "Adam": a long memory makes them safe."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.online import into_box
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval, intervals
from tfadaopt.experiments.trial.claim import Claim, Finding, Number

ROUNDS, EVERY, MEMORIES = 300_000, 1000, (0.99, 0.999, 0.9999)
KINDS = {"Adam": {}, "AMSGrad": {}, "ADOPT": {}, "ADOPT, no clip": {"clip": False}, "Adagrad": None}


def play(method, slopes, **arguments) -> np.ndarray:
    """Mean point of the last tenth of the rounds [2 schedules, seeds], from x = 0 in [−1, 1]."""
    stream, seeds = tf.constant(np.tile(slopes, 2)[..., np.newaxis]), slopes.shape[1]
    falls = np.repeat([[False], [method != "Adagrad"]], seeds, axis=0)
    more = {"gradient": lambda w, t: stream[t - 1], "project": into_box, "record": ["point"]}
    more["schedule"] = lambda t: tf.where(falls, tf.math.rsqrt(t), tf.ones_like(t))
    rates, start = np.repeat([0.001, 0.5], seeds), np.zeros((2 * seeds, 1))
    x = walk(method, rates, start, ROUNDS, every=EVERY, **more, **arguments)["point"][..., 0]
    return x[-ROUNDS // EVERY // 10 :].mean(axis=0).reshape(2, seeds)


def run(settings) -> Finding:
    chance = np.random.default_rng(0).random((ROUNDS, settings.seeds))
    slopes, numbers, series, ends_of = np.where(chance < 0.01, 1010.0, -10.0), [], [], {}
    for label, arguments in KINDS.items():
        method, bands = label.partition(",")[0], []
        for memory in MEMORIES if arguments is not None else MEMORIES[:1]:
            more = {} if arguments is None else {"beta_2": memory, **arguments}
            ends = play(method, slopes, **more)
            bands.append(intervals(ends[1][:, np.newaxis])[:, 0])
            for alpha, end in zip(("0.001", "0.5/√t"), map(interval, ends), strict=True):
                text = f"{label}, α = {alpha}" + f", β₂ = {memory}" * bool(more)
                numbers.append(Number(text, end.value, **end.ends, key=label == "Adam"))
        ends_of[label] = np.transpose(bands * (3 if len(bands) == 1 else 1))
        series.append(Series(label, 1 / (1 - np.array(MEMORIES)), *ends_of[label]))
    words = "Slopes 1010 with chance 1 %, else −10", "rounds remembered, 1/(1 − β₂)", "end; best −1"
    figure, adam = Lines(*words, tuple(series), x_log=True, caption=CAPTION), ends_of["Adam"]
    condition = CONDITION + ", ".join(f"{x:.2f}" for x in adam[0]) + f" for β₂ = {MEMORIES}."
    wrong = adam[1] > 0  # the whole interval
    word = "refuted" if all(wrong) else "depends" if any(wrong) else "confirmed"
    return Finding(word, condition, tuple(numbers), (figure,), MEANING)


CAPTION = "Adam needs a memory far longer than the 100 rounds between two large gradients."
CONDITION = "Only if it is far longer than 100 rounds, the time between: Adam's median end is "
MEANING = "Keep 1/(1 − β₂) well above the batches between rare events; 0.999 may be too short."
CLAIM = Claim(
    "claim-long-memory",
    __doc__,
    "How long a memory?",
    hypothesis="Adam does not end on the wrong side, above 0, of rare large gradients.",
    measure=f"{ROUNDS} rounds in [−1, 1], α = 0.001 or 0.5/√t, seeds; mean of the last tenth.",
    acceptance="Refuted if the whole interval is above 0 for each β₂, depends if for some.",
    theory="The mean slope is 0.2: the best point is −1. Adam's drift changes its sign with β₂.",
    source="S. Reddi, S. Kale and S. Kumar, ICLR 2018, section 5; S. Taniguchi et al. (2024).",
    run=run,
    deterministic=False,
)
