"""Sweeps on a Ray cluster of which a node is removed; ``faults.py`` says what they are."""

import functools
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from fault_sweeps import CELLS, SECONDS, bytes_of, compute, filled, hundred

from tfadaopt.experiments.runs.engines import Engine
from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.runs.store import Store

EPOCHS, EXAMPLES, BATCH, PAUSE = 4, 40, 8, 0.2
RUNS = [{"kind": "cell", "method": "Adam", "seed": seed} for seed in range(2)]


def nodes_of_two() -> tuple[Any, Any]:
    """Return a cluster of two nodes with one processor each, and the second of them."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # two nodes on this machine, for a minute
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    return nodes, nodes.add_node(**small)


def cluster(cells: int) -> dict:
    """Remove one of two nodes in the middle of a sweep; return what came of it."""
    from tfadaopt.experiments.runs import ray_executor

    del CELLS[cells:]
    ray_executor.RayExecutor = functools.partial(ray_executor.RayExecutor, prepare=int)
    nodes, second = nodes_of_two()
    problems = []
    with tempfile.TemporaryDirectory(prefix="cluster-") as work:
        local, folder, marks = (Path(work) / name for name in ("local", "out", "marks"))
        marks.mkdir()
        hundred(local)
        removed = threading.Event()
        # In the midst of a cell, not between two of them.
        removing = threading.Timer(SECONDS / 2, nodes.remove_node, [second, False])

        def progress(_, done: int, total: int) -> None:
            if done >= total // 3 and not removed.is_set():
                removed.set()
                removing.start()

        work_of = functools.partial(compute, folder=folder, marks=marks, dies=True)
        filled(folder, Engine(engine="ray", address=nodes.address), work_of, progress)
        removing.join()
        begun = [path for path in marks.iterdir() if path.name != "died"]
        used = {path.read_text() for path in begun}
        if bytes_of(folder) != bytes_of(local):
            problems.append("other bytes than on this machine alone")
        if not removed.is_set() or not (marks / "died").exists():
            problems.append("no fault happened")
        if len({path.name.split("-")[1] for path in begun}) == len(begun):
            problems.append("no process computed two cells")
        shutil.rmtree(marks)
    nodes.shutdown()
    print("| fault | cells | begun | nodes used | problems |\n|---|---|---|---|---|")
    print(
        f"| node removed, a process that ends | {cells} | {len(begun)} | {len(used)} | "
        f"{len(problems)} |"
    )
    return {"cells": cells, "begun": len(begun), "nodes": len(used), "problems": problems}


def train(cell: dict, folder: Path, marks: Path | None = None) -> None:
    """Train a small network, kept after each batch; its result has its weights and its log."""
    import keras
    import numpy as np

    import tfadaopt
    from tfadaopt.callbacks import EffectiveLearningRate
    from tfadaopt.experiments.runs.logged import logged_series
    from tfadaopt.experiments.training.batches import Shuffled, dense
    from tfadaopt.experiments.training.checkpoints import SECONDS, checkpoints_of
    from tfadaopt.experiments.training.fitting import Limits, fit

    os.environ[SECONDS] = "0"
    keras.utils.set_random_seed(cell["seed"])
    layers = [keras.layers.Dense(16, "tanh", name="hidden"), keras.layers.Dropout(0.2, seed=1)]
    layers = [keras.Input([8]), *layers, keras.layers.Dense(1, name="out")]
    model = keras.Sequential(layers, name="net")
    model.compile(optimizer=tfadaopt.Adam(0.02), loss="mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).standard_normal((EXAMPLES, 8)).astype("float32")
    y = np.sin(x.sum(axis=1, keepdims=True))
    store = Store(folder)
    log = folder / "logs" / str(cell["seed"])
    checkpoints = checkpoints_of(store, cell, log)
    progress = checkpoints.restore(model, lambda: model.evaluate(x[:2], y[:2], verbose=0))
    callbacks = [EffectiveLearningRate(log, 2)]
    if marks is not None:
        import ray

        step = 0 if progress is None else progress.step
        node = ray.get_runtime_context().get_node_id()
        (marks / f"{cell['seed']}-{os.getpid()}").write_text(f"{node} {step}")
        pause = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: time.sleep(PAUSE)
        )
        callbacks.append(pause)
    data = Shuffled(dense((x, y)), BATCH, cell["seed"])
    progress = fit(model, data, Limits(EPOCHS), callbacks, checkpoints, progress)
    epochs = [{k: v for k, v in of.items() if k != "seconds"} for of in progress.epochs]
    weights = [v.numpy().tolist() for v in (*model.variables, *model.optimizer.variables)]
    store.put(cell, {"epochs": epochs, "weights": weights, "series": logged_series(log)})
    checkpoints.remove()


def checkpoints() -> dict:
    """Remove one of two nodes while it trains; return at which step the other one went on."""
    problems, steps = [], EPOCHS * EXAMPLES // BATCH
    with tempfile.TemporaryDirectory(prefix="checkpoints-") as work:
        local, folder, marks = (Path(work) / name for name in ("local", "out", "marks"))
        marks.mkdir()
        filled(local, Engine(jobs=1), functools.partial(train, folder=local), cells=RUNS)
        nodes, second = nodes_of_two()
        ended = threading.Event()

        def remove() -> None:
            """Remove the second node once it has saved a run."""
            while not ended.wait(0.02):
                for mark in marks.iterdir():
                    cell = RUNS[int(mark.name.partition("-")[0])]
                    saved = folder / "checkpoints" / Store(folder).file_of(cell).stem / "checkpoint"
                    if mark.read_text().startswith(second.node_id) and saved.exists():
                        time.sleep(5 * PAUSE)  # and goes on for some steps
                        nodes.remove_node(second, allow_graceful=False)
                        return

        watching = threading.Thread(target=remove)
        watching.start()
        work_of = functools.partial(train, folder=folder, marks=marks)
        try:
            filled(folder, Engine(engine="ray", address=nodes.address), work_of, cells=RUNS)
        except (WorkerError, SystemExit) as error:
            problems.append(str(error))
        ended.set()
        watching.join()
        nodes.shutdown()
        begun = [path.read_text().split() for path in marks.iterdir()]
        went_on = [int(step) for node, step in begun if int(step) and node != second.node_id]
        if bytes_of(folder) != bytes_of(local):
            problems.append("other bytes than on this machine alone")
        if len(begun) != 3 or len(went_on) != 1:
            problems.append(f"no run went on elsewhere: {begun}")
        if (folder / "checkpoints").exists():
            problems.append("checkpoints are left")
    print("| fault | runs | begun | went on at | steps | problems |\n|---|---|---|---|---|---|")
    at = went_on[0] if went_on else 0
    print(
        f"| node removed while it trains | {len(RUNS)} | {len(begun)} | {at} | {steps} | "
        f"{len(problems)} |"
    )
    return {"step": at, "steps": steps, "problems": problems}
