"""`tfadaopt inspect` in the terminal: what it shows, and what it answers where there is nothing."""

import subprocess
import sys

import numpy as np
import pytest

from tests import logs
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.cli import terminal

NAMES = ("net/conv/kernel", "net/conv/bias", "net/out/kernel")


@pytest.fixture
def folder(tmp_path):
    log = logs.Log(tmp_path / "adagrad")
    for step in range(10, 101, 10):
        rates = {NAMES[0]: 1.0 / step, NAMES[1]: 0.5, NAMES[2]: np.nan if step > 50 else 0.1}
        log.table(step, rates).scalars(step, {"learning_rate": 1.0 / step})
        log.table(step, dict.fromkeys(NAMES, 1e-3), "update_ratio", "value")
    told = {"kind": "stalled", "quantity": "update_norm", "since": 40, "cause": "It rained."}
    log.marks(80, [{**told, "layer": name, "advice": "An umbrella."} for name in NAMES[:2]])
    logs.Log(tmp_path / "adam").table(1, {"net/conv/kernel": 1.0}, optimizer="Adam")
    return tmp_path


@pytest.fixture
def inspect(monkeypatch, capsys):
    def run(*words, width=100):
        monkeypatch.setattr(sys, "argv", ["tfadaopt", "inspect", *map(str, words)])
        monkeypatch.setattr(cli.console, "_width", width)
        monkeypatch.setattr(terminal.errors, "_width", 200)
        code = cli.run()
        out, err = capsys.readouterr()
        return code, out, err

    return run


def line(text: str, name: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(name)]
    return found


def test_runs_layers_changes_and_marks(folder, inspect):
    code, out, err = inspect(folder)
    assert (code, err) == (0, "")
    assert "adagrad · Adagrad · steps 10 to 100 · 10 snapshots · η 0.1 → 0.01" in out
    assert "adam · Adam · steps 1 to 1 · 1 snapshot\n" in out
    first = line(out.partition("adam ·")[0], "conv/kernel")
    assert first.split()[1:5] == ["1.00e-02", "÷", "10", "1.00e-03"]
    assert "█" in first
    assert first.endswith("stalled")
    assert "××" in line(out, "out/kernel")
    assert "nan" in line(out, "out/kernel")
    assert "stalled since step 40: conv/kernel, conv/bias" in out
    assert "It rained." in out
    assert "An umbrella." in out


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(folder, inspect, width):
    _, out, _ = inspect(folder, "--run", "adagrad", width=width)
    assert max(len(line.rstrip()) for line in out.splitlines()) <= width
    assert "conv/bias" in out
    assert ("█" in out) == (width >= 80)
    assert ("‖Δθ‖" in out) == (width >= 80)


def test_one_run_and_some_layers(folder, inspect):
    _, out, _ = inspect(folder, "--run", "adagrad", "--include", "bias")
    assert "Adam " not in out
    assert "out/kernel" not in out


def test_a_log_that_was_not_watched_is_looked_through_afterwards(tmp_path, inspect):
    log = logs.Log(tmp_path)
    for step in range(10, 101, 10):
        log.table(step, {"a/kernel": np.nan if step > 50 else 0.1})
    _, out, _ = inspect(tmp_path)
    assert "not finite since step 60: a/kernel" in out


def test_what_was_not_measured_or_stands_at_zero_has_no_number(tmp_path, inspect):
    for step in (10, 20):
        log = logs.Log(tmp_path / "a", str(step)).table(step, {"still/kernel": 0.0})
        log.table(step, {"still/kernel": 1e-3, "other/bias": 1e-3}, "update_ratio", "value")
    logs.Log(tmp_path / "b").table(1, {"conv/kernel": 1.0})
    code, out, _ = inspect(tmp_path, "--include", "still|other")
    assert code == 0
    assert line(out, "still/kernel").split() == ["still/kernel", "0.00e+00", "–", "1.00e-03", "▁▁"]
    assert line(out, "other/bias").split() == ["other/bias", "–", "–", "1.00e-03"]
    assert "steps 1 to 1" not in out  # none of its layers was asked for


def test_many_problems_of_a_log_are_counted(tmp_path, inspect):
    for name in range(7):
        log = logs.Log(tmp_path, str(name)).table(name, {"a/kernel": 1.0})
        with log.path.open("ab") as file:
            file.write(b"x")
    _, out, _ = inspect(tmp_path)
    assert out.count("read up to there") == 5
    assert ".: and 2 more" in out


def test_marks_of_what_has_no_row(folder, inspect):
    log = logs.Log(folder / "adagrad")
    told = {"kind": "nan", "since": 90, "cause": "Hail.", "advice": "A roof."}
    log.marks(
        100,
        [
            told | {"layer": "net/bn/moving_mean", "quantity": "moving statistics"},
            told | {"layer": None, "quantity": "loss"},
        ],
    )
    _, out, _ = inspect(folder, "--run", "adagrad", "--include", "bias")
    assert "not finite since step 90" in out
    assert "moving_mean" in out
    assert "the loss" in out
    assert "conv/kernel" not in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["missing"], "'missing' does not exist"),
        (["empty"], "it holds no event files"),
        (["other"], "its 1 event files hold nothing that tfadaopt logged"),
        ([".", "--run", "sgd"], "no such run"),
        ([".", "--include", "dense"], "leaves no layer; there are such as: net/conv/kernel"),
        ([".", "--include", "("], "is no regular expression"),
    ],
)
def test_where_there_is_nothing(words, says, folder, inspect, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    logs.Log(folder / "other").scalars(1, {"epoch_loss": 1.0})
    code, out, err = inspect(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("tfadaopt: ")
    assert says in " ".join(err.split())
    assert "Traceback" not in err


def test_without_a_folder_it_is_wrong_usage(inspect):
    assert inspect()[0] == 2


@pytest.mark.slow
def test_it_does_not_wait_for_tensorflow(folder):
    code = (
        "import sys; sys.argv = ['tfadaopt', 'inspect', sys.argv[1]];\n"
        "from tfadaopt.experiments.cli import commands as cli\n"
        "assert cli.run() == 0; print('loaded', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.rpartition("loaded ")[2].split()
    assert "tfadaopt.callbacks.history" in loaded
    assert not {"tensorflow", "keras", "matplotlib"} & set(loaded)
