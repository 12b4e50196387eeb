"""Models of the zoo: small, and built as people build them."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def mlp(activation="relu", depth=2, width=32, outputs=10, inputs=(64,), dtype=None, **options):
    """A fully connected network."""
    hidden = [
        layers.Dense(width, activation=activation, name=f"dense_{i + 1}", dtype=dtype, **options)
        for i in range(depth)
    ]
    out = layers.Dense(outputs, name="out", dtype=dtype)
    return keras.Sequential([keras.Input(inputs), layers.Flatten(), *hidden, out], name="mlp")


def cnn(activation="relu", dtype=None):
    """Two convolutions and two dense layers."""
    return keras.Sequential(
        [
            keras.Input([64]),
            layers.Reshape([8, 8, 1]),
            layers.Conv2D(8, 3, activation=activation, name="conv_1", dtype=dtype),
            layers.Conv2D(16, 3, 2, activation=activation, name="conv_2", dtype=dtype),
            layers.Flatten(),
            layers.Dense(32, activation=activation, name="dense", dtype=dtype),
            layers.Dense(10, name="out", dtype=dtype),
        ],
        name="cnn",
    )


def resnet(gamma="ones"):
    """Three residual blocks with batch normalization."""
    x = inputs = keras.Input([64])
    x = layers.Reshape([8, 8, 1])(x)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    for block in ("a", "b", "c"):
        y = layers.BatchNormalization(name=f"{block}_bn_1")(x)
        y = layers.ReLU()(y)
        y = layers.Conv2D(8, 3, padding="same", use_bias=False, name=f"{block}_conv_1")(y)
        y = layers.BatchNormalization(name=f"{block}_bn_2", gamma_initializer=gamma)(y)
        y = layers.ReLU()(y)
        y = layers.Conv2D(8, 3, padding="same", use_bias=False, name=f"{block}_conv_2")(y)
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization(name="last_bn")(x))
    return keras.Model(inputs, layers.Dense(10, name="out")(x), name="resnet")


def transformer(pre=True, depth=2, width=16, zero_head=False):
    """Rows of a picture as tokens; normalization before or after each part."""
    inputs = keras.Input([64])
    x = layers.Dense(width, name="embed")(layers.Reshape([8, 8])(inputs))
    for i in range(depth):
        name = f"block_{i + 1}"
        attention = layers.MultiHeadAttention(2, width // 2, name=f"{name}_attention")
        norms = [layers.LayerNormalization(name=f"{name}_norm_{j}") for j in (1, 2)]
        up = layers.Dense(2 * width, "gelu", name=f"{name}_up")
        down = layers.Dense(width, name=f"{name}_down")
        if pre:
            y = norms[0](x)
            x = layers.Add()([x, attention(y, y)])
            x = layers.Add()([x, down(up(norms[1](x)))])
        else:
            x = norms[0](layers.Add()([x, attention(x, x)]))
            x = norms[1](layers.Add()([x, down(up(x))]))
    x = layers.GlobalAveragePooling1D()(x)
    head = "zeros" if zero_head else "glorot_uniform"
    outputs = layers.Dense(10, name="out", kernel_initializer=head)(x)
    return keras.Model(inputs, outputs, name="transformer")


def recurrent(cell=layers.GRU, stacked=False):
    """Rows of a picture one by one."""
    cells = [cell(16, name="cell_2")] if stacked else []
    first = cell(24, return_sequences=stacked, name="cell")
    parts = [keras.Input([64]), layers.Reshape([8, 8]), first, *cells, layers.Dense(10, name="out")]
    return keras.Sequential(parts, name="recurrent")


def autoencoder(activation="relu"):
    """To 8 numbers and back."""
    parts = [
        layers.Dense(32, activation=activation, name="encoder_1"),
        layers.Dense(8, name="encoder_2"),
        layers.Dense(32, activation=activation, name="decoder_1"),
        layers.Dense(64, name="decoder_2"),
    ]
    return keras.Sequential([keras.Input([64]), *parts], name="autoencoder")


def text(width=16):
    """Mean of the embeddings of words."""
    parts = [
        layers.Embedding(500, width, name="words"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(16, "relu", name="dense"),
        layers.Dense(1, name="out"),
    ]
    return keras.Sequential([keras.Input([20], dtype="int32"), *parts], name="text")


def two_heads(cut=False):
    """A shared trunk; ``cut``: nothing that the second head says reaches the loss."""
    inputs = keras.Input([64])
    x = layers.Dense(32, "relu", name="trunk")(inputs)
    a = layers.Dense(10, name="kind")(x)
    b = layers.Dense(1, name="size")(layers.Dense(8, "relu", name="own")(x))
    if cut:
        b = 0.0 * b
    return keras.Model(inputs, [a, b], name="two_heads")


def gated():
    """Residual branches that begin closed: each times a number that starts at 0."""

    class Gate(layers.Layer):
        def build(self, shape):
            self.alpha = self.add_weight(shape=(1,), initializer="zeros", name="alpha")

        def call(self, x):
            return self.alpha * x

    x = inputs = keras.Input([64])
    x = layers.Dense(24, name="embed")(x)
    for i in range(4):
        y = layers.Dense(24, "relu", name=f"branch_{i + 1}")(x)
        x = layers.Add()([x, Gate(name=f"gate_{i + 1}")(y)])
    return keras.Model(inputs, layers.Dense(10, name="out")(x), name="gated")


def heads_of_experts():
    """A soft mixture of four experts."""
    inputs = keras.Input([64])
    gate = layers.Dense(4, "softmax", name="gate")(inputs)
    experts = [layers.Dense(16, "relu", name=f"expert_{i + 1}")(inputs) for i in range(4)]
    mixed = layers.Dot(1)([gate, layers.Lambda(lambda e: tf.stack(e, 1))(experts)])
    return keras.Model(inputs, layers.Dense(10, name="out")(mixed), name="experts")


class Vae(keras.Model):
    """A variational autoencoder with its loss in ``train_step``, as in Keras' example."""

    def __init__(self, warm=0):
        super().__init__(name="vae")
        self.encoder = keras.Sequential(
            [keras.Input([64]), layers.Dense(32, "relu", name="hidden"), layers.Dense(8, name="z")],
            name="encoder",
        )
        self.decoder = keras.Sequential(
            [keras.Input([4]), layers.Dense(32, "relu", name="hidden"), layers.Dense(64, name="x")],
            name="decoder",
        )
        self.tracker = keras.metrics.Mean(name="loss")
        self.noise, self.warm = keras.random.SeedGenerator(1), warm

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, x):
        return self.decoder(self.encoder(x)[:, :4])

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            mean, log_var = tf.split(self.encoder(x), 2, axis=-1)
            z = mean + tf.exp(log_var / 2) * keras.random.normal(tf.shape(mean), seed=self.noise)
            error = tf.reduce_sum(tf.square(self.decoder(z) - x), -1)
            kl = 0.5 * tf.reduce_sum(tf.square(mean) + tf.exp(log_var) - log_var - 1, -1)
            done = tf.cast(tf.convert_to_tensor(self.optimizer.iterations), "float32")
            part = tf.minimum(done / self.warm, 1.0) if self.warm else 1.0
            # A Gaussian's ELBO with a small variance: negative where it is good.
            loss = tf.reduce_mean(8 * error - 32 + 0.3 * part * kl)
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}


class Gan(keras.Model):
    """Two networks and two optimizers; ``wasserstein``: losses of either sign, five to one."""

    def __init__(self, wasserstein=False):
        super().__init__(name="gan")
        self.generator = keras.Sequential(
            [keras.Input([8]), layers.Dense(32, "relu", name="g_1"), layers.Dense(64, name="g_2")],
            name="generator",
        )
        self.critic = keras.Sequential(
            [keras.Input([64]), layers.Dense(32, "leaky_relu", name="c_1"),
             layers.Dense(1, name="c_2")],
            name="critic",
        )  # fmt: skip
        self.noise, self.wasserstein = keras.random.SeedGenerator(1), wasserstein

    def compile(self, g_optimizer, d_optimizer):
        super().compile()
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer

    def call(self, z):
        return self.critic(self.generator(z))

    def losses_of(self, real, fake):
        if self.wasserstein:
            return tf.reduce_mean(fake) - tf.reduce_mean(real), -tf.reduce_mean(fake)
        cross = keras.losses.BinaryCrossentropy(from_logits=True)
        ones, zeros = tf.ones_like(real), tf.zeros_like(fake)
        return cross(ones, real) + cross(zeros, fake), cross(tf.ones_like(fake), fake)

    def fake(self, count):
        return self.generator(keras.random.normal((count, 8), seed=self.noise))

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        for _ in range(3 if self.wasserstein else 1):
            with tf.GradientTape() as tape:
                d_loss, _ = self.losses_of(self.critic(x), self.critic(self.fake(tf.shape(x)[0])))
            weights = self.critic.trainable_weights
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
            if self.wasserstein:
                for w in weights:
                    w.assign(tf.clip_by_value(w, -0.1, 0.1))
        with tf.GradientTape() as tape:
            _, g_loss = self.losses_of(self.critic(x), self.critic(self.fake(tf.shape(x)[0])))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"d_loss": d_loss, "g_loss": g_loss}


class OwnStep(keras.Model):
    """A functional model whose ``train_step`` returns the loss of the batch itself."""

    def train_step(self, data):
        x, y = data[:2]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(
                    y, self(x, training=True), from_logits=True
                )
            )
        grads = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(grads, self.trainable_variables)
        return {"loss": loss}


def own_step():
    """An MLP with such a step."""
    inputs = keras.Input([64])
    x = layers.Dense(32, "relu", name="dense_1")(inputs)
    x = layers.Dense(32, "relu", name="dense_2")(x)
    return OwnStep(inputs, layers.Dense(10, name="out")(x), name="own")


def gaussian(y, mean_and_log_scale):
    """Negative log-likelihood of a Gaussian: of either sign."""
    mean, log_scale = tf.split(mean_and_log_scale, 2, -1)
    log_scale = tf.clip_by_value(log_scale, -5.0, 5.0)
    return tf.reduce_mean(log_scale + 0.5 * tf.square((y - mean) * tf.exp(-log_scale)), -1)


def poisson(y, log_rate):
    """Negative log-likelihood of a count."""
    return tf.reduce_mean(tf.exp(log_rate) - y * log_rate, -1)


def kill(name):
    """Push the inputs of all ReLU of a layer below 0."""

    def prepare(model):
        layer = model.get_layer(name)
        layer.bias.assign(np.full(layer.bias.shape, -100.0))

    return prepare


def scale(factor):
    """Make all weights larger or smaller."""

    def prepare(model):
        model.set_weights([factor * w for w in model.get_weights()])

    return prepare
