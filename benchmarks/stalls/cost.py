"""What ``StallWarning`` costs beside the monitor: ``python benchmarks/monitor.py stalls``."""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import keras
import numpy as np

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor, StallWarning
from tfadaopt.callbacks.request import What
from tfadaopt.experiments.problems.data import digits
from tfadaopt.experiments.problems.models import digits_cnn


class Clocked:
    """Sums up the time that a function takes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable) -> Callable:
        """The function, with a clock around it."""

        @wraps(function)
        def clocked(*args, **kwargs):
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began

        return clocked


def measure(epochs: int = 6) -> list[float]:
    """Parts of the time of epochs that the callback takes: its own, and that of what it asks for.

    What it asks for is measured with the snapshot of the monitor, in one graph call: the time of
    that call with it, less that without it.
    """
    train = digits(3500, 750, 0)["train"]
    with tempfile.TemporaryDirectory() as folder:
        model = digits_cnn()
        model.compile(tfadaopt.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(True))
        monitor, stalls = OptimizerMonitor(Path(folder), every=10), StallWarning(folder, every=10)
        own = Clocked()
        # The monitor comes first and drives: it calls the look, and the rest is beside it.
        for name in ("_look", "on_train_batch_begin", "on_train_batch_end"):
            setattr(stalls, name, own.around(getattr(stalls, name)))
        parts = []

        class Epochs(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                own.seconds, self.began = 0.0, time.perf_counter()

            def on_epoch_end(self, epoch, logs=None):
                parts.append([own.seconds, time.perf_counter() - self.began])

        model.fit(
            *(train.images, train.labels), batch_size=64, epochs=epochs + 1, verbose=0,
            callbacks=[Epochs(), monitor, stalls],
        )  # fmt: skip
        looks = -(-len(train.labels) // 64) / 10
        extra = _extra(monitor, stalls, model)
    return [(seconds + looks * extra) / (total - seconds - looks * extra)
            for seconds, total in parts[1:]]  # fmt: skip


def _extra(monitor, stalls, model) -> float:
    """Seconds that a snapshot takes longer for what the warning asks beside the monitor."""
    from tfadaopt.callbacks.snapshots import Snapshots

    snapshots = Snapshots(model.optimizer)
    snapshots.model = model
    snapshots.find_layers()
    asked = monitor.request().what, stalls.request().what
    wanted: list[list[What]] = [[asked[0]], list(asked)]
    taken: list[list[float]] = [[], []]
    for _ in range(200):
        for whats, seconds in zip(wanted, taken, strict=True):
            snapshot = snapshots.of(whats)
            before = snapshot.capture()
            began = time.perf_counter()
            snapshot.take(before)
            seconds.append(time.perf_counter() - began)
    return statistics.median(np.subtract(taken[1], taken[0])[20:].tolist())
