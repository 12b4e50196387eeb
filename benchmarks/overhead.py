"""What the callbacks cost in ``fit``: interleaved runs with and without, median ratio.

    python benchmarks/overhead.py [--every 10] [--pairs 20] [--optimizer Adagrad]

Each pair trains the CNN of the experiment ``lecture`` on its digits, once plainly and once with
``EffectiveLearningRate`` and ``AccumulatorMagnitude`` in one folder, in alternating order, and
times the epochs. Everything is traced before the first pair; what that costs is printed apart.
"""

import argparse
import statistics
import tempfile
import time

import keras
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import AccumulatorMagnitude, EffectiveLearningRate
from tfadaopt.callbacks.measure import (
    Snapshot,
    accumulator_magnitudes,
    effective_learning_rates,
)
from tfadaopt.callbacks.where import EventWriter
from tfadaopt.experiments.data import digits
from tfadaopt.experiments.models import digits_cnn


class EpochTimer(keras.callbacks.Callback):
    """Sums the seconds between the beginning and the end of each epoch."""

    def on_train_begin(self, logs=None):
        self.seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self._began


def snapshot_milliseconds(model: keras.Model, folder: str, repeats: int = 300) -> float:
    """Return the median time of one snapshot of both quantities, written to a file."""
    state = model.optimizer, model.trainable_variables
    snapshot = Snapshot(
        model.optimizer, [*effective_learning_rates(*state), *accumulator_magnitudes(*state)]
    )
    writer = EventWriter(folder)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        writer.write(*snapshot.take())
        seconds.append(time.perf_counter() - began)
    writer.close()
    return statistics.median(seconds) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=10, help="steps between snapshots")
    parser.add_argument("--pairs", type=int, default=20, help="runs of each kind")
    parser.add_argument("--epochs", type=int, default=4, help="epochs per run")
    parser.add_argument("--batch-size", type=int, default=64, help="examples per step")
    parser.add_argument("--optimizer", default="Adagrad", help="method of tfadaopt")
    options = parser.parse_args()

    train = digits(3500, 750, 0)["train"]
    autotune_off = tf.data.Options()
    autotune_off.autotune.enabled = False
    batches = tf.data.Dataset.from_tensor_slices((train.images, train.labels))
    batches = batches.batch(options.batch_size).cache().with_options(autotune_off)
    model = digits_cnn()
    model.compile(
        optimizer=getattr(tfadaopt, options.optimizer)(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    with tempfile.TemporaryDirectory() as logs:
        callbacks = [
            EffectiveLearningRate(logs, every=options.every),
            AccumulatorMagnitude(logs, every=options.every),
        ]

        def fit(extra: list) -> float:
            timer = EpochTimer()
            model.fit(
                batches,
                epochs=options.epochs,
                # The timer goes round the others: their work at the end of an epoch counts.
                callbacks=[*extra, timer],
                shuffle=False,
                verbose=0,
            )
            return timer.seconds

        fit([])
        began = time.perf_counter()
        fit([])
        plain = time.perf_counter() - began
        began = time.perf_counter()
        fit(callbacks)
        first = time.perf_counter() - began - plain
        fit(callbacks)
        pairs = []
        for number in range(options.pairs):
            if number % 2:
                without, with_them = fit([]), fit(callbacks)
            else:
                with_them, without = fit(callbacks), fit([])
            pairs.append((with_them, without))
        snapshot = snapshot_milliseconds(model, logs)

    steps = len(batches) * options.epochs
    ratios = sorted(a / b for a, b in pairs)
    without = statistics.median(b for _, b in pairs) / steps * 1e3
    quarter = len(ratios) // 4
    print(f"{options.optimizer}, every={options.every}, {steps} steps a run, {len(ratios)} pairs")
    print(f"step without callbacks, median: {without:.2f} ms")
    print(f"ratio with / without, median:   {statistics.median(ratios):.4f}")
    print(f"ratio, middle half of the runs: {ratios[quarter]:.4f} to {ratios[-1 - quarter]:.4f}")
    print(f"one snapshot and its event:     {snapshot:.2f} ms")
    print(f"tracing, once per model:        {first:.2f} s more in the first fit")


if __name__ == "__main__":
    main()
