"""How large the program of a training step is under XLA: ``python benchmarks/graphs.py [--write]``.

Operations of the whole step (forward, backward, update) in StableHLO, ours over Keras', have no
noise. ``--compile`` adds the seconds of processor time to the end of the first step, which is
mostly what XLA takes to compile it. The first row of each network is its gradient alone: what no
optimizer can be below.
"""

import argparse
import re
import statistics
import time
from collections.abc import Iterator

import keras
import tensorflow as tf
from models import PROBLEMS
from step import PARTNERS
from tables import Kept, as_markdown

import tfadaopt

NETWORKS = ("resnet20", "resnet50", "transformer")
METHODS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam")


def step_of(name: str, optimizer=None):
    """A compiled training step of a network, what it is called with, and the variables in it."""
    keras.utils.set_random_seed(0)
    problem = PROBLEMS[name]()
    model = problem.model
    variables = model.trainable_variables
    if optimizer is not None:
        optimizer.build(variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function(jit_compile=True, autograph=False)
    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, variables)
        if optimizer is None:
            return value, [tf.convert_to_tensor(g) for g in gradients]
        optimizer.apply(gradients, variables)
        return value

    x, y = problem.batch()
    return step, tf.constant(x), tf.constant(y), model.variables


def operations(name: str, optimizer=None) -> int:
    """Operations of its StableHLO."""
    step, x, y, _ = step_of(name, optimizer)
    text = step.experimental_get_compiler_ir(x, y)(stage="stablehlo")
    return len(re.findall(r'= "?[a-z]+\.[a-z_]+', text))


def seconds_to_compile(name: str, optimizer) -> float:
    """Processor time from the first trace to the end of the first step."""
    step, x, y, _ = step_of(name, optimizer)
    began = time.process_time()
    step(x, y)
    return time.process_time() - began


def pair(method: str) -> tuple:
    """Makers of our optimizer, and of Keras' own."""
    name, arguments = PARTNERS.get(method, (method, {}))
    return getattr(tfadaopt, method), lambda: getattr(keras.optimizers, name)(**arguments)


def rows(name: str, methods: list[str], repeats: int) -> Iterator[dict]:
    """A row for each method on a network, as it is found."""
    alone = operations(name)
    for method in methods:
        ours, theirs = pair(method)
        counts = operations(name, ours()), operations(name, theirs())
        row = {
            "network": name,
            "method": method,
            "gradient alone": alone,
            "Keras": counts[1],
            "tfadaopt": counts[0],
            "ratio": counts[0] / counts[1],
            "gradient alone / Keras": alone / counts[1],
        }
        if repeats:
            times = [[], []]
            for _ in range(repeats):
                for kind, make in enumerate((ours, theirs)):
                    times[kind].append(seconds_to_compile(name, make()))
            middle = [statistics.median(x) for x in times]
            row["compile s, Keras"], row["compile, ratio"] = middle[1], middle[0] / middle[1]
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--compile", type=int, default=0, help="first steps of each that are timed")
    parser.add_argument("--write", action="store_true", help="write benchmarks/graphs.md")
    options = parser.parse_args()
    table = Kept("graphs.md", {"network": NETWORKS, "method": METHODS})
    for name in options.networks.split(","):
        for row in rows(name, options.methods.split(","), options.compile):
            print(as_markdown([row]), flush=True)
            if options.write:
                table.put(row)


if __name__ == "__main__":
    main()
