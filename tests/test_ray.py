"""Ray as what computes the cells: the same results, also where a node is lost."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tfadaopt import experiments
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.engines import Engine

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"engine": "dask"}, "--engine 'dask': choose one of local, ray"),
        ({"gpus_per_run": 1}, "--gpus-per-run is for --engine ray"),
        ({"engine": "ray", "gpus_per_run": 1.5}, "a part of one GPU, such as 0.5"),
    ],
)
def test_what_no_engine_can_do_is_refused(more, message):
    with pytest.raises(ConfigError, match=message):
        Engine(**more)


def test_without_ray_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ConfigError, match=r"pip install 'tfadaopt\[ray\]'"):
        experiments.sweep(abs, [{"x": 1}], tmp_path / "out", show=False, engine="ray")


@pytest.fixture
def ray(monkeypatch):
    """Ray, which says by itself how it authenticates."""
    # Not imported: it would read then how it is to authenticate.
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")


@pytest.mark.slow
def test_results_of_ray_are_those_of_this_machine_bit_for_bit(ray, tmp_path):
    def trained(method, rate):
        import os

        import tensorflow as tf

        import tfadaopt

        point = tf.Variable(tf.random.stateless_normal([30], seed=[1, 2]))
        curvatures = tf.random.stateless_uniform([30], seed=[3, 4])
        optimizer = getattr(tfadaopt, method)(rate)
        for _ in range(20):
            optimizer.apply([curvatures * point], [point])
        return {"end": [float(x).hex() for x in point.numpy()], "process": os.getpid()}

    grid = {"method": ["Adam", "Adagrad"], "rate": [0.1]}
    local = experiments.sweep(trained, grid, tmp_path / "local", show=False, jobs=1)
    away = experiments.sweep(trained, grid, tmp_path / "ray", show=False, jobs=1, engine="ray")
    assert local["process"].nunique() == away["process"].nunique() == 1  # shared by both
    assert os.environ["RAY_AUTH_MODE"] == "token"
    pd.testing.assert_frame_equal(local.drop(columns="process"), away.drop(columns="process"))


# Cells on a Ray that somebody else has started, with something that counts as a GPU.
OBSERVED = """
import functools, json, os, sys, time
from pathlib import Path

os.environ["RAY_AUTH_MODE"] = "disabled"  # for some seconds, on this machine alone
import ray

from tfadaopt.experiments.runs import records
from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.runs.ray_executor import RayExecutor

folder = Path(sys.argv[1])
cells = [{"kind": "cell", "seed": i} for i in range(3)]

def work(cell, deaths=0):
    marks = folder / f"cell-{cell['seed']}-{deaths}"
    with marks.open("a") as file:
        print(os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES"), file=file)
    if cell["seed"] == 1 and len(marks.read_text().splitlines()) <= deaths:
        os._exit(1)
    if cell["seed"] == 2:
        raise ValueError("plain")

def observed(deaths, **more):
    executor = RayExecutor("auto", 1, 1.0, folder / "log", prepare=int, **more)
    done = list(executor.map_unordered(functools.partial(work, deaths=deaths), cells))
    assert list(executor.map_unordered(work, [])) == []  # all of them are computed elsewhere
    executor.close()
    seen = {str(cell["seed"]): type(error).__name__ for cell, error in done}
    lines = [path.read_text() for path in sorted(folder.glob(f"cell-?-{deaths}"))]
    return {"errors": seen, "begun": [[line.split() for line in x.splitlines()] for x in lines]}

def alive(pid):
    return Path(f"/proc/{pid}").exists()

ray.init(num_cpus=1, num_gpus=1, object_store_memory=100 * 2**20, log_to_driver=False)
found = {"before": ray.get(ray.remote(lambda: os.getpid()).remote())}
found["shared"], found["lost"] = observed(0), observed(99)
found["fresh"] = observed(-1, fresh=True)
pids = {int(pid) for name in ("shared", "lost") for x in found[name]["begun"] for pid, _ in x}
end = time.monotonic() + 30
while any(map(alive, pids)) and time.monotonic() < end:
    time.sleep(0.05)
found["left"] = [*filter(alive, pids)]
right = records.versions()
records.versions = lambda: {**right, "keras": "2.0"}
try:
    observed(-2)
except WorkerError as error:
    found["refused"] = str(error)
(folder / "found.json").write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    folder = tmp_path_factory.mktemp("ray")
    (folder / "observed.py").write_text(OBSERVED)
    command = [sys.executable, folder / "observed.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((folder / "found.json").read_text()) | {"said": done.stderr}


@pytest.mark.slow
def test_cells_of_ray_share_a_process_that_is_theirs_alone_and_ends_with_them(on_ray):
    errors = {"0": "NoneType", "1": "NoneType", "2": "ValueError"}
    shared, fresh = on_ray["shared"], on_ray["fresh"]
    assert shared["errors"] == fresh["errors"] == errors
    (process,) = {tuple(line) for lines in shared["begun"] for line in lines}
    assert process[0] != str(on_ray["before"])
    assert process[1] == "0"  # the GPU that was handed out
    assert len({pid for ((pid, _),) in fresh["begun"]}) == 3
    assert on_ray["left"] == []


@pytest.mark.slow
def test_a_cell_whose_process_of_ray_is_lost_is_tried_again_up_to_three_times(on_ray):
    lost = on_ray["lost"]
    assert lost["errors"] == on_ray["shared"]["errors"] | {"1": "WorkerError"}
    assert [len(lines) for lines in lost["begun"]] == [1, 4, 1]


@pytest.mark.slow
def test_a_node_of_other_versions_computes_nothing_and_says_which(on_ray):
    assert "No node has the versions of this one: The node" in on_ray["refused"]
    assert "not 2.0" in on_ray["refused"]
    assert "and computes nothing" in on_ray["said"]


@pytest.mark.slow
def test_a_sweep_survives_the_loss_of_a_node(ray):
    command = [sys.executable, ROOT / "benchmarks" / "faults.py", "cluster", "--rounds", "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-2000:]
    _, _, cells, begun, nodes, problems, _ = done.stdout.strip().splitlines()[-1].split("|")
    assert (int(cells), int(nodes), int(problems)) == (9, 2, 0)
    assert int(begun) >= 9
