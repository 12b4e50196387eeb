"""The little model that contracts train, and what it is trained on."""

from typing import Any

import keras
import numpy as np

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(24, 1)).astype("float32")
BATCH = 4


def make_model(
    optimizer: Any,
    *,
    kind: Any = keras.Model,
    names: tuple[str, str] = ("hidden", "outputs"),
    policy: Any = None,
    seed: int = 3,
    start: Any = "glorot_uniform",
    dropout: float = 0.0,
    name: str | None = None,
    **compile_arguments: Any,
) -> Any:
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


def fit(model: Any, *callbacks: Any, x: Any = X, y: Any = Y, **arguments: Any) -> Any:
    """Train on all batches in order; return what ``fit`` does."""
    arguments = {"batch_size": BATCH, "shuffle": False, "verbose": 0, **arguments}
    return model.fit(x, y, callbacks=list(callbacks), **arguments)
