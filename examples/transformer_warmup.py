# %% [markdown]
# # A Transformer with warm-up
#
# The learning rate rises linearly, then falls along a cosine. The monitor logs it as
# `learning_rate`, beside the effective rate of each layer, which the schedule is a factor of.

# %% Data: say whether the largest of 12 numbers stands in the first half
import keras
import numpy as np
from keras import layers

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor
from tfadaopt.callbacks.history import read

keras.utils.set_random_seed(0)
LENGTH, WIDTH = 12, 16
x = np.random.default_rng(0).integers(0, 20, (1500, LENGTH))
y = (x.argmax(axis=1) < LENGTH // 2).astype("float32")

# %% Model: one block
inputs = layers.Input([LENGTH], dtype="int32")
tokens = layers.Embedding(20, WIDTH, name="tokens")(inputs)
numbers = keras.ops.zeros_like(inputs) + np.arange(LENGTH)
h = tokens + layers.Embedding(LENGTH, WIDTH, name="places")(numbers)
normed = layers.LayerNormalization(name="norm_1")(h)
h = h + layers.MultiHeadAttention(2, WIDTH // 2, name="attention")(normed, normed)
normed = layers.LayerNormalization(name="norm_2")(h)
normed = layers.Dense(2 * WIDTH, activation="gelu", name="up")(normed)
h = h + layers.Dense(WIDTH, name="down")(normed)
outputs = layers.Dense(1, name="logit")(layers.GlobalAveragePooling1D()(h))
model = keras.Model(inputs, outputs, name="transformer")

# %% The schedule: 30 steps of warm-up, 150 of a cosine
rate = keras.optimizers.schedules.CosineDecay(
    initial_learning_rate=0.0, warmup_target=0.01, warmup_steps=30, decay_steps=150
)
optimizer = tfadaopt.AdamW(rate, weight_decay=0.01)
optimizer.exclude_from_weight_decay(var_names=["norm", "bias"])
model.compile(optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))

# %% Train, and read the schedule back from the log
monitor = OptimizerMonitor("logs/transformer", every=10, preset="light")
history = model.fit(x, y, batch_size=50, epochs=6, verbose=0, callbacks=[monitor])
print(f"loss: {history.history['loss'][0]:.3f} to {history.history['loss'][-1]:.3f}")
steps, rates = read("logs/transformer")["."].scalars["learning_rate"]
print(f"highest rate {rates.max():.2g} at step {steps[rates.argmax()]}, last {rates[-1]:.2g}")
