"""What `history.read` gives back is what was written, whatever happened to the run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tests import logs
from tfadaopt.callbacks import history

RATE = "effective_learning_rate", "p50"
MARK = {"layer": "a", "kind": "stalled", "quantity": "update_ratio", "since": 10}
MARK |= {"cause": "it rained", "advice": "an umbrella"}


def rates(folder):
    return history.read(folder)["."].quantities[RATE]


def test_the_files_of_these_tests_are_event_files(tmp_path):
    log = logs.Log(tmp_path).table(1, {"a": 1.0}).marks(1, [MARK])
    events = list(EventFileLoader(str(log.path)).Load())
    assert [event.step for event in events] == [0, 1, 1]


def test_tables_scalars_marks_and_optimizer(tmp_path):
    log = logs.Log(tmp_path).scalars(10, {"learning_rate": 0.5})
    log.table(10, {"a": 1.0, "b": 2.0}).table(10, {"b": 5.0}, "accumulator/momentum", "norm")
    log.table(20, {"a": 3.0, "b": 4.0}).marks(20, [MARK])
    found = history.read(tmp_path)["."]
    table = found.quantities[RATE]
    assert table.layers == ("a", "b")
    assert table.steps.tolist() == [10, 20]
    assert table.values.tolist() == [[1, 2], [3, 4]]
    assert found.quantities["accumulator/momentum", "norm"].layers == ("b",)
    assert [x.tolist() for x in found.scalars["learning_rate"]] == [[10], [0.5]]
    assert found.marks == ({**MARK, "step": 20},)
    assert found.optimizer == "Adagrad"
    assert found.steps.tolist() == [10, 20]


def test_nan_that_was_measured_is_not_nothing(tmp_path):
    log = logs.Log(tmp_path).table(1, {"a": 1.0, "b": np.nan})
    log.table(2, {"a": 1.0, "c": np.inf})
    table = rates(tmp_path)
    assert table.layers == ("a", "c", "b")  # each after the one that it follows in its own list
    np.testing.assert_array_equal(table.values, [[1, np.nan, np.nan], [1, np.inf, np.nan]])
    assert table.measured.tolist() == [[True, False, True], [True, True, False]]


def test_a_resume_replaces_what_came_after_it(tmp_path):
    first = logs.Log(tmp_path, "9", began=100.0)
    for step in (10, 20, 30, 40):
        first.table(step, {"a": step}).scalars(step, {"learning_rate": step})
    first.marks(40, [MARK])
    # By name the second file comes first.
    second = logs.Log(tmp_path, "10", began=200.0)
    for step in (30, 50):
        second.table(step, {"a": -step}).scalars(step, {"learning_rate": -step})
    found = history.read(tmp_path)["."]
    table = found.quantities[RATE]
    assert table.steps.tolist() == [10, 20, 30, 50]
    assert table.values[:, 0].tolist() == [10, 20, -30, -50]
    assert found.scalars["learning_rate"][1].tolist() == [10, 20, -30, -50]
    assert found.marks == ()


def test_another_writer_in_the_folder_does_no_harm(tmp_path):
    ours = logs.Log(tmp_path, "ours", began=1.0)
    ours.table(50, {"a": 1.0}).marks(50, [MARK])
    logs.Log(tmp_path, "keras", began=2.0).scalars(0, {"epoch_loss": 3.0})
    found = history.read(tmp_path)["."]
    assert found.quantities[RATE].steps.tolist() == [50]
    assert len(found.marks) == 1
    assert found.scalars["epoch_loss"][1].tolist() == [3.0]


def test_scalars_of_layers_become_tables(tmp_path):
    log = logs.Log(tmp_path)
    for step in (1, 2):
        values = {"effective_learning_rate/net/a/kernel/p50": 2.0 * step, "learning_rate": 0.1}
        values |= {"accumulator/velocity/net/a/kernel/norm": 3.0, "accumulator/distance/mean": 7.0}
        log.scalars(step, values | {"update_ratio/net/a/kernel": 0.25})
    found = history.read(tmp_path)["."].quantities
    assert set(found) == {RATE, ("accumulator/velocity", "norm"), ("update_ratio", "value")}
    assert found[RATE].layers == ("net/a/kernel",)
    assert found[RATE].values.tolist() == [[2.0], [4.0]]


def test_runs_by_name_and_none_without_our_data(tmp_path):
    logs.Log(tmp_path / "b" / "train").table(1, {"a": 1.0})
    logs.Log(tmp_path / "a").table(1, {"a": 1.0})
    logs.Log(tmp_path / "other").scalars(1, {"epoch_loss": 1.0})
    assert list(history.read(tmp_path)) == ["a", "b/train"]


@pytest.mark.parametrize("cut", [1, 5, 13, 40])
def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(cut, tmp_path):
    log = logs.Log(tmp_path).table(1, {"a": 1.0})
    whole = log.path.read_bytes()
    log.table(2, {"a": 2.0})
    log.path.write_bytes(log.path.read_bytes()[: len(whole) + cut])
    assert rates(tmp_path).steps.tolist() == [1]


def test_what_follows_garbage_is_left_alone(tmp_path):
    log = logs.Log(tmp_path).table(1, {"a": 1.0})
    with log.path.open("ab") as file:
        file.write(b"\xff" * 64)
    log.table(2, {"a": 2.0})
    assert rates(tmp_path).steps.tolist() == [1]


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing' does not exist"):
        history.read(tmp_path / "missing")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match="file' is a file"):
        history.read(file)
    assert history.read(tmp_path) == {}


def test_reading_does_not_load_tensorflow(tmp_path):
    logs.Log(tmp_path).table(1, {"a": 1.0}).marks(1, [MARK])
    code = (
        "import sys; from tfadaopt.callbacks import history; "
        f"assert history.read({str(tmp_path)!r})['.'].marks; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "tfadaopt.callbacks.history" in loaded
    assert not {"keras", "tensorflow", "matplotlib"} & set(loaded)


@pytest.mark.parametrize("log_dir", ["gs://bucket/logs", "s3://b", Path("hdfs://host/logs")])
def test_a_folder_elsewhere_is_said_to_be_elsewhere(log_dir):
    with pytest.raises(OSError, match=r"not on this machine .*Copy the folder") as error:
        history.read(log_dir)
    assert not isinstance(error.value, FileNotFoundError)


def test_logs_of_0_1_still_read():
    found = history.read(Path(__file__).parent / "logs_of_0_1")
    assert found.keys() == {".", "nan"}
    run, nan = found["."], found["nan"]
    assert (run.optimizer, nan.optimizer, run.problems, nan.problems) == (
        "Adagrad",
        "Adagrad",
        (),
        (),
    )
    assert run.steps.tolist() == nan.steps.tolist() == [2, 4, 6, 8]
    rates = run.quantities["effective_learning_rate", "p50"]
    assert rates.layers[1:3] == ("sequential/hidden/bias", "sequential/out/kernel")
    expected = [0.18407047, 0.18407047, 0.07243633, 0.03444254]
    np.testing.assert_allclose(rates.values[-1], expected, rtol=1e-6)
    assert len(run.quantities) == 14
    marks = [(mark["layer"], mark["kind"], mark["since"], mark["step"]) for mark in nan.marks]
    assert marks == [(f"sequential_1/out/{name}", "nan", 2, 2) for name in ("kernel", "bias")]
