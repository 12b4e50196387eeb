"""Configurations, data, surfaces, result store and command line of the experiments."""

import json
import math
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import tfadaopt
from tfadaopt.experiments import catalog, configs
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.lecture import run as lecture
from tfadaopt.experiments.lecture.training import Trainer
from tfadaopt.experiments.problems import surfaces
from tfadaopt.experiments.problems.data import digits
from tfadaopt.experiments.runs import stages
from tfadaopt.experiments.runs.store import Store

TINY = {
    "methods": "SGD,Adagrad",
    "learning_rates": "0.01,0.1",
    "epochs": "1",
    "seeds": "2",
    "every": "2",
    "train_size": "256",
    "validation_size": "64",
    "surface_steps": "20",
    "surface_learning_rates": "0.01,0.1",
}
SETTINGS = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
COMMAND = [str(Path(sys.executable).with_name("tfadaopt")), "run", "lecture"]


def tfadaopt_run(monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["tfadaopt", *map(str, words)])
    return cli.run()


# Configuration


def test_settings_are_read_from_text():
    config = configs.override(configs.lecture(), TINY)
    assert config.methods == ("SGD", "Adagrad")
    assert config.learning_rates == (0.01, 0.1)
    assert (config.epochs, config.split_seed) == (1, configs.lecture().split_seed)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("epoch", "1", "Did you mean 'epochs'"),
        ("epochs", "0", "greater than or equal to 1"),
        ("epochs", "two", "received 'two'"),
        ("learning_rates", "0.1,-1", "greater than 0"),
        ("learning_rates", "nan", "finite"),
        ("learning_rates", "", "at least 1"),
        ("methods", "SGD,Adagard", "Did you mean 'Adagrad'"),
        ("train_size", "4900", "leave"),
    ],
)
def test_bad_settings_say_what_is_allowed(name, text, said):
    with pytest.raises(configs.ConfigError, match=said):
        configs.override(configs.lecture(), {name: text})


def test_configurations_are_frozen():
    with pytest.raises(AttributeError):
        configs.lecture().epochs = 3


# Data


@pytest.mark.slow
def test_digits_are_real_and_split_by_the_seed():
    splits = digits(3500, 750, seed=0)
    assert {name: len(split.labels) for name, split in splits.items()} == {
        "train": 3500,
        "validation": 750,
        "test": 750,
    }
    labels = np.concatenate([split.labels for split in splits.values()])
    assert np.bincount(labels).tolist() == [500] * 10
    train = splits["train"].images
    assert train.shape == (3500, 28, 28, 1)
    assert (train.min(), train.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(train, digits(3500, 750, seed=0)["train"].images)
    assert not np.array_equal(train, digits(3500, 750, seed=1)["train"].images)


# Surfaces


def path_of(surface, method, rate, steps):
    return np.array(surfaces.walk(surface, method, [rate], steps)["path"])


def test_gradient_descent_on_the_ravine_is_the_closed_form():
    ravine = surfaces.surfaces(10.0)["ravine"]
    path = path_of(ravine, "SGD", 0.05, 30)
    t = np.arange(31)
    np.testing.assert_allclose(path[:, 0], ravine.start[0] * 0.95**t, rtol=1e-5)
    np.testing.assert_allclose(path[:, 1], ravine.start[1] * 0.5**t, rtol=1e-5)
    np.testing.assert_allclose(path[:, 2], 0.5 * (path[:, 0] ** 2 + 10 * path[:, 1] ** 2))


def test_rotation_changes_only_methods_with_a_rate_per_coordinate():
    both = surfaces.surfaces(100.0)
    turn = np.array(
        [
            [math.cos(surfaces.ANGLE), -math.sin(surfaces.ANGLE)],
            [math.sin(surfaces.ANGLE), math.cos(surfaces.ANGLE)],
        ]
    )
    for method, same in (("SGD", True), ("Nesterov", True), ("Adagrad", False)):
        straight = path_of(both["ravine"], method, 0.01, 40)[:, :2] @ turn.T
        rotated = path_of(both["rotated ravine"], method, 0.01, 40)[:, :2]
        assert np.allclose(straight, rotated, atol=1e-4) == same


def test_walkers_of_a_grid_do_not_disturb_each_other():
    saddle = surfaces.surfaces(1.0)["saddle"]
    together = surfaces.walk(saddle, "RMSprop", [0.001, 0.01, 1e30], 50)
    alone = surfaces.walk(saddle, "RMSprop", [together["learning_rate"]], 50)
    np.testing.assert_allclose(together["path"], alone["path"], rtol=1e-6)


def test_target_must_be_kept():
    bowl = surfaces.Surface(lambda x, y: 0.5 * (x**2 + y**2), (1.0, 0.0), 0.0, (-1, 1), (-1, 1))
    walked = surfaces.walk(bowl, "SGD", [0.5, 2.0], 20)
    # ½ · 0.25^t ≤ 1e-4 · ½ from t = 7 on; with η = 2 the walker swings for ever.
    assert (walked["learning_rate"], walked["steps_to_target"]) == (0.5, 7)
    assert walked["sensible_rates"] == 1
    assert surfaces.walk(bowl, "SGD", [2.0], 20)["steps_to_target"] is None


# Store


def test_results_appear_whole_or_not_at_all(tmp_path):
    store = Store(tmp_path / "out")
    store.open("lecture", configs.lecture(), "tfadaopt run lecture")
    cell = {"kind": "tune", "method": "SGD", "seed": None}
    assert not store.has(cell)
    with pytest.raises(TypeError):
        store.put(cell, {"not": object()})
    assert not store.has(cell)
    store.put(cell, {"rows": [float("nan")]})
    assert store.has(cell)
    assert math.isnan(store.get(cell)["rows"][0])
    assert not store.has({**cell, "seed": 1})
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(configs.ConfigError, match="--out"):
        Store(tmp_path).open("lecture", configs.lecture(), "")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_other_settings_are_refused_and_nothing_changes(tmp_path):
    Store(tmp_path).open("lecture", configs.lecture(), "first")
    before = (tmp_path / "run.json").read_text()
    other = configs.override(configs.lecture(), {"epochs": "9"})
    with pytest.raises(configs.ConfigError, match="epochs: 5 there, 9 asked for"):
        Store(tmp_path).open("lecture", other, "second")
    assert (tmp_path / "run.json").read_text() == before


def test_a_diverged_rate_is_never_chosen_and_the_edge_is_marked(tmp_path):
    config = configs.override(configs.lecture(), TINY)
    store = Store(tmp_path)
    store.open("lecture", config, "")
    losses = {"SGD": (0.5, math.nan), "Adagrad": (0.5, 0.4)}
    for cell in lecture.tuning_cells(config):
        loss = losses[cell["method"]][config.learning_rates.index(cell["learning_rate"])]
        row = {"epoch": 1, "split": "validation", "loss": loss, "accuracy": 0.5}
        store.put(cell, {"rows": [row], "diverged": math.isnan(loss)})
    chosen = lecture.choose(config, store).set_index("method")
    assert chosen.learning_rate.to_dict() == {"SGD": 0.01, "Adagrad": 0.1}
    assert chosen.at_edge.all()


# Command line


def test_list_shows_every_method_and_experiment():
    shown = CliRunner().invoke(cli.app, ["list"]).output
    for method in tfadaopt.methods():
        assert method.name in shown
    for experiment in catalog.experiments():
        assert experiment.name in shown
    assert "batch_size" in CliRunner().invoke(cli.app, ["list", "--experiments"]).output
    assert "lecture" not in CliRunner().invoke(cli.app, ["list", "--methods"]).output


@pytest.mark.parametrize("words", [[], ["run"], ["list"], ["report"]], ids=" ".join)
def test_help(words):
    result = CliRunner().invoke(cli.app, [*words, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "lectur"], "Did you mean 'lecture'"),
        (["run", "lecture", "--set", "epochs"], "NAME=VALUE"),
        (["run", "lecture", "--set", "epoch=1"], "Did you mean 'epochs'"),
        (["report", "no/such/folder"], "tfadaopt run lecture"),
        (["run"], "Missing argument"),
        (["fly"], "No such command"),
        (["run", "lecture", "--jobs", "0"], "jobs"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_allowed(words, said, monkeypatch, capsys):
    assert tfadaopt_run(monkeypatch, *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_without_the_extra_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "tfadaopt.experiments.cli.commands")
    with pytest.raises(SystemExit, match=r"pip install 'tfadaopt\[experiments\]'"):
        tfadaopt.experiments.main()


def test_a_part_of_a_package_that_is_missing_is_no_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.table", None)
    monkeypatch.delitem(sys.modules, "tfadaopt.experiments.cli.commands")
    with pytest.raises(ModuleNotFoundError, match=r"rich\.table"):
        tfadaopt.experiments.main()


@pytest.mark.parametrize("when", ["in the imports", "in the command"])
def test_ctrl_c_ends_with_its_exit_code(when, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    commands = types.ModuleType("commands")
    setattr(commands, "__getattr__" if when == "in the imports" else "run", interrupted)
    monkeypatch.setitem(sys.modules, "tfadaopt.experiments.cli.commands", commands)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        tfadaopt.experiments.main()
    assert ended.value.code == 130


@pytest.mark.parametrize("at_once", [False, True])
def test_an_interrupted_run_writes_its_tables_unless_it_is_to_end_at_once(
    at_once, tmp_path, monkeypatch
):
    class Interrupted:
        ended = at_once

        def __init__(self, *_, **__):
            pass

        def map_unordered(self, work, cells):
            raise KeyboardInterrupt

        def close(self):
            pass

    monkeypatch.setattr(stages, "LocalExecutor", Interrupted)
    config = configs.override(configs.lecture(), TINY)
    with pytest.raises(KeyboardInterrupt):
        lecture.run(config, tmp_path / "out", "", 1, lambda *_: None)
    assert (tmp_path / "out" / "results.csv").exists() != at_once


@pytest.mark.slow
def test_a_time_limit_is_told_and_half_a_log_is_no_result(tmp_path):
    config = configs.override(configs.lecture(), TINY | {"time_limit": "1e-3", "every": "1"})
    trainer = Trainer("SGD", config)
    assert trainer.train(0.1, seed=0)["stopped"] == "time limit of 0.001 s passed in step 1"
    with pytest.raises(OSError, match="the log of this run is incomplete"):
        trainer._check_log(tmp_path, [])


def test_failed_cells_are_told_and_retried(tmp_path, monkeypatch, capsys):
    calls = []

    def fails_once(config, folder, command, jobs, progress):
        calls.append(folder)
        progress("stage", 1, 2)
        return [({"kind": "tune", "method": "SGD"}, RuntimeError("boom"))] if not calls[1:] else []

    monkeypatch.setattr(lecture, "run", fails_once)
    assert tfadaopt_run(monkeypatch, "run", "lecture", "--out", tmp_path) == 1
    assert "boom" in capsys.readouterr().err
    assert tfadaopt_run(monkeypatch, "run", "lecture", "--out", tmp_path) == 0


# The whole, small


# Each worker of pytest-xdist would make a run of its own.
in_one_worker = pytest.mark.xdist_group("lecture")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Interrupt a small run by Ctrl-C, check what it leaves, and let it go on to its end."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    command = [*COMMAND, "--out", str(out), "--jobs", "1", *SETTINGS]
    # A worker of pytest-xdist ignores Ctrl-C, and so would what it starts.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not list(out.glob("cells/tune-*.json")) and process.poll() is None:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "same command" in said
    assert "Traceback" not in said
    kept = {path: path.read_bytes() for path in out.glob("cells/*.json")}
    assert 0 < len(kept) < 14
    assert json.loads((out / "run.json").read_text())["finished"] is None
    assert len(pd.read_csv(out / "results.csv")) > 0

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    assert "tensorboard --logdir" in done.stdout
    for path, content in kept.items():
        assert path.read_bytes() == content
    return out


@pytest.mark.slow
@in_one_worker
def test_run_leaves_tidy_tables_logs_and_report(finished):
    run = json.loads((finished / "run.json").read_text())
    assert run["finished"]
    assert run["command"].startswith("tfadaopt run lecture")
    assert run["versions"]["tfadaopt"] == tfadaopt.__version__
    results = pd.read_csv(finished / "results.csv")
    counts = results.groupby(["phase", "split"]).size().to_dict()
    assert counts == {
        ("tune", "train"): 4,
        ("tune", "validation"): 4,
        ("final", "train"): 4,
        ("final", "validation"): 4,
        ("final", "test"): 4,
    }
    assert len(list(finished.glob("logs/*/seed-*/events.*"))) == 4
    layers = pd.read_csv(finished / "layers.csv")
    sgd = layers[(layers.method == "SGD") & (layers.quantity == "effective_learning_rate")]
    chosen = pd.read_csv(finished / "chosen.csv").set_index("method").learning_rate
    assert sgd.value.unique() == pytest.approx([chosen["SGD"]])
    assert (finished / "report.html").stat().st_size > 100_000


@pytest.mark.slow
@in_one_worker
def test_another_run_gives_the_same_numbers_whatever_the_order(finished, tmp_path):
    """One process that was interrupted, and two that share the cells otherwise: bit for bit."""
    command = [*COMMAND, "--out", str(tmp_path / "again"), "--jobs", "2", *SETTINGS]
    subprocess.run(command, capture_output=True, check=True)
    for table in ("results", "layers", "trajectories", "surfaces"):
        name = f"{table}.csv"
        assert (tmp_path / "again" / name).read_text() == (finished / name).read_text(), name


@pytest.mark.slow
@in_one_worker
def test_finished_run_computes_nothing_again(finished, monkeypatch, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.glob("cells/*")}
    assert tfadaopt_run(monkeypatch, *COMMAND[1:], "--out", finished, *SETTINGS) == 0
    assert {path: path.stat().st_mtime_ns for path in finished.glob("cells/*")} == before
    assert tfadaopt_run(monkeypatch, *COMMAND[1:], "--out", finished) == 2
    assert "asked for" in " ".join(capsys.readouterr().err.split())
