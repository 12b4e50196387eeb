"""A CNN on Fashion-MNIST, as DeepOBS trains it, against the accuracies that it published.

    python benchmarks/fmnist_2c2d.py FOLDER [--report]

Network 2c2d, 60,000 images, batches of 128, constant rates. One epoch of one run is one file of
``FOLDER``: a command that was ended, by whatever, goes on where it was when it is given again, and
loses one epoch at most. What matters most comes first: three epochs of the three methods that were
published, then their accuracy after one epoch over twelve rates, then more seeds, more epochs, the
other methods around their default rate, and two more seeds. ``fmnist_2c2d.md`` and
``fmnist_2c2d.svg`` are written from what there is.

Needs ``KERAS_HOME`` with Fashion-MNIST in it, or a network connection.
"""

import argparse
import functools
import io
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import fmnist_2c2d_report
import keras
import numpy as np
import tensorflow as tf

import tfadaopt
from tfadaopt.experiments.problems.images.networks import conv_2c2d
from tfadaopt.experiments.problems.images.sets import BUFFER, batches, in_unit, stored
from tfadaopt.experiments.problems.restart import Restart
from tfadaopt.experiments.runs.files import sealed, unsealed, write_whole

BATCH = 128
# Rates of DeepOBS' grid, 10^(k/5), and of them the best of each published method.
RATES = [10.0 ** (k / 5) for k in (-20, -18, -16, -14, -12, -10, -8, -6, -4, -2, -1, 0)]
BEST = {"SGD": 10**-0.8, "Momentum": 10**-2.6, "Adam": 10**-3.6}
# Decomposing matrices of 1,024 × 1,024 at each step, Shampoo would take hours.
ARGUMENTS = {"Momentum": {"momentum": 0.99}, "Shampoo": {"refresh_every": 20}}
AROUND_DEFAULT = (0.1, 0.316, 1.0, 3.16)


@dataclass(frozen=True)
class Run:
    """What determines a run: its weights and the order of its batches are of the seed."""

    method: str
    rate: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}-{self.rate:.3e}-{self.seed}"


def plan() -> Iterator[tuple[Run, int, bool]]:
    """Yield runs, how many epochs each shall have, and whether it may be continued later."""
    published = [(method, BEST[method]) for method in BEST]
    yield from ((Run(*arm, 42), 3, True) for arm in published)
    # The middle of the grid first: where time ends early, the curve has its top.
    for rate in sorted(RATES, key=lambda rate: abs(np.log10(rate) + 2)):
        yield from ((Run(method, rate, 42), 1, False) for method in BEST)
    for epochs, seeds in ((3, (43, 44)), (5, (42, 43, 44))):
        for seed in seeds:
            yield from ((Run(*arm, seed), epochs, True) for arm in published)
    for factor in sorted(AROUND_DEFAULT, key=lambda factor: abs(np.log(factor))):
        for record in tfadaopt.methods():
            if record.name not in BEST:
                default = float(record.cls().learning_rate)
                yield Run(record.name, factor * default, 42), 1, False
    for seed in (45, 46):
        yield from ((Run(*arm, seed), 5, True) for arm in published)


class Results:
    """Finished epochs in a folder, one file each, and the states that runs go on from."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "states").mkdir(parents=True, exist_ok=True)

    def of(self, run: Run, epoch: int) -> dict | None:
        path = self._path(run, epoch)
        return unsealed(path.read_bytes()) if path.exists() else None

    def keep(self, run: Run, epoch: int, found: dict) -> None:
        content = {**asdict(run), "epoch": epoch, "version": tfadaopt.__version__, **found}
        write_whole(self._path(run, epoch), sealed(content))

    def keep_state(self, run: Run, epoch: int, values: list[np.ndarray]) -> None:
        content = io.BytesIO()
        np.savez(content, np.int64(epoch), *values)
        write_whole(self._state(run), content.getvalue())

    def state(self, run: Run) -> tuple[int, list[np.ndarray]]:
        """Return the epochs that a run has, and its state; 0 and nothing where it begins."""
        if not self._state(run).exists():
            return 0, []
        with np.load(self._state(run)) as arrays:
            epoch, *values = (arrays[name] for name in arrays)
        return int(epoch), values

    def all(self) -> list[dict]:
        return [unsealed(path.read_bytes()) for path in sorted(self.folder.glob("*.json"))]

    def _path(self, run: Run, epoch: int) -> Path:
        return self.folder / f"{run.name}-epoch-{epoch}.json"

    def _state(self, run: Run) -> Path:
        return self.folder / "states" / f"{run.name}.npz"


class Trainer:
    """Trains the network with one method, again and again; it is traced once."""

    def __init__(self, method: str):
        self.method = method
        self._train, test = stored("fashion_mnist")
        self._test = batches(test, BATCH, in_unit, whole=True)
        self.model = conv_2c2d()
        self.optimizer = tfadaopt.get(method, nonfinite="ignore", **ARGUMENTS.get(method, {}))
        self._restart = Restart(conv_2c2d, self.model, self.optimizer)
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def begin(self, run: Run, values: list[np.ndarray]) -> None:
        """Set weights and state to the start of a run, or to where it was."""
        self._restart(run.rate, run.seed)
        variables = [*self.model.variables, *self.optimizer.variables]
        for variable, value in zip(variables if values else [], values, strict=True):
            variable.assign(value)

    def values(self) -> list[np.ndarray]:
        return [v.numpy() for v in (*self.model.variables, *self.optimizer.variables)]

    def epoch(self, run: Run) -> dict:
        """Train for an epoch, and judge; the batches come in the same order in every epoch.

        A run ends where its loss is no number: its weights are none any more, and stay so.
        """
        order = shuffled(len(self._train.labels), BUFFER, run.seed)
        data = batches(self._train[order], BATCH, in_unit, whole=True)
        began, processor, losses = time.perf_counter(), time.process_time(), []
        for x, y in data:
            losses.append(float(self._step(x, y)))
            if not np.isfinite(losses[-1]):
                break
        trained = time.perf_counter(), time.process_time()
        correct, loss = np.mean([self._judge(x, y) for x, y in self._test], axis=0)
        return {
            "accuracy": float(correct),
            "test_loss": float(loss),
            "train_loss": float(np.mean(losses)),
            "steps": len(losses),
            "seconds": trained[0] - began,
            "processor_seconds": trained[1] - processor,
        }

    @tf.function(autograph=False)  # under XLA, a step on a CPU takes almost twice the time
    def _step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self._loss(y, self.model(x, training=True))
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    @tf.function(autograph=False)
    def _judge(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        logits = self.model(x, training=False)
        correct = tf.argmax(logits, axis=1, output_type=y.dtype) == y
        return tf.stack([tf.reduce_mean(tf.cast(correct, "float32")), self._loss(y, logits)])


def shuffled(count: int, buffer: int, seed: int) -> np.ndarray:
    """Return the order in which a buffer of ``tf.data`` gives so many examples."""
    data = tf.data.Dataset.range(count).shuffle(buffer, seed, reshuffle_each_iteration=False)
    return next(iter(data.batch(count))).numpy()


@functools.lru_cache(maxsize=len(BEST))
def trainer_of(method: str) -> Trainer:
    """The trainer of a method; some are kept, to trace each once."""
    return Trainer(method)


def train(results: Results) -> None:
    """Train what is not finished, epoch by epoch, in the order of the plan."""
    for run, epochs, continued in plan():
        if results.of(run, epochs) is not None:
            continue
        trainer = trainer_of(run.method)
        done, values = results.state(run)
        trainer.begin(run, values)
        for epoch in range(done + 1, epochs + 1):
            found = trainer.epoch(run)
            results.keep(run, epoch, found)
            if continued:  # after its row: an epoch whose state is lost is trained again
                results.keep_state(run, epoch, trainer.values())
            said = f"{found['accuracy']:.4f}, {found['seconds']:.0f} s"
            print(f"{run.name} epoch {epoch}: {said}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where finished epochs lie or shall lie")
    parser.add_argument("--report", action="store_true", help="train nothing, write the report")
    arguments = parser.parse_args()
    results = Results(arguments.folder)
    if not arguments.report:
        tf.config.threading.set_intra_op_parallelism_threads(2)
        tf.config.threading.set_inter_op_parallelism_threads(2)
        train(results)
    fmnist_2c2d_report.write(results.all(), RATES, BEST)


if __name__ == "__main__":
    main()
