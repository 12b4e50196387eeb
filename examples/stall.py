# %% [markdown]
# # Find a stall
#
# The biases of a hidden layer start so low that all of its ReLUs are dead: no gradient passes. The
# loss says little, as the last bias still learns. `StallWarning` names the layer.

# %% Data, and a model that cannot learn
import keras
import numpy as np

import tfadaopt
from tfadaopt.callbacks import StallWarning

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(640, 8)).astype("float32")
y = np.sin(x[:, :1]) + x[:, 1:2] ** 2
model = keras.Sequential(
    [
        keras.layers.Input([8]),
        keras.layers.Dense(16, activation="tanh", name="first"),
        keras.layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(-9)),
        keras.layers.Dense(1, name="last"),
    ],
    name="net",
)
model.compile(tfadaopt.Adam(learning_rate=0.01), loss="mse")

# %% Train: the warning is printed, and kept
received = []
stalls = StallWarning("logs/stall", on_warning=received.append)
model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[stalls])

# %% What it found
for mark in received:
    print(f"{mark.layer}: {mark.kind} since step {mark.since}")
