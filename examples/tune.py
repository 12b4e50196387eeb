# %% [markdown]
# # Tune method and rate with KerasTuner
#
# Any tuner can name a method as a text: `tfadaopt.get` makes it. Each method has its own range of
# rates, a factor around its default. (`tfadaopt compare` tunes all methods alike, and tests whether
# the differences are real.)

# %% Data
import keras
import keras_tuner
import numpy as np

import tfadaopt
from tfadaopt.callbacks import StallWarning

x = np.random.default_rng(0).normal(size=(640, 8)).astype("float32")
y = np.sin(x[:, :1]) + x[:, 1:2] ** 2
METHODS = ["Adagrad", "RMSprop", "Lion"]


# %% What is tuned
def build(hp):
    method = hp.Choice("method", METHODS)
    with hp.conditional_scope("method", [method]):
        factor = hp.Float(f"factor_{method}", 0.1, 100.0, sampling="log")
    optimizer = tfadaopt.get(method)
    optimizer.learning_rate = factor * float(optimizer.learning_rate)
    model = keras.Sequential(
        [keras.layers.Input([8]), keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)]
    )
    model.compile(optimizer, loss="mse")
    return model


# %% Search; a trial whose weights are NaN is ended
tuner = keras_tuner.RandomSearch(
    build, "val_loss", max_trials=4, seed=0, directory="tuner", project_name="methods"
)
ended = StallWarning(stop_training=True)
tuner.search(
    x[:512],
    y[:512],
    validation_data=(x[512:], y[512:]),
    epochs=2,
    batch_size=32,
    verbose=0,
    callbacks=[ended],
)
best = tuner.get_best_hyperparameters()[0]
print(f"best of 4 trials: {best.values}")
