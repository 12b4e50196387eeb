"""What ``model.fit`` costs, ours over Keras' own: ``benchmarks/fit.py [--write] [--missing]``.

Whole ``fit``, as a user has it, of each network and each method that Keras has too: plain, under
XLA (``compile(jit_compile=True)``, as on a GPU) and in mixed precision. Epochs of both are
interleaved, and each is timed from the end of its first batch to the end of its last, with the
autotuning of ``tf.data`` off; the ratio of each pair is taken, and of those the median and the
middle half. To the first step: from ``fit`` to the end of its first batch, each in a process of its
own, median of three.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import keras
from graphs import pair
from models import PROBLEMS
from tables import Kept, as_markdown, spread

NETWORKS = "cnn,mlp,resnet20,transformer,lstm"
METHODS = "SGD,Momentum,Nesterov,Adagrad,RMSprop,Adadelta,Adam,AdamW,Adamax,Nadam,AMSGrad,LAMB"
MODES = {"plain": {}, "xla": {"jit_compile": True}, "mixed": {}}


class Clock(keras.callbacks.Callback):
    """Seconds to the end of the first batch of an epoch, and from there to the end of the last."""

    def on_train_begin(self, logs=None):
        self.first = None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.first is None:
            self.first = now
        self.seconds = now - self.first


def trainer(network: str, mode: str, make, steps: int):
    """A function that trains an epoch, and returns its seconds to the first step, and per step."""
    keras.config.set_dtype_policy("mixed_bfloat16" if mode == "mixed" else "float32")
    keras.utils.set_random_seed(0)
    problem = PROBLEMS[network]()
    model = problem.compiled(make(), **MODES[mode])
    batches, clock = problem.batches(steps), Clock()

    def epoch() -> tuple[float, float]:
        began = time.perf_counter()
        model.fit(batches, epochs=1, verbose=0, callbacks=[clock])
        return clock.first - began, clock.seconds / (steps - 1)

    return epoch


def measure(network: str, method: str, mode: str, pairs: int, seconds: float) -> dict:
    """A row: ratios of the steps, with their middle half, and of the way to the first one."""
    forms = pair(method)
    probe = trainer(network, mode, forms[1], 4)
    probe()
    steps = max(4, min(60, round(seconds / probe()[1])))
    epochs = [trainer(network, mode, make, steps) for make in forms]
    for epoch in epochs:
        epoch()
    found = compared(*((lambda e=epoch: e()[1]) for epoch in epochs), pairs)
    return {"network": network, "mode": mode, "method": method} | found


def compared(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> dict:
    """Milliseconds of Keras' form, and the ratios of pairs: their median and their middle half."""
    times: list[tuple[float, float]] = []
    for number in range(pairs):
        order = ((0, ours), (1, theirs))
        found = {i: form() for i, form in (order if number % 2 else reversed(order))}
        times.append((found[0], found[1]))
    theirs_alone = 1e3 * statistics.median(b for _, b in times)
    return {"ms, Keras": theirs_alone, **spread([a / b for a, b in times], "ratio")}


def to_first_step(network: str, method: str, mode: str, repeats: int = 3) -> float:
    """Ratio of the medians, each first step in a fresh process."""
    found: list[list[float]] = [[], []]
    for _ in range(repeats):
        for kind in (0, 1):
            words = [sys.executable, __file__, "--alone", network, method, mode, str(kind)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            found[kind].append(json.loads(done.stdout.splitlines()[-1]))
    return statistics.median(found[0]) / statistics.median(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--pairs", type=int, default=9, help="interleaved epochs of both")
    parser.add_argument("--seconds", type=float, default=0.6, help="about what an epoch takes")
    parser.add_argument("--first", action="store_true", help="time the way to the first step too")
    parser.add_argument("--write", action="store_true", help="write each row to benchmarks/fit.md")
    parser.add_argument("--missing", action="store_true", help="only rows that are not there yet")
    parser.add_argument("--alone", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        network, method, mode, kind = options.alone
        print(json.dumps(trainer(network, mode, pair(method)[int(kind)], 2)()[0]))
        return
    orders = {
        "mode": list(MODES),
        "network": NETWORKS.split(","),
        "method": METHODS.split(","),
    }
    table = Kept("fit.md", orders)
    axes = (options.modes, options.networks, options.methods)
    for mode, network, method in itertools.product(*(x.split(",") for x in axes)):
        if options.missing and {"mode": mode, "network": network, "method": method} in table:
            continue
        row = measure(network, method, mode, options.pairs, options.seconds)
        if options.first:
            row["to the first step"] = to_first_step(network, method, mode)
        print(as_markdown([row]).splitlines()[-1], flush=True)
        if options.write:
            table.put(row)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
