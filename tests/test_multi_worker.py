"""``examples/multi_worker.py``: two processes give what one gives, and go on when one is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tfadaopt.callbacks.history import read

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "examples" / "multi_worker.py"
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def start(folder: Path, *words) -> subprocess.Popen:
    command = [sys.executable, EXAMPLE, "--out", folder, "--epochs", "10", *words]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors[-4000:]


def workers_of(launcher: int) -> list[int]:
    return [
        int(pid) for pid in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ]


@needs_proc
def test_two_workers_give_what_one_gives_also_when_one_is_killed(tmp_path):
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    finished(start(alone))

    launcher = start(killed, "--local", "2")
    while not (killed / "checkpoint" / "checkpoint").exists():
        assert launcher.poll() is None, launcher.stderr.read()[-4000:]
        time.sleep(0.01)
    os.kill(workers_of(launcher.pid)[1], signal.SIGKILL)
    launcher.communicate(timeout=400)
    assert launcher.returncode == 1
    assert not (killed / "result.json").exists()

    finished(start(killed, "--local", "2"))
    one, two = (json.loads((folder / "result.json").read_text()) for folder in (alone, killed))
    assert (one["replicas"], two["replicas"]) == (1, 2)
    assert one["begun_at"] == 0
    assert 10 <= two["begun_at"] < two["steps"] == one["steps"] == 200
    for a, b in zip(two["weights"], one["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    # Each snapshot once, by the chief alone: no second folder, no step twice.
    for folder in (alone, killed):
        assert {*read(folder / "log")} == {"."}
        assert read(folder / "log")["."].steps.tolist() == list(range(4, 201, 4))
    hosts = {
        path.name.split(".")[5] for path in (killed / "log").iterdir() if "tfevents" in path.name
    }
    assert len(hosts) == 2  # the chief of each start
