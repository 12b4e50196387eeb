"""Networks that the benchmarks train, each with a batch of random data."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfadaopt.experiments.problems.images import networks

layers = keras.layers


@dataclass(frozen=True)
class Problem:
    """A network and what it is trained on.

    Attributes:
        model: The network, which has not been compiled.
        shape: Shape of a batch.
        words: Number of words, where the input is words; 0 where it is numbers.
        classes: Number of classes.
    """

    model: keras.Model
    shape: tuple[int, ...]
    words: int = 0
    classes: int = 10

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and classes."""
        random = np.random.default_rng(0)
        if self.words:
            x = random.integers(0, self.words, self.shape).astype("int32")
        else:
            x = random.normal(size=self.shape).astype("float32")
        return x, random.integers(0, self.classes, self.shape[0])

    def compiled(self, optimizer, **arguments) -> keras.Model:
        """The network, compiled with an optimizer."""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer, loss, **arguments)
        return self.model

    def batches(self, steps: int) -> tf.data.Dataset:
        """The batch so many times, without the autotuning that pads a short ``fit``."""
        options = tf.data.Options()
        options.autotune.enabled = False
        return tf.data.Dataset.from_tensors(self.batch()).repeat(steps).with_options(options)


def cnn() -> Problem:
    """A small convolutional network on 28 × 28 images: 0.1 M weights."""
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    return Problem(model, (32, 28, 28, 1))


def mlp() -> Problem:
    """Two layers: 1.3 M weights."""
    hidden = [layers.Dense(784, activation="relu") for _ in range(2)]
    return Problem(keras.Sequential([keras.Input((784,)), *hidden, layers.Dense(10)]), (32, 784))


def wide() -> Problem:
    """Two wide layers: 5.8 M weights."""
    hidden = [layers.Dense(2048, activation="relu") for _ in range(2)]
    return Problem(keras.Sequential([keras.Input((784,)), *hidden, layers.Dense(10)]), (32, 784))


def embedding() -> Problem:
    """An embedding of 100,000 words: 6.4 M weights, of which a batch looks up 2048."""
    words = keras.Input((64,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(100_000, 64)(words))
    return Problem(keras.Model(words, layers.Dense(10)(x)), (32, 64), words=100_000)


def resnet20() -> Problem:
    """ResNet-20 of 32 × 32 pictures: 65 variables, 0.27 M weights."""

    return Problem(networks.resnet20(augment=False), (32, 32, 32, 3))


def resnet50() -> Problem:
    """ResNet-50 of small pictures: 214 variables, 23.6 M weights."""
    shape = (64, 64, 3)
    model = keras.applications.ResNet50(
        weights=None, input_shape=shape, classes=10, classifier_activation=None
    )
    return Problem(model, (8, *shape))


def transformer() -> Problem:
    """Four blocks of attention: 69 variables, 0.2 M weights."""
    words = keras.Input((32,), dtype="int32")
    x = layers.Embedding(1000, 64)(words)
    for _ in range(4):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 16)(y, y)])
        y = layers.Dense(128, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(64)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return Problem(keras.Model(words, layers.Dense(10)(x)), (32, 32), words=1000)


def lstm() -> Problem:
    """An LSTM on sentences of 32 words."""
    words = keras.Input((32,), dtype="int32")
    x = layers.LSTM(128)(layers.Embedding(1000, 64)(words))
    return Problem(keras.Model(words, layers.Dense(10)(x)), (32, 32), words=1000)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    make.__name__: make
    for make in (cnn, mlp, wide, embedding, resnet20, resnet50, transformer, lstm)
}
