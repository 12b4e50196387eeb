"""Steps per second of ``model.fit``, as a user sees them: ``python benchmarks/fit.py [--write]``.

Three models on data in memory, with the autotuning of ``tf.data`` off (it pads a short ``fit``).
Each epoch is timed from its first batch to its last; epochs of the forms are interleaved, the first
of each is not counted, and the median is taken. Ratios are to Keras' own optimizer of that method.
"""

import argparse
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from step import PARTNERS, as_markdown

import tfadaopt

HERE = Path(__file__).parent


def cnn() -> tuple[keras.Model, np.ndarray]:
    """A small convolutional network on 28 × 28 images: 0.1 M weights."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    return model, np.random.default_rng(0).normal(size=(32, 28, 28, 1)).astype("float32")


def mlp() -> tuple[keras.Model, np.ndarray]:
    """Two wide layers: 5.8 M weights."""
    layers = [keras.layers.Dense(2048, activation="relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10)])
    return model, np.random.default_rng(0).normal(size=(32, 784)).astype("float32")


def embedding() -> tuple[keras.Model, np.ndarray]:
    """An embedding of 100,000 words: 6.4 M weights, of which a batch looks up 2048."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((64,), dtype="int32"),
            layers.Embedding(100_000, 64),
            layers.GlobalAveragePooling1D(),
            layers.Dense(10),
        ]
    )
    return model, np.random.default_rng(0).integers(0, 100_000, (32, 64)).astype("int32")


MODELS = {"cnn": cnn, "mlp": mlp, "embedding": embedding}


class Clock(keras.callbacks.Callback):
    """Seconds from the end of the first batch of an epoch to the end of the last."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            self.began = time.perf_counter()
        self.seconds = time.perf_counter() - self.began


def trainer(model_name: str, optimizer, steps: int):
    """A function that trains an epoch and returns its seconds per step."""
    keras.utils.set_random_seed(0)
    model, x = MODELS[model_name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    y = np.random.default_rng(1).integers(0, 10, len(x))
    options = tf.data.Options()
    options.autotune.enabled = False
    batches = tf.data.Dataset.from_tensors((x, y)).repeat(steps).with_options(options)
    clock = Clock()

    def epoch() -> float:
        model.fit(batches, epochs=1, verbose=0, callbacks=[clock])
        return clock.seconds / (steps - 1)

    epoch()
    return epoch


def measure(model_name: str, method: str, rounds: int, steps: int) -> list[dict]:
    """A row per form."""
    name, arguments = PARTNERS.get(method, ("Adam", {}))
    ours, keras_own = getattr(tfadaopt, method), getattr(keras.optimizers, name)
    forms = {
        "tfadaopt": ours(),
        "tfadaopt, no NaN check": ours(nonfinite="ignore"),
        "tfadaopt, operation by operation": ours(jit_compile=False),
        "keras": keras_own(**arguments),
    }
    epochs = {form: trainer(model_name, optimizer, steps) for form, optimizer in forms.items()}
    seconds = {form: [] for form in forms}
    for _ in range(rounds):
        for form, epoch in epochs.items():
            seconds[form].append(epoch())
    medians = {form: statistics.median(times) for form, times in seconds.items()}
    return [
        {
            "model": model_name,
            "method": method,
            "form": form,
            "steps per second": 1 / median,
            "time of Keras'": median / medians["keras"],
        }
        for form, median in medians.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--methods", default="SGD,Adagrad,Adam")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved epochs of each form")
    parser.add_argument("--steps", type=int, default=30, help="batches of an epoch")
    parser.add_argument("--write", action="store_true", help="write benchmarks/fit.md")
    options = parser.parse_args()
    rows = []
    for model in options.models.split(","):
        for method in options.methods.split(","):
            rows += measure(model, method, options.rounds, options.steps)
            print(as_markdown(rows[-4:]), flush=True)
    if options.write:
        (HERE / "fit.md").write_text(as_markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
