"""2.14 "Adagrad converges rapidly when applied to convex functions": its regret is bounded."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.claim import Claim, Finding, Lines, Series, between, within
from tfadaopt.experiments.claims.streams import DIMENSIONS, sparse_stream
from tfadaopt.experiments.claims.walks import walk
from tfadaopt.experiments.statistics import interval

HORIZONS = (50, 500, 5000)


def regret_and_bound(stream, rounds, hinge) -> tuple[np.ndarray, np.ndarray]:
    """Regret against the best point of the box, of the linearized losses, and its bound."""
    z, seeds = tf.constant(stream[:rounds]), stream.shape[1]
    suffered, total = tf.Variable(np.zeros(seeds)), tf.Variable(np.zeros((seeds, DIMENSIONS)))

    def slope(w, t):
        x = z[t - 1]
        open_margin = tf.reduce_sum(w * x, axis=1, keepdims=True) < 1
        g = -x * tf.cast(open_margin, x.dtype) if hinge else x
        suffered.assign_add(tf.reduce_sum(g * w, axis=1))
        total.assign_add(g)
        return g

    box = lambda w: tf.clip_by_value(w, -1, 1)  # noqa: E731
    more = {"gradient": slope, "project": box, "record": ["accumulator"], "epsilon": 0.0}
    start = np.zeros((seeds, DIMENSIONS))
    r = walk("Adagrad", np.sqrt(2), start, rounds, every=rounds, **more)["accumulator"][-1]
    return suffered + np.abs(total).sum(axis=1), 2 * np.sqrt(2) * np.sqrt(r).sum(axis=1)


def run(settings) -> Finding:
    seeds, numbers, series = 2 * settings.seeds, [], []
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (HORIZONS[-1], seeds, DIMENSIONS))
    for label, stream in (("hinge", sparse_stream(seeds, HORIZONS[-1])[0]), ("±1", signs)):
        seen = [regret_and_bound(stream, rounds, label == "hinge") for rounds in HORIZONS]
        ratios = np.array([regret / bound for regret, bound in seen])
        last = interval(ratios[-1])
        more = {"low": last.low, "high": last.high, "key": label == "hinge"}
        text = f"{label}: regret over bound at T = {HORIZONS[-1]}, median"
        if label == "hinge":
            numbers.append(between(text, last.value, 0, 1, **more))
        else:
            theory = np.sqrt(2 / np.pi) / np.sqrt(8)
            numbers.append(within(text, last.value, theory, absolute=0.01, **more))
        numbers.append(between(f"{label}: largest of {ratios.size} ratios", ratios.max(), 0, 1))
        bands = np.array([[(b.value, b.low, b.high) for b in map(interval, pair)] for pair in seen])
        series.append(Series(f"{label}: regret", HORIZONS, *bands[:, 0].T))
        series.append(Series(f"{label}: bound", HORIZONS, *bands[:, 1].T, style="theory"))
    figure = Lines(
        *("Adagrad's regret in a box", "rounds T", "regret", tuple(series)),
        **{"x_log": True, "y_log": True, "caption": "Regret stays below its bound, both as √T."},
    )
    condition = (
        f"The regret is at most {max(numbers[1].measured, numbers[3].measured):.2f} of its bound."
    )
    meaning = "The guarantee is for convex losses and bounded weights; a CNN's loss is not convex."
    word = "confirmed" if all(n.agrees for n in numbers[1::2]) else "refuted"
    return Finding(word, condition, tuple(numbers), (figure,), meaning)


CLAIM = Claim(
    name="claim-regret",
    heading=__doc__,
    title="Adagrad's guarantee",
    hypothesis="Adagrad's regret is at most √2 D Σᵢ‖g₁:T,ᵢ‖₂ on every stream of convex losses.",
    measure=f"d = {DIMENSIONS}, box [−1, 1], η = √2, T ∈ {HORIZONS}: hinge losses of sparse features, "
    "and slopes ±1 at random; twice the seeds. Linearized losses: their regret is larger.",
    acceptance="Confirmed if no ratio of regret to bound exceeds 1. Else refuted.",
    theory="D = 2. For random ±1, regret is d√(2T/π) and the bound d√(8T): a ratio of 0.282.",
    source="J. Duchi, E. Hazan and Y. Singer, JMLR 12 (2011), Theorem 5 and Corollary 6.",
    run=run,
    deterministic=False,
)
