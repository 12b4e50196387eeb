"""Which contracts of ``tfadaopt.testing`` hold of all methods, and of Keras' built-ins.

    python benchmarks/checked.py [--again] [NAME …]

Ours are checked against their twins in ``tests/references``. What is in ``benchmarks/checked.json``
already is not run again, but with ``--again``. Some five seconds of CPU for each.
"""

import argparse
import json
import sys
from pathlib import Path

import keras
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.cases import FULLEST  # noqa: E402
from tfadaopt.testing import CONTRACTS, ContractError, check_optimizer  # noqa: E402

RECORD = ROOT / "benchmarks" / "checked.json"
OF_KERAS = (
    *("SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam"),
    *("Ftrl", "Lion", "Lamb", "Muon", "ScheduleFreeAdamW"),
)


def subjects() -> dict[str, tuple]:
    """What makes an optimizer, and its twin, by name."""
    found = {case.name: (case.make, case.twin) for case in FULLEST}
    for name in OF_KERAS:
        cls = getattr(keras.optimizers, name, None)
        if cls is not None:
            found[f"keras.{name}"] = (lambda cls=cls: cls(learning_rate=0.01)), None
    return found


def checked(make, twin) -> dict:
    """What failed and what was not tried, with texts; and how many hold."""
    try:
        report = check_optimizer(make, twin)
    except ContractError as error:
        report = error.report
    return {
        "hold": len(report.passed),
        "failed": {outcome.contract: outcome.text[:300] for outcome in report.failed},
        "not_tried": {outcome.contract: outcome.text for outcome in report.not_tried},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which; default all")
    parser.add_argument("--again", action="store_true", help="also what is recorded already")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    optimizers = record.get("optimizers", {})
    for name, (make, twin) in subjects().items():
        if options.names and name not in options.names:
            continue
        if name in optimizers and not options.again:
            continue
        optimizers[name] = checked(make, twin)
        print(name, optimizers[name]["hold"], *optimizers[name]["failed"], flush=True)
        record = {
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "contracts": list(CONTRACTS),
            "optimizers": dict(sorted(optimizers.items())),
        }
        RECORD.write_text(f"{json.dumps(record, indent=1, ensure_ascii=False)}\n")


if __name__ == "__main__":
    main()
