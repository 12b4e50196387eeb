"""Sweeps of 100 cells under faults; ``faults.py`` runs them, and says what they are."""

import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tfadaopt.experiments import configs
from tfadaopt.experiments.runs import executor, files, stages
from tfadaopt.experiments.runs.engines import Engine
from tfadaopt.experiments.runs.store import Store

CELLS = [{"kind": "cell", "method": "quadratic", "seed": seed} for seed in range(100)]
SECONDS = 0.4


def compute(cell: dict, folder: Path, marks: Path | None = None, dies: bool = False) -> None:
    """Descend on a small quadratic, and keep where it ends: the same bytes each time."""
    if marks is not None:
        import ray

        node = ray.get_runtime_context().get_node_id()
        if dies and cell["seed"] == 3 and not (marks / "died").exists():
            (marks / "died").touch()
            os._exit(1)
        (marks / f"{cell['seed']}-{os.getpid()}").write_text(node)
    rng = random.Random(cell["seed"])
    curvatures, point = [rng.uniform(0.1, 1.9) for _ in range(20)], [1.0] * 20
    for _ in range(50):
        point = [x - 0.5 * h * x for x, h in zip(point, curvatures, strict=True)]
    time.sleep(SECONDS)
    Store(folder).put(cell, {"point": point, "filling": [0.5] * 2_000})


def hundred(folder: Path) -> None:
    """Run the sweep, or go on with it, in two processes of this machine."""
    stages.LocalExecutor = functools.partial(executor.LocalExecutor, prepare=int)
    filled(folder, Engine(jobs=2), functools.partial(compute, folder=folder))


def filled(
    folder: Path, engine: Engine, work: Callable[[dict], None], progress=None, cells=CELLS
) -> None:
    """Compute cells, or those that are missing."""
    with contextlib.closing(Store(folder).open("sweep", configs.lecture(), "faults.py")) as store:
        show = progress or (lambda *_: None)
        with stages.Stages(store, work, engine, show) as filling:
            filling.compute("sweep", cells)
            filling.end(cells)
    if filling.failures:
        raise SystemExit(f"{len(filling.failures)} failed: {filling.failures[0]}")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("cells/*.json")}


def sweep(what: str, kills: int, seed: int) -> dict:
    """Kill workers, or the driver, so many times while the sweep runs; return what came of it."""
    import faults

    rng = random.Random(seed)
    os.environ[faults.TAG] = f"{os.getpid()}-{seed}"
    words, done, problems, starts = [sys.executable, faults.__file__, "hundred"], 0, [], 1
    with tempfile.TemporaryDirectory(prefix="sweep-") as work:
        faults.finish(words, Path(work) / "undisturbed")
        expected, folder = bytes_of(Path(work) / "undisturbed"), Path(work) / "disturbed"
        process, known = faults.start([*words, str(folder)]), {}
        while done < kills:
            time.sleep(rng.uniform(0, 1.5))
            problems += [f"{p} changed" for p, s in known.items() if states(folder).get(p) != s]
            known = states(folder)
            if process.poll() is not None:
                # Done before the kills are: the next ones come in a sweep of its own.
                problems += ended(process, folder, expected)
                folder, known = Path(work) / f"disturbed-{starts}", {}
                process, starts = faults.start([*words, str(folder)]), starts + 1
                continue
            if what == "driver":
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                problems += orphans(faults)
                process = faults.start([*words, str(folder)])
            elif found := faults.workers():
                faults.send(rng.choice(found), signal.SIGKILL)
            else:
                continue
            done += 1
        problems += ended(process, folder, expected)
        problems += orphans(faults)
    print(f"| fault | kills | sweeps of {len(CELLS)} cells | problems |\n|---|---|---|---|")
    print(f"| kill -9 of {what} | {done} | {starts} | {len(problems)} |")
    return {"kills": done, "sweeps": starts, "problems": problems}


def states(folder: Path) -> dict[str, tuple]:
    return {str(path): files.state(path) for path in folder.glob("cells/*.json")}


def ended(process: subprocess.Popen, folder: Path, expected: dict[str, bytes]) -> list[str]:
    _, err = process.communicate(timeout=600)
    problems = [f"exit code {process.returncode}: {err[-300:]}"] if process.returncode else []
    if bytes_of(folder) != expected:
        problems.append("other bytes than undisturbed")
    left = [p.name for p in folder.glob("cells/*") if p.suffix != ".json"]
    return problems + ([f"left behind: {left}"] if left else [])


def orphans(faults) -> list[str]:
    end = time.monotonic() + faults.PATIENCE
    while (left := faults.processes()) and time.monotonic() < end:
        time.sleep(0.02)
    return [f"orphans: {left}"] if left else []


# The place where results lie


def place() -> dict:
    """Fill the disk, make it read-only, step the clock; print what is said, return what is wrong.

    Raises:
        SystemExit: This user may not mount a small disk.
    """
    problems = []
    with tempfile.TemporaryDirectory(prefix="place-") as work:
        undisturbed = Path(work) / "undisturbed"
        hundred(undisturbed)
        expected = bytes_of(undisturbed)
        disk = Path(work) / "disk"
        disk.mkdir()
        mounted = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
        if subprocess.run(mounted, capture_output=True).returncode:
            raise SystemExit("not tried: this user may not mount a small disk")
        try:
            problems += on_small_disk(disk, expected)
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)
        problems += clock_steps(Path(work) / "clock", expected)
    return {"problems": problems}


def attempt(folder: Path) -> str:
    try:
        hundred(folder)
    except (OSError, configs.ConfigError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def on_small_disk(disk: Path, expected: dict[str, bytes]) -> list[str]:
    folder, problems = disk / "out", []
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_600_000))
    said = attempt(folder)
    kept = bytes_of(folder)
    print(f"disk full after {len(kept)} cells: {said}")
    if "No space left" not in said or not 0 < len(kept) < len(expected):
        problems.append("a full disk is not said")
    if any(expected[name] != data for name, data in kept.items()):
        problems.append("half a cell on a full disk")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said = attempt(folder)
    print(f"read-only: {said}")
    if "Read-only" not in said:
        problems.append("a read-only folder is not said")
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    ballast.unlink()
    before = states(folder)
    said = attempt(folder)
    if said or bytes_of(folder) != expected:
        problems.append(f"does not go on: {said}")
    if any(states(folder)[path] != state for path, state in before.items()):
        problems.append("a finished cell was written again")
    return problems


def clock_steps(folder: Path, expected: dict[str, bytes]) -> list[str]:
    """Move the times of all files by years, as a clock that is set does, and go on."""
    hundred(folder)
    contents = {path: files.state(path)[2] for path in folder.glob("cells/*.json")}
    for step in (-10, 10):
        now = time.time() + step * 365 * 86_400
        for path in folder.glob("cells/*.json"):
            os.utime(path, (now, now))
        for path in sorted(folder.glob("cells/*.json"))[:20]:
            path.unlink()
        hundred(folder)
    again = [p.name for p in sorted(contents)[20:] if files.state(p)[2] != contents[p]]
    print(f"clock: finished cells computed again: {len(again)}")
    return ["computed again"] * bool(again) + ["other bytes"] * (bytes_of(folder) != expected)
