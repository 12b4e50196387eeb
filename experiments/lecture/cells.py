"""Compute one cell of an experiment; runs in a worker, where TensorFlow is imported."""

from pathlib import Path

from tfadaopt.experiments.configs import Lecture
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.store import Store


def compute(cell: Cell, config: Lecture, folder: Path) -> None:
    """Compute a cell and put its result into the store of ``folder``."""
    store = Store(folder)
    if cell["kind"] == "surface":
        store.put(cell, _walk(cell))
    else:
        _train(cell, config, store)


def _walk(cell: Cell) -> dict:
    from tfadaopt.experiments.problems import surfaces

    surface = surfaces.surfaces(cell["condition_number"])[cell["surface"]]
    result = surfaces.walk(surface, cell["method"], cell["learning_rates"], cell["steps"])
    x, y, f = surfaces.contours(surface)
    return {**result, "contours": {"x": x.tolist(), "y": y.tolist(), "f": f.tolist()}}


def _train(cell: Cell, config: Lecture, store: Store) -> None:
    from tfadaopt.experiments.lecture import training
    from tfadaopt.experiments.training.checkpoints import checkpoints_of

    trainer = training.trainer(cell["method"], config)
    log_dir, seed = None, training.TUNING_SEED
    if cell["kind"] == "final":
        seed = cell["seed"]
        log_dir = store.folder / "logs" / cell["method"] / f"seed-{seed}"
    checkpoints = checkpoints_of(store, cell, log_dir)
    store.put(cell, trainer.train(cell["learning_rate"], seed, log_dir, checkpoints))
    checkpoints.remove()
