"""Networks of the experiments."""

import keras
from keras import layers

from tfadaopt.experiments.problems.images import networks


def digits_cnn() -> keras.Model:
    """Return a small convolutional network for 28×28 grey images: 4 layers, 11,978 parameters."""
    return keras.Sequential(
        [
            layers.Input([28, 28, 1]),
            layers.Conv2D(8, 5, strides=2, activation="relu", name="conv_1"),
            layers.Conv2D(16, 5, strides=2, activation="relu", name="conv_2"),
            layers.Flatten(),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(10, name="logits"),
        ],
        name="digits_cnn",
    )


def narrow_2c2d() -> keras.Model:
    """Return DeepOBS' network 2c2d for 28×28 grey images, narrowed to 8, 16 and 128 units."""
    return networks.conv_2c2d((8, 16, 128), "narrow_2c2d")


def small_mlp() -> keras.Model:
    """Return a perceptron for 28×28 grey images: 784, 64, 64, 64 and 10 units, ReLU."""
    hidden = [layers.Dense(64, activation="relu", name=f"dense_{i}") for i in (1, 2, 3)]
    return keras.Sequential(
        [layers.Input([28, 28, 1]), layers.Flatten(), *hidden, layers.Dense(10, name="logits")],
        name="small_mlp",
    )
