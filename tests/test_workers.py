"""Worker processes: they end with their parent, one that dies loses nothing, Ctrl-C is heard."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tfadaopt.experiments.runs import worker
from tfadaopt.experiments.runs.executor import LocalExecutor, WorkerError

ROOT = Path(__file__).parents[1]
CELLS = [{"kind": "cell", "seed": i} for i in range(4)]


def note(cell, folder: Path) -> None:
    (folder / f"done-{cell['seed']}-{time.monotonic_ns()}").touch()


def dies_once(cell, folder: Path) -> None:
    """The first try of one cell ends its process."""
    if cell["seed"] == 1 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    note(cell, folder)


def dies(cell, folder: Path) -> None:
    if cell["seed"] == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    note(cell, folder)


class Unpicklable(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.lock = threading.Lock()


def raises(cell, folder: Path) -> None:
    raise [ValueError("plain"), Unpicklable(1, 2), OSError(28, "full", "name")][cell["seed"]]


def computed(work, cells, folder: Path, jobs: int = 2) -> list:
    executor = LocalExecutor(jobs, folder / "log", prepare=int)
    try:
        return list(executor.map_unordered(functools.partial(work, folder=folder), cells))
    finally:
        executor.close()


def test_each_cell_is_computed_once(tmp_path):
    found = computed(note, CELLS, tmp_path)
    assert sorted(cell["seed"] for cell, _ in found) == [0, 1, 2, 3]
    assert {error for _, error in found} == {None}
    assert len(list(tmp_path.glob("done-*"))) == 4


def test_a_process_that_dies_is_replaced_and_its_cell_tried_again(tmp_path):
    found = computed(dies_once, CELLS, tmp_path)
    assert {error for _, error in found} == {None}
    assert found[-1][0]["seed"] == 1  # alone, when all others are done
    assert len(list(tmp_path.glob("done-*"))) == 4


def test_a_cell_whose_process_dies_twice_has_failed_and_says_how(tmp_path):
    errors = {cell["seed"]: error for cell, error in computed(dies, CELLS, tmp_path)}
    died = errors.pop(1)
    assert isinstance(died, WorkerError)
    assert "killed by SIGSEGV" in str(died)
    assert set(errors.values()) == {None}


def test_errors_come_back_as_they_are_or_as_words(tmp_path):
    errors = [
        e for _, e in sorted(computed(raises, CELLS[:3], tmp_path), key=lambda x: x[0]["seed"])
    ]
    assert (type(errors[0]), str(errors[0])) == (ValueError, "plain")
    assert (type(errors[1]), str(errors[1])) == (RuntimeError, "Unpicklable: 1 and 2")
    assert (errors[2].errno, errors[2].filename) == (28, "name")


def leave() -> None:
    os._exit(7)  # by its name: what measures branches puts a function of its own there


def test_workers_that_cannot_start_end_the_run(tmp_path):
    executor = LocalExecutor(2, tmp_path / "log", prepare=leave)
    try:
        with pytest.raises(WorkerError, match="exit code 7"):
            list(executor.map_unordered(functools.partial(note, folder=tmp_path), CELLS))
    finally:
        executor.close()
    assert not list(tmp_path.glob("done-*"))


def test_who_ignores_ctrl_c_goes_on_ignoring_it(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        executor = LocalExecutor(1, tmp_path / "log", prepare=int)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        executor.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        executor = LocalExecutor(1, tmp_path / "log", prepare=int)
        executor.close()
        executor.close()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


# From outside

SLOW = """
import functools, pathlib, subprocess, sys, time
from tfadaopt.experiments.runs.executor import LocalExecutor

def work(cell, folder):
    sleep = subprocess.Popen(["sleep", "600"])
    (folder / f"begun-{cell['seed']}").write_text(str(sleep.pid))
    while not (folder / "go").exists():
        time.sleep(0.01)
    (folder / f"done-{cell['seed']}").touch()

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    executor = LocalExecutor(2, folder / "log", prepare=int)
    try:
        cells = [{"kind": "cell", "seed": i} for i in range(5)]
        list(executor.map_unordered(functools.partial(work, folder=folder), cells))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        executor.close()
"""


@pytest.fixture
def running(tmp_path):
    """A run whose two workers are in their first cells, each with a process of its own."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    # A worker of pytest-xdist ignores Ctrl-C, and so would what it starts.
    process = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(lambda: len(begun(tmp_path)) == 2 or process.poll() is not None)
    yield process
    os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
    for pid in begun(tmp_path):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def begun(folder: Path) -> list[int]:
    return [int(text) for p in folder.glob("begun-*") if (text := p.read_text())]


def is_alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def children_of(pid: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            child, parent = (
                int(stat.parent.name),
                int(stat.read_text().rpartition(")")[2].split()[1]),
            )
        except OSError:
            continue
        if parent == pid:
            found.add(child)
    return found


def wait_for(condition, seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@needs_proc
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_workers_and_what_they_started_end_with_the_parent(name, running, tmp_path):
    family = children_of(running.pid) | set(begun(tmp_path))
    assert len(family) >= 4
    running.send_signal(getattr(signal, name))
    running.wait(timeout=60)
    assert wait_for(lambda: not any(map(is_alive, family)))
    assert not list(tmp_path.glob("done-*"))


def test_ctrl_c_says_what_it_waits_for_and_finishes_that_alone(running, tmp_path):
    os.killpg(running.pid, signal.SIGINT)
    said = running.stderr.readline()
    assert said == "Finishing 2 running cells; Ctrl-C again to end at once.\n"
    assert running.poll() is None
    (tmp_path / "go").touch()
    assert running.wait(timeout=60) == 130
    assert len(list(tmp_path.glob("done-*"))) == len(begun(tmp_path)) == 2
    assert "Traceback" not in running.stderr.read()


@needs_proc
def test_a_second_ctrl_c_ends_at_once(running, tmp_path):
    family = children_of(running.pid) | set(begun(tmp_path))
    os.killpg(running.pid, signal.SIGINT)
    running.stderr.readline()
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=60) == 130
    assert wait_for(lambda: not any(map(is_alive, family)))
    assert not list(tmp_path.glob("done-*"))
    assert "Traceback" not in running.stderr.read()


@needs_proc
def test_what_a_killed_worker_started_ends_with_it(running, tmp_path):
    group = {os.getpgid(pid): pid for pid in begun(tmp_path)}
    leader, started = next(iter(group.items()))
    os.kill(leader, signal.SIGKILL)
    assert wait_for(lambda: not is_alive(started))
    (tmp_path / "go").touch()
    assert running.wait(timeout=60) == 0
    assert len(list(tmp_path.glob("done-*"))) == 5


def test_a_worker_answers_with_what_can_be_sent():
    error = worker.portable(KeyError("x"))
    assert (type(error), error.args) == (KeyError, ("x",))


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("what", [["kills", "--rounds", "9"], ["damage", "--rounds", "9"]], ids=str)
def test_faults_leave_nothing_behind(what):
    """A few rounds of the benchmark: each kind of kill, and some of the damage."""
    command = [sys.executable, ROOT / "benchmarks" / "faults.py", *what, "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    rounds, fine, problems = done.stdout.strip().splitlines()[-1].split("|")[2:5]
    assert fine.split()[0] == rounds.strip() == what[-1], done.stdout
    assert problems.strip() == "0", done.stdout
