"""What ``make demo`` costs and shows: seconds, peak memory, accuracies; and the README's picture.

    python benchmarks/lecture.py [--out runs/lecture-benchmark]

Runs ``tfadaopt run lecture`` in a process of its own, in a folder that must not exist yet, and
copies the figure that the README shows to ``benchmarks/figures``. Needs Linux's /proc.
"""

import argparse
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd

PICTURES = Path(__file__).parent / "figures"


def resident_megabytes(root: int) -> float:
    """Return the resident memory of a process and all its descendants."""
    parents, resident = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except (OSError, ValueError):
            continue  # It ended meanwhile.
        pid = int(fields["Pid"])
        parents[pid] = int(fields["PPid"])
        resident[pid] = int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(resident.get(pid, 0.0) for pid in family)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/lecture-benchmark"))
    out = parser.parse_args().out
    if out.exists():
        raise SystemExit(f"{out} exists: a resumed run would measure nothing. Name another --out.")

    began = time.perf_counter()
    command = [Path(sys.executable).with_name("tfadaopt"), "run", "lecture", "--out", out]
    process = subprocess.Popen(command)
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.25):
            peak = max(peak, resident_megabytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    print(f"\nexit code {code}, {time.perf_counter() - began:.0f} s, peak memory {peak:.0f} MB")

    results = pd.read_csv(out / "results.csv")
    test = results[(results.phase == "final") & (results.split == "test")]
    table = test.groupby("method", sort=False).accuracy.agg(["mean", "std", "min", "max", "count"])
    table.insert(0, "η", pd.read_csv(out / "chosen.csv").set_index("method").learning_rate)
    print(table.round(4).to_string())
    PICTURES.mkdir(exist_ok=True)
    shutil.copy(out / "figures" / "effective_learning_rate.svg", PICTURES)


if __name__ == "__main__":
    main()
