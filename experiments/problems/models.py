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


def narrow_2c2d() -> keras.Model:
    """Return DeepOBS' network 2c2d for 28×28 grey images, narrowed to 8, 16 and 128 units.

    Source:
        Schneider, Balles and Hennig, DeepOBS, ICLR 2019: kernels are drawn from a truncated normal
        distribution of standard deviation 0.05, biases begin at 0.05.
    """
    drawn = {
        "kernel_initializer": keras.initializers.TruncatedNormal(stddev=0.05),
        "bias_initializer": keras.initializers.Constant(0.05),
    }
    conv = {"padding": "same", "activation": "relu", **drawn}
    return keras.Sequential(
        [
            layers.Input([28, 28, 1]),
            layers.Conv2D(8, 5, name="conv_1", **conv),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(16, 5, name="conv_2", **conv),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(128, activation="relu", name="dense_1", **drawn),
            layers.Dense(10, name="logits", **drawn),
        ],
        name="narrow_2c2d",
    )


def small_mlp() -> keras.Model:
    """Return a perceptron for 28×28 grey images: 784, 64, 64, 64 and 10 units, ReLU."""
    hidden = [layers.Dense(64, activation="relu", name=f"dense_{i}") for i in (1, 2, 3)]
    return keras.Sequential(
        [layers.Input([28, 28, 1]), layers.Flatten(), *hidden, layers.Dense(10, name="logits")],
        name="small_mlp",
    )
