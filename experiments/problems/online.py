"""Online learning in the box [−1, 1]: streams of examples, losses and regrets of all seeds."""

from typing import Any

import numpy as np
import tensorflow as tf
from scipy import optimize, sparse

from tfadaopt.experiments.problems.walks import walk

DIMENSIONS = 200


def into_box(w: tf.Tensor) -> tf.Tensor:
    """Return the nearest point of the box."""
    return tf.clip_by_value(w, -1, 1)


def sparse_stream(seeds: int, rounds: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return examples times labels [rounds, seeds, d], and the weights behind them [seeds, d].

    Feature j = 1, 2, … is active, as −1 or 1, with probability 1/j; the label is the sign of x · w*
    with a little noise.
    """
    rng = np.random.default_rng(seed)
    shape = (rounds, seeds, DIMENSIONS)
    active = rng.random(shape) < 1 / np.arange(1, DIMENSIONS + 1)
    x = active * rng.choice([-1.0, 1.0], shape)
    weights = rng.uniform(-1, 1, shape[1:])
    noise = 0.3 * rng.standard_normal(shape[:2])
    return x * np.sign(np.sum(x * weights, axis=2) + noise)[..., np.newaxis], weights


def least_loss(z: np.ndarray) -> float:
    """Return the least sum of hinge losses of examples z [T, d] in the box: a linear program."""
    constraints = sparse.hstack([sparse.csr_matrix(-z), -sparse.eye(len(z))])
    cost, bounds = np.repeat([0.0, 1.0], z.T.shape), [(-1, 1)] * z.shape[1] + [(0, None)] * len(z)
    return float(optimize.linprog(cost, constraints, -np.ones(len(z)), bounds=bounds).fun)


def hinge_losses(
    method: str, rates: np.ndarray, stream: np.ndarray, **more: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of hinge losses [seeds, rates], and the weights at the end [seeds, rates, d].

    Args:
        method: Name of the method.
        rates: Learning rates.
        stream: Examples times labels [rounds, seeds, d].
        **more: Further arguments of ``walk``.
    """
    z, shape = tf.constant(stream[:, :, np.newaxis]), (stream.shape[1], len(rates), DIMENSIONS)
    rounds, walkers = len(stream), shape[0] * shape[1]
    suffered = tf.Variable(np.zeros(shape[:2]))

    def gradient(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        margin = tf.reduce_sum(tf.reshape(w, shape) * z[t - 1], axis=2)
        suffered.assign_add(tf.nn.relu(1 - margin))
        return tf.reshape(-z[t - 1] * tf.cast(margin < 1, w.dtype)[..., tf.newaxis], w.shape)

    start, all_rates = np.zeros((walkers, DIMENSIONS)), np.tile(rates, shape[0])
    more |= {"gradient": gradient, "project": into_box, "record": ["point"], "every": rounds}
    w = walk(method, all_rates, start, rounds, **more)["point"][-1]
    return suffered.numpy(), w.reshape(shape)


def regret_and_bound(stream: np.ndarray, hinge: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return Adagrad's regret against the best point of the box, and its bound [seeds].

    The regret is that of the linearized losses, which is never smaller than that of the losses.

    Args:
        stream: Examples times labels [rounds, seeds, d], or the gradients themselves.
        hinge: Which of them.
    """
    z, (rounds, seeds) = tf.constant(stream), stream.shape[:2]
    suffered, total = tf.Variable(np.zeros(seeds)), tf.Variable(np.zeros((seeds, DIMENSIONS)))

    def gradient(w: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        open_margin = tf.reduce_sum(w * z[t - 1], axis=1, keepdims=True) < 1
        g = -z[t - 1] * tf.cast(open_margin, w.dtype) if hinge else z[t - 1]
        suffered.assign_add(tf.reduce_sum(g * w, axis=1))
        total.assign_add(g)
        return g

    r = walk(
        "Adagrad",
        np.sqrt(2),
        np.zeros(total.shape),
        rounds,
        gradient=gradient,
        project=into_box,
        epsilon=0.0,
        record=["accumulator"],
        every=rounds,
    )["accumulator"][-1]
    return suffered + np.abs(total).sum(axis=1), 2 * np.sqrt(2) * np.sqrt(r).sum(axis=1)
