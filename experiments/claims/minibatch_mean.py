"""2.1 "The gradient of a mini-batch is the mean over its examples, g = (1/n) Σ ∇L(W, x)." """

import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.problems.walks import walk
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.intervals import interval
from tfadaopt.experiments.trial import claim

D, N, FEW, BATCHES, SIZES = 20, 10_000, 400, 100, np.array([1, 4, 16, 64, 256])


def applied(loss, batches):
    """Gradients that SGD with η = 1 applies to w = 0, one for each batch."""
    more = {"loss": loss, "record": ["point"]}
    return -walk("SGD", 1.0, np.zeros([batches, D]), 1, **more)["point"][1]


def variances(x, y, draw, seeds):
    """Variance of the batch gradient for each seed and size, over the spread of single examples."""
    single = -2 * x * y[:, np.newaxis]  # at w = 0
    found = np.empty([seeds, len(SIZES)])
    for j, n in enumerate(SIZES):
        rows = np.concatenate([draw(np.random.default_rng([seed, n]), n) for seed in range(seeds)])
        error = lambda w, rows=rows: tf.einsum("bnd,bd->bn", x[rows], w) - y[rows]  # noqa: E731
        g = applied(lambda w, error=error: tf.reduce_mean(error(w) ** 2, axis=1), len(rows))
        found[:, j] = np.sum((g - single.mean(axis=0)) ** 2, axis=1).reshape(seeds, -1).mean(axis=1)
    return found / np.sum(single.var(axis=0))


def weight_in_last_batch(examples, n):
    """How far ``fit`` moves the last of orthogonal examples, over the first, in one epoch."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input([examples]), dense])
    model.compile(tfadaopt.SGD(1.0), "mse")
    model.fit(np.eye(examples), np.ones(examples), n, shuffle=False, verbose=0)
    return float(dense.kernel.numpy()[-1, 0] / dense.kernel.numpy()[0, 0])


def run(settings) -> claim.Finding:
    rng, seeds = np.random.default_rng(0), settings.seeds
    x = rng.normal(size=[N, D])
    y = x @ rng.normal(size=D) + rng.normal(size=N)
    mse = keras.losses.MeanSquaredError(dtype="float64")
    batch = applied(lambda w: tf.reshape(mse(y[:64], tf.linalg.matvec(x[:64], w[0])), [1]), 1)[0]
    single = applied(lambda w: (tf.reduce_sum(x[:64] * w, axis=1) - y[:64]) ** 2, 64)
    apart = np.max(np.abs(batch / single.mean(axis=0) - 1))

    again = variances(x, y, lambda rng, n: rng.integers(N, size=[BATCHES, n]), seeds)
    slope = interval([np.polyfit(np.log(SIZES), np.log(v), 1)[0] for v in again])
    few = np.tile(np.arange(FEW), (BATCHES, 1))
    once = variances(x[:FEW], y[:FEW], lambda rng, n: rng.permuted(few, axis=1)[:, :n], seeds)
    left, shrunk = (FEW - SIZES) / (FEW - 1), interval(once[:, -1] * SIZES[-1])
    ends = [{"low": found.low, "high": found.high} for found in (slope, shrunk)]
    label, last = "slope of log variance over log n", weight_in_last_batch(1000, 64)
    numbers = (
        claim.within(label, slope.value, -1, absolute=0.05, key=True, **ends[0]),
        claim.within("largest relative deviation from the mean", apart, 0, absolute=1e-12),
        claim.within("share without replacement", shrunk.value, left[-1], relative=0.05, **ends[1]),
        claim.within("weight of an example in a smaller last batch", last, 64 / 40, relative=1e-5),
    )
    lines = []
    for name, found, theory in (("with", again, 1 / SIZES), ("without", once, left / SIZES)):
        rows = np.array([list(vars(interval(column)).values()) for column in found.T])
        lines.append(Series(f"{name} replacement", SIZES, *rows.T))
        lines.append(Series(f"theory {name} replacement", SIZES, theory, style="theory"))
    caption = "The noise of a batch falls as 1/n, and faster where it is much of all examples."
    words = "Noise of the mini-batch gradient", "batch size n", "variance / that of one example"
    figure = Lines(*words, tuple(lines), x_log=True, y_log=True, caption=caption)
    return claim.Finding(claim.verdict(numbers), CONDITION, numbers, (figure,), MEANING)


CONDITION = (
    "It is the mean, to rounding; its variance falls as 1/n, with the factor (N−n)/(N−1) without "
    "replacement. Yet in a last batch of 40 after batches of 64, each example weighs 1.6 times "
    "more."
)
MEANING = (
    "Four times the batch halves the noise of the gradient, no more. Where the last batch is "
    "small, drop it (drop_remainder=True) or shuffle, so that not always the same examples weigh "
    "more."
)
CLAIM = claim.Claim(
    "claim-minibatch-mean",
    __doc__,
    "The mini-batch gradient is a mean",
    hypothesis="The gradient of Keras' mean-reduced loss is the mean over its examples: an "
    "estimate of the full gradient whose variance falls as 1/n.",
    measure=f"Linear regression, {D} features, {N:,} examples, w = 0: what SGD with η = 1 applies "
    f"for {BATCHES} batches of 1 to 256 for each seed; without replacement among {FEW} of them; "
    "one epoch of fit on 1,000 orthogonal examples in batches of 64.",
    acceptance="Confirmed if the mean holds to 1e-12, the log-log slope of the variance is −1 ± "
    "0.05, the factor without replacement (N−n)/(N−1) to 5 %, the weights 64/40 to 1e-5. Else "
    "refuted.",
    theory="Var = σ²/n for independent draws, σ²/n · (N−n)/(N−1) without replacement; the mean of "
    "a batch weighs each example 1/n, whatever n is.",
    source="W. G. Cochran, Sampling Techniques (1977), theorem 2.2; L. Bottou, F. Curtis and "
    "J. Nocedal, SIAM Review 60 (2018), arXiv 1606.04838, section 4.",
    run=run,
    deterministic=False,
)
