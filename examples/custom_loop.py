# %% [markdown]
# # A training loop of your own, watched
#
# Without `fit` there is nobody who calls callbacks. `watch` is a context manager for that: call
# `watch.step(loss)` after each update.

# %% Data and model
import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor, StallWarning

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(1024, 8)).astype("float32")
y = np.tanh(x[:, :1] + x[:, 1:2])
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
model = keras.Sequential(
    [keras.layers.Input([8]), keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(1)],
    name="net",
)
optimizer = tfadaopt.RMSprop(learning_rate=0.01)
optimizer.build(model.trainable_variables)


# %% A step
@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradients, model.trainable_variables)
    return loss


# %% The loop
monitor = OptimizerMonitor("logs/loop", every=5)
stalls = StallWarning("logs/loop", stop_training=True)
weights = model.trainable_variables
losses = []
with monitor.watch(optimizer, weights) as watch, stalls.watch(optimizer, weights) as guard:
    for _ in range(4):
        for xs, ys in batches:
            losses.append(float(train_step(xs, ys)))
            watch.step()
            guard.step(losses[-1])
        if guard.stop_training:  # a NaN, or no layer that still learns
            break
first, last = np.mean(losses[:32]), np.mean(losses[-32:])
print(f"mean loss of the first epoch {first:.3f}, of the last {last:.3f}")
