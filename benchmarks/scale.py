"""What 100,000 cells cost: to keep, to report, to export, to hand out.

    python benchmarks/scale.py simulate FOLDER --cells 100000
    python benchmarks/scale.py report FOLDER

``simulate`` writes a finished comparison of 20 arms (10 methods, two schedules) without any
training, with the store's own files. ``report`` gives ``tfadaopt report`` on it, in a process of
its own, and prints its time and its largest memory.
"""

import argparse
import math
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tfadaopt.experiments.compare import comparison
from tfadaopt.experiments.compare.contenders import CONSTANT, COSINE
from tfadaopt.experiments.compare.rate_search import next_rate
from tfadaopt.experiments.compare.trials import final_cells, tuning_cells
from tfadaopt.experiments.runs import records
from tfadaopt.experiments.runs.store import Store

METHODS = ("SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW")
METHODS += ("Nadam", "Adamax")
ARMS = 2 * len(METHODS)
DECAYS, TRIALS = 3, 16
EPOCHS = 3
PROBLEM = """import keras

def model():
    raise SystemExit("simulated: nothing is trained")

def data():
    raise SystemExit("simulated: nothing is trained")
"""


def simulate(folder: Path, cells: int) -> None:
    """Write a finished comparison of about so many cells."""
    per_arm = max(DECAYS * TRIALS + 1, math.ceil(1.08 * cells / ARMS))
    tuning_seeds = max(1, per_arm // (DECAYS * TRIALS))
    seeds = max(1, per_arm - DECAYS * TRIALS * tuning_seeds)
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "simulated.py").write_text(PROBLEM)
    config = comparison.settings(
        folder.parent / "simulated.py",
        METHODS,
        schedules=(CONSTANT, COSINE),
        weight_decays=("0", "0.0001", "0.001"),
        trials=TRIALS,
        tuning_seeds=tuning_seeds,
        seeds=min(seeds, 999),
        epochs=EPOCHS,
    )
    store = Store(folder).open("compare", config, "benchmarks/scale.py simulate")
    rng, written = np.random.default_rng(0), 0
    about = {"model": "line", "parameters": 3, "loss": "mse", "metrics": [], "optimizer": "SGD"}
    about |= {"steps_per_epoch": 100, "variables": ["line/dense/kernel"], "has_test": True}
    about |= {"first": {"loss": 1.0}, "default_rates": dict.fromkeys(METHODS, 0.01)}
    store.put(comparison.check_cell(config), about)

    def put(cell: dict, value: float) -> None:
        # Without the store's fsync: nothing here is to survive a stop of the machine.
        nonlocal written
        epochs = [
            {"loss": value + 1 / i, "val_loss": value + 1 / i, "epoch": i, "step": 100 * i}
            | {"seconds": 0.1 + 0.01 * rng.random()}
            for i in range(1, EPOCHS + 1)
        ]
        result = {"epochs": epochs, "validation": {"loss": value}, "test": None, "diverged": None}
        if cell["kind"] == "final":
            result |= {"test": {"loss": value * 1.01}, "rates": {}}
        store.file_of(cell).write_text(records.record(cell, result))
        written += 1

    for number, arm in enumerate(config.arms):
        best, chosen = 10 ** rng.uniform(-3, -1), (math.inf, None, 0.01)
        for decay in config.decays:
            scores: dict[float, float] = {}
            while len(scores) < TRIALS:
                rate = next_rate(scores, 0.01)
                if rate in scores:
                    break
                height = 0.1 + 0.01 * number + abs(math.log10(rate / best)) + float(decay or 0)
                values = height + 0.02 * rng.random(tuning_seeds)
                for cell, value in zip(
                    tuning_cells(config, arm, decay, rate), values.tolist(), strict=True
                ):
                    put(cell, value)
                scores[rate] = float(np.median(values))
                chosen = min(chosen, (scores[rate], decay, rate))
        for cell in final_cells(config, arm, chosen[1], chosen[2]):
            put(cell, chosen[0] + 0.02 * rng.random())
    store.finish(0.0, True)
    store.close()
    print(f"{written + 1:,} cells in {folder}")


def measured(words: list[str]) -> None:
    """Run a command, and print its time and its largest memory."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    code = subprocess.run(words, stdout=subprocess.DEVNULL).returncode
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{' '.join(words[-2:])}: exit code {code}, {wall:.1f} s, {cpu:.1f} s of a processor, "
        f"{after.ru_maxrss / 1024:.0f} MB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["simulate", "report"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=100_000)
    args = parser.parse_args()
    if args.what == "simulate":
        simulate(args.folder, args.cells)
    else:
        program = "import sys; from tfadaopt.experiments import main; main()"
        measured([sys.executable, "-c", program, args.what, str(args.folder)])


if __name__ == "__main__":
    main()
