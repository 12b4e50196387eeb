"""Networks of the experiments."""

import keras
from keras import layers


def digits_cnn() -> keras.Model:
    """Return a small convolutional network for 28×28 grey images: 4 layers, 14,170 parameters."""
    return keras.Sequential(
        [
            layers.Input([28, 28, 1]),
            layers.Conv2D(8, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu", name="dense_1"),
            layers.Dense(10, name="logits"),
        ],
        name="digits_cnn",
    )
