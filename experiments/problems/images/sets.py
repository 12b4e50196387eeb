"""Image sets that Keras downloads once and keeps, and batches of them by ``tf.data``."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

# Of DeepOBS: how many examples wait to be drawn from.
BUFFER = 20_000
# Share of the training images that rates are chosen on: they are not trained on.
VALIDATION = 0.1


@dataclass(frozen=True)
class Images:
    """A part of an image set.

    Attributes:
        pixels: Pixels [n, height, width, channels] from 0 to 255, as they are stored.
        labels: Classes [n].
    """

    pixels: np.ndarray
    labels: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> "Images":
        """Return some of the images, in that order."""
        return Images(self.pixels[rows], self.labels[rows])


@functools.cache
def stored(name: str) -> tuple[Images, Images]:
    """Return the training and the test part of a set of ``keras.datasets``.

    Args:
        name: Name of its module, such as "fashion_mnist".
    """
    train, test = getattr(keras.datasets, name).load_data()
    return _images(*train), _images(*test)


def _images(pixels: np.ndarray, labels: np.ndarray) -> Images:
    pixels = pixels if pixels.ndim == 4 else pixels[..., np.newaxis]
    return Images(pixels, labels.reshape(-1).astype("int32"))


def batches(
    images: Images,
    size: int,
    example: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    shuffled: bool = False,
    whole: bool = False,
) -> tf.data.Dataset:
    """Return batches of images, in their order or shuffled anew in each epoch.

    Args:
        images: The images.
        size: Images in a batch.
        example: Makes inputs and targets of a batch of pixels and labels.
        shuffled: Whether they are shuffled, by a buffer of 20,000 and the global seed.
        whole: Whether a last batch that is not full is dropped.

    Example:
        >>> from tfadaopt.experiments.problems.images.sets import Images, batches, in_unit
        >>> images = Images(np.full([5, 28, 28, 1], 51, "uint8"), np.arange(5))
        >>> [labels.numpy().tolist() for _, labels in batches(images, 2, in_unit, whole=True)]
        [[0, 1], [2, 3]]
    """
    data = tf.data.Dataset.from_tensor_slices((images.pixels, images.labels))
    if shuffled:
        data = data.shuffle(BUFFER)
    as_written = tf.autograph.experimental.do_not_convert(example)
    return data.batch(size, drop_remainder=whole).map(as_written).prefetch(2)


def of_pixels(pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return pixels from 0 to 255, for networks that standardize them, and labels."""
    return tf.cast(pixels, "float32"), labels


def in_unit(pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return pixels in [0, 1], and labels."""
    return tf.cast(pixels, "float32") / 255, labels


def itself(pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return pixels in [0, 1], and the same, flat, as what is to be found."""
    x, _ = in_unit(pixels, labels)
    return x, tf.reshape(x, [tf.shape(x)[0], -1])


def split(
    name: str,
    size: int,
    example: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
) -> tuple[tf.data.Dataset, tf.data.Dataset, tf.data.Dataset]:
    """Return a set as batches to train on, to choose on, and to report on.

    A tenth of the training part is to choose on, the same for all seeds; what is reported is of
    the set's own test part.

    Args:
        name: Name of its module in ``keras.datasets``.
        size: Images in a batch; in training, a last one that is not full is dropped.
        example: Makes inputs and targets of a batch of pixels and labels.
    """
    known, test = stored(name)
    order = np.random.default_rng(0).permutation(len(known.labels))
    held = round(VALIDATION * len(order))
    train, validation = known[order[held:]], known[order[:held]]
    return (
        batches(train, size, example, shuffled=True, whole=True),
        batches(validation, size, example),
        batches(test, size, example),
    )
