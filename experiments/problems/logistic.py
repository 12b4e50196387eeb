"""Logistic regression on features of any scale: all seeds and learning rates at once."""

import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.turns import walk_in_turn
from tfadaopt.experiments.problems.walks import walk

EXAMPLES, DIMENSIONS, BATCH, STEPS, DECAY = 1000, 50, 32, 1500, 1e-4
ONE_RATE = ("AdaGradNorm", "DoG")


def final_losses(
    method: str, rates: np.ndarray, seeds: int, scales: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Return the loss on all examples after training with mini-batches [seeds, rates].

    Args:
        method: Name of the method; all its arguments but the rate are the defaults.
        rates: Its learning rates.
        seeds: Number of problems, each with data, labels and batches of its own.
        scales: Sizes of the features [d]; the labels do not depend on them, nor does the
            decay of the weights, which is of those in units of the features.
        seed: Seed of all problems.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((seeds, EXAMPLES, DIMENSIONS))
    weights = 3 / np.sqrt(DIMENSIONS) * rng.standard_normal((seeds, DIMENSIONS, 1))
    chance = 1 / (1 + np.exp(-x @ weights))
    z = x * scales * np.where(rng.random(chance.shape) < chance, 1, -1)
    batches = rng.integers(0, EXAMPLES, (STEPS, seeds, BATCH))
    sizes = tf.constant(scales)
    # [steps, seeds, batch, d], beforehand: XLA would fetch example after example in each step.
    stream = tf.constant(z[np.arange(seeds)[:, np.newaxis], batches])

    def gradient(
        w: tf.Tensor, examples: tf.Tensor
    ) -> tf.Tensor:  # [seeds, rates, d], [seeds, batch, d]
        chance = tf.sigmoid(-w @ tf.transpose(examples, [0, 2, 1]))
        return DECAY * sizes**2 * w - chance @ examples / BATCH

    def together(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        g = gradient(tf.reshape(w, [seeds, len(rates), -1]), stream[t - 1])
        return tf.reshape(g, w.shape)

    def alone(w: tf.Tensor, t: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
        return gradient(w[None, None], examples[t - 1][None])[0, 0]

    all_rates, start = np.tile(rates, seeds), np.zeros(DIMENSIONS)
    if method in ONE_RATE:
        of_seed = tf.unstack(stream, axis=1)
        data = [of_seed[i // len(rates)] for i in range(len(all_rates))]
        w = walk_in_turn(method, all_rates, start, STEPS, alone, data)
    else:
        w = walk(
            method,
            all_rates,
            np.tile(start, (len(all_rates), 1)),
            STEPS,
            gradient=together,
            record=["point"],
            every=STEPS,
        )["point"][-1]
    w = w.reshape(seeds, len(rates), -1)
    fit = np.logaddexp(0, -w @ z.transpose(0, 2, 1)).mean(axis=2)
    return fit + DECAY / 2 * ((scales * w) ** 2).sum(axis=2)
