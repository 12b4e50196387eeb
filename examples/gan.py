# %% [markdown]
# # A GAN with two optimizers
#
# Generator and discriminator have optimizers of their own, and `train_step` steps both. The monitor
# finds optimizers that a model keeps as attributes; here they are named.

# %% Data: points on a circle
import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor
from tfadaopt.callbacks.history import read

keras.utils.set_random_seed(0)
NOISE = 4
angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 2048)
points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("float32")


# %% The model: one step of each part, in turn
class Gan(keras.Model):
    def __init__(self):
        super().__init__()
        layers = keras.layers
        self.generator = keras.Sequential(
            [layers.Input([NOISE]), layers.Dense(32, activation="relu"), layers.Dense(2)],
            name="generator",
        )
        self.discriminator = keras.Sequential(
            [layers.Input([2]), layers.Dense(32, activation="relu"), layers.Dense(1)],
            name="discriminator",
        )
        self.g_optimizer = tfadaopt.Adam(learning_rate=1e-3, beta_1=0.5)
        self.d_optimizer = tfadaopt.RMSprop(learning_rate=1e-3)
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, real):
        noise = tf.random.normal([tf.shape(real)[0], NOISE])
        with tf.GradientTape() as tape:
            both = tf.concat([real, self.generator(noise)], axis=0)
            truth = tf.concat([tf.ones_like(real[:, :1]), tf.zeros_like(real[:, :1])], axis=0)
            d_loss = self.cross_entropy(truth, self.discriminator(both))
        weights = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        with tf.GradientTape() as tape:
            judged = self.discriminator(self.generator(noise))
            g_loss = self.cross_entropy(tf.ones_like(judged), judged)
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"d_loss": d_loss, "g_loss": g_loss}


# %% Train, and watch both
gan = Gan()
gan.compile()
monitor = OptimizerMonitor(
    "logs/gan",
    every=10,
    optimizer={"generator": gan.g_optimizer, "discriminator": gan.d_optimizer},
)
gan.fit(points, batch_size=64, epochs=3, verbose=0, callbacks=[monitor])

# %% The log has the layers of both
log = read("logs/gan")["."]
ratios = log.quantities["update_ratio", "value"]
for layer, path in enumerate(ratios.layers):
    print(f"{path:32} changes by {np.median(ratios.values[:, layer]):.1e} of its norm per step")
