"""Networks of the experiments."""

import keras
from keras import layers


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
