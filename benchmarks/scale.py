"""What 100,000 cells cost: to keep, to report, to export, to hand out.

    python benchmarks/scale.py simulate FOLDER --cells 100000
    python benchmarks/scale.py report FOLDER
    python benchmarks/scale.py export FOLDER
    python benchmarks/scale.py driver FOLDER --cells 100000
    python benchmarks/scale.py overhead FOLDER --engine ray --cells 20

``simulate`` writes a finished comparison of 10 arms (5 methods, two schedules) without any
training, with the store's own files. ``report`` gives ``tfadaopt report`` on it, in a process
of its own, without the index beside the cells and with it, and prints time and largest memory;
``export`` does the same with ``tfadaopt export``. ``driver`` hands out cells that do nothing but
write a result, in one process, and prints the largest memory of the driver. ``overhead`` gives
cells that do nothing to the processes of an engine, and prints the time of each. With ``--keep``
the figures are kept for ``docs/scale.md``, of as many rounds as ``--rounds`` says.
"""

import argparse
import contextlib
import functools
import math
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scale_report

from tfadaopt.experiments import configs
from tfadaopt.experiments.compare import comparison
from tfadaopt.experiments.compare.contenders import CONSTANT, COSINE
from tfadaopt.experiments.compare.rate_search import next_rate
from tfadaopt.experiments.compare.trials import final_cells, tuning_cells
from tfadaopt.experiments.runs import records, stages
from tfadaopt.experiments.runs.engines import ENGINES, Engine
from tfadaopt.experiments.runs.index import INDEX
from tfadaopt.experiments.runs.store import Store, file_in

METHODS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam")
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


def measured(words: list[str]) -> dict[str, float]:
    """Run a command; print and return its time and its largest memory."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    code = subprocess.run(words, stdout=subprocess.DEVNULL).returncode
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{words[3]}: exit code {code}, {wall:.1f} s, {cpu:.1f} s of a processor, "
        f"{after.ru_maxrss / 1024:.0f} MB at most"
    )
    if code:
        raise SystemExit(f"{' '.join(words)} ended with {code}")
    return {"seconds": wall, "processor": cpu, "megabytes": after.ru_maxrss / 1024}


def nothing(cell: dict, folder: Path) -> None:
    """Write a result, without the store's fsync."""
    file_in(folder, cell).write_text(records.record(cell, {"value": cell["seed"]}))


class InThisProcess:
    """Computes cells here: what is measured is the driver."""

    ended = False

    def __init__(self, jobs: int, log: Path):
        pass

    def map_unordered(self, work, cells):
        for cell in cells:
            work(cell)
            yield cell, None

    def close(self) -> None:
        pass


def driver(folder: Path, cells: int) -> dict[str, float]:
    """Drive so many cells: time, and largest memory after half of them and all."""
    stages.LocalExecutor = InThisProcess
    # Where what is kept of the last results has become as large as it may.
    half = cells // 2
    filled(folder / "few", Engine(jobs=1), half, nothing)
    few = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    filled(folder / "many", Engine(jobs=1), cells, nothing)
    cpu = (time.process_time() - began) / cells
    many = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"driver: {few:.0f} MB at most with {half:,} cells, {many:.0f} MB with {cells:,}; "
        f"{1e3 * cpu:.2f} ms of a processor for each cell"
    )
    return {"cells": cells, "fewer": half, "few": few, "many": many, "milliseconds": 1e3 * cpu}


def puts(cell: dict, folder: Path) -> None:
    """Keep a result as any cell does."""
    Store(folder).put(cell, {"value": cell["seed"]})


def overhead(folder: Path, engine: str, cells: int) -> dict[str, float]:
    """Take the time of the first cell that does nothing, and of each after it."""
    ends: list[float] = []
    began = time.monotonic()
    filled(
        folder / engine,
        Engine(engine, jobs=1),
        cells,
        puts,
        lambda *_: ends.append(time.monotonic()),
    )
    # The first two looks are before any cell is done, and after the first one.
    each = (ends[cells] - ends[1]) / (cells - 1)
    print(
        f"{engine}: {ends[1] - began:.1f} s until the first cell is done, then {each:.3f} s for "
        f"each: {100 * each / 20:.2f} % of 20 s"
    )
    return {"first": ends[1] - began, "each": each}


class Cells(Sequence):
    """So many cells, each made when it is asked for."""

    def __init__(self, count: int):
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, seed: int) -> dict:
        if not 0 <= seed < self._count:
            raise IndexError(seed)
        return {"kind": "cell", "method": "none", "seed": seed}


def filled(folder: Path, engine: Engine, count: int, work, progress=lambda *_: None) -> None:
    cells = Cells(count)
    with contextlib.closing(
        Store(folder).open("scale", configs.lecture(), "benchmarks/scale.py")
    ) as store:
        of = functools.partial(work, folder=store.folder.absolute())
        with stages.Stages(store, of, engine, progress) as filling:
            filling.compute("all", cells)
            filling.end(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    what = ["simulate", "report", "export", "driver", "overhead"]
    parser.add_argument("what", choices=what)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--engine", default="local", choices=ENGINES)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the figures for docs/scale.md")
    args = parser.parse_args()
    if args.what == "simulate":
        simulate(args.folder, args.cells)
        return
    name, rounds = args.what, [args.folder / str(i) for i in range(args.rounds)]
    found: Any
    if args.what == "driver":
        # The largest memory of a process: a second round would have that of the first.
        found = [driver(args.folder, args.cells)]
    elif args.what == "overhead":
        name = f"{name} {args.engine}"
        found = [overhead(each, args.engine, args.cells) for each in rounds]
    else:
        found = of_commands(args.what, args.folder, args.rounds)
    if args.keep:
        scale_report.keep(name, found)


def of_commands(what: str, folder: Path, rounds: int) -> Any:
    """Report or export a folder so many times."""
    program = "import sys; from tfadaopt.experiments import main; main()"
    words = [sys.executable, "-c", program, what, str(folder)]
    if what == "export":
        words += ["--to", str(folder / "cells.parquet")]
        return [measured(words) for _ in range(rounds)]
    runs: dict[str, list] = {"without an index": [], "with it": []}
    for _ in range(rounds):
        (folder / INDEX).unlink(missing_ok=True)
        for said, of in runs.items():
            print(f"{said}: ", end="", flush=True)
            of.append(measured(words))
    cells = sum(1 for _ in folder.glob("cells/*.json"))
    return {**runs, "cells": cells, "index": (folder / INDEX).stat().st_size}


if __name__ == "__main__":
    main()
