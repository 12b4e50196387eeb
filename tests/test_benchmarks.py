"""What the benchmarks count without noise, and that what they export for a GPU is the same step."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    """Imports a benchmark by its name, with their folder on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


@pytest.fixture(scope="module")
def graphs(benchmark):
    return benchmark("graphs")


@pytest.mark.parametrize(
    ("arrivals", "said"),
    [
        ((100, 50), "Old arrives in 100 steps, New arrives in 50 steps: New is faster"),
        ((50, 100), "Old is faster (New on 0 of 5 problems, Old on 5)"),
        ((50, 51), "no clear difference"),
        ((100, None), "New does not arrive in 400 steps: Old is faster"),
        ((None, None), "no clear difference (New on 0 of 5 problems, Old on 0)"),
    ],
)
def test_lineage_says_what_was_measured(arrivals, said, benchmark):
    """With noisy gradients, the one that arrives earlier ends lower by a factor of 10."""
    lineage = benchmark("lineage")
    walks = {}
    for method, step in zip(("Old", "New"), arrivals, strict=True):
        exact, noisy = np.ones((2, 1 + lineage.STEPS))
        exact[slice(step, None) if step else slice(0)] = lineage.TARGET / 2
        noisy[1:] = (step or 1000) / 1000
        walks[method] = {lineage.EXACT: [(0.1, exact)] * 5, lineage.NOISY: [(0.1, noisy)] * 5}
    of_exact, of_noisy = lineage.sentence("Old", "New", walks).splitlines()
    assert said in of_exact
    old, new = (step or 1000 for step in arrivals)
    lower = (
        "New is lower" if new * 1.25 < old else "Old is lower" if old * 1.25 < new else "no clear"
    )
    assert lower in of_noisy
    assert f"Old ends at {old / 1000:.2g}" in of_noisy


@pytest.mark.slow
def test_lineage_walks_by_the_rule(benchmark):
    """SGD on the problem, step by step in NumPy."""
    lineage = benchmark("lineage")
    given, w, losses = lineage.problem(3), np.zeros(lineage.SHAPE), []
    for noise in [*given.noise, 0]:
        gradient = given.rows @ (w - given.lowest) @ given.columns
        losses.append(np.sum((w - given.lowest) * gradient) / 2)
        w = w - 0.5 * (gradient + 0.2 * noise)
    np.testing.assert_allclose(lineage.walker("SGD")(0.5, 0.2, given), losses, rtol=1e-9)


# What all can be at best is the gradient alone: 0.93 of Keras' SGD on ResNet-20, 0.66 of its
# Adagrad on the Transformer.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "method", "most"),
    [
        ("resnet20", "SGD", 1.03),
        ("resnet20", "Adam", 0.8),
        ("transformer", "Adagrad", 0.9),
        ("transformer", "RMSprop", 0.8),
    ],
)
def test_a_step_under_xla_is_no_larger_than_keras_own(network, method, most, graphs):
    ours, theirs = (graphs.operations(network, make()) for make in graphs.pair(method))
    assert ours <= most * theirs


@pytest.mark.slow
def test_an_exported_step_does_the_same_under_jax(tmp_path):
    pytest.importorskip("jax", exc_type=ImportError)
    words = [sys.executable, BENCHMARKS / "gpu.py"]
    chosen = ["--networks", "cnn", "--methods", "Adam"]
    subprocess.run([*words, "export", tmp_path / "steps", *chosen], check=True, timeout=300)
    table = tmp_path / "table.md"
    ran = [*words, "run", tmp_path / "steps", "--steps", "2", "--write", table]
    subprocess.run(ran, check=True, timeout=300)
    heads, _, *rows = [line.strip("| ").split(" | ") for line in table.read_text().splitlines()]
    place = heads.index("largest difference of the loss")
    assert [row[0] for row in rows] == ["cnn-Adam-keras", "cnn-Adam-tfadaopt"]
    assert all(float(row[place]) < 1e-4 for row in rows)
