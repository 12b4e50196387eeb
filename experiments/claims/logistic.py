"""Logistic regression on features of any scale: all seeds and learning rates at once."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.claims.turns import walk_in_turn
from tfadaopt.experiments.claims.walks import walk

EXAMPLES, DIMENSIONS, BATCH, STEPS, DECAY = 1000, 50, 32, 1500, 1e-4
ONE_RATE = ("AdaGradNorm", "DoG")


def final_losses(method: str, rates: np.ndarray, seeds: int, scales: np.ndarray) -> np.ndarray:
    """Return the loss on all examples after training with mini-batches [seeds, rates].

    Args:
        method: Name of the method; all its arguments but the rate are the defaults.
        rates: Its learning rates.
        seeds: Number of problems, each with data, labels and batches of its own.
        scales: Sizes of the features [d]; the labels do not depend on them.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((seeds, EXAMPLES, DIMENSIONS))
    weights = 3 / np.sqrt(DIMENSIONS) * rng.standard_normal((seeds, DIMENSIONS, 1))
    chance = 1 / (1 + np.exp(-x @ weights))
    z = tf.constant(x * scales * np.where(rng.random(chance.shape) < chance, 1, -1))
    batches = tf.constant(rng.integers(0, EXAMPLES, (STEPS, seeds, BATCH)))

    def slope(w, examples):  # [seeds, rates, d], [seeds, batch, d]
        chance = tf.sigmoid(-w @ tf.transpose(examples, [0, 2, 1]))
        return DECAY * w - chance @ examples / BATCH

    def together(w, t):
        g = slope(
            tf.reshape(w, [seeds, len(rates), -1]), tf.gather(z, batches[t - 1], batch_dims=1)
        )
        return tf.reshape(g, w.shape)

    def alone(w, t, i):
        seed = i // len(rates)
        return slope(w[None, None], tf.gather(z[seed], batches[t - 1, seed])[None])[0, 0]

    all_rates, start = np.tile(rates, seeds), np.zeros(DIMENSIONS)
    if method in ONE_RATE:
        w = walk_in_turn(method, all_rates, start, STEPS, alone)
    else:
        more = {"gradient": together, "record": ["point"], "every": STEPS}
        w = walk(method, all_rates, np.tile(start, (len(all_rates), 1)), STEPS, **more)["point"][-1]
    w = w.reshape(seeds, len(rates), -1)
    fit = np.logaddexp(0, -w @ z.numpy().transpose(0, 2, 1)).mean(axis=2)
    return fit + DECAY / 2 * (w**2).sum(axis=2)
