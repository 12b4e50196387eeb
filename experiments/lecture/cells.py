"""Compute one cell of an experiment; runs in a worker, where TensorFlow is imported."""

from pathlib import Path

from tfadaopt.experiments.configs import Lecture
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.store import Store


def compute(cell: Cell, config: Lecture, folder: Path) -> None:
    """Compute a cell and put its result into the store of ``folder``."""
    result = _walk(cell) if cell["kind"] == "surface" else _train(cell, config, folder)
    Store(folder).put(cell, result)


def _walk(cell: Cell) -> dict:
    from tfadaopt.experiments.problems import surfaces

    surface = surfaces.surfaces(cell["condition_number"])[cell["surface"]]
    result = surfaces.walk(surface, cell["method"], cell["learning_rates"], cell["steps"])
    x, y, f = surfaces.contours(surface)
    return {**result, "contours": {"x": x.tolist(), "y": y.tolist(), "f": f.tolist()}}


def _train(cell: Cell, config: Lecture, folder: Path) -> dict:
    from tfadaopt.experiments.lecture import training

    trainer = training.trainer(cell["method"], config)
    if cell["kind"] == "tune":
        return trainer.train(cell["learning_rate"], training.TUNING_SEED)
    log_dir = folder / "logs" / cell["method"] / f"seed-{cell['seed']}"
    return trainer.train(cell["learning_rate"], cell["seed"], log_dir)
