"""Ray as what computes the cells: the same results, also where a node is lost."""

import importlib.util
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
    assert away["process"].nunique() == 2  # a clean process for each
    assert os.environ["RAY_AUTH_MODE"] == "token"
    pd.testing.assert_frame_equal(local.drop(columns="process"), away.drop(columns="process"))


@pytest.mark.slow
def test_a_sweep_survives_the_loss_of_a_node(ray):
    command = [sys.executable, ROOT / "benchmarks" / "faults.py", "cluster", "--rounds", "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-2000:]
    _, _, cells, begun, nodes, problems, _ = done.stdout.strip().splitlines()[-1].split("|")
    assert (int(cells), int(nodes), int(problems)) == (9, 2, 0)
    assert int(begun) >= 9
