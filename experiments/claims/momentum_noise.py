"""2.4 "Momentum smooths the noise of mini-batches." """

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Bars
from tfadaopt.experiments.reports.intervals import interval
from tfadaopt.experiments.trial import claim

ETA, STEPS, SETTLED, CHAINS = 0.01, 8000, 2000, 100


def variance(eta, mu):  # stationary, of w under g = w + N(0, 1)
    return eta * (1 + mu) / ((1 - mu) * (2 * (1 + mu) - eta))


def noisy(w, t):
    noise = tf.random.stateless_normal([w.shape[0], CHAINS], [t, 0], dtype=w.dtype)
    return w + noise


def run(settings) -> claim.Finding:
    numbers, rows = [], []
    for mu in (0.0, 0.9, 0.99):
        etas = [ETA] if mu == 0 else [ETA, ETA * (1 - mu)]
        more = {"gradient": noisy, "record": ["point"], "every": 20, "momentum": mu}
        walked = walk("Momentum", np.repeat(etas, settings.seeds), np.zeros(CHAINS), STEPS, **more)
        settled = walked["point"][walked["step"] > SETTLED]
        per_seed = np.mean(settled**2, axis=(0, 2)).reshape(len(etas), settings.seeds)
        for eta, sample in zip(etas, per_seed, strict=True):
            found, theory = interval(sample), variance(eta, mu)
            label = f"variance of w, μ = {mu}, η = {eta:g}"
            more = {"low": found.low, "high": found.high, "relative": 0.05}
            numbers.append(claim.within(label, found.value, theory, **more))
            rows.append((f"μ = {mu}, η = {eta:g}", found.value, found.low, found.high, theory))
    sgd, same, fair = (number.measured for number in numbers[:3])
    label = "noise with μ = 0.9 over that without, at equal"
    more = {"relative": 0.1, "unit": "×"}
    numbers.insert(0, claim.within(f"{label} η", same / sgd, 10.0, key=True, **more))
    numbers.insert(1, claim.within(f"{label} η/(1 − μ)", fair / sgd, 1.0, **more))
    caption = (
        "At equal η the variance grows tenfold with each nine of μ; at equal η/(1 − μ) it stays."
    )
    words = "Where the weights settle under noise", "variance of w"
    bars = Bars(*words, *zip(*rows, strict=True), y_log=True, caption=caption)
    agree = all(number.agrees for number in numbers)
    verdict = "refuted" if agree else "depends"
    return claim.Finding(verdict, CONDITION, tuple(numbers), (bars,), MEANING)


CONDITION = (
    "At equal η the weights are 10 times (μ = 0.9) or 100 times (0.99) as noisy as without "
    "momentum; at equal η/(1 − μ) they are as noisy. Momentum smooths the steps, not where they "
    "lead."
)
MEANING = (
    "Compare methods at equal η/(1 − μ), not at equal η. If the loss flickers late in training, "
    "lower η: more momentum makes it worse."
)
CLAIM = claim.Claim(
    "claim-momentum-noise",
    __doc__,
    "The price of momentum under noise",
    hypothesis="Under the noise of mini-batches the weights wander less with momentum, at equal η.",
    measure=f"½w² with g = w + N(0, 1): {CHAINS} chains for each seed, {STEPS} steps from 0; mean "
    f"of w² after step {SETTLED}, median over seeds with its bootstrap 95 % interval.",
    acceptance="Refuted if each variance is within 5 % of theory and the ratios within 10 % of 10 "
    "(equal η) and 1 (equal η/(1 − μ)). Else it depends.",
    theory="Var w = ησ²(1+μ) / (λ(1−μ)(2(1+μ) − ηλ)), the stationary solution of the linear "
    "recurrence of w and its velocity.",
    source="S. Mandt, M. Hoffman and D. Blei, JMLR 18 (2017), arXiv 1704.04289.",
    run=run,
    deterministic=False,
)
