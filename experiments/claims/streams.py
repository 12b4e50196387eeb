"""Streams of examples for online learning: sparse features, of which the first are frequent."""

import numpy as np

DIMENSIONS = 200


def sparse_stream(seeds: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return examples times labels [rounds, seeds, d], and the weights behind them [seeds, d].

    Feature j = 1, 2, … is active, as −1 or 1, with probability 1/j; the label is the sign of x · w*
    with a little noise.
    """
    rng = np.random.default_rng(0)
    shape = (rounds, seeds, DIMENSIONS)
    active = rng.random(shape) < 1 / np.arange(1, DIMENSIONS + 1)
    x = active * rng.choice([-1.0, 1.0], shape)
    weights = rng.uniform(-1, 1, shape[1:])
    noise = 0.3 * rng.standard_normal(shape[:2])
    return x * np.sign(np.sum(x * weights, axis=2) + noise)[..., np.newaxis], weights
