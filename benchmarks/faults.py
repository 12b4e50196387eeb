"""What kills, interrupts and damaged files do to a run: what is left, lost, or computed twice.

    python benchmarks/faults.py kills --rounds 100
    python benchmarks/faults.py damage --rounds 100
    python benchmarks/faults.py workers --rounds 50
    python benchmarks/faults.py driver --rounds 20
    python benchmarks/faults.py place
    python benchmarks/faults.py cluster
    python benchmarks/faults.py checkpoints

``kills`` ends a small experiment (the store, lock and executor of all experiments, cells that take
fractions of a second and start a process each) at random moments, then lets it go on; with
``--command`` it is ``tfadaopt run lecture``, small. ``damage`` spoils a file of a finished lecture,
gives ``tfadaopt report`` and the command again, and compares with what was there before. The same
seed makes the same moments and the same damage.

``workers`` and ``driver`` kill -9 them so many times in sweeps of 100 cells, and compare bytes with
a sweep that nobody disturbed. ``place`` is a disk that is full and then read-only, and a clock that
is set. ``cluster`` removes one of the two nodes of a Ray cluster in the middle of a sweep, and
``checkpoints`` one that trains: the other goes on from its last checkpoint. With ``--keep`` what
they came to is kept for ``docs/scale.md``; not of ``kills``.
"""

import argparse
import contextlib
import functools
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import fault_cluster
import fault_sweeps

# What takes seconds to import is imported where it is needed: the small experiment starts often.
from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.executor import LocalExecutor
from tfadaopt.experiments.runs.store import LOCK, LOG, Store

TAG = "TFADAOPT_FAULTS"
PATIENCE = 10.0
WHAT = ("kills", "damage", "workers", "driver", "place", "cluster", "checkpoints")
INSIDE = ("small", "hundred")  # what others of them run
TINY = {
    **{"methods": "SGD,Adagrad", "learning_rates": "0.01,0.1", "epochs": "1", "seeds": "1"},
    **{"every": "2", "train_size": "128", "validation_size": "64", "surface_steps": "20"},
    "surface_learning_rates": "0.01,0.1",
}
SETTINGS = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]


# The experiment whose runs are killed


@dataclass(frozen=True)
class Small:
    """Settings of the small experiment."""

    cells: int = 12
    seconds: float = 0.15


def compute(cell: dict, folder: Path, seconds: float) -> None:
    """Start a process that outlives the cell, take some time, and keep a result."""
    subprocess.Popen(["sleep", "600"])
    time.sleep(seconds)
    Store(folder).put(cell, {"value": cell["seed"] ** 2, "filling": [0.5] * 20_000})


def small(folder: Path) -> None:
    """Run the small experiment, or go on with it."""
    cells = [{"kind": "cell", "method": "none", "seed": seed} for seed in range(Small().cells)]
    work = functools.partial(compute, folder=folder, seconds=Small().seconds)
    with contextlib.closing(Store(folder).open("small", Small(), "faults.py")) as store:
        executor = LocalExecutor(2, folder / LOG, prepare=int)
        failures = []
        try:
            missing = [cell for cell in cells if not store.has(cell)]
            for cell, error in executor.map_unordered(work, missing):
                if error is not None:
                    failures.append((cell, error))
        finally:
            executor.close()
            store.finish(0.0, not failures)
    if failures:
        raise SystemExit(f"{len(failures)} failed: {failures[0]}")


# Kills


def processes() -> dict[int, str]:
    """Return the processes that this run of the benchmark has started, with their commands."""
    mark, found = f"{TAG}={os.environ[TAG]}".encode(), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes() and ") Z" not in (entry / "stat").read_text(
                errors="replace"
            ):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
    return found


def workers() -> list[int]:
    """Return the worker processes among them."""
    return sorted(pid for pid, command in processes().items() if "spawn_main" in command)


def send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def to_parent(*numbers: int) -> Callable[[int, random.Random], None]:
    """Return a fault that sends signals to the parent, some moments apart."""

    def fault(pid: int, rng: random.Random) -> None:
        for number in numbers:
            send(pid, number)
            time.sleep(rng.uniform(0.01, 0.15))

    return fault


def to_group(*numbers: int) -> Callable[[int, random.Random], None]:
    """Return a fault that sends signals to the group of the parent, as a terminal does."""

    def fault(pid: int, rng: random.Random) -> None:
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
            time.sleep(rng.uniform(0.01, 0.15))

    return fault


def to_worker(number: int) -> Callable[[int, random.Random], None]:
    """Return a fault that sends a signal to one of the workers."""

    def fault(pid: int, rng: random.Random) -> None:
        if found := workers():
            send(rng.choice(found), number)

    return fault


# Each with the exit codes that are right where it comes before the end.
KILLS = {
    "parent KILL": (to_parent(signal.SIGKILL), {-9}),
    "parent TERM": (to_parent(signal.SIGTERM), {-15}),
    "parent HUP": (to_parent(signal.SIGHUP), {-1}),
    "group KILL": (to_group(signal.SIGKILL), {-9}),
    "group TERM": (to_group(signal.SIGTERM), {-15}),
    "Ctrl-C": (to_group(signal.SIGINT), {130}),
    "Ctrl-C twice": (to_group(signal.SIGINT, signal.SIGINT), {130}),
    "worker KILL": (to_worker(signal.SIGKILL), {0}),
    "worker TERM": (to_worker(signal.SIGTERM), {0}),
}


def kills(rounds: int, seed: int, command: bool) -> None:
    """End runs at random moments, and print what was left, lost or computed twice."""
    rng = random.Random(seed)
    os.environ[TAG] = f"{os.getpid()}-{seed}"
    counts: dict[str, Counter] = defaultdict(Counter)
    with tempfile.TemporaryDirectory(prefix="faults-") as work:
        words = [sys.executable, __file__, "small"]
        if command:
            words = [str(Path(sys.executable).with_name("tfadaopt")), "run", "lecture", *SETTINGS]
            words += ["--jobs", "2", "--out"]
        undisturbed = Path(work) / "undisturbed"
        finish(words, undisturbed)
        span = max(p.stat().st_mtime for p in undisturbed.glob("cells/*.json"))
        span -= (undisturbed / LOCK).stat().st_mtime
        expected, number, folder = contents(undisturbed), 0, None
        for i in range(rounds):
            name = list(KILLS)[i % len(KILLS)]
            if folder is None:
                number += 1
                folder = Path(work) / f"run-{number}"
            problems = one_kill(words, folder, name, rng, span)
            is_done = folder.exists() and contents(folder).keys() == expected.keys()
            if is_done or i == rounds - 1:
                problems |= gone_on(words, folder, expected)
                shutil.rmtree(folder)
                folder = None
            for problem in problems or {"fine": ""}:
                counts[name][problem] += 1
            counts[name]["rounds"] += 1
            if problems:
                print(f"round {i}, {name}: {problems}", flush=True)
    print_table("kill or interrupt", counts)


def one_kill(
    words: list[str], folder: Path, name: str, rng: random.Random, span: float
) -> dict[str, str]:
    """Run, send a fault, and return what is wrong afterwards, by kind."""
    fault, codes = KILLS[name]
    before = states(folder)
    process = start([*words, str(folder)])
    # Some come while modules are imported; Ctrl-C is Python's own there.
    if "Ctrl-C" in name or rng.random() < 0.7:
        while process.poll() is None and not workers():
            time.sleep(0.02)
    time.sleep(rng.uniform(0, span))
    early = process.poll() is None
    fault(process.pid, rng)
    problems = {}
    try:
        _, err = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        problems["hangs"] = "no end in 300 s"
        process.kill()
        _, err = process.communicate()
    if early and process.returncode not in codes | {0}:
        problems["exit code"] = f"{process.returncode} {err.strip()[-200:]}"
    if "Traceback" in err and process.returncode != 0:
        problems["traceback"] = err.strip()[-400:]
    end = time.monotonic() + PATIENCE
    while (left := processes()) and time.monotonic() < end:
        time.sleep(0.02)
    if left:
        problems["orphans"] = str(left)
        for pid in left:
            send(pid, signal.SIGKILL)
    after = states(folder)
    if changed := [path for path in before if after.get(path) != before[path]]:
        problems["twice or lost"] = str(changed)
    for path in after:
        try:
            files.unsealed(Path(path).read_bytes())
        except files.DamagedError as error:
            problems["half-written"] = f"{path} {error}"
    return problems


def gone_on(words: list[str], folder: Path, expected: Mapping[str, str]) -> dict[str, str]:
    """Let a run go on to its end, and return what differs from one that was never disturbed."""
    before, problems = states(folder), {}
    code, err = finish(words, folder)
    if code:
        problems["does not go on"] = f"{code} {err[-300:]}"
    if [path for path, state in before.items() if states(folder).get(path) != state]:
        problems["twice or lost"] = "changed by going on"
    if contents(folder) != expected:
        problems["other results"] = str(set(contents(folder).items()) ^ set(expected.items()))
    if (folder / files.ASIDE).exists():
        problems["set aside"] = str(list((folder / files.ASIDE).iterdir()))
    return problems


def start(words: list[str]) -> subprocess.Popen:
    """Start a command as a shell does: in a group of its own, where Ctrl-C is not ignored."""
    return subprocess.Popen(
        words,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        **{"text": True, "start_new_session": True},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finish(words: list[str], folder: Path) -> tuple[int, str]:
    """Run to the end."""
    process = start([*words, str(folder)])
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def states(folder: Path) -> dict[str, tuple]:
    """Return what tells whether a finished cell was written again, by its path."""
    found = {}
    for path in folder.glob("cells/*.json"):
        stat = path.stat()
        found[str(path)] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    return found


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of each finished cell, by its name."""
    return {
        path.name: json.loads(path.read_bytes())["sha256"] for path in folder.glob("cells/*.json")
    }


# Damage


def reseal(path: Path, change: Callable[[dict], object]) -> None:
    """Change a record and give it a digest that fits: what somebody might do, not a disk."""
    record = files.unsealed(path.read_bytes())
    change(record)
    path.write_text(files.sealed(record))


def cell_of(folder: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(folder.glob("cells/*.json")))


def spoil(path: Path, rng: random.Random, how: str) -> None:
    """Damage one file, as disks, editors and other programs do."""
    data = path.read_bytes()
    place = rng.randrange(1, len(data) - 1)
    digits = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    match how:
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(data[:place])
        case "binary":
            path.write_bytes(rng.randbytes(400))
        case "zeros":
            path.write_bytes(bytes(len(data)))
        case "a digit":
            at = rng.choice(digits)
            other = str((int(chr(data[at])) + rng.randrange(1, 10)) % 10).encode()
            path.write_bytes(data[:at] + other + data[at + 1 :])
        case "a byte":
            path.write_bytes(data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :])
        case "twice":
            path.write_bytes(data + data)
        case "other JSON":
            path.write_text(rng.choice(["[]", "{}", "null", "3", '{"cell": {}}', "[" * 10_000]))
        case "a folder":
            path.unlink()
            path.mkdir()
        case "a dangling link":
            path.unlink()
            path.symlink_to("nowhere")


HOWS = ("empty", "cut", "binary", "zeros", "a digit", "a byte", "twice", "other JSON")
HOWS += ("a folder", "a dangling link")


def damages() -> Iterator[tuple[str, Callable[[Path, random.Random], list[Path]]]]:
    """Yield the kinds of damage: each does it, and returns the files that it was done to."""

    def one(how: str, pick: Callable[[Path, random.Random], Path]):
        def damage(folder, rng):
            path = pick(folder, rng)
            spoil(path, rng, how)
            return [path]

        return damage

    for how in HOWS:
        yield f"cell: {how}", one(how, cell_of)
    for how in HOWS:
        yield f"run.json: {how}", one(how, lambda folder, _: folder / "run.json")
    tables = ("results.csv", "layers.csv", "chosen.csv", "trajectories.csv", "contours.npz")
    for how in ("empty", "cut", "binary", "a folder"):
        yield f"table: {how}", one(how, lambda folder, rng: folder / rng.choice(tables))

    def swapped(folder, rng):
        a, b = rng.sample(sorted(folder.glob("cells/tune-*.json")), 2)
        text = a.read_text()
        a.write_text(b.read_text())
        b.write_text(text)
        return [a, b]

    def of_other_settings(folder, rng):
        path = rng.choice(sorted(folder.glob("cells/tune-*.json")))
        reseal(path, lambda record: record["cell"].update(epochs=5))
        return [path]

    def of_another_version(folder, rng):
        path = cell_of(folder, rng)
        package = rng.choice(["tfadaopt", "keras", "tensorflow", "numpy"])
        reseal(path, lambda record: record["versions"].update({package: "9.9"}))
        return [path]

    yield "cells: swapped", swapped
    yield "cell: of other settings", of_other_settings
    yield "cell: of another version", of_another_version


class InThisProcess:
    """Computes cells here: a round of damage needs no new process."""

    ended = False

    def __init__(self, jobs, log):
        pass

    def map_unordered(self, work, cells):
        for cell in cells:
            work(cell)
            yield cell, None

    def close(self):
        pass


def tfadaopt(*words: object) -> tuple[int, str]:
    """Give a command in this process; return its exit code and all that it says."""
    from tfadaopt.experiments.cli import commands as cli

    sys.argv = ["tfadaopt", *map(str, words)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.run()
    # Names are folded at the width of the terminal.
    return code, "".join(said.getvalue().split())


def damage(rounds: int, seed: int) -> dict:
    """Damage finished results, give the commands again; return what became of it."""
    from tfadaopt.experiments.lecture import report
    from tfadaopt.experiments.runs import stages, worker

    rng = random.Random(seed)
    worker.prepare_tensorflow()
    stages.LocalExecutor = InThisProcess
    drawn = report.draw
    counts: dict[str, Counter] = defaultdict(Counter)
    with tempfile.TemporaryDirectory(prefix="faults-") as work:
        reference = Path(work) / "reference"
        words = "run", "lecture", *SETTINGS, "--out"
        code, said = tfadaopt(*words, reference)
        assert code == 0, said
        expected = outcome(reference)
        kinds = list(damages())
        for i in range(rounds):
            # Where there are fewer rounds than kinds, kinds that are far apart.
            name, do = kinds[i * max(len(kinds), rounds) // rounds % len(kinds)]
            folder = Path(work) / "damaged"
            shutil.copytree(reference, folder)
            # Figures take most of the time: every tenth report has them.
            report.draw = drawn if i % 10 == 0 else lambda *_: {}
            problems = one_damage(folder, do, rng, words, expected)
            for problem in problems or {"fine": ""}:
                counts[name.partition(":")[0]][problem] += 1
            counts[name.partition(":")[0]]["rounds"] += 1
            if problems:
                print(f"round {i}, {name}: {problems}", flush=True)
            shutil.rmtree(folder)
    print_table("damage to", counts)
    found = sorted({kind for each in counts.values() for kind in each} - {"fine", "rounds"})
    return {"rounds": rounds, "problems": found}


def one_damage(folder, do, rng, words, expected) -> dict[str, str]:
    """Damage, report, run again; return what is wrong afterwards, by kind."""
    problems = {}
    spoiled = do(folder, rng)
    for verb in (("report", folder), (*words, folder)):
        try:
            code, said = tfadaopt(*verb)
        except Exception as error:
            return problems | {"traceback": f"{verb[0]}: {type(error).__name__}: {error}"}
        is_table = spoiled[0].parent == folder and spoiled[0].name != "run.json"
        # Tables are made from the cells: `report` makes them again, and nothing is to be said.
        for path in [] if is_table else spoiled:
            if path.name not in said:
                problems["not named"] = f"{verb[0]}: {path.name}"
        if code not in ({0, 2} if verb[0] == "report" else {0}):
            problems["exit code"] = f"{verb[0]}: {code} {said[-200:]}"
    for path in [] if is_table else spoiled:
        if not list((folder / files.ASIDE).glob(f"{path.stem}*")):
            problems["not set aside"] = path.name
    if (now := outcome(folder)) != expected:
        problems["other results"] = str({k for k in expected if now.get(k) != expected[k]})
    return problems


def outcome(folder: Path) -> dict[str, object]:
    """Return all results: cells by digest, tables by content."""
    tables = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    return contents(folder) | tables | {"report": (folder / "report.html").is_file()}


def print_table(title: str, counts: Mapping[str, Counter]) -> None:
    """Print a row per kind, and the share that went well with its 95 % interval (Wilson)."""
    from scipy import stats

    kinds = sorted({kind for each in counts.values() for kind in each} - {"fine", "rounds"})
    print(f"| {title} | rounds | as it should be | {' | '.join(kinds) or 'problems'} |")
    print("|---" * (3 + max(1, len(kinds))) + "|")
    total = sum(counts.values(), Counter())
    for name, each in (*counts.items(), ("all", total)):
        interval = stats.binomtest(each["fine"], each["rounds"]).proportion_ci(method="wilson")
        share = f"{each['fine']} ({100 * interval.low:.1f}–{100 * interval.high:.1f} %)"
        cells = " | ".join(str(each[kind]) for kind in kinds) if kinds else "0"
        print(f"| {name} | {each['rounds']} | {share} | {cells} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=(*WHAT, *INSIDE))
    parser.add_argument("folder", nargs="?", type=Path, help="of `small`, which `kills` runs")
    parser.add_argument("--rounds", type=int, default=100, help="rounds, kills, or cells of Ray")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", action="store_true", help="kill `tfadaopt run lecture`")
    parser.add_argument("--keep", action="store_true", help="keep it for docs/scale.md")
    args = parser.parse_args()
    found: dict = {"problems": []}
    if args.what == "small":
        small(args.folder)
    elif args.what == "hundred":
        fault_sweeps.hundred(args.folder)
    elif args.what in ("workers", "driver"):
        found = fault_sweeps.sweep(args.what, args.rounds, args.seed)
    elif args.what == "place":
        found = fault_sweeps.place()
    elif args.what == "cluster":
        found = fault_cluster.cluster(min(args.rounds, 100))
    elif args.what == "checkpoints":
        found = fault_cluster.checkpoints()
    elif args.what == "kills":
        kills(args.rounds, args.seed, args.command)
    else:
        found = damage(args.rounds, args.seed)
    if args.keep and args.what != "kills":
        import scale_report

        scale_report.keep(f"faults {args.what}", found)
    if found["problems"]:
        raise SystemExit("\n".join(map(str, found["problems"])))


if __name__ == "__main__":
    try:
        main()
        code = 0
    except KeyboardInterrupt:
        code = 130
    # As the command line does: Python has nothing to say while it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
