# %% [markdown]
# # Resume a training
#
# A model is saved with the state of its optimizer. Loaded, it goes on as if it had never stopped,
# and so does its log.

# %% Data and model
import keras
import numpy as np

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor
from tfadaopt.callbacks.history import read

x = np.random.default_rng(0).normal(size=(640, 8)).astype("float32")
y = np.sin(x[:, :1]) + x[:, 1:2] ** 2


def make():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Input([8]), keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)],
        name="net",
    )
    model.compile(tfadaopt.Adam(learning_rate=0.01), loss="mse")
    return model


def fit(model, log_dir, **arguments):
    monitor = OptimizerMonitor(log_dir, every=5)
    model.fit(x, y, batch_size=32, shuffle=False, verbose=0, callbacks=[monitor], **arguments)


# %% Two epochs, saved, loaded, and two more
first = make()
fit(first, "logs/resumed", epochs=2)
first.save("half.keras")
second = keras.models.load_model("half.keras")
fit(second, "logs/resumed", epochs=4, initial_epoch=2)

# %% Four epochs at once: the same weights, and the same steps in the log
whole = make()
fit(whole, "logs/whole", epochs=4)
pairs = zip(second.get_weights(), whole.get_weights(), strict=True)
print("weights are equal, bit for bit:", all(np.array_equal(a, b) for a, b in pairs))
logged = read("logs")
print("steps in the log:", logged["resumed"].steps.tolist())
print("the same as at once:", logged["resumed"].steps.tolist() == logged["whole"].steps.tolist())
