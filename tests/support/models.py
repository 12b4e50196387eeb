"""The little model of the tests, and what it is trained on."""

import keras
import numpy as np

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(24, 1)).astype("float32")
BATCH = 4


def make_model(
    optimizer,
    *,
    kind=keras.Model,
    names=("hidden", "outputs"),
    policy=None,
    seed=3,
    start="glorot_uniform",
    dropout=0.0,
    name=None,
    **compile_arguments,
):
    """A hidden layer of five and one output, with the same weights whenever the seed is."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,), name="inputs")
    common = {"dtype": policy, "kernel_initializer": start}
    hidden = keras.layers.Dense(5, activation="tanh", name=names[0], **common)(inputs)
    hidden = keras.layers.Dropout(dropout)(hidden) if dropout else hidden
    outputs = keras.layers.Dense(1, name=names[1], **common)(hidden)
    model = kind(inputs, outputs, name=name)
    model.compile(optimizer, "mse", **compile_arguments)
    return model


def fit(model, *callbacks, x=X, y=Y, **arguments):
    """Train on all batches in order; return what ``fit`` does."""
    arguments = {"batch_size": BATCH, "shuffle": False, "verbose": 0, **arguments}
    return model.fit(x, y, callbacks=list(callbacks), **arguments)
