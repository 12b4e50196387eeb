"""What one update costs: each method and each built-in of Keras, on the variables of real models.

    python benchmarks/step.py [--model resnet50] [--methods Adagrad,Adam] [--rounds 21] [--write]

Gradients are ready; only ``optimizer.apply`` inside a ``tf.function`` is timed, in interleaved
rounds: the median of each form, and its ratio to the partner from Keras and to a plain copy of the
bytes that the rule must read and write. Seconds to the first step and peak memory are measured in a
fresh process for each form. ``--methods all`` takes every method, ``keras`` every built-in of Keras
that is nobody's partner; Optax' form under JAX is there where it is installed. ``--write`` puts the
table under ``benchmarks``. On a GPU, kernel launches per step are counted as well.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tables import as_markdown

import tfadaopt

try:
    import jax
    import optax
except ImportError:
    optax = None

HERE = Path(__file__).parent
# What Keras has for a method; the others are compared with its Adam.
PARTNERS = {
    "SGD": ("SGD", {}),
    "Momentum": ("SGD", {"momentum": 0.9}),
    "Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "Adagrad": ("Adagrad", {}),
    "RMSprop": ("RMSprop", {}),
    "Adadelta": ("Adadelta", {}),
    "Adamax": ("Adamax", {}),
    "Nadam": ("Nadam", {}),
    "AMSGrad": ("Adam", {"amsgrad": True}),
    "AdamW": ("AdamW", {}),
    "LAMB": ("Lamb", {}),
    "Ftrl": ("Ftrl", {}),
    "Adafactor": ("Adafactor", {}),
    "Lion": ("Lion", {}),
}
FORMS = {
    "compiled": {},
    "compiled, no NaN check": {"nonfinite": "ignore"},
    "operation by operation": {"jit_compile": False},
    "whole step under XLA": {"jit_compile": False},
}
IDS = 4096
KERAS_ALONE = ("Muon", "ScheduleFreeAdamW")
OPTAX = {
    "SGD": lambda: optax.sgd(0.01),
    "Momentum": lambda: optax.sgd(0.01, momentum=0.9),
    "Nesterov": lambda: optax.sgd(0.01, momentum=0.9, nesterov=True),
    "Adagrad": lambda: optax.adagrad(0.01),
    "RMSprop": lambda: optax.rmsprop(0.01),
    "Adadelta": lambda: optax.adadelta(1.0),
    "Adam": lambda: optax.adam(0.001),
    "AdamW": lambda: optax.adamw(0.001),
    "Adamax": lambda: optax.adamax(0.001),
    "Nadam": lambda: optax.nadam(0.001),
    "AMSGrad": lambda: optax.amsgrad(0.001),
    "RAdam": lambda: optax.radam(0.001),
    "Yogi": lambda: optax.yogi(0.01),
    "AdaBelief": lambda: optax.adabelief(0.001),
    "LAMB": lambda: optax.lamb(0.001),
    "LARS": lambda: optax.lars(0.1),
    "SM3": lambda: optax.sm3(0.1),
}


def shapes_of(model: str) -> list[tuple[int, ...]]:
    """Shapes of the trainable variables."""
    if model == "resnet50":
        resnet = keras.applications.ResNet50(weights=None, include_top=False)
        return [tuple(v.shape) for v in resnet.trainable_variables]
    if model == "mlp":
        return [(784, 2048), (2048,), (2048, 2048), (2048,), (2048, 10), (10,)]
    if model == "vit-tiny":
        d, hidden = 192, 768
        block = [(d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,)]
        block += [(d,), (d,), (d, hidden), (hidden,), (hidden, d), (d,)]
        ends = [(16, 16, 3, d), (d,), (1, 1, d), (1, 197, d), (d,), (d,), (d, 1000), (1000,)]
        return [*ends, *(block * 12)]
    rows = int(model.removeprefix("embedding-"))
    return [(rows, 64)]


def forms_of(method: str, sparse: bool = False) -> dict[str, tuple]:
    """What is compared for a method: class, arguments, and whether all is under XLA."""
    if method in KERAS_ALONE:
        ours, name, arguments = {}, method, {}
    else:
        name, arguments = PARTNERS.get(method, ("Adam", {}))
        cls = getattr(tfadaopt, method)
        ours = {f"{method}, {form}": (cls, FORMS[form], "XLA" in form) for form in FORMS}
    partner = getattr(keras.optimizers, name)
    label = ", ".join([f"keras {name}", *(f"{k}={v}" for k, v in arguments.items())])
    forms = {**ours, label: (partner, arguments, False)}
    forms[f"{label}, whole step under XLA"] = (partner, arguments, True)
    if optax and method in OPTAX and not sparse:
        forms[f"optax {method} under JAX"] = (OPTAX[method], {}, True)
    return forms


class Update:
    """One optimizer on the variables of a model, ready to step."""

    def __init__(self, model: str, form: tuple):
        cls, arguments, jit = form
        random = np.random.default_rng(0)
        shapes = shapes_of(model)
        self.variables = [keras.Variable(np.zeros(s, "float32")) for s in shapes]
        self.optimizer = cls(**arguments)
        self.optimizer.build(self.variables)
        sparse = model.startswith("embedding")
        # Captured, not passed: Python takes 3 ms to bind 214 arguments, which no training does.
        gradients = []
        for shape in shapes:
            size = (IDS, shape[1]) if sparse else shape
            gradients.append(tf.Variable(random.normal(size=size).astype("float32")))
        ids = tf.constant(random.integers(0, shapes[0][0], IDS))

        @tf.function(autograph=False, jit_compile=jit)
        def step():
            if sparse:  # as the layer does in front of the update: it reads the whole table
                looked_up = tf.gather(tf.convert_to_tensor(self.variables[0]), ids)
                slices = tf.IndexedSlices(gradients[0].read_value(), ids, tf.constant(shapes[0]))
                with tf.control_dependencies([looked_up]):
                    self.optimizer.apply([slices], self.variables)
            else:
                self.optimizer.apply([g.read_value() for g in gradients], self.variables)

        self.gradients, self._step = gradients, step

    def step(self) -> float:
        """Seconds of one step."""
        began = time.perf_counter()
        self._step()
        if tf.config.list_physical_devices("GPU"):
            tf.test.experimental.sync_devices()
        return time.perf_counter() - began

    def bytes_moved(self) -> int:
        """Bytes of the gradient read, and of weights and state read and written."""
        size = sum(math.prod(v.shape) for v in self.variables)
        state = sum(math.prod(v.shape) for v in self.optimizer.variables)
        return 4 * (size + 2 * (size + state))


class OptaxUpdate:
    """The same for an optimizer of Optax, in one compiled function that changes its arguments."""

    def __init__(self, model: str, make):
        random = np.random.default_rng(0)
        shapes = shapes_of(model)
        rule = make()
        self.gradients = [jax.numpy.asarray(random.normal(size=s), "float32") for s in shapes]
        weights = [jax.numpy.zeros(s, "float32") for s in shapes]
        self.both = weights, rule.init(weights)

        def step(both, gradients):
            weights, state = both
            updates, state = rule.update(gradients, state, weights)
            return optax.apply_updates(weights, updates), state

        self._step = jax.jit(step, donate_argnums=0)

    def step(self) -> float:
        """Seconds of one step."""
        began = time.perf_counter()
        self.both = jax.block_until_ready(self._step(self.both, self.gradients))
        return time.perf_counter() - began

    def bytes_moved(self) -> int:
        """Bytes of the gradient read, and of weights and state read and written."""
        return sum(x.nbytes for x in self.gradients) + 2 * sum(
            x.nbytes for x in jax.tree.leaves(self.both)
        )


def update_of(model: str, form: tuple):
    """The update that a form names."""
    return Update(model, form) if isinstance(form[0], type) else OptaxUpdate(model, form[0])


def launches(update) -> int:
    """Kernels that one step launches on the GPU, as the profiler of TensorFlow sees them."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            update.step()
        space = xplane_pb2.XSpace()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space.ParseFromString(path.read_bytes())
    devices = [plane for plane in space.planes if plane.name.startswith("/device:GPU")]
    streams = [line for plane in devices for line in plane.lines if "Stream" in line.name]
    return sum(len(line.events) for line in streams)


def copy_milliseconds(moved: int) -> float:
    """Median time in which two threads copy so many bytes (half read, half written)."""
    source, target = np.ones(moved // 8, "float32"), np.ones(moved // 8, "float32")
    middle = len(source) // 2
    halves = [(target[:middle], source[:middle]), (target[middle:], source[middle:])]
    seconds = []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(15):
            began = time.perf_counter()
            list(pool.map(lambda pair: np.copyto(*pair), halves))
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e3


def alone(model: str, method: str, form: str) -> dict:
    """First step and peak memory of one form, here: run in a process of its own."""
    update = update_of(model, forms_of(method, model.startswith("embedding"))[form])
    first = update.step()
    for _ in range(3):
        update.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first step, s": first, "peak MB": peak}


def measure(model: str, method: str, rounds: int, fresh: bool) -> list[dict]:
    """One row per form."""
    forms = forms_of(method, model.startswith("embedding"))
    updates = {name: update_of(model, form) for name, form in forms.items()}
    for update in updates.values():
        update.step()
    seconds = {name: [] for name in updates}
    for _ in range(rounds):
        for name, update in updates.items():
            seconds[name].append(update.step())
    medians = {name: statistics.median(s) * 1e3 for name, s in seconds.items()}
    partner = next(name for name in forms if name.startswith("keras"))
    rows = []
    for name, update in updates.items():
        row = {"model": model, "form": name, "ms": medians[name]}
        row["of Keras"] = medians[name] / medians[partner]
        if not model.startswith("embedding"):
            row["of a copy"] = medians[name] / copy_milliseconds(update.bytes_moved())
        if tf.config.list_physical_devices("GPU"):
            row["launches"] = launches(update)
        if fresh:
            command = [sys.executable, __file__, "--model", model, "--alone", method, name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row |= json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50", help="or mlp, vit-tiny, embedding-100000")
    parser.add_argument("--methods", default="SGD,Momentum,Adagrad,RMSprop,Adam,Yogi")
    parser.add_argument("--rounds", type=int, default=21, help="interleaved steps of each form")
    parser.add_argument("--no-fresh", action="store_true", help="no first step, no peak memory")
    parser.add_argument("--write", action="store_true", help="write benchmarks/step-MODEL.md")
    parser.add_argument("--alone", nargs=2, metavar=("METHOD", "FORM"), help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="METHOD", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(
            json.dumps(measure(options.model, options.only, options.rounds, not options.no_fresh))
        )
        return
    if options.alone:
        print(json.dumps(alone(options.model, *options.alone)))
        return
    rows = []
    names = {"all": [m.name for m in tfadaopt.methods()], "keras": KERAS_ALONE}
    for method in names.get(options.methods, options.methods.split(",")):
        # In a process of its own: a graph keeps its variables as long as the process lives.
        command = [sys.executable, __file__, "--model", options.model, "--only", method]
        command += ["--rounds", str(options.rounds), *(["--no-fresh"] * options.no_fresh)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows += (new := json.loads(done.stdout.splitlines()[-1]))
        print(as_markdown(new), flush=True)
    if options.write:
        (HERE / f"step-{options.model}.md").write_text(as_markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
