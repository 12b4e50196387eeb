"""DeepOBS' ``quadratic_deep``: a noisy quadratic whose curvatures are like those of a deep network.

½ (θ − x)ᵀ Q (θ − x) with x ~ N(0, 0.6² I) in 100 dimensions: ninety curvatures from U(0, 1), ten
from U(30, 60), in a rotated basis. Batches of 128 from 1,000 rows, the rest of them dropped: seven
updates an epoch, in the same order in every epoch, as in the runs that were published.

F. Schneider, L. Balles and P. Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR
2019, arXiv 1903.05499.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfadaopt.experiments.problems.walks import walk

DIMENSIONS, ROWS, BATCH = 100, 1_000, 128
UPDATES = ROWS // BATCH  # of an epoch
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quadratic:
    """The problem, with the numbers of the published runs.

    Attributes:
        hessian: Q.
        train: Rows x to train on.
        test: Rows x to judge on.
    """

    hessian: Array
    train: Array
    test: Array

    def test_loss(self, theta: Array) -> Array:
        """Mean loss on the test rows at points [..., 100]."""
        mean = self.test.mean(axis=0)
        noise = np.einsum("ni,ij,nj->", self.test - mean, self.hessian, self.test - mean)
        away = theta - mean
        return 0.5 * (
            np.einsum("...i,ij,...j->...", away, self.hessian, away) + noise / len(self.test)
        )


@functools.cache
def quadratic_deep() -> Quadratic:
    """The problem as DeepOBS seeds it: θ = 1 has the test loss 353.4468."""
    random = np.random.RandomState(42)
    curvatures = np.concatenate([random.uniform(0, 1, 90), random.uniform(30, 60, 10)])
    rotation = _rotation(DIMENSIONS, random)
    train, test = (
        np.random.RandomState(seed).normal(0, 0.6, [ROWS, DIMENSIONS]) for seed in (42, 43)
    )
    kept = UPDATES * BATCH
    return Quadratic(rotation.T @ np.diag(curvatures) @ rotation, train, test[:kept])


def losses_of(method: str, rate: float, epochs: int, seeds: int, **arguments: Any) -> Array:
    """Test loss after each epoch, from 0 on, of runs that differ in the order of their batches.

    Args:
        method: Name of the method.
        rate: Learning rate η.
        epochs: Epochs of seven updates.
        seeds: Number of runs.
        **arguments: Further arguments of the method.

    Returns:
        Losses [1 + epochs, seeds].
    """
    problem = quadratic_deep()
    batches = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(ROWS)[: UPDATES * BATCH]
        batches.append(problem.train[order].reshape(UPDATES, BATCH, DIMENSIONS).mean(axis=1))
    means = tf.constant(np.stack(batches, axis=1))  # of each update, of each run
    hessian = tf.constant(problem.hessian)

    def gradient(theta: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        return tf.matmul(theta - means[(tf.cast(t, "int32") - 1) % UPDATES], hessian)

    walked = walk(
        method,
        [rate] * seeds,
        np.ones(DIMENSIONS),
        UPDATES * epochs,
        gradient=gradient,
        record=["point"],
        every=UPDATES,
        **arguments,
    )
    return problem.test_loss(walked["point"])


def _rotation(size: int, random: np.random.RandomState) -> Array:
    """A rotation that is uniform among all: the subgroup algorithm.

    P. Diaconis and M. Shahshahani, "The subgroup algorithm for generating uniform random
    variables", Probability in the Engineering and Informational Sciences 1 (1987). Each turn puts
    what there is into one more dimension, and reflects its first axis onto a random one.
    """
    angle = 2 * np.pi * random.uniform()
    found = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for smaller in range(2, size):
        to = random.normal(size=smaller + 1)
        mirror = np.eye(smaller + 1)[0] - to / np.linalg.norm(to)
        mirror /= np.linalg.norm(mirror)
        larger = np.eye(smaller + 1)
        larger[1:, 1:] = found
        found = larger - 2 * np.outer(mirror, mirror @ larger)
    return -found
