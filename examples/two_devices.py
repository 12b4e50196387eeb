# %% [markdown]
# # Two devices
#
# `MirroredStrategy` gives each device a share of each batch. Gradients are summed over the devices
# and only then clipped, so that two devices take the steps of one. A CPU that is split in two shows
# it on any machine; with two GPUs, leave the split out.

# %% Split the CPU: before TensorFlow starts
import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

# %% Data
x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
y = (x @ np.linspace(-1, 1, 8, dtype="float32"))[:, np.newaxis]


# %% The same training under any strategy: the model is made and compiled in its scope
def trained(strategy, *callbacks):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras.Sequential([keras.layers.Input([8]), keras.layers.Dense(1)], name="line")
        model.compile(tfadaopt.Adagrad(learning_rate=0.1, clipnorm=1.0), loss="mse")
    fit = {"batch_size": 64, "epochs": 4, "shuffle": False, "verbose": 0}
    model.fit(x, y, callbacks=list(callbacks), **fit)
    return model.get_weights()


# %% On two devices, watched, and on one
two = trained(
    tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), OptimizerMonitor("logs/two", every=8)
)
one = trained(tf.distribute.get_strategy())
apart = max(float(np.abs(a - b).max()) for a, b in zip(two, one, strict=True))
print(f"largest difference of a weight: {apart:.1e}")
