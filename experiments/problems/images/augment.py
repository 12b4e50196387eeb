"""Pictures changed at random where the network runs, so that no processor waits for another."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfadaopt")
class Augment(keras.layers.Layer):
    """Standardizes each picture, and in training changes it at random before.

    In this order: zeros around it and a random crop, a mirror image half of the time, and where
    ``colours`` is set, brightness + U(−63/255, 63/255), saturation · U(0.5, 1.5) and contrast ·
    U(0.2, 1.8), on pixels from 0 to 255. Then (x − mean)/max(deviation, 1/√pixels), picture by
    picture. What is drawn is of one picture and one step, from the global seed.

    Brightness changes next to nothing: its range is one of pixels from 0 to 1. That is how the
    published runs were made.

    Args:
        shift: Zeros that are put around a picture, and pixels that it moves at most.
        colours: Whether brightness, saturation and contrast change too.

    Example:
        >>> import numpy as np
        >>> from tfadaopt.experiments.problems.images.augment import Augment
        >>> pictures = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
        >>> standard = Augment(shift=2)(pictures).numpy()
        >>> bool(abs(standard[0].mean()) < 1e-4), round(float(standard[0].std()), 3)
        (True, 1.0)

    Source:
        DeepOBS' ``cifar10`` (Schneider, Balles and Hennig, ICLR 2019); without colours, He et al.,
        CVPR 2016, section 4.2.
    """

    def __init__(self, shift: int, colours: bool = False, **more: Any):
        super().__init__(**more)
        self.shift, self.colours = shift, colours
        self.seeds = keras.random.SeedGenerator()

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        if training:
            x = self._mirrored(self._shifted(x))
            x = self._coloured(x) if self.colours else x
        return _standardized(x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shift": self.shift, "colours": self.colours}

    def _shifted(self, x: tf.Tensor) -> tf.Tensor:
        height, width = x.shape[1:3]
        x = tf.pad(x, [[0, 0], [self.shift] * 2, [self.shift] * 2, [0, 0]])
        # Gathered picture by picture, which XLA and a GPU can do.
        x = tf.gather(x, self._window(x, height), axis=1, batch_dims=1)
        return tf.gather(x, self._window(x, width), axis=2, batch_dims=1)

    def _window(self, x: tf.Tensor, size: int) -> tf.Tensor:
        """Return the rows [pictures, size] of a random window of each picture."""
        ends = 0, 2 * self.shift + 1
        return keras.random.randint([tf.shape(x)[0], 1], *ends, seed=self.seeds) + tf.range(size)

    def _mirrored(self, x: tf.Tensor) -> tf.Tensor:
        return tf.where(self._drawn(x, 0.0, 1.0) < 0.5, tf.reverse(x, [2]), x)

    def _coloured(self, x: tf.Tensor) -> tf.Tensor:
        x = x + self._drawn(x, -63 / 255, 63 / 255)
        hue, saturation, value = tf.split(tf.image.rgb_to_hsv(x), 3, axis=-1)
        saturation = tf.clip_by_value(saturation * self._drawn(x, 0.5, 1.5), 0.0, 1.0)
        x = tf.image.hsv_to_rgb(tf.concat([hue, saturation, value], axis=-1))
        mean = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
        return mean + (x - mean) * self._drawn(x, 0.2, 1.8)

    def _drawn(self, x: tf.Tensor, low: float, high: float) -> tf.Tensor:
        """Return a number for each picture, from U(low, high)."""
        shape = [tf.shape(x)[0], 1, 1, 1]
        return keras.random.uniform(shape, low, high, dtype=x.dtype, seed=self.seeds)


def _standardized(x: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True)
    deviation = tf.math.reduce_std(x, axis=[1, 2, 3], keepdims=True)
    pixels = x.shape[1] * x.shape[2] * x.shape[3]
    return (x - mean) / tf.maximum(deviation, pixels**-0.5)
