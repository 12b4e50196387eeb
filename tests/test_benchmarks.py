"""What the benchmarks count without noise, and that what they export for a GPU is the same step."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def graphs():
    """The module, with the folder of benchmarks on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("graphs")


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
