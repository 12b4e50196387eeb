"""Train one network on several workers, and go on where they were when one of them was killed.

Each worker runs this program with its own place in TF_CONFIG. Two of them on one machine:

    python examples/multi_worker.py --local 2 --out runs/multi-worker

Keras 3.15's own ``fit`` fails under MultiWorkerMirroredStrategy; this loop does not use it.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GLOBAL_BATCH, EXAMPLES, SEED = 16, 320, 0


def batches(strategy, epoch: int, skip: int):
    """The global batches of an epoch from one on, each worker's part of them.

    The order is a function of the epoch alone, so that a run can go on anywhere.
    """
    import numpy as np
    import tensorflow as tf

    random = np.random.default_rng(SEED)
    x = random.standard_normal((EXAMPLES, 8)).astype("float32")
    y = np.sin(x.sum(axis=1, keepdims=True))

    def of_worker(context):
        order = np.random.default_rng((SEED, epoch)).permutation(EXAMPLES)
        workers = context.num_input_pipelines
        shares = order.reshape(-1, workers, GLOBAL_BATCH // workers)  # batch, worker, example
        own = shares[skip:, context.input_pipeline_id].reshape(-1)
        size = context.get_per_replica_batch_size(GLOBAL_BATCH)
        return tf.data.Dataset.from_tensor_slices((x[own], y[own])).batch(size)

    return strategy.distribute_datasets_from_function(of_worker)


def train(folder: Path, epochs: int) -> None:
    """Train, or go on with, what is in a folder that all workers share."""
    import keras
    import tensorflow as tf

    import tfadaopt
    from tfadaopt.callbacks import OptimizerMonitor

    # Before anything else of TensorFlow: it connects the workers.
    if "TF_CONFIG" in os.environ:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    is_chief = strategy.extended.should_save_summary
    with strategy.scope():
        keras.utils.set_random_seed(SEED)
        layers = [keras.Input([8]), keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        variables = model.trainable_variables
        optimizer = tfadaopt.Adam(0.01)
        optimizer.build(variables)
    replicas = strategy.num_replicas_in_sync

    @tf.function
    def step(batch):
        def of_replica(x, y):
            with tf.GradientTape() as tape:
                # Divided by the global batch: the optimizer adds up the gradients of all replicas.
                loss = tf.reduce_sum(tf.square(model(x) - y)) / GLOBAL_BATCH
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return loss

        return strategy.reduce("SUM", strategy.run(of_replica, args=batch), axis=None)

    kept = [v.value for v in (*model.variables, *optimizer.variables)]
    checkpoint = tf.train.Checkpoint(variables=kept)
    newest = tf.train.latest_checkpoint(str(folder / "checkpoint"))
    if newest is not None:
        checkpoint.restore(newest).assert_existing_objects_matched()
    done = begun_at = int(optimizer.iterations.numpy())
    per_epoch = EXAMPLES // GLOBAL_BATCH
    loss = float("nan")
    # The chief alone writes a log; the other workers make no folder. All have to save, as a
    # strategy may share variables out; what the others save is thrown away.
    monitor = OptimizerMonitor(folder / "log", every=4)
    with tempfile.TemporaryDirectory() as scratch, monitor.watch(optimizer, variables) as watch:
        place = str(folder / "checkpoint") if is_chief else scratch
        manager = tf.train.CheckpointManager(checkpoint, place, max_to_keep=2)
        for epoch in range(done // per_epoch, epochs):
            for batch in batches(strategy, epoch, skip=done % per_epoch):
                loss = float(step(batch))
                watch.step(loss)
                done += 1
                if done % 10 == 0:
                    manager.save(done)
    if is_chief:
        weights = [v.numpy().tolist() for v in model.trainable_variables]
        result = {"begun_at": begun_at, "steps": done, "replicas": replicas, "loss": loss}
        (folder / "result.json").write_text(json.dumps({**result, "weights": weights}))


def start_local(workers: int, folder: Path, epochs: int) -> int:
    """Start workers on this machine, and return 0, or 1 where one of them has failed.

    The others would wait for it in vain, and are ended: the same command goes on.
    """
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in with_ports]
    for each in with_ports:
        each.close()
    processes = []
    for index in range(workers):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        command = [sys.executable, __file__, "--out", str(folder), "--epochs", str(epochs)]
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        processes.append(subprocess.Popen(command, env=environment))
    try:
        while True:
            codes = [process.poll() for process in processes]
            if any(codes):
                return 1
            if None not in codes:
                return 0
            time.sleep(0.1)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> int:
    """Read the command line, and start or be a worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that all workers share")
    parser.add_argument("--local", type=int, help="start so many workers on this machine")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.local:
        return start_local(options.local, options.out, options.epochs)
    train(options.out, options.epochs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
