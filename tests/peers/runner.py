"""Runs a peer's own tests, with our classes and with stock, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers import differences
from tests.peers.outcomes import FILE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Peer:
    """Whose tests.

    Attributes:
        name: Name of the project.
        variable: Variable of the environment that names the folder with its sources.
        plugin: Module that puts our classes in place of theirs.
        tests: Files and folders of the sources, those that use optimizers.
        expected: File with the expected differences.
    """

    name: str
    variable: str
    plugin: str
    tests: tuple[str, ...]
    expected: Path


KERAS = Peer(
    "keras",
    "TFADAOPT_KERAS_SOURCES",
    "tests.peers.keras_plugin",
    (
        "keras/src/optimizers",
        "keras/src/saving",
        "keras/src/models",
        "keras/src/callbacks",
        "keras/src/trainers/trainer_test.py",
        "keras/src/trainers/compile_utils_test.py",
        "keras/src/wrappers",
        "keras/src/distillation",
        "keras/src/legacy/saving",
        "keras/src/backend/common/remat_test.py",
        "keras/src/backend/tensorflow",
        "keras/src/layers/layer_test.py",
        "keras/src/layers/core/dense_test.py",
        "keras/src/layers/core/einsum_dense_test.py",
        "keras/src/layers/core/embedding_test.py",
        "keras/src/utils/summary_utils_test.py",
        "integration_tests/tf_distribute_training_test.py",
    ),
    HERE / "expected_keras.json",
)
OPTAX = Peer(
    "optax",
    "TFADAOPT_OPTAX_SOURCES",
    "tests.peers.optax_plugin",
    ("optax/contrib/_common_test.py",),
    HERE / "expected_optax.json",
)
PEERS = {peer.name: peer for peer in (KERAS, OPTAX)}


def run(
    peer: Peer,
    sources: Path,
    out: Path,
    tests: Sequence[str],
    stock: bool,
    more: Sequence[str] = (),
) -> dict[str, tuple[str, str]]:
    """Run tests of a peer, and return (outcome, why) of each.

    Args:
        peer: Whose tests.
        sources: Folder of its sources: the tests run with the code beside them.
        out: File for the outcomes; beside it, a log of what pytest printed.
        tests: Files, folders or tests.
        stock: Whether to leave the peer's own classes where they are.
        more: More arguments for pytest.
    """
    plugins = ["-p", "tests.peers.outcomes", *(() if stock else ("-p", peer.plugin))]
    quiet = ["-q", "--tb=line", "-p", "no:cacheprovider", "-o", "addopts="]
    command = [sys.executable, "-m", "pytest", *quiet, *plugins, *more]
    environment = {**os.environ, FILE: str(out), "PYTHONPATH": str(ROOT)}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    with out.with_suffix(".log").open("w", encoding="utf-8") as log:
        subprocess.run(
            [*command, "--continue-on-collection-errors", *tests],
            cwd=sources,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,  # tests may fail: what is made of that is in the outcomes
        )
    return differences.read_outcomes(out)


def check(
    peer: Peer, sources: Path, folder: Path, tests: Sequence[str] = (), more: Sequence[str] = ()
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Outcomes with our classes, and a line for each difference that is not expected.

    Stock runs only what fails with our classes. With ``tests``, nothing is said of the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = tests or [test for test in peer.tests if (sources / test).exists()]
    ours = run(peer, sources, folder / "ours.jsonl", there, stock=False, more=more)
    stock = {}
    if doubtful := differences.failed(ours):
        stock = run(peer, sources, folder / "stock.jsonl", doubtful, stock=True, more=more)
    expected = differences.read_expected(peer.expected)
    if tests:
        expected = {test: reason for test, reason in expected.items() if test in ours}
    return ours, differences.compare(ours, stock, expected)
