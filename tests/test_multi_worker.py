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
# The example, with a writer in each worker that notes in a file of its own what it is given.
WITH_WRITER = """
import functools, json, os, sys
from pathlib import Path

sys.path.insert(0, EXAMPLES)
import multi_worker
from tfadaopt import callbacks

class Notes:
    def write(self, step, scalars, tables, marks):
        task = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]
        out = Path(sys.argv[sys.argv.index("--out") + 1])
        with (out / f"worker-{task['index']}.steps").open("a") as file:
            print(step, file=file)
    def flush(self): pass
    def close(self): pass

callbacks.OptimizerMonitor = functools.partial(callbacks.OptimizerMonitor, writers=[Notes()])
multi_worker.__file__ = __file__  # what it starts for each worker
sys.exit(multi_worker.main())
"""


def start(folder: Path, *words) -> subprocess.Popen:
    script = folder.parent / "with_writer.py"
    script.write_text(WITH_WRITER.replace("EXAMPLES", repr(str(EXAMPLE.parent))))
    command = [sys.executable, script, "--out", folder, "--epochs", "10", *words]
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
        # So does its writer alone; what came after the checkpoint comes again.
        (written,) = folder.glob("worker-*.steps")
        steps = [int(line) for line in written.read_text().splitlines()]
        assert written.name == "worker-0.steps"
        assert sorted({*steps}) == list(range(4, 201, 4))
    hosts = {
        path.name.split(".")[5] for path in (killed / "log").iterdir() if "tfevents" in path.name
    }
    assert len(hosts) == 2  # the chief of each start
