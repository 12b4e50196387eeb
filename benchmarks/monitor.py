"""What the monitor costs: one snapshot of ResNet-50, and ``fit`` by preset and interval.

    python benchmarks/monitor.py snapshot [--optimizer Adam] [--repeats 30] [--write]
    python benchmarks/monitor.py fit [--model resnet|resnet20|cifar|digits] [--pairs 15] [--write]
    python benchmarks/monitor.py also [--model digits] [--pairs 9] [--write]
    python benchmarks/monitor.py stalls [--pairs 9] [--write]

``snapshot`` times a snapshot of the 214 variables of ResNet-50 with its write, by preset, against
``tf.summary.histogram`` of the same tensors, which is what Keras' TensorBoard callback does with
weights; and counts its bytes. ``fit`` times epochs with and without ``OptimizerMonitor``,
interleaved, by preset and interval: the median of the ratios, in the manner of Cockpit's paper.
``also`` gives the CPU time that each quantity that is off by default adds to a snapshot, and to its
tracing: pairs of ``fit`` with a snapshot in each step, with ``light`` and with ``light`` and it.
``stalls`` gives the time that ``StallWarning`` takes beside the monitor (``stalls/cost.py``).
``--write`` puts the rows into ``benchmarks/monitor-snapshot.md``, ``-fit``, ``-also``, ``-stalls``.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from models import PROBLEMS
from stalls import cost
from tables import HERE, Kept, as_markdown, spread
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

import tfadaopt
from tfadaopt import effective
from tfadaopt.callbacks import AccumulatorMagnitude, EffectiveLearningRate, OptimizerMonitor
from tfadaopt.callbacks.optimizer_monitor import ALSO, DEAD_UNITS, PRESETS
from tfadaopt.callbacks.recorder import Recorder
from tfadaopt.callbacks.request import Request, What
from tfadaopt.callbacks.when import Every

# Divisors of the steps of a run: each run has the same number of snapshots.
INTERVALS = (1, 2, 5, 10)


def optimizer_of(name: str) -> keras.optimizers.Optimizer:
    """An optimizer of tfadaopt by name; Keras' own with ``keras.`` before it."""
    owner, _, own = name.rpartition(".")
    return getattr(keras.optimizers if owner == "keras" else tfadaopt, own)(0.001)


# Snapshots


def snapshots(optimizer_name: str, repeats: int) -> list[dict]:
    """A row for each preset, and for what it is compared with."""
    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10)
    optimizer = optimizer_of(optimizer_name)
    model.compile(optimizer)
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)
    for variable in optimizer.variables[2:]:
        variable.assign(random.lognormal(-8, 2, size=variable.shape).astype("float32"))
    assert len(model.trainable_variables) == 214
    rows = []

    def add(name: str, seconds: list[float], size: int, of_tab: int | str) -> None:
        row = {"snapshot": name, **spread([1e3 * x for x in seconds], "ms", 1)}
        rows.append(row | {"bytes": f"{size:,}", "of the tab": of_tab})
        print(as_markdown(rows[-1:]).splitlines()[-1], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        wanted = {f"`{preset}`": What(quantities) for preset, quantities in PRESETS.items()}
        wanted["effective rate alone, all statistics"] = What((PRESETS["standard"][0],))
        for name, what in wanted.items():
            times, size, of_tab = timed_snapshot(model, what, folder, repeats)
            add(name, times, size, f"{of_tab:,}")
        add("for scale: histograms of the same rates", *histograms(model, folder), "–")
    return rows


def timed_snapshot(model, what: What, folder: str, repeats: int):
    """Seconds of each of several snapshots with their writes; bytes of the last, and of its tab."""
    log_dir = tempfile.mkdtemp(dir=folder)
    recorder = Recorder(log_dir)
    asker = object()
    recorder.start(asker, model, Request(what, Every(1), scalars=32))
    recorder.begin_epoch(asker)
    steps = model.optimizer.iterations
    seconds = []
    for step in range(repeats + 2):
        began = time.perf_counter()
        recorder.begin_batch(asker, step)
        seconds.append(time.perf_counter() - began)
        steps.assign_add(1)
        began = time.perf_counter()
        recorder.end_batch(asker, step)
        recorder.end_epoch()
        seconds[-1] += time.perf_counter() - began
    recorder.stop(asker)
    steps.assign(0)
    (path,) = Path(log_dir).iterdir()
    *_, last = RawEventFileLoader(str(path)).Load()
    tensors = [value for value in Event.FromString(last).summary.value if "@" in value.tag]
    return seconds[2:], len(last), sum(value.ByteSize() for value in tensors)


def histograms(model, folder: str, repeats: int = 3):
    """Seconds of ``tf.summary.histogram`` of every effective rate, and bytes of one round."""
    log_dir = tempfile.mkdtemp(dir=folder)
    writer = tf.summary.create_file_writer(log_dir)
    seconds, sizes = [], []
    for step in range(repeats):
        began = time.perf_counter()
        with writer.as_default(step=step):
            for variable in model.trainable_variables:
                rate = effective.effective_learning_rate(model.optimizer, variable)
                tf.summary.histogram(variable.path, rate)
        writer.flush()
        seconds.append(time.perf_counter() - began)
        sizes.append(sum(path.stat().st_size for path in Path(log_dir).iterdir()))
    return seconds[1:], sizes[-1] - sizes[-2]


# Training


class EpochTimer(keras.callbacks.Callback):
    """Sums the seconds between the beginning and the end of each epoch."""

    def on_train_begin(self, logs=None):
        self.seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self._began


def resnet() -> tuple[keras.Model, tuple[int, ...], int, int]:
    """ResNet-50 on small pictures: model, input shape, examples per step, steps per run."""
    shape = (64, 64, 3)
    return keras.applications.ResNet50(weights=None, input_shape=shape, classes=10), shape, 8, 10


def cifar():
    """Cockpit's 3C3D: three convolutions and three dense layers on 32 × 32 pictures."""
    shape = (32, 32, 3)
    layers = [keras.Input(shape)]
    for filters, size in ((64, 5), (96, 3), (128, 3)):
        layers.append(keras.layers.Conv2D(filters, size, activation="relu"))
        layers.append(keras.layers.MaxPool2D(3, 2, padding="same"))
    layers.append(keras.layers.Flatten())
    layers += [keras.layers.Dense(n, activation="relu") for n in (512, 256)]
    return keras.Sequential([*layers, keras.layers.Dense(10)]), shape, 128, 20


def digits():
    """The CNN of the experiment ``lecture``: steps of a few milliseconds."""
    from tfadaopt.experiments.problems.models import digits_cnn

    model = digits_cnn()
    return model, tuple(model.input_shape[1:]), 64, 200


def resnet20():
    """ResNet-20 on 32 × 32 pictures: 65 variables, steps of some tenths of a second."""
    problem = PROBLEMS["resnet20"]()
    return problem.model, problem.shape[1:], problem.shape[0], 20


MODELS = {"resnet": resnet, "resnet20": resnet20, "cifar": cifar, "digits": digits}


def training(name: str, optimizer_name: str, pairs: int, choices) -> tuple[float, dict]:
    """Milliseconds of a plain step, and the ratios of each (preset, interval)."""
    model, shape, batch, steps = MODELS[name]()
    model.compile(
        optimizer_of(optimizer_name), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * batch, *shape)).astype("float32")
    y = random.integers(0, 10, size=steps * batch)
    off = tf.data.Options()
    off.autotune.enabled = False
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).cache().with_options(off)

    def fit(callbacks: list) -> float:
        timer = EpochTimer()
        # The timer goes round the others: their work at the end of an epoch counts.
        model.fit(data, callbacks=[*callbacks, timer], shuffle=False, verbose=0)
        return timer.seconds

    plain, ratios = [], {choice: [] for choice in choices}
    with tempfile.TemporaryDirectory() as logs:
        monitors = {}
        for preset, interval in choices:
            folder = f"{logs}/{preset}-{interval}"
            monitors[preset, interval] = monitor_of(preset, folder, interval)
        fit([])
        for callbacks in monitors.values():  # Everything is traced before the first pair.
            fit(callbacks)
        for number in range(pairs):
            for choice, callbacks in monitors.items():
                if number % 2:
                    without, with_it = fit([]), fit(callbacks)
                else:
                    with_it, without = fit(callbacks), fit([])
                plain.append(without)
                ratios[choice].append(with_it / without)
    return statistics.median(plain) / steps * 1e3, ratios


def monitor_of(preset: str, folder: str, interval: int) -> list[keras.callbacks.Callback]:
    """The monitor; ``both`` stands for the two callbacks of the first release."""
    if preset == "both":
        return [EffectiveLearningRate(folder, interval), AccumulatorMagnitude(folder, interval)]
    return [OptimizerMonitor(folder, interval, preset)]


def also(name: str, optimizer_name: str, pairs: int) -> tuple[float, dict[str, list[float]]]:
    """CPU milliseconds of a plain step, and those that each further quantity adds to a snapshot."""
    model, shape, batch, steps = MODELS[name]()
    model.compile(
        optimizer_of(optimizer_name), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * batch, *shape)).astype("float32")
    y = random.integers(0, 10, size=steps * batch)

    def fit(*callbacks: keras.callbacks.Callback) -> float:
        began = time.process_time()
        model.fit(x, y, batch, callbacks=list(callbacks), shuffle=False, verbose=0)
        return (time.process_time() - began) / steps * 1e3

    added: dict[str, list[float]] = {quantity: [] for quantity in (*ALSO, DEAD_UNITS)}
    plain = []
    with tempfile.TemporaryDirectory() as logs:
        monitors = {"": OptimizerMonitor(f"{logs}/light", 1, "light")}
        for quantity in added:
            probe = x[:64] if quantity == DEAD_UNITS else None
            folder = f"{logs}/{quantity}"
            monitors[quantity] = OptimizerMonitor(folder, 1, "light", also=[quantity], probe=probe)
        for callback in monitors.values():  # Everything is traced before the first pair.
            fit(callback)
        for _ in range(pairs):
            plain.append(fit())
            light = fit(monitors[""])
            for quantity, found in added.items():
                found.append(fit(monitors[quantity]) - light)
    return statistics.median(plain), added


# Tables


def snapshot_table(options) -> list[dict]:
    return snapshots(options.optimizer, options.repeats)


def fit_table(options) -> list[dict]:
    choices = [(p, n) for p in options.presets for n in options.intervals]
    step, ratios = training(options.model, options.optimizer, options.pairs, choices)
    rows = []
    for preset, interval in choices:
        row = {"model": options.model, "preset": preset, "every": interval, "ms, step": step}
        rows.append(row | spread(ratios[preset, interval], "ratio"))
    return rows


def also_table(options) -> list[dict]:
    step, added = also(options.model, options.optimizer, options.pairs)
    return [
        {"quantity": f"`{name}`", "ms of CPU, step": step, **spread(found, "ms, snapshot", 3)}
        for name, found in added.items()
    ]


def stalls_table(options) -> list[dict]:
    found = [100 * x for x in cost.measure(options.pairs)]
    return [{"beside the monitor": "`StallWarning`, every ten steps", **spread(found, "% of fit")}]


TABLES = {"snapshot": snapshot_table, "fit": fit_table, "also": also_table, "stalls": stalls_table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=tuple(TABLES))
    parser.add_argument("--optimizer", default="Adam", help="of tfadaopt, or keras.Adam, …")
    parser.add_argument("--repeats", type=int, default=30, help="snapshots of each kind")
    parser.add_argument("--model", default="digits", choices=tuple(MODELS))
    parser.add_argument("--pairs", type=int, default=9, help="runs of each kind, with and without")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), help="also: both")
    parser.add_argument("--intervals", nargs="+", type=int, default=list(INTERVALS))
    parser.add_argument("--write", action="store_true", help="write benchmarks/monitor-WHAT.md")
    options = parser.parse_args()
    rows = TABLES[options.what](options)
    print(as_markdown(rows))
    if not options.write:
        return
    name = f"monitor-{options.what}.md"
    if options.what == "fit":
        orders = {"model": list(MODELS), "preset": list(PRESETS), "every": INTERVALS}
        table = Kept(name, orders)
        for row in rows:
            table.put(row)
    else:
        (HERE / name).write_text(as_markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
