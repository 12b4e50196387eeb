"""Problems to compare methods on, and comparisons that are finished without any training."""

import math
import sys
from pathlib import Path

from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.compare import (
    advice,
    comparison,
    contenders,
    report,
    results,
    significance,
    trials,
)
from tfadaopt.experiments.compare.contenders import Arm
from tfadaopt.experiments.runs.store import Store

EXAMPLE = Path(__file__).parents[2] / "examples" / "compare_digits.py"

HEAD = """
import keras
import numpy as np

def model(**more):
    net = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)], name="line")
    net.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    return net

def data():
    x = np.random.default_rng(0).standard_normal((96, 2)).astype("float32")
    y = x @ np.array([[1.0], [-2.0]], "float32")
    return (x[:64], y[:64]), (x[64:80], y[64:80]), (x[80:], y[80:])
"""


def write(folder: Path, more: str = "", head: str = HEAD) -> Path:
    path = folder / "mine.py"
    path.write_text(head + more)
    return path


def tfadaopt(monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["tfadaopt", *map(str, words)])
    return cli.run()


def finished_comparison(folder: Path, loss, methods="SGD,Adagrad", **more) -> tuple:
    """A finished comparison of 3 epochs whose losses come down to ``loss(name, rate, seed)``.

    With weight decays, they are ``loss(name, rate, seed, decay)``.
    """
    config = comparison.settings(write(folder), methods.split(","), **{"seeds": 5, **more})
    store = Store(folder / "out")
    store.open("compare", config, "tfadaopt compare mine.py", growing=("seeds", "trials"))
    rates = dict.fromkeys(config.methods, 0.01)
    about = {"model": "line", "parameters": 3, "loss": "mse", "metrics": [], "optimizer": "SGD"}
    about |= {
        "steps_per_epoch": 2,
        "variables": ["line/dense/kernel", "line/dense/bias"],
        "first": {"loss": 1.0},
        "has_test": True,
    }
    if contenders.COMPILED in config.methods:
        about["compiled"] = {"schedule": "CosineDecay", "highest": 0.01}
    store.put(comparison.check_cell(config), {**about, "default_rates": rates})

    def put(cell):
        name = Arm(cell["method"], cell.get("schedule", contenders.CONSTANT)).label
        decay = [cell["weight_decay"]] if "weight_decay" in cell else []
        value = loss(name, cell["learning_rate"], cell["seed"], *decay)
        if value is None:
            store.put_failure(cell, {"error": "<boom>"})
            return
        diverged = None if math.isfinite(value) else "training loss nan in step 3"
        # What diverged does not count, however good its last numbers look.
        end = 1.0 if diverged else value
        epochs = [
            {"epoch": i, "step": 2 * i, "seconds": 0.1, "loss": over, "val_loss": over}
            for i, over in enumerate((3 * end, 2 * end, end), start=1)
        ]
        last = {"loss": 0.0 if diverged else value}
        parts = {"validation": last, "test": last}
        rates = {"0": {"steps": [2, 4], "values": [1.0, 0.5]}}
        store.put(cell, {"epochs": epochs, "diverged": diverged, "rates": rates, **parts})

    while cells := trials.read(config, store).next_trials():
        for cell in cells:
            if not store.has(cell):
                put(cell)
    for run in trials.read(config, store).finals():
        put(run.cell)
    return config, store


def reading(config, store):
    """What a comparison has come to, its contenders, and those in order."""
    read = trials.read(config, store)
    found = results.contenders(read)
    return read, found, results.ranking(found)


def page_of(store: Store) -> str:
    """The report of a finished comparison, as text in one line."""
    page = report.write_compare_report(store.folder).read_text(encoding="utf-8")
    return " ".join(page.split())


def valley(method, rate, seed, *_):
    """Both have a valley at 0.1; Adagrad's is 1 higher, but for noise of the seed."""
    return (method == "Adagrad") + math.log10(rate / 0.1) ** 2 + 1 + 0.1 * (seed % 7)


def said_of(config, store) -> str:
    """The advice, in one line."""
    _, _, ranked = reading(config, store)
    pairs, sure = significance.pairs(ranked), results.sureness(ranked)
    return " ".join(advice.advice(config, ranked, pairs, sure))
