"""Texts as bags of words by Zipf's law, and an embedding trained on them."""

import keras
import numpy as np
import tensorflow as tf

import tfadaopt

WORDS, BATCH, STEPS, TESTS = 5000, 32, 1000, 1000


def texts(seeds: int, count: int, length: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return texts of words by Zipf's law [count, seeds, length], and their labels ±1.

    Word k of a seed has the chance 1/k, up to a factor, and a random meaning; a label is the sign
    of the sum of meanings. The words of seed s have the ids from s · WORDS on.
    """
    rng, k = np.random.default_rng(seed), np.arange(1, WORDS + 1)
    meanings = rng.standard_normal(seeds * WORDS)
    words = rng.choice(WORDS, (count, seeds, length), p=1 / k / np.sum(1 / k))
    words = (words + WORDS * np.arange(seeds)[:, np.newaxis]).astype("int32")
    labels = np.sign(meanings[words].sum(axis=2))
    return words, labels[..., np.newaxis].astype("float32")


def errors_on_new_texts(
    method: str, learning_rates: np.ndarray, seeds: int, seed: int = 0
) -> np.ndarray:
    """Return the share of new texts with the wrong label, after training [seeds, rates]."""
    words, labels = map(tf.constant, texts(seeds, STEPS * BATCH + TESTS, seed=seed))
    layer = keras.layers.Embedding(
        seeds * WORDS, len(learning_rates), embeddings_initializer="zeros"
    )
    layer.build()
    rates = tf.constant(learning_rates[np.newaxis], "float32")
    cls = getattr(tfadaopt, method)
    optimizer = cls(learning_rate=lambda: rates, nonfinite="ignore", jit_compile=False)
    optimizer.build(layer.trainable_variables)

    def margins(rows: slice) -> tf.Tensor:
        return labels[rows] * tf.reduce_sum(layer(words[rows]), axis=2)

    def step(t: tf.Tensor) -> tuple[tf.Tensor]:
        with tf.GradientTape() as tape:
            m = margins(slice(t * BATCH, (t + 1) * BATCH))
            loss = tf.reduce_sum(tf.nn.softplus(-m)) / BATCH  # of all seeds and rates: each alone
        variables = layer.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return (t + 1,)

    @tf.function(autograph=False)  # under XLA, sums per word take twenty times as long
    def train() -> tuple[tf.Tensor]:
        trained: tuple[tf.Tensor] = tf.while_loop(lambda t: t < STEPS, step, (0,))
        return trained

    train()
    wrong: np.ndarray = (margins(slice(-TESTS, None)) <= 0).numpy().mean(axis=0)
    return wrong
