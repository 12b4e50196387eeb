"""Networks for images as they were published; they return logits, and are not compiled."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfadaopt.experiments.problems.images.augment import Augment

_STANDARD = "standardized"


def logistic_regression() -> keras.Model:
    """Return DeepOBS' logistic regression of 28×28 grey images, from zeros: 7,850 parameters."""
    start = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}
    return keras.Sequential(
        [layers.Input([28, 28, 1]), layers.Flatten(), layers.Dense(10, name="logits", **start)],
        name="logistic_regression",
    )


def conv_2c2d(widths: Sequence[int] = (32, 64, 1024), name: str = "conv_2c2d") -> keras.Model:
    """Return DeepOBS' network 2c2d for 28×28 grey images: 3,274,634 parameters.

    Two convolutions of 5×5 and two dense layers. Kernels are drawn from a truncated normal
    distribution of standard deviation 0.05, biases begin at 0.05.

    Args:
        widths: Filters of the two convolutions, and units of the hidden layer.
        name: Name of the model.

    Example:
        >>> from tfadaopt.experiments.problems.images.networks import conv_2c2d
        >>> conv_2c2d().count_params(), conv_2c2d((8, 16, 128)).count_params()
        (3274634, 105194)

    Source:
        F. Schneider, L. Balles and P. Hennig, "DeepOBS: a deep learning optimizer benchmark
        suite", ICLR 2019, arXiv 1903.05499, and its code.
    """
    drawn = {
        "kernel_initializer": keras.initializers.TruncatedNormal(stddev=0.05),
        "bias_initializer": keras.initializers.Constant(0.05),
    }
    conv = {"padding": "same", "activation": "relu", **drawn}
    return keras.Sequential(
        [
            layers.Input([28, 28, 1]),
            layers.Conv2D(widths[0], 5, name="conv_1", **conv),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(widths[1], 5, name="conv_2", **conv),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(widths[2], activation="relu", name="dense_1", **drawn),
            layers.Dense(10, name="logits", **drawn),
        ],
        name=name,
    )


def conv_3c3d(classes: int = 10) -> keras.Model:
    """Return DeepOBS' network 3c3d for 32×32 pictures: 895,210 parameters for 10 classes.

    Three convolutions and three dense layers. The loss has ½ · 0.002 · ‖W‖² of each kernel added;
    that decay goes through the gradient, unlike ``weight_decay`` of an optimizer.

    Args:
        classes: Number of classes.

    Source:
        Schneider, Balles and Hennig, DeepOBS, ICLR 2019, and its code.
    """
    conv = {"activation": "relu", "kernel_initializer": "glorot_normal", **_decay(0.002)}
    dense = {"activation": "relu", **_decay(0.002)}
    return keras.Sequential(
        [
            layers.Input([32, 32, 3]),
            Augment(shift=2, colours=True, name=_STANDARD),
            layers.Conv2D(64, 5, name="conv_1", **conv),
            layers.MaxPooling2D(3, 2, padding="same"),
            layers.Conv2D(96, 3, name="conv_2", **conv),
            layers.MaxPooling2D(3, 2, padding="same"),
            layers.Conv2D(128, 3, padding="same", name="conv_3", **conv),
            layers.MaxPooling2D(3, 2, padding="same"),
            layers.Flatten(),
            layers.Dense(512, name="dense_1", **dense),
            layers.Dense(256, name="dense_2", **dense),
            layers.Dense(classes, name="logits", **_decay(0.002)),
        ],
        name="conv_3c3d",
    )


def all_cnn_c(classes: int = 100) -> keras.Model:
    """Return All-CNN-C for 32×32 pictures: 1,387,108 parameters for 100 classes.

    Nine convolutions, of which two have strides for pooling; the mean over the picture is the
    output. DeepOBS' form: biases begin at 0.1, the last convolution has a ReLU, and the loss has
    ½ · 0.0005 · ‖W‖² of each kernel added.

    Args:
        classes: Number of classes.

    Source:
        J. Springenberg, A. Dosovitskiy, T. Brox and M. Riedmiller, "Striving for simplicity: the
        all convolutional net", ICLR 2015 workshop, arXiv 1412.6806, table 1; DeepOBS' code.
    """
    start = {"kernel_initializer": "glorot_normal"}
    start |= {"bias_initializer": keras.initializers.Constant(0.1)}

    def conv(filters: int, size: int = 3, stride: int = 1, padding: str = "same") -> Any:
        more = {"padding": padding, "activation": "relu", **start, **_decay(0.0005)}
        return layers.Conv2D(filters, size, stride, **more)

    return keras.Sequential(
        [
            layers.Input([32, 32, 3]),
            Augment(shift=2, colours=True, name=_STANDARD),
            layers.Dropout(0.2),
            *(conv(96), conv(96), conv(96, stride=2)),
            layers.Dropout(0.5),
            *(conv(192), conv(192), conv(192, stride=2)),
            layers.Dropout(0.5),
            *(conv(192, padding="valid"), conv(192, 1), conv(classes, 1)),
            layers.GlobalAveragePooling2D(),
        ],
        name="all_cnn_c",
    )


def resnet20(classes: int = 10, augment: bool = True) -> keras.Model:
    """Return ResNet-20 for 32×32 pictures: 272,474 trained parameters in 65 variables.

    Where the number of filters changes, a convolution of 1×1 is the way past the block.

    Args:
        classes: Number of classes.
        augment: Whether pictures are shifted and mirrored in training, and standardized.

    Source:
        K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", CVPR
        2016, arXiv 1512.03385, section 4.2; option B of its shortcuts.
    """

    def convolved(x: Any, filters: int, size: int = 3, stride: int = 1) -> Any:
        x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    pictures = keras.Input([32, 32, 3])
    x = Augment(shift=4, name=_STANDARD)(pictures) if augment else pictures
    x = layers.ReLU()(convolved(x, 16))
    for filters in (16, 32, 64):
        for block in range(3):
            stride = 2 if filters > 16 and block == 0 else 1
            y = convolved(layers.ReLU()(convolved(x, filters, stride=stride)), filters)
            if x.shape[-1] != filters:
                x = convolved(x, filters, 1, stride)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Dense(classes)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(pictures, x, name="resnet20")


@keras.saving.register_keras_serializable(package="tfadaopt")
class Sample(layers.Layer):
    """Draws z = m + exp(s) · ε, and adds the divergence of N(m, exp(s)²) from N(0, 1) to the loss.

    Source:
        D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, appendix B.
    """

    def __init__(self, **more: Any):
        super().__init__(**more)
        self.seeds = keras.random.SeedGenerator()

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        mean, log_deviation = inputs
        divergence = tf.square(mean) + tf.exp(2 * log_deviation) - 1 - 2 * log_deviation
        self.add_loss(0.5 * tf.reduce_mean(tf.reduce_sum(divergence, axis=1)))
        noise = keras.random.normal(tf.shape(mean), dtype=mean.dtype, seed=self.seeds)
        return mean + tf.exp(log_deviation) * noise


def autoencoder() -> keras.Model:
    """Return DeepOBS' variational autoencoder of 28×28 grey images; latent space of 8.

    Its output are the pixels [784]; the divergence of the latent distribution is added to the loss.

    Source:
        Schneider, Balles and Hennig, DeepOBS, ICLR 2019, and its code.
    """
    images = keras.Input([28, 28, 1])
    x = images
    for stride in (2, 2, 1):
        x = layers.Conv2D(64, 4, stride, padding="same")(x)
        x = layers.Dropout(0.2)(layers.LeakyReLU(0.3)(x))
    x = layers.Flatten()(x)
    log_deviation = layers.Rescaling(0.5)(layers.Dense(8, name="log_variance")(x))
    x = Sample(name="latent")([layers.Dense(8, name="mean")(x), log_deviation])
    for units in (24, 49):
        x = layers.LeakyReLU(0.3)(layers.Dense(units)(x))
    x = layers.Reshape([7, 7, 1])(x)
    for stride, dropout in ((2, 0.2), (1, 0.2), (1, 0)):
        x = layers.Conv2DTranspose(64, 4, stride, padding="same", activation="relu")(x)
        x = layers.Dropout(dropout)(x) if dropout else x
    x = layers.Dense(784, activation="sigmoid", name="pixels")(layers.Flatten()(x))
    return keras.Model(images, x, name="autoencoder")


def _decay(factor: float) -> dict[str, Any]:
    # DeepOBS adds ½ · factor · ‖W‖², Keras' L2 its factor times ‖W‖².
    return {"kernel_regularizer": keras.regularizers.L2(factor / 2)}
