"""Each example runs as written, and shows what it says.

All run in the process that tests of two devices share: one of them needs two.
"""

import contextlib
import io
import os
import runpy
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import jupytext
import keras
import numpy as np
import pytest
import tensorflow as tf

FOLDER = Path(__file__).resolve().parents[1] / "examples"
# What must hold of the names that an example ends with, beside running without a warning.
SHOWN: dict[str, Callable[[dict], bool]] = {
    "compare_digits": lambda x: [len(part[0]) for part in x["data"]()] == [2000, 500, 500],
    "custom_loop": lambda x: len(x["losses"]) == 128 and x["last"] < x["first"] / 1.5,
    "digits_monitor": lambda x: (
        x["history"].history["accuracy"][-1] > 0.7 and Path("rates.png").stat().st_size > 10_000
    ),
    "gan": lambda x: (
        {path.split("/")[0] for path in x["ratios"].layers}
        == {
            "generator",
            "discriminator",
        }
    ),
    "mixed_precision": lambda x: (
        x["state"]["velocity"].dtype == "float32"
        and x["history"].history["loss"][-1] < x["history"].history["loss"][0] / 2
    ),
    "resume": lambda x: (
        x["logged"]["resumed"].steps.tolist() == x["logged"]["whole"].steps.tolist()
        and all(map(np.array_equal, x["second"].get_weights(), x["whole"].get_weights()))
    ),
    "sparse_embedding": lambda x: x["rare"] > 5 * x["often"],
    "stall": lambda x: (
        (x["received"][0].layer, x["received"][0].kind)
        == (
            "net/dense/kernel",
            "dead",
        )
    ),
    "transfer_learning": lambda x: (
        [m > 0 for path, m in sorted(x["moved"].items())] == [False, False, True, True]
        and x["accuracy"] > 0.7
    ),
    "transformer_warmup": lambda x: (
        "places/embeddings" in [v.path for v in x["model"].trainable_variables]
        and 30 <= x["steps"][x["rates"].argmax()] <= 40
        and x["history"].history["loss"][-1] < x["history"].history["loss"][0] / 1.5
    ),
    "tune": lambda x: x["best"].values["method"] in x["METHODS"],
    "two_devices": lambda x: x["apart"] < 1e-5,
}
# Packages that not every environment has.
NEEDS = {"tune": "keras_tuner"}


def test_every_example_is_run():
    programs = {"multi_worker"}  # several processes: tests/test_multi_worker.py runs it
    assert {path.stem for path in FOLDER.glob("*.py")} == SHOWN.keys() | programs


@pytest.mark.parametrize("name", sorted(SHOWN.keys() - {"compare_digits"}))
def test_example_is_a_notebook(name):
    """All but the file for `tfadaopt compare`."""
    first, *cells = jupytext.read(FOLDER / f"{name}.py").cells
    assert (first.cell_type, first.source[:2]) == ("markdown", "# ")
    assert [cell.cell_type for cell in cells].count("code") >= 3


def on_two_devices(strategy) -> dict[str, str]:
    """What is wrong with each example: nothing, if all is well."""
    # Two strategies over the same devices of a process get into each other's sums.
    with mock.patch.object(tf.distribute, "MirroredStrategy", return_value=strategy):
        return {name: fault_of(name) for name in SHOWN}


def fault_of(name: str) -> str:
    keras.utils.clear_session()
    home, printed = Path.cwd(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(os.chdir, home)
        os.chdir(folder)
        for stream in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            stack.enter_context(stream(printed))
        heard = stack.enter_context(warnings.catch_warnings(record=True))
        try:
            space = runpy.run_path(str(FOLDER / f"{name}.py"))
            shown = SHOWN[name](space)
        except ModuleNotFoundError as error:
            return f"needs {error.name}"
        except Exception:
            return traceback.format_exc()
    if heard:
        return f"it warns: {heard[0].message}"
    return "" if shown else f"it does not show what it says:\n{printed.getvalue()}"


@pytest.mark.parametrize("name", SHOWN)
def test_example(name, two_devices):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    assert two_devices[name] == ""
