"""A zoo of models as people build them, each so small that an epoch takes a moment.

A new kind of model is a new function here; ``tests/test_zoo.py`` tries all callbacks, saving and
loading on each.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH, BATCHES = 8, 4
registered = keras.saving.register_keras_serializable(package="zoo")


def normal(*shape: int) -> np.ndarray:
    """Numbers that are the same in every run."""
    return np.random.default_rng(shape).normal(size=(BATCH * BATCHES, *shape)).astype("float32")


def classes(count: int) -> np.ndarray:
    """Labels below ``count``."""
    return np.random.default_rng(count).integers(count, size=BATCH * BATCHES)


@dataclass(frozen=True)
class Animal:
    """One model.

    Attributes:
        make: Makes it, uncompiled.
        x: What goes in.
        y: What should come out; None for a model that has its own loss.
        loss: The loss, as ``compile`` takes it.
        saves: Whether a ``.keras`` file of it holds the weights.
    """

    make: Callable[[], keras.Model]
    x: object
    y: object
    loss: object = "mse"
    saves: bool = True

    def compiled(self, optimizer, seed: int = 7, **keywords) -> keras.Model:
        """The model with weights from a seed."""
        keras.utils.set_random_seed(seed)
        model = self.make()
        model.compile(optimizer=optimizer, loss=self.loss, **keywords)
        return model

    def fit(self, model: keras.Model, epochs: int = 1, callbacks=()) -> keras.callbacks.History:
        """Some epochs of four batches, in the same order each time."""
        return model.fit(
            self.x,
            self.y,
            batch_size=BATCH,
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=list(callbacks),
        )


def mlp() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input([5]),
            layers.Dense(6, "relu", name="hidden"),
            layers.Dropout(0.2),
            layers.Dense(1, name="out"),
        ],
        name="mlp",
    )


def cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input([8, 8, 1]),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, "softmax", name="out"),
        ],
        name="cnn",
    )


def resnet() -> keras.Model:
    x = inputs = keras.Input([6, 6, 2])
    x = layers.Conv2D(3, 3, padding="same", name="stem")(x)
    for block in ("a", "b"):
        y = layers.BatchNormalization(name=f"{block}_norm")(x)
        y = layers.Activation("relu")(y)
        y = layers.Conv2D(3, 3, padding="same", use_bias=False, name=f"{block}_conv")(y)
        x = layers.Add()([x, y])
    outputs = layers.Dense(1, name="out")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs, name="resnet")


def transformer() -> keras.Model:
    tokens = keras.Input([4], dtype="int32")
    x = layers.Embedding(7, 4, name="tokens")(tokens)
    y = layers.MultiHeadAttention(2, 2, name="attention")(x, x, use_causal_mask=True)
    x = layers.LayerNormalization(name="norm")(layers.Add()([x, y]))
    y = layers.Dense(4, name="down")(layers.Dense(8, "gelu", name="up")(x))
    x = layers.LayerNormalization(name="last_norm")(layers.Add()([x, y]))
    return keras.Model(tokens, layers.Dense(7, name="out")(x), name="transformer")


def recurrent(cell: type, name: str) -> Callable[[], keras.Model]:
    def make():
        return keras.Sequential(
            [keras.Input([5, 2]), cell(3, name=name), layers.Dense(1, name="out")],
            name=f"of_{name}",
        )

    return make


def bidirectional() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input([4, 2]),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both"),
            layers.TimeDistributed(layers.Dense(1), name="each"),
        ],
        name="bidirectional",
    )


def autoencoder() -> keras.Model:
    encoder = keras.Sequential([keras.Input([5]), layers.Dense(2, "tanh")], name="encoder")
    decoder = keras.Sequential([keras.Input([2]), layers.Dense(5)], name="decoder")
    inputs = keras.Input([5])
    return keras.Model(inputs, decoder(encoder(inputs)), name="autoencoder")


def embedding() -> keras.Model:
    words = keras.Input([6], dtype="int32")
    x = layers.Embedding(50, 3, mask_zero=True, name="words")(words)
    outputs = layers.Dense(1, "sigmoid", name="out")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(words, outputs, name="bag_of_words")


def two_heads() -> keras.Model:
    inputs = keras.Input([5])
    x = layers.Dense(4, "relu", name="trunk")(inputs)
    outputs = {
        "size": layers.Dense(1, name="size")(x),
        "kind": layers.Dense(3, "softmax", name="kind")(x),
    }
    return keras.Model(inputs, outputs, name="two_heads")


def transfer() -> keras.Model:
    base = keras.Sequential(
        [
            keras.Input([6, 6, 2]),
            layers.Conv2D(3, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(),
        ],
        name="base",
    )
    base.trainable = False
    inputs = keras.Input([6, 6, 2])
    outputs = layers.Dense(1, name="head")(base(inputs, training=False))
    return keras.Model(inputs, outputs, name="transfer")


def lora() -> keras.Model:
    model = mlp()
    model.get_layer("hidden").enable_lora(2)
    return model


def shared() -> keras.Model:
    left, right = keras.Input([5]), keras.Input([5])
    tower = layers.Dense(3, "tanh", name="tower")
    outputs = layers.Dot(-1)([tower(left), tower(right)])
    return keras.Model([left, right], outputs, name="shared")


@registered
class Block(layers.Layer):
    """A layer of layers, built at its first call."""

    def __init__(self, units: int, **keywords):
        super().__init__(**keywords)
        self.units = units
        self.inner = [layers.Dense(units, "relu", name=f"dense_{i}") for i in range(2)]
        self.scale = layers.LayerNormalization(name="scale")

    def build(self, shape):
        for layer in (*self.inner, self.scale):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        super().build(shape)

    def call(self, x):
        for layer in self.inner:
            x = layer(x)
        return self.scale(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def nested() -> keras.Model:
    inputs = keras.Input([5])
    inner = keras.Sequential([keras.Input([5]), Block(4, name="block")], name="inner")
    return keras.Model(inputs, layers.Dense(1, name="out")(inner(inputs)), name="nested")


@registered
class Lazy(keras.Model):
    """A subclass without ``build``: nothing has a variable before the first batch."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.hidden = layers.Dense(4, "relu", name="hidden")
        self.out = layers.Dense(1, name="out")

    def call(self, x):
        return self.out(self.hidden(x))


@registered
class Gan(keras.Model):
    """Two networks with an optimizer each, as attributes: Keras' example is written so."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.generator = keras.Sequential(
            [keras.Input([3]), layers.Dense(4, "relu"), layers.Dense(2)], name="generator"
        )
        self.discriminator = keras.Sequential(
            [keras.Input([2]), layers.Dense(4, "relu"), layers.Dense(1)], name="discriminator"
        )
        self.noise = keras.random.SeedGenerator(3)

    def compile(self, optimizer, loss=None, **keywords):
        super().compile(**keywords)
        self.d_optimizer = optimizer
        self.g_optimizer = type(optimizer).from_config(optimizer.get_config())

    def call(self, z):
        return self.discriminator(self.generator(z))

    def train_step(self, real):
        real = real[0] if isinstance(real, tuple) else real
        count = tf.shape(real)[0]
        cross = keras.losses.BinaryCrossentropy(from_logits=True)
        fake = self.generator(keras.random.normal((count, 3), seed=self.noise))
        labels = tf.concat([tf.ones([count, 1]), tf.zeros([count, 1])], 0)
        with tf.GradientTape() as tape:
            d_loss = cross(labels, self.discriminator(tf.concat([real, fake], 0)))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        with tf.GradientTape() as tape:
            fake = self.generator(keras.random.normal((count, 3), seed=self.noise))
            g_loss = cross(tf.ones([count, 1]), self.discriminator(fake))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"d_loss": d_loss, "g_loss": g_loss}


KINDS = "sparse_categorical_crossentropy"
TOKENS = np.random.default_rng(0).integers(1, 7, size=(BATCH * BATCHES, 4))
WORDS = np.random.default_rng(1).integers(0, 50, size=(BATCH * BATCHES, 6))

ANIMALS = {
    "mlp": Animal(mlp, normal(5), normal(1)),
    "cnn": Animal(cnn, normal(8, 8, 1), classes(3), KINDS),
    "resnet": Animal(resnet, normal(6, 6, 2), normal(1)),
    "transformer": Animal(
        transformer, TOKENS, TOKENS, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ),
    "gru": Animal(recurrent(layers.GRU, "gru"), normal(5, 2), normal(1)),
    "lstm": Animal(recurrent(layers.LSTM, "lstm"), normal(5, 2), normal(1)),
    "bidirectional": Animal(bidirectional, normal(4, 2), normal(4, 1)),
    "autoencoder": Animal(autoencoder, normal(5), normal(5)),
    "embedding": Animal(embedding, WORDS, classes(2), "binary_crossentropy"),
    "two-heads": Animal(
        two_heads,
        normal(5),
        {"size": normal(1), "kind": classes(3)},
        {"size": "mse", "kind": KINDS},
    ),
    "transfer": Animal(transfer, normal(6, 6, 2), normal(1)),
    "lora": Animal(lora, normal(5), normal(1)),
    "shared": Animal(shared, [normal(5), normal(5)[::-1].copy()], normal(1)),
    "nested": Animal(nested, normal(5), normal(1)),
    "lazy": Animal(lambda: Lazy(name="lazy"), normal(5), normal(1)),
    "gan": Animal(lambda: Gan(name="gan"), normal(2), None, None),
}
