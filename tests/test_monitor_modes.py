"""The monitor in every way of training: bit for bit as without it, and with the right numbers."""

import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfadaopt
from tfadaopt.callbacks import OptimizerMonitor, UpdateRatio

from . import events, logged
from .support import models

ROOT = Path(__file__).parent.parent
K = keras.optimizers


@functools.cache
def arrays(scale=1.0):
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(24, n)).astype("float32") for n in (4, 1))
    return x, y * np.float32(scale)


make_model = functools.partial(models.make_model, dropout=0.2)


def fit(model, *callbacks, scale=1.0, **arguments):
    x, y = arrays(scale)
    arguments = {"batch_size": 2, "verbose": 0, "shuffle": False, **arguments}
    model.fit(x, y, callbacks=list(callbacks), **arguments)


class Weights(keras.callbacks.Callback):
    """Weights before and after each execution, by the iterations after it."""

    def __init__(self):
        super().__init__()
        self.of_step, self.iterations = {}, []

    def on_train_batch_begin(self, batch, logs=None):
        self.old = [np.array(v.numpy(), "float64") for v in self.model.trainable_variables]

    def on_train_batch_end(self, batch, logs=None):
        step = int(events.state_holder(self.model.optimizer).iterations.numpy())
        self.iterations.append(step)
        if step in self.of_step:
            return  # Nothing but accumulated, or skipped.
        self.of_step[step] = {
            v.path: np.linalg.norm(np.array(v.numpy(), "float64") - old)
            / (np.linalg.norm(old) or np.linalg.norm(np.array(v.numpy(), "float64")) or 1)
            for v, old in zip(self.model.trainable_variables, self.old, strict=True)
        }


def same_ratios(folder, weights, rtol=2e-5):
    curves = logged.curves(folder)["update_ratio", "value"]
    for step, numbers in curves.items():
        assert numbers == pytest.approx(weights.of_step[step], rel=rtol, abs=1e-9)
    return list(curves)


# Bit for bit

MODES = {
    "graph": {"jit_compile": False},
    "xla": {"jit_compile": True},
    "eager": {"run_eagerly": True},
    "several-steps": {"steps_per_execution": 5},
    "several-steps-xla": {"steps_per_execution": 5, "jit_compile": True},
    "half-precision": {"policy": "mixed_float16"},
    "bfloat16": {"policy": "bfloat16"},
}
OPTIMIZERS = {
    "adam": lambda **k: tfadaopt.Adam(0.01, **k),
    "keras-adam": lambda **k: K.Adam(0.01, **k),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "make", "accumulate"),
    [
        *((mode, "adam", None) for mode in MODES),
        ("graph", "adam", 3),
        ("xla", "keras-adam", 3),
        ("graph", "keras-adam", None),
        ("half-precision", "keras-adam", None),
    ],
)
def test_training_is_bit_identical(mode, make, accumulate, tmp_path):
    found, start = [], None
    for monitored in (False, True):
        model = make_model(OPTIMIZERS[make](gradient_accumulation_steps=accumulate), **MODES[mode])
        start = [v.numpy() for v in model.variables]
        callbacks = [OptimizerMonitor(tmp_path, 1, "full")] if monitored else []
        fit(model, *callbacks, epochs=2)
        fit(model, *callbacks)
        found.append([v.numpy() for v in (*model.variables, *model.optimizer.variables)])
    assert len(logged.curves(tmp_path)["update_ratio", "value"]) >= 3
    assert not np.array_equal(found[0][0], start[0])
    for without, with_it in zip(*found, strict=True):
        np.testing.assert_array_equal(without, with_it)


# The right numbers


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_update_ratio_in_each_mode(mode, tmp_path):
    """Under ``steps_per_execution``, it spans what one execution did."""
    weights = Weights()
    fit(make_model(tfadaopt.Adam(0.1), **mode), UpdateRatio(tmp_path, 2), weights, epochs=2)
    several = mode.get("steps_per_execution")
    expected = [5, 10, 12, 17, 22, 24] if several else list(range(2, 25, 2))
    steps = same_ratios(tmp_path, weights)
    assert steps == expected or mode == MODES["half-precision"]


@pytest.mark.slow
def test_update_ratio_spans_an_execution(tmp_path):
    weights, model = Weights(), make_model(tfadaopt.Adam(0.1), steps_per_execution=4)
    fit(model, OptimizerMonitor(tmp_path, 1, "full"), weights)
    assert same_ratios(tmp_path, weights) == [4, 8, 12]
    assert ("gradient_norm", "value") not in logged.curves(tmp_path)
    assert ("update_norm", "value") in logged.curves(tmp_path)


@pytest.mark.slow
def test_update_ratio_is_of_the_update_where_gradients_accumulate(tmp_path):
    weights = Weights()
    model = make_model(tfadaopt.Adam(0.1, gradient_accumulation_steps=5), run_eagerly=True)
    for _ in range(2):
        fit(model, OptimizerMonitor(tmp_path, 1, "full"), weights)
    assert weights.iterations == [n // 5 for n in range(1, 25)]
    assert same_ratios(tmp_path, weights) == [1, 2, 3, 4]


@pytest.mark.slow
def test_skipped_steps_write_nothing_and_do_not_spoil_the_next(tmp_path):
    weights = Weights()
    optimizer = K.LossScaleOptimizer(K.Adam(0.1))
    model = make_model(optimizer, policy="mixed_float16")
    fit(model, OptimizerMonitor(tmp_path, 1, "full"), weights, scale=100.0, epochs=2)
    assert weights.iterations[0] == 0
    assert 5 <= weights.iterations[-1] < 24
    done = sorted({n for n in weights.iterations if n})
    assert same_ratios(tmp_path, weights) == done
    assert events.steps(tmp_path) == done
    norms = logged.curves(tmp_path)["gradient_norm", "value"]
    assert all(np.isfinite(list(numbers.values())).all() for numbers in norms.values())


@pytest.mark.parametrize("preset", ["light", "full"])
@pytest.mark.slow
def test_model_built_by_its_first_batch_has_no_ratio_of_its_first_step(preset, tmp_path):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.layers.Dense(5, name="hidden"), keras.layers.Dense(1)])
    model.compile(tfadaopt.Adam(0.1), "mse", run_eagerly=True)
    weights = Weights()
    monitor = OptimizerMonitor(tmp_path, 1, preset)
    x, y = arrays()
    model.fit(x, y, batch_size=2, verbose=0, shuffle=False, callbacks=[monitor])
    fit(model, monitor, weights)
    curves = logged.curves(tmp_path)
    assert list(curves["effective_learning_rate", "p50"]) == list(range(1, 25))
    assert list(curves["update_ratio", "value"]) == list(range(2, 25))
    assert np.isfinite([list(n.values()) for n in curves["update_ratio", "value"].values()]).all()
    assert "update_ratio" not in " ".join(events.read(tmp_path)[0].values)


# Several devices and workers


def test_mirrored_strategy(two_devices):
    """Two devices, one writer, numbers of the weights."""
    assert two_devices == {"replicas": 2, "files": 1, "ratios": list(range(1, 13)), "rates": 12}


@pytest.mark.slow
def test_two_workers(tmp_path):
    """The chief alone writes; the other one neither waits nor makes a folder."""
    with socket.socket() as first, socket.socket() as second:
        for found in (first, second):
            found.bind(("127.0.0.1", 0))
        ports = [found.getsockname()[1] for found in (first, second)]
    workers = [f"127.0.0.1:{port}" for port in ports]
    processes = []
    for index in range(2):
        cluster = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(cluster)}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.test_monitor_modes", str(tmp_path)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors[-4000:]
    chief, other = (json.loads(out.splitlines()[-1]) for out, _ in outputs)
    assert chief == {"replicas": 2, "files": 1, "ratios": list(range(1, 13)), "rates": 12}
    assert other == {"replicas": 2, "files": 0, "ratios": [], "rates": 0}


def on_two_devices(strategy) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        return under(strategy, folder)


def under(strategy, folder) -> dict:
    """Train under a strategy with a monitor, and compare what it wrote with the weights."""
    with strategy.scope():
        model = make_model(tfadaopt.Adam(0.1))
    weights = Weights()
    x, y = arrays()
    options = tf.data.Options()
    policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_distribute.auto_shard_policy = policy
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(2).with_options(options)
    train = by_hand if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) else fitted
    train(strategy, model, data, [OptimizerMonitor(folder, 1, "full"), weights])
    assert weights.iterations == list(range(1, 13))
    files = events.files(folder) if Path(folder).exists() else []
    ratios = same_ratios(folder, weights) if files else []
    rates = logged.curves(folder)["effective_learning_rate", "p50"] if files else {}
    last = rates.get(12, {})
    for v in model.trainable_variables if files else ():
        rate = np.median(tfadaopt.effective_learning_rate(model.optimizer, v).numpy())
        assert last[v.path] == pytest.approx(rate, rel=1e-5)
    replicas = strategy.num_replicas_in_sync
    return {"replicas": replicas, "files": len(files), "ratios": ratios, "rates": len(rates)}


def fitted(strategy, model, data, callbacks) -> None:
    model.fit(data, verbose=0, callbacks=callbacks)


def by_hand(strategy, model, data, callbacks) -> None:
    """A loop that calls the hooks: Keras 3.15's own ``fit`` fails under several workers."""
    optimizer, variables = model.optimizer, model.trainable_variables
    with strategy.scope():
        optimizer.build(variables)

    @tf.function
    def step(batch):
        def of_replica(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x) - y)) / strategy.num_replicas_in_sync
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

        strategy.run(of_replica, args=batch)

    hooks = keras.callbacks.CallbackList(callbacks, model=model)
    hooks.on_train_begin()
    hooks.on_epoch_begin(0)
    for number, batch in enumerate(strategy.experimental_distribute_dataset(data)):
        hooks.on_train_batch_begin(number)
        step(batch)
        hooks.on_train_batch_end(number)
    hooks.on_epoch_end(0)
    hooks.on_train_end()


def as_worker(folder: str) -> dict:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    index = strategy.cluster_resolver.task_id
    return under(strategy, Path(folder) / f"worker-{index}")


if __name__ == "__main__":
    print(json.dumps(as_worker(*sys.argv[1:])))
