"""Two devices give what one device gives on the same global batch."""

import dataclasses
import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks.history import read
from tfadaopt.experiments.compare import comparison, trial
from tfadaopt.experiments.compare.contenders import Arm
from tfadaopt.experiments.configs import ConfigError, Lecture
from tfadaopt.experiments.lecture.training import Trainer
from tfadaopt.experiments.training.checkpoints import SECONDS, Checkpoints
from tfadaopt.experiments.training.strategies import check_batches

from .cases import SHAPES, THREE, each_shape, slots_of, three_methods
from .support import models
from .support.comparisons import write

# One that steps by coordinate, one with sums over all variables, one with matrices.
EMBEDDED = ("Adagrad", "Prodigy", "Muon")
RATE_OF = {"Adagrad": {"learning_rate": 0.1}}
KERNEL_AND_BIAS = [(4, 3), (3,)]


@each_shape
def test_two_devices_equal_one(case, two_devices):
    """Weights, effective rates and accumulators, relative to the single device and to the twin."""
    found = two_devices[case.id]
    assert found["replicas"] == 2
    assert found["moved"] > 1e-3
    for what in ("weights", "weights of the second device", "twin", "rates", "accumulators"):
        assert found[what] <= 1e-5, what


@three_methods
def test_fit_under_the_strategy_equals_fit_without(case, two_devices):
    # The order of sums differs; methods that step by signs, or roots of matrices, make more of it.
    assert two_devices[case.id]["fit"] <= max(1e-4, case.tolerance["float32"])


@pytest.mark.parametrize("name", EMBEDDED)
def test_rows_of_an_embedding_that_both_devices_have_are_summed(name, two_devices):
    found = two_devices["embeddings"][name]
    assert found["moved"] > 1e-5  # Prodigy begins with steps as small as this.
    assert found["error"] <= 1e-4


def test_the_commands_train_on_two_devices_as_on_one(two_devices):
    """``--strategy mirrored``: a run of the lecture and one of a comparison, with their logs."""
    for name, found in two_devices["commands"].items():
        assert found["replicas"] == 2, name
        assert found["error"] <= 1e-4, name
        assert found["logged"] == found["logged alone"] != [], name


def test_a_run_on_two_devices_goes_on_where_it_was(two_devices):
    assert two_devices["resumed"] == {"error": 0.0, "began at": 7}


def test_batches_that_cannot_be_shared_out_evenly_are_refused(two_devices):
    assert "last batch of an epoch of 7 examples" in two_devices["uneven"]


def on_two_devices(strategy) -> dict:
    """Errors by case, those of embeddings, and those of the commands."""
    found = by_case(strategy)
    found["embeddings"] = {name: embedded(strategy, name) for name in EMBEDDED}
    with tempfile.TemporaryDirectory() as folder:
        found["commands"] = commands(Path(folder))
        found["resumed"] = resumed(Path(folder))
    try:
        check_batches(strategy, 15, 8)
    except ConfigError as error:
        found["uneven"] = str(error)
    return found


def difference(actual, expected) -> float:
    pairs = zip(actual, expected, strict=True)
    return max(float(np.max(np.abs(a - e)) / max(np.max(np.abs(e)), 1e-6)) for a, e in pairs)


def embedded(strategy, name) -> dict:
    """An embedding, trained on ids that both halves of a batch have, some of them twice."""
    ids = np.random.default_rng(0).integers(0, 7, size=(24, 3))

    def moved() -> list:
        keras.utils.set_random_seed(3)
        layers = keras.layers
        embedding = layers.Embedding(9, 4)
        stack = [keras.Input([3], dtype="int32"), embedding, layers.Flatten(), layers.Dense(1)]
        model = keras.Sequential(stack)
        model.compile(getattr(tfadaopt, name)(**RATE_OF.get(name, {})), "mse")
        start = [v.numpy() for v in model.trainable_variables]
        model.fit(ids, models.Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return [v.numpy() - s for v, s in zip(model.trainable_variables, start, strict=True)]

    alone = moved()
    with strategy.scope():
        together = moved()
    size = max(float(np.max(np.abs(move))) for move in alone)
    return {"moved": size, "error": difference(together, alone)}


def commands(folder: Path) -> dict:
    """What a run of each command comes to on two devices, against one."""
    settings = {"methods": ("Momentum",), "epochs": 2, "train_size": 96, "every": 1}
    arrays = write(folder)
    found = {}
    for name in (None, "mirrored"):
        lecture = Trainer("Momentum", Lecture(**settings, batch_size=32, strategy=name))
        config = vars(comparison.settings(arrays, ["Adam"], batch_size=8, strategy=name))
        compare = trial.Runner(Arm("Adam"), None, config)
        for run, model in ((lecture.train, lecture._model), (compare.run, compare._model)):
            logs = folder / f"{run.__qualname__} {name}"
            result = run(0.05, 0, logs)
            numbers = [x.numpy() for x in model.variables]
            rows = result["rows"] if "rows" in result else result["epochs"]
            numbers.append(np.array([row["loss"] for row in rows]))
            steps = read(logs)["."].steps.tolist()
            replicas = model.distribute_strategy.num_replicas_in_sync
            found.setdefault(run.__qualname__, []).append((numbers, steps, replicas))
    return {
        name: {
            "error": difference(two[0], one[0]),
            "logged": two[1],
            "logged alone": one[1],
            "replicas": two[2],
        }
        for name, (one, two) in found.items()
    }


def resumed(folder: Path) -> dict:
    """A run that ends in step 7, as if killed, and goes on."""
    config = Lecture(methods=("Adagrad",), epochs=2, train_size=160, strategy="mirrored")

    class Stops(Checkpoints):
        def save_if_due(self, model, progress):
            super().save_if_due(model, progress)
            if progress.step == 7:
                raise InterruptedError

    class GoesOn(Checkpoints):
        def restore(self, model, build_metrics):
            progress = super().restore(model, build_metrics)
            self.began_at = progress.step
            return progress

    def trained(checkpoints) -> list:
        trainer = Trainer("Adagrad", dataclasses.replace(config, batch_size=32))
        try:
            trainer.train(0.05, 0, None, checkpoints)
        except InterruptedError:
            return []
        return [v.numpy() for v in trainer._model.variables]

    os.environ[SECONDS] = "0"
    undisturbed = trained(None)
    trained(Stops(folder / "stopped"))
    going_on = GoesOn(folder / "stopped")
    numbers = trained(going_on)
    return {"error": difference(numbers, undisturbed), "began at": going_on.began_at}


def by_case(strategy) -> dict:
    """Errors by case."""
    random = np.random.default_rng(0)
    starts = [random.normal(size=s).astype("float32") for s in KERNEL_AND_BIAS]
    halves = [  # by step, by replica, by variable
        [[random.normal(size=s).astype("float32") for s in KERNEL_AND_BIAS] for _ in range(2)]
        for _ in range(3)
    ]
    sums = [[a + b for a, b in zip(*replicas, strict=True)] for replicas in halves]

    def error(actual, expected):
        """Largest difference, relative to the largest value of the variable."""
        pairs = zip(actual, expected, strict=True)
        return max(float(np.max(np.abs(a - e)) / np.max(np.abs(e))) for a, e in pairs)

    def readings(case, optimizer, variables):
        read = tfadaopt.effective_learning_rate if case.has_rate else lambda optimizer, v: v.value
        rates = [read(optimizer, v).numpy() for v in variables]
        slots = [slots_of(optimizer, v) for v in variables]
        return rates, [slot.numpy() for by_name in slots for slot in by_name.values()]

    def alone(case):
        optimizer, variables = case.make(), [keras.Variable(start) for start in starts]
        for gradients in sums:
            optimizer.apply([tf.constant(g) for g in gradients], variables)
        return [v.numpy() for v in variables], *readings(case, optimizer, variables)

    def together(case):
        with strategy.scope():
            optimizer, variables = case.make(), [keras.Variable(start) for start in starts]
            optimizer.build(variables)

        @tf.function
        def step(gradients):
            strategy.run(lambda g: optimizer.apply(g, variables), args=(gradients,))

        for replicas in halves:
            step(
                [
                    strategy.experimental_distribute_values_from_function(
                        lambda context, i=i, replicas=replicas: tf.constant(
                            replicas[context.replica_id_in_sync_group][i]
                        )
                    )
                    for i in range(len(starts))
                ]
            )
        values = [strategy.experimental_local_results(v.value) for v in variables]
        both = [[value[device].numpy() for value in values] for device in range(2)]
        return both, *readings(case, optimizer, variables)

    def fit(case):
        model = models.make_model(case.make())
        start = [v.numpy() for v in model.trainable_variables]
        models.fit(model, batch_size=8)
        return [v.numpy() - s for v, s in zip(model.trainable_variables, start, strict=True)]

    def fit_together(case):
        with strategy.scope():
            return fit(case)

    found = {}
    for case in SHAPES:
        weights, rates, slots = alone(case)
        (first, second), rates_of_two, slots_of_two = together(case)
        thetas, twins = [start.astype("float64") for start in starts], case.twins(len(starts))
        for gradients in sums:
            thetas = twins.step(thetas, gradients)
        found[case.id] = {
            "replicas": strategy.num_replicas_in_sync,
            "moved": error(starts, weights),
            "weights": error(first, weights),
            "weights of the second device": error(second, weights),
            "twin": error(first, thetas),
            "rates": error(rates_of_two, rates),
            "accumulators": error(slots_of_two, slots) if slots else 0.0,
            "fit": error(fit_together(case), fit(case)) if case in THREE else None,
        }
    return found
