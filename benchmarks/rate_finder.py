"""How good is the rate that a sweep suggests? Beside a grid of rates, on 2,000 digits.

    python benchmarks/rate_finder.py

For each method and each of three seeds: the loss on validation after two epochs at the suggested
rate, and at each of eleven rates from 1e-4 to 10; what the best of these would have gained.
"""

import importlib.util
from pathlib import Path

import keras
import numpy as np

import tfadaopt

METHODS = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam")
RATES = np.geomspace(1e-4, 10, 11)
SEEDS = (0, 1, 2)
FILE = Path(__file__).parents[1] / "examples" / "compare_digits.py"


def problem():
    """The module of the example that ``tfadaopt compare`` takes."""
    spec = importlib.util.spec_from_file_location("digits", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(module, method, rate, seed):
    keras.utils.set_random_seed(seed)
    model = module.model()
    model.compile(getattr(tfadaopt, method)(rate), model.loss)
    return model


def trained(module, parts, method, rate, seed):
    """Loss on validation after two epochs; infinite where it is not finite."""
    model = compiled(module, method, rate, seed)
    model.fit(*parts[0], epochs=2, batch_size=32, verbose=0)
    loss = model.evaluate(*parts[1], verbose=0, return_dict=True)["loss"]
    return loss if np.isfinite(loss) else np.inf


def main():
    module = problem()
    parts = module.data()
    print("| method | suggested (three seeds) | loss there | best of the grid | at | ratio |")
    print("|---|---|---|---|---|---|")
    for method in METHODS:
        rates, found, grid = [], [], []
        for seed in SEEDS:
            model = compiled(module, method, 1.0, seed)
            sweep = tfadaopt.find_learning_rate(model, parts[0])
            rates.append(sweep.suggestion)
            found.append(trained(module, parts, method, sweep.suggestion, seed))
            grid.append([trained(module, parts, method, rate, seed) for rate in RATES])
        medians = np.median(grid, axis=0)
        best = int(np.argmin(medians))
        shown = ", ".join(f"{rate:.1e}" for rate in rates)
        ratio = np.median(found) / medians[best]
        print(
            f"| {method} | {shown} | {np.median(found):.3f} | {medians[best]:.3f} "
            f"| {RATES[best]:.1e} | {ratio:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
