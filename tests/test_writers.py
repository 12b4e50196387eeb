"""What goes to other boards: the monitor's numbers; a fault of one ends no training."""

import importlib
import json
import sqlite3

import numpy as np
import pytest

import tfadaopt
from tfadaopt.callbacks import (
    MlflowWriter,
    OptimizerMonitor,
    StallWarning,
    TrackioWriter,
    WandbWriter,
)

from . import events
from .support.models import X, Y, fit, make_model


class Keeping:
    """Keeps what it is given; fails at the call of this name."""

    def __init__(self, fails_at=""):
        self.steps, self.calls, self.fails_at = [], [], fails_at

    def write(self, step, scalars, tables, marks):
        self._called("write")
        self.steps.append((step, dict(scalars), dict(tables), list(marks)))

    def flush(self):
        self._called("flush")

    def close(self):
        self._called("close")

    def _called(self, name):
        self.calls.append(name)
        if name == self.fails_at:
            raise OSError("the board is down")


def trained(*callbacks, **arguments):
    model = make_model(tfadaopt.Adam(0.01), run_eagerly=True)
    fit(model, *callbacks, **arguments)
    return [v.numpy() for v in model.trainable_variables]


def test_a_writer_gets_what_tensorboard_gets(tmp_path):
    keeping = Keeping()
    trained(OptimizerMonitor(tmp_path, 2, writers=[keeping]), epochs=2)
    logged = events.read(tmp_path)
    assert [step for step, *_ in keeping.steps] == [event.step for event in logged]
    for (_, scalars, tables, _), event in zip(keeping.steps, logged, strict=True):
        np.testing.assert_array_equal(
            [np.float32(scalars[tag]) for tag in event.values], list(event.values.values())
        )
        assert scalars.keys() == event.values.keys()
        layers, ratios = tables["update_ratio", "value"]
        assert len(layers) == len(ratios) == 4
    assert keeping.calls == ["write"] * 3 + ["flush"] + ["write"] * 3 + ["flush", "close"]


def test_each_writer_gets_the_layers_that_its_monitor_shows(tmp_path):
    kernels, biases = Keeping(), Keeping()
    trained(
        OptimizerMonitor(tmp_path, 3, include=["kernel"], writers=[kernels]),
        OptimizerMonitor(tmp_path, 6, include=["bias"], writers=[biases]),
    )
    assert [step for step, *_ in kernels.steps] == [3, 6]
    assert [step for step, *_ in biases.steps] == [6]
    for keeping, name in ((kernels, "bias"), (biases, "kernel")):
        assert not any(name in tag for _, scalars, *_ in keeping.steps for tag in scalars)


def test_without_a_folder_only_the_writers_get_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keeping = Keeping()
    monitor = OptimizerMonitor(every=6, writers=[keeping])
    trained(monitor)
    assert [step for step, *_ in keeping.steps] == [6]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="log_dir, but none"):
        monitor.plot()


def test_marks_go_to_writers(tmp_path):
    keeping = Keeping()
    model = make_model(tfadaopt.SGD(0.1, nonfinite="ignore"), run_eagerly=True)
    warning = StallWarning(tmp_path, every=2)
    fit(model, OptimizerMonitor(tmp_path, 2, writers=[keeping]), warning, x=X * np.nan, y=Y)
    assert {mark["kind"] for *_, marks in keeping.steps for mark in marks} == {"nan"}


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("method", ["write", "flush", "close"])
def test_a_writer_that_fails_is_said_once_and_ends_nothing(method, tmp_path):
    failing, keeping = Keeping(method), Keeping()
    monitor = OptimizerMonitor(tmp_path, 2, writers=[failing, keeping])
    with pytest.warns(UserWarning, match="Keeping") as said:
        weights = trained(monitor, epochs=2)
    assert failing.calls.count(method) == 1
    assert failing.calls[-1] == method
    assert len(keeping.steps) == len(events.read(tmp_path)) == 6
    (text,) = [str(w.message) for w in said if "Keeping" in str(w.message)]
    assert f"{method} raised OSError: the board is down" in text
    for a, b in zip(weights, trained(epochs=2), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "writers",
    [[object()], [Keeping], Keeping(), "wandb", [None]],
    ids=["object", "class", "alone", "name", "none"],  # the same in each process
)
def test_what_is_no_writer_is_refused(writers, tmp_path):
    with pytest.raises(TypeError, match=r"OptimizerMonitor: writers .*give"):
        OptimizerMonitor(tmp_path, writers=writers)
    with pytest.raises(TypeError, match="log_dir must be a path"):
        OptimizerMonitor(None)


BOARDS = {"wandb": WandbWriter, "mlflow": MlflowWriter, "trackio": TrackioWriter}


@pytest.mark.parametrize("package", BOARDS)
def test_a_board_that_is_not_installed_is_named(package, monkeypatch):
    def missing(name, *_):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=f"needs the package {package}.*pip install {package}"):
        BOARDS[package]()


# Each against its board's offline mode. `pip install tfadaopt[boards]` lets them run.


def numbers_of_a_fit(writer) -> dict:
    """By step, what a writer that keeps was given in the same fit."""
    keeping = Keeping()
    trained(OptimizerMonitor(every=3, writers=[writer, keeping]))
    return {step: scalars for step, scalars, *_ in keeping.steps}


MARK = {"kind": "stalled", "quantity": "update_norm", "since": 40, "layer": "net/conv/kernel"}
MARK |= {"cause": "It rained.", "advice": "An umbrella."}


@pytest.mark.slow
def test_wandb_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with pytest.raises(RuntimeError, match=r"call wandb.init\(\) before fit"):
        WandbWriter().write(1, {}, {}, [])
    run = wandb.init(project="tests", mode="offline", dir=str(tmp_path))
    alerts = []
    monkeypatch.setattr(type(run), "alert", lambda _, title, text: alerts.append((title, text)))
    try:
        expected = numbers_of_a_fit(WandbWriter())
        summary = dict(run.summary)
        WandbWriter(run).write(7, {}, {}, [MARK])
    finally:
        run.finish()
    ((title, text),) = alerts
    assert title == "StallWarning: stalled"
    assert "It rained." in text
    assert summary["optimizer_step"] == 6
    for tag, value in expected[6].items():
        assert summary[tag] == pytest.approx(value), tag
    assert list(tmp_path.rglob("*.wandb"))


@pytest.mark.slow
def test_mlflow_in_a_file(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with mlflow.start_run() as run:
        expected = numbers_of_a_fit(MlflowWriter())
        MlflowWriter().write(7, {}, {}, [MARK, MARK | {"layer": None}])
    client = mlflow.MlflowClient()
    tags = client.get_run(run.info.run_id).data.tags
    assert "It rained." in tags["stall_warning.net/conv/kernel"]
    assert "It rained." in tags["stall_warning.model"]
    for tag in expected[6]:
        history = client.get_metric_history(run.info.run_id, tag)
        assert {m.step: m.value for m in history} == {
            step: pytest.approx(scalars[tag]) for step, scalars in expected.items()
        }, tag


@pytest.mark.slow
def test_trackio_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    trackio = pytest.importorskip("trackio", reason="trackio is not installed")
    trackio.init(project="tests", name="one", embed=False)
    expected = numbers_of_a_fit(TrackioWriter())
    TrackioWriter().write(7, {}, {}, [MARK])
    trackio.finish()
    (path,) = [p for p in tmp_path.rglob("*.db") if "tests" in p.name]
    with sqlite3.connect(path) as database:
        found = dict(database.execute("select step, metrics from metrics").fetchall())
        ((title, text),) = database.execute("select title, text from alerts").fetchall()
    assert title == "StallWarning: stalled"
    assert "It rained." in text
    assert json.loads(found.pop(7)) == {}
    assert {step: json.loads(metrics) for step, metrics in found.items()} == {
        step: pytest.approx(scalars) for step, scalars in expected.items()
    }
