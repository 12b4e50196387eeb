"""What the claims cost: a sweep of all points of a grid at once, and each claim by itself.

    python benchmarks/claims.py [--claims]

Prints seconds for 25 rates × 6 methods × 20,000 steps on Rosenbrock's valley in float64, in this
process, compiled by XLA and operation by operation; with --claims also for each claim, one after
the other in one process. Tracing and compiling are included.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tfadaopt.experiments import configs
from tfadaopt.experiments.problems.surfaces import rosenbrock
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.trial import registry

METHODS = "SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"
START, STEPS, TARGET = (-0.5, 1.5), 20_000, 1e-4


def sweep(rates, xla: bool, steps: int) -> float:
    total = 0.0
    for method in METHODS:
        began = time.perf_counter()
        loss = walk(method, rates, START, steps, loss=rosenbrock, xla=xla)["loss"]
        seconds = time.perf_counter() - began
        first = arrivals(loss, TARGET)
        solved = f"{np.isfinite(first).sum()} of {len(rates)} solved, best {first.min():.0f} steps"
        print(f"  {method:<10} {seconds:6.2f} s   {solved}", flush=True)
        total += seconds
    print(f"  together   {total:6.2f} s")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--claims", action="store_true", help="also time each claim")
    arguments = parser.parse_args()
    rates = configs.claims().learning_rates

    print(f"{len(rates)} rates × {len(METHODS)} methods × {STEPS:,} steps, XLA:")
    sweep(rates, True, STEPS)
    print(f"the same, operation by operation, {STEPS // 10:,} steps:")
    sweep(rates, False, STEPS // 10)
    if arguments.claims:
        print("claims, one after the other:")
        for entry in registry.entries():
            claim = entry.load()
            began = time.perf_counter()
            verdict = claim.run(configs.claims()).verdict
            print(f"  {time.perf_counter() - began:6.2f} s  {entry.name}: {verdict}", flush=True)


if __name__ == "__main__":
    main()
