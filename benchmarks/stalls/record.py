"""Train the zoo, and keep what the callback saw."""

import time
import warnings
from pathlib import Path

from benchmarks.stalls.recording import Recording
from benchmarks.stalls.scenario import Scenario
from tfadaopt.callbacks import StallWarning

SEEDS = {"tune": 1, "late": 2, "judge": 2}
FIRST_SEED = {"tune": 0, "late": 100, "judge": 1000}

OF_SCENARIO = (
    *("name", "kind", "half", "expected", "where", "says", "never", "event", "must_learn"),
)


class Keeps(StallWarning):
    """The callback, with a detector that says nothing and keeps what it is shown."""

    def make_detector(self, layers):
        self.layers, self.looks = layers, []
        return self

    def observe(self, look):
        """Keep a look."""
        tables = {key: (tuple(p), x.copy()) for key, (p, x) in look.tables.items()}
        self.looks.append(type(look)(**{**vars(look), "tables": tables}))
        return []


def record(scenario: Scenario, seed: int) -> Recording:
    """Train once."""
    callback = Keeps()
    began = time.perf_counter()
    result = scenario.train(seed, callback)
    about = {name: getattr(scenario, name) for name in OF_SCENARIO}
    about |= {"seed": seed, "result": result, "seconds": round(time.perf_counter() - began, 1)}
    return Recording(about, callback.layers, callback.looks)


def record_all(scenarios: list[Scenario], folder: Path, half: str, seeds: int | None) -> None:
    """Record what is not in the folder yet."""
    for scenario in scenarios:
        first = FIRST_SEED[scenario.half]
        for seed in range(first, first + (seeds or SEEDS[scenario.half])):
            path = folder / scenario.half / f"{scenario.name.replace('/', '∕')} {seed}.npz"
            if scenario.half != half or path.exists():
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    recording = record(scenario, seed)
                recording.write(path)
                print(path.name, recording.about["result"], recording.about["seconds"], flush=True)
            except Exception as error:
                print("FAILED", scenario.name, repr(error)[:300], flush=True)
