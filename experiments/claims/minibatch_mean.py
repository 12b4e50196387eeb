"""The gradient of a mini-batch is the mean over its examples, and its variance falls as 1/n."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import Interval, interval, intervals
from tfadaopt.experiments.reports.pages import exact
from tfadaopt.experiments.trial.claim import Claim, Finding, Limits, Number, Verdict, within

FEATURES, EXAMPLES, FEW, BATCHES = 20, 10_000, 400, 100
SIZES = np.array([1, 4, 16, 64, 256])
LAST, BATCH = 40, 64  # 1,000 examples in batches of 64


@dataclass(frozen=True)
class Seen:
    """Deviation from the mean, variances [seeds, sizes], and the weight in a smaller last batch."""

    apart: float
    again: np.ndarray
    once: np.ndarray
    last: float

    @property
    def slope(self) -> Interval:
        return interval([np.polyfit(np.log(SIZES), np.log(v), 1)[0] for v in self.again])

    @property
    def share(self) -> Interval:
        """Variance of the largest batch without replacement, over σ²/n."""
        return interval(self.once[:, -1] * SIZES[-1])


LEFT = (FEW - SIZES) / (FEW - 1)  # (N − n)/(N − 1)


def applied(loss: Callable[[tf.Tensor], tf.Tensor], batches: int) -> np.ndarray:
    """Return the gradients that SGD with η = 1 applies to w = 0, one for each batch."""
    start = np.zeros([batches, FEATURES])
    gradients: np.ndarray = -walk("SGD", 1.0, start, 1, loss=loss, record=["point"])["point"][1]
    return gradients


def variances(
    x: np.ndarray,
    y: np.ndarray,
    draw: Callable[[np.random.Generator, int], np.ndarray],
    settings: Claims,
) -> np.ndarray:
    """Return the variance of the batch gradient over that of one example [seeds, sizes]."""
    single = -2 * x * y[:, np.newaxis]  # at w = 0
    found = np.empty([settings.seeds, len(SIZES)])
    for j, n in enumerate(SIZES):
        generators = [np.random.default_rng([settings.seed, i, n]) for i in range(settings.seeds)]
        rows = np.concatenate([draw(generator, n) for generator in generators])

        def loss(w: tf.Tensor, rows: np.ndarray = rows) -> tf.Tensor:
            error = tf.einsum("bnd,bd->bn", x[rows], w) - y[rows]
            return tf.reduce_mean(error**2, axis=1)

        away = applied(loss, len(rows)) - single.mean(axis=0)
        found[:, j] = np.sum(away**2, axis=1).reshape(settings.seeds, -1).mean(axis=1)
    return found / np.sum(single.var(axis=0))


def weight_in_last_batch() -> float:
    """Return how far ``fit`` moves the last of orthogonal examples, over the first, in an epoch."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input([1000]), dense])
    model.compile(tfadaopt.SGD(1.0), "mse")
    model.fit(np.eye(1000), np.ones(1000), BATCH, shuffle=False, verbose=0)
    return float(dense.kernel.numpy()[-1, 0] / dense.kernel.numpy()[0, 0])


def observe(settings: Claims) -> Seen:
    rng = np.random.default_rng(settings.seed)
    x = rng.normal(size=[EXAMPLES, FEATURES])
    y = x @ rng.normal(size=FEATURES) + rng.normal(size=EXAMPLES)
    mse = keras.losses.MeanSquaredError(dtype="float64")

    def of_batch(w: tf.Tensor) -> tf.Tensor:
        return tf.reshape(mse(y[:BATCH], tf.linalg.matvec(x[:BATCH], w[0])), [1])

    single = applied(lambda w: (tf.reduce_sum(x[:BATCH] * w, axis=1) - y[:BATCH]) ** 2, BATCH)
    few = np.tile(np.arange(FEW), (BATCHES, 1))
    return Seen(
        apart=float(np.max(np.abs(applied(of_batch, 1)[0] / single.mean(axis=0) - 1))),
        again=variances(x, y, lambda g, n: g.integers(EXAMPLES, size=[BATCHES, n]), settings),
        once=variances(x[:FEW], y[:FEW], lambda g, n: g.permuted(few, axis=1)[:, :n], settings),
        last=weight_in_last_batch(),
    )


def is_mean(seen: Seen, limits: Limits) -> bool:
    return seen.apart <= limits["deviation from the mean"]


def noise(seen: Seen, limits: Limits) -> tuple[Number, Number]:
    tolerance = limits["deviation of the exponent"]
    return (
        within(
            "exponent of the variance in n",
            seen.slope.value,
            -1,
            absolute=tolerance,
            key=True,
            **seen.slope.ends,
        ),
        within(
            f"variance without replacement, n = {SIZES[-1]} of {FEW}, over σ²/n",
            seen.share.value,
            LEFT[-1],
            relative=tolerance,
            **seen.share.ends,
        ),
    )


def decide(seen: Seen, limits: Limits) -> Verdict:
    if not is_mean(seen, limits):
        return "refuted"
    return "confirmed" if all(n.agrees for n in noise(seen, limits)) else "depends"


def tell(seen: Seen, limits: Limits, verdict: Verdict) -> Finding:
    numbers = (
        *noise(seen, limits),
        within(
            "largest relative deviation from the mean",
            seen.apart,
            0,
            absolute=limits["deviation from the mean"],
        ),
        within(
            f"weight of an example in a last batch of {LAST} over one of {BATCH}",
            seen.last,
            BATCH / LAST,
            relative=1e-5,
            unit="×",
        ),
    )
    lines = []
    factors = {"with": (seen.again, 1 / SIZES), "without": (seen.once, LEFT / SIZES)}
    for name, (found, theory) in factors.items():
        label = f"{name} replacement"
        lines.append(Series(label, SIZES, *intervals(found)))
        lines.append(Series(f"{label}, theory", SIZES, theory, style="theory", of=label))
    exponent = exact(seen.slope.value, 3)
    lead = {
        "confirmed": f"It is the mean, to rounding, and its variance falls as n to the {exponent}.",
        "depends": "It is the mean, to rounding; but the variance does not fall as for independent "
        f"draws: its exponent is {exponent}.",
        "refuted": f"It is off the mean by up to {exact(seen.apart, 3)} of it.",
    }[verdict]
    unequal = f"In a last batch of {LAST} after batches of {BATCH} an example weighs "
    unequal += f"{exact(seen.last, 3)} times as much."
    figure = Lines(
        "Noise of the mini-batch gradient",
        "batch size n",
        "variance / that of one example",
        tuple(lines),
        x_log=True,
        y_log=True,
        caption=f"The variance falls as n to the power {exponent}.",
    )
    halving = 2**-seen.slope.value
    meaning = {
        "confirmed": f"Four times the batch divides the noise of the gradient by "
        f"{exact(halving, 3)}. Drop a small last batch (drop_remainder=True), or shuffle, so that "
        "not always the same examples weigh more.",
        "depends": f"Four times the batch divides the noise of the gradient by {exact(halving, 3)} "
        "here: measure it for your data.",
        "refuted": "Check the reduction of your loss: it is not the mean.",
    }[verdict]
    quantity = Number("noise (standard deviation) divided by, with four times the batch", halving)
    fails = "a smaller last batch: its examples weigh more" if abs(seen.last - 1) > 0.01 else ""
    return Finding(
        verdict, f"{lead} {unequal}", (*numbers, quantity), (figure,), meaning, fails=fails
    )


CLAIM = Claim(
    name="claim-minibatch-mean",
    reading=__doc__,
    title="The mini-batch gradient is a mean",
    kind="by definition",
    hypothesis="The gradient of Keras' mean-reduced loss is the mean over its examples: an "
    "estimate of the full gradient whose variance falls as 1/n.",
    measure=f"Linear regression, {FEATURES} features, {EXAMPLES:,} examples, w = 0: what SGD with "
    f"η = 1 applies for {BATCHES} batches of 1 to 256 for each seed; without replacement among "
    f"{FEW} of them; one epoch of fit on 1,000 orthogonal examples in batches of {BATCH}.",
    acceptance="Refuted if it is not the mean to rounding. Confirmed if it is, and the exponent of "
    "the variance is −1 and the factor without replacement (N−n)/(N−1), both within the tolerance; "
    "else it depends.",
    theory="Var = σ²/n for independent draws, σ²/n · (N−n)/(N−1) without replacement. The mean of "
    "a batch weighs each of its examples 1/n, so a batch of 40 weighs each 64/40 = 1.6 times as "
    "much as one of 64.",
    source="W. G. Cochran, Sampling Techniques (1977), theorem 2.2; L. Bottou, F. Curtis and "
    "J. Nocedal, SIAM Review 60 (2018), arXiv 1606.04838, section 5.2.",
    dated="2026-11-29",
    limits={"deviation from the mean": 1e-12, "deviation of the exponent": 0.05},
    observe=observe,
    decide=decide,
    tell=tell,
    deterministic=False,
)
