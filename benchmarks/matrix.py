"""What Shampoo and SOAP cost: all variables at once against one by one, refreshing and between.

    python benchmarks/matrix.py [--model vit-tiny] [--max-dimension 256] [--every 4] [--rounds 3]

Milliseconds of ``optimizer.apply`` inside a ``tf.function``, medians over interleaved rounds of
``every`` steps, the first of which refreshes; and the same eagerly.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from step import shapes_of
from tables import as_markdown

import tfadaopt


class Update:
    """One optimizer on the variables of a model, ready to step."""

    def __init__(self, shapes, optimizer, graph: bool):
        random = np.random.default_rng(0)
        self.optimizer = optimizer
        self.variables = [keras.Variable(np.zeros(s, "float32")) for s in shapes]
        self.gradients = [tf.constant(random.normal(size=s).astype("float32")) for s in shapes]
        optimizer.build(self.variables)

        def step(gradients):
            optimizer.apply(list(gradients), self.variables)

        self._step = tf.function(step, autograph=False) if graph else step

    def step(self) -> float:
        """Seconds of one step."""
        began = time.perf_counter()
        self._step(self.gradients)
        if tf.config.list_physical_devices("GPU"):
            tf.test.experimental.sync_devices()
        self.optimizer.iterations.numpy()
        return time.perf_counter() - began


def measure(method: str, options, graph: bool) -> list[dict]:
    """A row for each form."""
    arguments = {"refresh_every": options.every, "max_dimension": options.max_dimension}
    make, shapes = getattr(tfadaopt, method), shapes_of(options.model)
    forms = {"at once": {}, "one by one": {"jit_compile": False}}
    updates, first, refreshes, between = {}, {}, {}, {}
    for name, form in forms.items():
        updates[name] = Update(shapes, make(**arguments, **form), graph)
        first[name] = updates[name].step()
        for _ in range(options.every - 1):
            updates[name].step()
        refreshes[name], between[name] = [], []
    for _ in range(options.rounds):
        for name, update in updates.items():
            refreshes[name].append(update.step())
            between[name] += [update.step() for _ in range(options.every - 1)]
    return [
        {
            "form": f"{method}, {name}, {'graph' if graph else 'eager'}",
            "first step, s": first[name],
            "step that refreshes, ms": statistics.median(refreshes[name]) * 1e3,
            "step between, ms": statistics.median(between[name]) * 1e3,
        }
        for name in forms
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vit-tiny", help="or resnet50, mlp")
    parser.add_argument("--methods", default="Shampoo,SOAP")
    parser.add_argument("--max-dimension", type=int, default=256)
    parser.add_argument("--every", type=int, default=4, help="steps from refreshment to the next")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for method in options.methods.split(","):
        for graph in (True, False):
            print(as_markdown(measure(method, options, graph)), flush=True)


if __name__ == "__main__":
    main()
