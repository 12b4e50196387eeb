"""How often ``StallWarning`` is wrong: false alarms in healthy runs, and stalls that it misses.

    python benchmarks/stalls.py [--seeds 100 101 102] [--only NAME …] [--recordings FOLDER]

Trains small networks on the digits of the experiment ``lecture``, healthy and broken on purpose,
with the callback as a user has it. Its defaults were chosen on the seeds 0 to 2; what is reported
comes from others. Every healthy run has to learn, and every broken one to fail (``learned`` says
what that means), or the run does not count and is listed. With ``--recordings``, what the detector
saw is kept there, and another call judges it anew without training.
"""

import argparse
import contextlib
import functools
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.optimizers.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay

import tfadaopt
from tfadaopt.callbacks import StallWarning
from tfadaopt.callbacks.stalls import StallDetector, Thresholds
from tfadaopt.experiments.problems.data import digits
from tfadaopt.experiments.problems.models import digits_cnn

BATCH, EXAMPLES = 64, 3500
STEPS_PER_EPOCH = -(-EXAMPLES // BATCH)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@dataclass(frozen=True)
class Scenario:
    """One kind of training.

    Attributes:
        name: What it is.
        model: Makes the network.
        optimizer: Makes the optimizer.
        expected: Kinds of marks that are right; none: healthy.
        where: Part of the path of the layers that stop; any of them must be told.
        epochs: Epochs of training.
        data: Makes the batches from images, labels and a seed.
        prepare: Changes the model after it was made and before it is compiled.
        must_learn: Whether the run counts only with an accuracy above 0.8, or only below (None:
            what it reaches does not matter).
    """

    name: str
    model: Callable[[], keras.Model]
    optimizer: Callable[[], keras.optimizers.Optimizer]
    expected: tuple[str, ...] = ()
    where: str = ""
    epochs: int = 20
    data: Callable = None
    prepare: Callable[[keras.Model], None] | None = None
    must_learn: bool | None = True


class Recording(StallDetector):
    """A detector that keeps what it saw, to be judged again."""

    def __init__(self, optimizer, about):
        super().__init__(optimizer, about)
        self.arguments = optimizer, about
        self.seen = []

    def observe(self, step, tables, learning_rate, loss):
        tables = {key: (tuple(paths), np.array(found)) for key, (paths, found) in tables.items()}
        self.seen.append((step, tables, learning_rate, loss))
        return super().observe(step, tables, learning_rate, loss)


class RecordingWarning(StallWarning):
    """The callback with such a detector."""

    def make_detector(self, optimizer, about):
        self.recording = Recording(optimizer, about)
        return self.recording


def mlp(activation="relu", depth=2, width=64, **options) -> keras.Model:
    """A fully connected network."""
    hidden = [
        layers.Dense(width, activation=activation, name=f"dense_{i + 1}", **options)
        for i in range(depth)
    ]
    ends = layers.Flatten(), layers.Dense(10, name="logits", dtype=options.get("dtype"))
    return keras.Sequential([layers.Input([28, 28, 1]), ends[0], *hidden, ends[1]], name="mlp")


def normalized_cnn() -> keras.Model:
    """A convolutional network with batch normalization and dropout."""
    return keras.Sequential(
        [
            layers.Input([28, 28, 1]),
            layers.Conv2D(8, 5, strides=2, name="conv_1"),
            layers.BatchNormalization(name="bn_1"),
            layers.ReLU(),
            layers.Conv2D(16, 5, strides=2, name="conv_2"),
            layers.BatchNormalization(name="bn_2"),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, name="logits"),
        ],
        name="normalized_cnn",
    )


def linear() -> keras.Model:
    """Multinomial logistic regression."""
    return mlp(depth=0)


def batches(images, labels, seed, size=BATCH) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices((images, labels))
    return data.shuffle(len(labels), seed=seed).batch(size)


def few(images, labels, seed) -> tf.data.Dataset:
    """So few that they are learned by heart: the loss goes to 0."""
    return batches(images[:320], labels[:320], seed).repeat(10)


def whole(images, labels, seed) -> tf.data.Dataset:
    """All of 500 digits in each step: no noise."""
    return tf.data.Dataset.from_tensors((images[:500], labels[:500])).repeat(STEPS_PER_EPOCH)


def noisy_labels(images, labels, seed) -> tf.data.Dataset:
    """Two in five labels are drawn at random: the loss ends far above 0."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < 0.4
    return batches(images, np.where(wrong, rng.integers(0, 10, len(labels)), labels), seed)


def first_then(first: Callable, epochs: int, weight: float = 1.0) -> Callable:
    """Other images, or a larger weight of the loss, for the first epochs of a run."""

    def make(images, labels, seed):
        early = batches(first(images), labels, seed).repeat(epochs)
        early = early.map(lambda x, y: (x, y, weight * tf.ones_like(y, tf.float32)))
        late = batches(images, labels, seed).repeat()
        late = late.map(lambda x, y: (x, y, tf.ones_like(y, tf.float32)))
        return early.concatenate(late)

    return make


def one_bad_batch(images, labels, seed) -> tf.data.Dataset:
    """A NaN among the images of the fourth epoch."""
    bad = tf.data.Dataset.from_tensors((np.full_like(images[:BATCH], np.nan), labels[:BATCH]))
    good = batches(images, labels, seed)
    return good.repeat(3).concatenate(bad).concatenate(good.repeat())


def freeze(*names: str) -> Callable[[keras.Model], None]:
    """Train the network first, then all but some layers."""

    def prepare(model):
        images, labels = train_split()
        model.compile(optimizer=tfadaopt.Adam(1e-3), loss=LOSS)
        model.fit(batches(images, labels, 7), epochs=3, verbose=0)
        for name in names:
            model.get_layer(name).trainable = False

    return prepare


def kill(name: str) -> Callable[[keras.Model], None]:
    """Push the inputs of all ReLU of a layer below 0, for all images."""

    def prepare(model):
        layer = model.get_layer(name)
        layer.bias.assign(layer.bias - 50.0)

    return prepare


def shrink(factor: float) -> Callable[[keras.Model], None]:
    """Make all weights larger or smaller."""

    def prepare(model):
        model.set_weights([factor * w for w in model.get_weights()])

    return prepare


def warm_up(rate: float, epochs: int) -> CosineDecay:
    """From 0 up in two epochs, and down to 0 at the end of the run."""
    rest = (epochs - 2) * STEPS_PER_EPOCH
    return CosineDecay(0.0, rest, warmup_target=rate, warmup_steps=2 * STEPS_PER_EPOCH)


def healthy() -> list[Scenario]:
    """Runs in which there is nothing to tell."""
    rates = {"SGD": 0.1, "Momentum": 0.02, "Nesterov": 0.02, "Adagrad": 0.02, "RMSprop": 1e-3}
    rates |= {"Adadelta": 1.0, "Adam": 1e-3, "AdamW": 1e-3, "AMSGrad": 1e-3, "Nadam": 1e-3}
    rates |= {"Adamax": 2e-3, "LAMB": 5e-3, "Yogi": 3e-3, "DoG": 1.0, "Prodigy": 1.0}
    runs = []
    for name, rate in rates.items():
        make = functools.partial(getattr(tfadaopt, name), rate)
        runs += [Scenario(f"{name}, MLP", mlp, make), Scenario(f"{name}, CNN", digits_cnn, make)]
    for name in ("SGD", "Adagrad", "Adam", "RMSprop"):
        make = functools.partial(getattr(keras.optimizers, name), rates[name])
        runs.append(Scenario(f"Keras' {name}, CNN", digits_cnn, make))
    cosine = functools.partial(CosineDecay, decay_steps=20 * STEPS_PER_EPOCH)
    steps = [8 * STEPS_PER_EPOCH, 14 * STEPS_PER_EPOCH]
    drops = functools.partial(PiecewiseConstantDecay, steps, [0.1, 0.01, 0.001])
    decay = functools.partial(ExponentialDecay, decay_steps=STEPS_PER_EPOCH, decay_rate=0.7)
    adam, sgd, momentum = tfadaopt.Adam, tfadaopt.SGD, tfadaopt.Momentum
    adagrad = tfadaopt.Adagrad
    return [
        *runs,
        Scenario("Adam, cosine decay to 0", digits_cnn, lambda: adam(cosine(2e-3))),
        Scenario("Adagrad, cosine decay to 0", mlp, lambda: adagrad(cosine(0.03))),
        Scenario("SGD, warm-up and cosine decay to 0", mlp, lambda: sgd(warm_up(0.3, 20))),
        Scenario("Adam, warm-up and cosine decay to 0", mlp, lambda: adam(warm_up(3e-3, 20))),
        Scenario("SGD, rate / 10 twice", digits_cnn, lambda: sgd(drops())),
        Scenario("Adam, exponential decay", mlp, lambda: adam(decay(2e-3))),
        Scenario("batch norm and dropout, Adam", normalized_cnn, lambda: adam(1e-3)),
        Scenario("batch norm and dropout, Momentum", normalized_cnn, lambda: momentum(0.02)),
        Scenario(
            "fine-tuning, frozen convolutions, Adam 1e-4",
            digits_cnn,
            lambda: adam(1e-4),
            prepare=freeze("conv_1", "conv_2"),
        ),
        Scenario(
            "fine-tuning of all layers, SGD 1e-3",
            digits_cnn,
            lambda: sgd(1e-3),
            prepare=freeze(),
        ),
        Scenario("learned by heart, Adam", mlp, lambda: adam(1e-3), data=few, epochs=40),
        Scenario("learned by heart, SGD", mlp, lambda: sgd(0.1), data=few, epochs=40),
        Scenario("learned by heart, Momentum", mlp, lambda: momentum(0.05), data=few, epochs=40),
        Scenario("learned by heart, Adagrad", mlp, lambda: adagrad(0.03), data=few, epochs=40),
        Scenario("whole batch, logistic, Adam", linear, lambda: adam(1e-2), data=whole, epochs=40),
        Scenario("whole batch, logistic, SGD", linear, lambda: sgd(0.3), data=whole, epochs=40),
        Scenario("noisy labels, Adam", linear, lambda: adam(1e-3), data=noisy_labels, epochs=40),
        Scenario("noisy labels, SGD", linear, lambda: sgd(0.1), data=noisy_labels, epochs=40),
        Scenario("noisy labels, Adagrad", linear, lambda: adagrad(0.02), data=noisy_labels),
        Scenario("tanh, 6 layers, Adam", lambda: mlp("tanh", 6), lambda: adam(1e-3)),
        Scenario("sigmoid, 2 layers, Momentum", lambda: mlp("sigmoid"), lambda: momentum(0.1)),
        Scenario("mixed_bfloat16, Adam", lambda: mlp(dtype="mixed_bfloat16"), lambda: adam(1e-3)),
        Scenario("bfloat16 weights, Adam 3e-3", lambda: mlp(dtype="bfloat16"), lambda: adam(3e-3)),
        Scenario("clipped, Adagrad", mlp, lambda: adagrad(0.02, global_clipnorm=1.0)),
        Scenario("weight decay, AdamW 0.1", mlp, lambda: tfadaopt.AdamW(1e-3, weight_decay=0.1)),
    ]


def broken() -> list[Scenario]:
    """Runs in which something is to be told."""
    adam, sgd, adagrad = tfadaopt.Adam, tfadaopt.SGD, tfadaopt.Adagrad
    stop = {"must_learn": False}
    stands = ("stalled", "saturated", "below_resolution")
    loud = first_then(lambda x: x, 2, weight=1000.0)
    bright = first_then(lambda x: 255 * x, 2)
    outlier = first_then(lambda x: 1e4 * x, 1)
    half = functools.partial(mlp, dtype="bfloat16")
    deep = functools.partial(mlp, "sigmoid", 10)
    return [
        Scenario("loss × 1000 at first, Adagrad 1e-3", mlp, lambda: adagrad(1e-3), stands,
                 data=loud, **stop),
        Scenario("loss × 1000 at first, Adagrad 1e-3, CNN", digits_cnn, lambda: adagrad(1e-3),
                 stands, data=loud, **stop),
        Scenario("raw pixels at first, Adagrad 1e-3", mlp, lambda: adagrad(1e-3), stands,
                 data=bright, **stop),
        Scenario("outliers at first, Adagrad 1e-2", digits_cnn, lambda: adagrad(1e-2), stands,
                 data=outlier, **stop),
        Scenario("outliers at first, Keras' Adagrad 1e-2", digits_cnn,
                 lambda: keras.optimizers.Adagrad(1e-2), stands, data=outlier, **stop),
        Scenario("bfloat16 weights, SGD 1e-3", half, lambda: sgd(1e-3), ("below_resolution",),
                 **stop),
        Scenario("bfloat16 weights, Adam 1e-5", half, lambda: adam(1e-5), ("below_resolution",),
                 **stop),
        Scenario("bfloat16 weights, Adagrad 1e-4", half, lambda: adagrad(1e-4),
                 ("below_resolution",), **stop),
        Scenario("float32 weights, SGD 1e-9", mlp, lambda: sgd(1e-9), ("below_resolution",),
                 **stop),
        Scenario("dead ReLU, SGD", mlp, lambda: sgd(0.1), ("dead",), "dense_1",
                 prepare=kill("dense_2"), **stop),
        Scenario("dead ReLU, Adam", mlp, lambda: adam(1e-3), ("dead",), "dense_1",
                 prepare=kill("dense_2"), **stop),
        Scenario("dead ReLU, Adagrad, CNN", digits_cnn, lambda: adagrad(1e-2), ("dead",), "conv",
                 prepare=kill("dense_1"), **stop),
        Scenario("dead ReLU, RMSprop, CNN", digits_cnn, lambda: tfadaopt.RMSprop(1e-3), ("dead",),
                 "conv", prepare=kill("conv_2"), **stop),
        Scenario("dead ReLU, AdamW", mlp, lambda: tfadaopt.AdamW(1e-3), ("dead",), "dense_1",
                 prepare=kill("dense_2"), **stop),
        Scenario("rate too high, SGD 30", mlp, lambda: sgd(30.0), ("exploding", "nan", "dead"),
                 **stop),
        Scenario("rate too high, Adam 1", digits_cnn, lambda: adam(1.0),
                 ("exploding", "nan", "dead"), **stop),
        Scenario("rate too high, Momentum 10, CNN", digits_cnn, lambda: tfadaopt.Momentum(10.0),
                 ("exploding", "nan", "dead"), **stop),
        Scenario("weights × 30, Momentum 0.1", mlp, lambda: tfadaopt.Momentum(0.1),
                 ("exploding", "nan", "dead"), prepare=shrink(30.0), **stop),
        Scenario("NaN among the images, Keras' Adam", mlp, lambda: keras.optimizers.Adam(1e-3),
                 ("nan",), data=one_bad_batch, **stop),
        Scenario("NaN among the images, SGD, CNN", digits_cnn,
                 lambda: sgd(0.1, nonfinite="ignore"), ("nan",), data=one_bad_batch, **stop),
        Scenario("sigmoid, 10 layers, SGD", deep, lambda: sgd(0.1), stands, "dense_1/", **stop),
        Scenario("sigmoid, 10 layers, Momentum", deep, lambda: tfadaopt.Momentum(0.01), stands,
                 "dense_1/", **stop),
        Scenario("sigmoid, 10 layers, Adagrad", deep, lambda: adagrad(1e-4), stands, "dense_1/",
                 **stop),
        Scenario("weights × 1e-3, 6 layers, SGD", lambda: mlp(depth=6), lambda: sgd(0.1),
                 (*stands, "dead"), "dense_", prepare=shrink(1e-3), **stop),
    ]  # fmt: skip


@functools.cache
def train_split():
    train = digits(EXAMPLES, 750, 0)["train"]
    return train.images, train.labels


def train(scenario: Scenario, seed: int) -> tuple[Recording, float]:
    """Train once and return what the detector saw, and the accuracy on what was trained on."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    images, labels = train_split()
    model = scenario.model()
    if scenario.prepare is not None:
        scenario.prepare(model)
    model.compile(optimizer=scenario.optimizer(), loss=LOSS)
    callback = RecordingWarning()
    data = (scenario.data or batches)(images, labels, seed)
    endless = data.cardinality() == tf.data.INFINITE_CARDINALITY
    with contextlib.redirect_stdout(io.StringIO()):
        model.fit(
            data,
            epochs=scenario.epochs,
            steps_per_epoch=STEPS_PER_EPOCH if endless else None,
            callbacks=[callback],
            verbose=0,
        )
    right = np.argmax(model.predict(images, batch_size=500, verbose=0), axis=1) == labels
    return callback.recording, float(np.mean(right))


def judge(recording: Recording, thresholds: Thresholds) -> list:
    """Show what was seen to a detector with these thresholds and return all marks."""
    optimizer, about = recording.arguments
    detector = StallDetector(optimizer, about, thresholds)
    return [mark for seen in recording.seen for mark in detector.observe(*seen)]


def recorded(scenario: Scenario, seed: int, folder: Path | None) -> tuple[Recording, float]:
    """What a run showed, from the folder if it is there."""
    path = folder and folder / f"{scenario.name.replace('/', '∕')} {seed}.pickle"
    if path and path.exists():
        arguments, seen, accuracy = pickle.loads(path.read_bytes())
        recording = Recording(*arguments)
        recording.seen = seen
        return recording, accuracy
    recording, accuracy = train(scenario, seed)
    if path:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps((recording.arguments, recording.seen, accuracy)))
    return recording, accuracy


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    parser.add_argument("--only", nargs="+", default=[""], help="parts of names of runs")
    parser.add_argument("--recordings", type=Path, help="folder to keep what was seen")
    options = parser.parse_args(arguments)
    counts = {"healthy": [0, 0], "broken": [0, 0]}
    void = []
    print("| run | accuracy | told (layers, first at step) | verdict |\n|---|---|---|---|")
    for scenario in (*healthy(), *broken()):
        if not any(part in scenario.name for part in options.only):
            continue
        told, good, accuracies = [], 0, []
        for seed in options.seeds:
            recording, accuracy = recorded(scenario, seed, options.recordings)
            accuracies.append(f"{accuracy:.2f}")
            if scenario.must_learn is not None and scenario.must_learn != (accuracy > 0.8):
                void.append(f"{scenario.name}, seed {seed}: accuracy {accuracy:.2f}")
            marks = judge(recording, Thresholds())
            right = [m for m in marks if m.kind in scenario.expected and scenario.where in m.layer]
            good += bool(right) if scenario.expected else not marks
            kinds = dict.fromkeys(mark.kind for mark in marks)
            for kind in kinds:
                of_kind = [m for m in marks if m.kind == kind]
                told.append(f"{kind} ({len(of_kind)}, {min(m.since for m in of_kind)})")
        counted = counts["broken" if scenario.expected else "healthy"]
        counted[0] += len(options.seeds) - good
        counted[1] += len(options.seeds)
        verdict = f"{good} of {len(options.seeds)} right"
        print(f"| {scenario.name} | {' '.join(accuracies)} | {', '.join(told)} | {verdict} |")
    print(f"\nhealthy runs with an alarm: {counts['healthy'][0]} of {counts['healthy'][1]}")
    print(f"broken runs without the right one: {counts['broken'][0]} of {counts['broken'][1]}")
    for line in void:
        print(f"not what it should be: {line}")


if __name__ == "__main__":
    main()
