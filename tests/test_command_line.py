"""Every option of every verb with wrong values: exit code 2 and a sentence, and nothing begun."""

import dataclasses
import itertools
import os
import sys
from pathlib import Path

import pytest
import typer

import tfadaopt
from tfadaopt.experiments import configs
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.cli.terminal import TimeLeft, watched
from tfadaopt.experiments.compare import run as compare_run
from tfadaopt.experiments.lecture import run as lecture
from tfadaopt.experiments.runs.executor import WorkerError

NOT_UTF8 = os.fsdecode(b"a\xff")
HUGE = "1" + "0" * 20
NUMBERS = ("", HUGE, "9" * 5_000, "-1", "0", "nan", "inf", "two", "1.5", NOT_UTF8)
RATES = ("", "1e39", "1e-50", "-1", "0", "nan", "inf", "two", "0.1,0.1", NOT_UTF8)
NAMES = ("", ",", "SGD,SGD", "Adagard", HUGE, NOT_UTF8, "../SGD", "[red]SGD[/]")
# What is no mistake where a number is asked for.
ALLOWED = {(name, "0") for name in ("split_seed", "seed", "other_seeds")}
ALLOWED |= {("condition_number", "1.5"), ("time_limit", "1.5")}
PROBLEM = Path(__file__).parents[1] / "examples" / "compare_digits.py"


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Give a command that must be refused: exit code 2 and something said, nothing begun."""

    def begun(*_, **__):
        raise AssertionError("It began to run.")

    monkeypatch.setattr(lecture, "run", begun)
    monkeypatch.setattr(compare_run, "run", begun)
    monkeypatch.chdir(tmp_path)

    def give(*words) -> str:
        monkeypatch.setattr(sys, "argv", ["tfadaopt", *map(str, words)])
        code = cli.run()
        said = " ".join(capsys.readouterr().err.split())
        assert (code, bool(said)) == (2, True), f"{words}: exit {code}: {said}"
        assert "\x1b" not in said
        return said

    return give


def wrong_settings(kind):
    for field in dataclasses.fields(kind):
        of_rates = field.name.endswith("rates")
        for value in RATES if of_rates else NAMES if field.name == "methods" else NUMBERS:
            if (field.name, value) not in ALLOWED:
                yield field.name, value


@pytest.mark.parametrize("kind", [configs.Lecture, configs.Claims])
def test_settings(kind, refused):
    name = "lecture" if kind is configs.Lecture else "claims"
    rows = list(wrong_settings(kind))
    assert len(rows) > 15
    for setting, value in rows:
        said = refused("run", name, "--set", f"{setting}={value}")
        assert setting in said
        assert len(said) < 1_000
    refused("run", name, "--set", "seeds=3", "--set", "seeds=4")
    refused("run", name, "--set", "=3")
    refused("run", name, "--set", NOT_UTF8)


COUNTS = ("--trials", "--tuning-seeds", "--seeds", "--epochs", "--steps", "--batch-size", "--jobs")


def test_numbers_of_compare(refused):
    for option, value in itertools.product(COUNTS, NUMBERS):
        assert option in refused("compare", PROBLEM, option, value)
    for value in NUMBERS:
        assert "--jobs" in refused("run", "lecture", "--jobs", value)


def test_time_limit_and_strategy(refused):
    for words in (("compare", PROBLEM), ("run", "lecture")):
        for value in ("0", "-1", "soon"):
            assert "--time-limit" in refused(*words, "--time-limit", value)
        assert "docs/guides/several-devices.md" in refused(*words, "--strategy", "multi-worker")
    for option, value in (("--time-limit", "9"), ("--strategy", "mirrored")):
        assert "lecture" in refused("run", "claims", option, value)


def test_names_of_compare(refused):
    for value in NAMES:
        refused("compare", PROBLEM, "--methods", value)
    for value in ("", ",", "cosin", "cosine,cosine", NOT_UTF8, "[red]cosine[/]"):
        refused("compare", PROBLEM, "--schedules", value)
    for value in (",", "-1", "nan", "inf", "two", "0.1,0.1", "0.1,", NOT_UTF8):
        assert "decay" in refused("compare", PROBLEM, "--weight-decays", value)
    for value in ("", "nan", "inf", "two", NOT_UTF8):
        assert "target" in refused("compare", PROBLEM, "--target", value)
    for value in ("", "max:", ":", "x:loss", "beauty", "max:max:", NOT_UTF8):
        refused("compare", PROBLEM, "--objective", value)
    for value in ("", "grid", NOT_UTF8, "[red]search[/]"):
        assert "choose search or optuna" in refused("compare", PROBLEM, "--tuner", value)


def places(folder: Path):
    (folder / "file").write_text("x")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "others").mkdir()
    (folder / "others" / "thesis.tex").write_text("precious")
    yield from (folder / "file", folder / "file" / "below", folder / ("n" * 300))
    yield from (folder / "/".join(["d" * 200] * 30), folder / "dangling", folder / "others")
    yield from ("/dev/null", "/proc/none", folder / "others" / ("n" * 300) / NOT_UTF8)


@pytest.mark.parametrize(
    "words", [["run", "lecture"], ["run", "claim-ravine"], ["compare", str(PROBLEM)]], ids=" ".join
)
def test_places(words, refused, tmp_path, monkeypatch):
    monkeypatch.undo()  # these begin, and end when they open the folder
    before = None
    for place in places(tmp_path):
        monkeypatch.setattr(sys, "argv", ["tfadaopt", *words, "--out", str(place)])
        before = before or sorted(tmp_path.rglob("*"))
        assert cli.run() == 2, place
        assert sorted(tmp_path.rglob("*")) == before


def test_files_and_folders_to_read(refused, tmp_path):
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").mkdir()
    for file in ("missing.py", "", "empty", "n" * 300, "d/" * 3_000, NOT_UTF8, "/dev/null"):
        refused("compare", file)
    for folder in ("missing", "binary.py", "empty", "n" * 300, NOT_UTF8, "", "/dev/null"):
        assert "tfadaopt" in refused("report", folder)


def test_wrong_verbs_and_names(refused):
    for words in (["fly"], ["list", "extra"], ["run"], ["report"], ["compare"], ["--verion"]):
        assert "Usage" in refused(*words)
    for name in ("", "lectur", "../lecture", NOT_UTF8, HUGE):
        assert "Known" in refused("run", name)
    assert "'lecture' has no paths to play" in refused("run", "lecture", "--animate")


@pytest.mark.parametrize("words", [["run", "lecture"], ["compare", str(PROBLEM)], ["inspect", "x"]])
@pytest.mark.parametrize("backend", ["jax", "torch", "numpy"])
def test_another_backend_of_keras(words, backend, refused, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    said = refused(*words)
    assert f"KERAS_BACKEND is '{backend}'" in said
    assert "KERAS_BACKEND=tensorflow" in said


def test_the_time_left_follows_the_pace_of_a_stage_and_counts_what_comes_later():
    now = [0.0]
    left = TimeLeft({"tuning": 10}, clock=lambda: now[0])

    def after(seconds, *stage):
        now[0] = seconds
        return left.after(*stage)

    # Four of 20 were there before, and say nothing of the pace.
    assert after(0, "tuning", 4, 20) == ""
    assert after(60, "tuning", 5, 20) == "about 25 min left"
    assert after(80, "tuning", 12, 20) == "about 3 min left"
    assert after(90, "tuning", 13, 20) == "about 3 min left"
    # From now on without the first, with which the processes started: 9 in 35 seconds.
    assert after(95, "tuning", 14, 20) == "about 60 s left"
    assert after(100, "reported", 0, 10) == ""
    assert after(110, "reported", 5, 10) == "about 10 s left"
    assert after(110, "reported", 10, 10) == ""


def test_workers_that_cannot_start_are_told_with_what_to_do(capsys):
    def work(show):
        show("a stage", 0, 2)
        raise WorkerError("exit code 7.")

    with pytest.raises(typer.Exit) as ended:
        watched(work)
    assert ended.value.exit_code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "No worker process can start: exit code 7." in said
    assert "with --jobs 1 in less memory" in said


def test_the_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tfadaopt", "--version"])
    assert cli.run() == 0
    assert capsys.readouterr().out.startswith(f"tfadaopt {tfadaopt.__version__} (TensorFlow ")


@pytest.mark.slow
def test_find_rate(monkeypatch, capsys, tmp_path, refused):
    for words in (["--lowest", "0"], ["--highest", "1e-9"], ["--out", "picture.txt"]):
        assert words[0].strip("-") in refused("find-rate", PROBLEM, *words)
    refused("find-rate", tmp_path / "none.py")
    monkeypatch.setattr(
        sys, "argv", ["tfadaopt", "find-rate", str(PROBLEM), "--steps", "20", "--out", "a/b.svg"]
    )
    assert cli.run() in (0, None)
    assert "Adam: " in capsys.readouterr().out
    assert (tmp_path / "a" / "b.svg").is_file()
