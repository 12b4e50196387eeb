"""``tfadaopt compare``: bad input, budgets, choice, statistics, and the whole on small problems."""

import json
import math
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.compare import check as compare_check
from tfadaopt.experiments.compare import (
    comparison,
    contenders,
    parts_of_data,
    problem,
    rate_search,
    trials,
)
from tfadaopt.experiments.compare import report as compare_report
from tfadaopt.experiments.compare import results as compare_results
from tfadaopt.experiments.compare import trial as compare_trial
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.store import Store

EXAMPLE = Path(__file__).parents[1] / "examples" / "compare_digits.py"

HEAD = """
import keras
import numpy as np

def model(**more):
    net = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)], name="line")
    net.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    return net

def data():
    x = np.random.default_rng(0).standard_normal((96, 2)).astype("float32")
    y = x @ np.array([[1.0], [-2.0]], "float32")
    return (x[:64], y[:64]), (x[64:80], y[64:80]), (x[80:], y[80:])
"""


def write(folder: Path, more: str = "", head: str = HEAD) -> Path:
    path = folder / "mine.py"
    path.write_text(head + more)
    return path


def tfadaopt(monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["tfadaopt", *map(str, words)])
    return cli.run()


# What is said before anything is trained


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("def (", r"mine.py cannot be imported: SyntaxError: .*line 14"),
        ("import no_such_module", r"cannot be imported: ModuleNotFoundError.*line 14"),
        ("raise SystemExit(3)", r"cannot be imported: SystemExit: 3"),
        ("del model", r"has no function model\(\)"),
        ("data = 3", r"has no function data\(\)"),
        ("def data(size): pass", r"data\(\) is called without arguments, but asks for size"),
    ],
)
def test_a_file_that_is_no_problem(more, said, tmp_path):
    with pytest.raises(problem.ProblemError, match=said):
        problem.load(write(tmp_path, more))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("model = lambda: 1 / 0", r"model\(\) failed: ZeroDivisionError: .*line 14"),
        ("model = lambda: None", r"model\(\) returned a builtins.NoneType, not a keras.Model"),
        ("model = lambda: keras.Sequential()", r"not compiled.*model.compile"),
        ("def data(): raise OSError('no disk')", r"data\(\) failed: OSError: no disk"),
        ("data = lambda: np.zeros(3)", r"data\(\) returned ndarray"),
        ("data = lambda: (1, 2, 3, 4)", r"data\(\) returned 4 parts"),
        ("x = np.zeros((4, 2))\ndata = lambda: ((x, x[:, :1]), x)", "the validation part is a nda"),
        ("x = np.zeros((4, 2))\ndata = lambda: ((x, x), (x, x[:3]))", r"validation.*\[3, 4\]"),
        ("x = np.zeros((0, 2))\ndata = lambda: ((x, x), (x, x))", r"train part .*\[0\]"),
        ("import math\nold = data\ndef data():\n"
         "    parts = old()\n    parts[0][0][0] = math.nan\n    return parts",
         "loss on the first training batch is nan before any training"),
        ("x = np.zeros((4, 3))\ndata = lambda: ((x, x[:, :1]), (x, x))", "cannot be evaluated on"),
    ],
)  # fmt: skip
def test_a_problem_that_cannot_be_trained(more, said, tmp_path):
    path = write(tmp_path, more)
    config = comparison.settings(path, ["SGD"])
    with pytest.raises(problem.ProblemError, match=said):
        compare_check.check(path, {**vars(config)})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no/such.py"], "no/such.py is no file"),
        ([EXAMPLE, "--methods", "Adagard"], "Did you mean 'Adagrad'"),
        ([EXAMPLE, "--methods", "Adam,adam"], "Adam twice"),
        ([EXAMPLE, "--methods", ","], "Unknown method ''"),
        ([EXAMPLE, "--objective", "beauty"], "max:beauty or min:beauty"),
        ([EXAMPLE, "--objective", "most:loss"], "NAME, max:NAME or min:NAME"),
        ([EXAMPLE, "--trials", "0"], "trials"),
    ],
    ids=str,
)
def test_wrong_usage_says_what_is_allowed(words, said, monkeypatch, capsys):
    assert tfadaopt(monkeypatch, "compare", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_methods_of_keras_and_of_the_model_itself(tmp_path):
    make, default = contenders.maker("keras.Adam")
    assert type(make(0.5)) is keras.optimizers.Adam
    assert default == 0.001
    with pytest.raises(ConfigError, match=r"Did you mean 'keras.Adam'"):
        contenders.maker("keras.Adm")
    own = keras.optimizers.SGD(0.05, momentum=0.8, clipnorm=2.0)
    make, default = contenders.maker("compiled", keras.optimizers.LossScaleOptimizer(own))
    made = make(0.25)
    assert (made.momentum, made.clipnorm, float(made.learning_rate)) == (0.8, 2.0, 0.25)
    assert default == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("name", "up"), [("loss", False), ("val_accuracy", True), ("auc", True), ("max:x", True)]
)
def test_which_way_is_better(name, up, tmp_path):
    assert comparison.settings(write(tmp_path), ["SGD"], name).larger_is_better == up


# The search of a rate: the same budget for all


def search(f, default: float, trials: int) -> dict[float, float]:
    scores: dict[float, float] = {}
    while len(scores) < trials:
        rate = rate_search.next_rate(scores, default)
        assert rate not in scores
        scores[rate] = f(rate)
    return scores


@pytest.mark.parametrize("optimum", [1e-5, 3e-4, 0.004, 0.01, 0.9, 200.0])
def test_the_grid_goes_on_until_the_best_is_inside_and_is_fine_there(optimum):
    scores = search(lambda rate: abs(math.log10(rate / optimum)), 0.01, 12)
    best = rate_search.best_rate(scores)
    assert min(scores) < best < max(scores)
    assert abs(math.log10(best / optimum)) < 0.26


def test_what_fails_at_large_rates_sends_the_search_to_smaller_ones():
    scores = search(lambda rate: math.inf if rate > 1e-6 else 1.0, 0.1, 9)
    assert rate_search.best_rate(scores) <= 1e-6
    assert rate_search.best_rate({0.1: math.inf}) is None


# From results to advice


def finished_comparison(folder: Path, loss, methods="SGD,Adagrad", **more) -> tuple:
    """A finished comparison whose losses are ``loss(method, rate, seed)``."""
    config = comparison.settings(write(folder), methods.split(","), **{"seeds": 5, **more})
    store = Store(folder / "out")
    store.open("compare", config, "tfadaopt compare mine.py")
    rates = dict.fromkeys(config.methods, 0.01)
    about = {"model": "line", "parameters": 3, "loss": "mse", "metrics": [], "optimizer": "SGD"}
    about |= {
        "steps_per_epoch": 2,
        "variables": ["line/dense/kernel", "line/dense/bias"],
        "first": {"loss": 1.0},
        "has_test": True,
    }
    store.put(comparison.check_cell(config), {**about, "default_rates": rates})

    def put(cell):
        value = loss(cell["method"], cell["learning_rate"], cell["seed"])
        if value is None:
            store.put_failure(cell, {"error": "<boom>"})
            return
        diverged = None if math.isfinite(value) else "training loss nan in step 3"
        epochs = [
            {"epoch": i, "step": 2 * i, "seconds": 0.1, "loss": value / i, "val_loss": value / i}
            for i in (1, 2, 3)
        ]
        # What diverged does not count, however good its last numbers look.
        last = {"loss": 0.0 if diverged else value}
        parts = {"validation": last, "test": last}
        rates = {"0": {"steps": [2, 4], "values": [1.0, 0.5]}}
        store.put(cell, {"epochs": epochs, "diverged": diverged, "rates": rates, **parts})

    while cells := trials.read(config, store).next_trials():
        for cell in cells:
            put(cell)
    for run in trials.read(config, store).finals():
        put(run.cell)
    return config, store


def valley(method, rate, seed):
    """Both have a valley at 0.1; Adagrad's is 1 higher, but for noise of the seed."""
    return (method == "Adagrad") + math.log10(rate / 0.1) ** 2 + 1 + 0.1 * (seed % 7)


def test_each_method_gets_the_same_budget_and_seeds_of_its_own(tmp_path):
    config, store = finished_comparison(tmp_path, valley, trials=6)
    found = trials.read(config, store)
    assert [len(method.trials) for method in found.methods] == [6, 6]
    assert all(len(trial.runs) == 3 for method in found.methods for trial in method.trials)
    tuning = {run.cell["seed"] for run in found.tried()}
    finals = {run.cell["seed"] for run in found.finals()}
    assert finals == {0, 1, 2, 3, 4}
    assert not tuning & finals


def test_a_search_that_has_run_out_of_rates_ends(tmp_path):
    """Between neighbours of three digits there is no other rate."""
    few = {"trials": 60, "tuning_seeds": 1, "seeds": 1}
    best = 0.0123
    config, store = finished_comparison(
        tmp_path, lambda _, rate, seed: 1 + abs(math.log(rate / best)), "SGD", **few
    )
    found = trials.read(config, store)
    (method,) = found.methods
    assert method.complete
    assert len(method.scores) == len(method.trials) < 60
    assert found.next_trials() == []
    assert compare_report.missing(config, compare_results.contenders(found)) == []


def test_a_clear_winner_is_named_and_paired_by_seed(tmp_path):
    config, store = finished_comparison(tmp_path, valley)
    ranked = compare_results.ranking(compare_results.contenders(trials.read(config, store)))
    assert [c.method for c in ranked] == ["SGD", "Adagrad"]
    assert [c.chosen for c in ranked] == [0.1, 0.1]
    (difference,) = compare_results.differences(ranked)
    # Seed by seed the gap is 1 exactly, although the seeds themselves spread by 0.4.
    assert (difference.gap.low, difference.gap.high) == pytest.approx((1, 1))
    sure = compare_results.sureness(ranked)
    assert sure == {"SGD": 1.0, "Adagrad": 0.0}
    first, *_ = compare_report.advice(config, ranked, [difference], sure)
    assert first.startswith("Choose SGD with η = 0.1")


def test_what_cannot_be_told_apart_is_said_so(tmp_path):
    def same(method, rate, seed):
        noise = np.random.default_rng([seed, method == "SGD"]).random()
        return valley("SGD", rate, 0) + noise

    config, store = finished_comparison(tmp_path, same)
    ranked = compare_results.ranking(compare_results.contenders(trials.read(config, store)))
    apart, sure = compare_results.differences(ranked), compare_results.sureness(ranked)
    assert not apart[0].clear
    assert sum(sure.values()) == pytest.approx(1)
    assert "cannot be told apart" in compare_report.advice(config, ranked, apart, sure)[0]


def test_runs_that_fail_count_as_infinitely_bad_and_are_told(tmp_path):
    def fails(method, rate, seed):
        if method == "Adagrad" and seed in (1, 2, 3):
            return None if seed == 1 else math.nan
        if rate > 0.2:
            return math.nan
        return valley("SGD", rate, 0) - (method == "Adagrad") / 2

    config, store = finished_comparison(tmp_path, fails)
    found = compare_results.contenders(trials.read(config, store))
    ranked = compare_results.ranking(found)
    # Better where it works, but it fails in three of five.
    assert [c.method for c in ranked] == ["SGD", "Adagrad"]
    assert (ranked[1].failed, ranked[1].middle.value) == (3, math.inf)
    assert all(c.failed_trials == 3 * sum(r > 0.2 for r in c.rates) > 0 for c in found)
    told = compare_results.failures(trials.read(config, store))
    assert sum(f["phase"] == "reported run" for f in told) == 3
    path = compare_report.write_compare_report(store.folder)
    page = path.read_text(encoding="utf-8")
    assert "diverged: training loss nan in step 3" in page
    assert "broke off: &lt;boom&gt;" in page
    assert "Adagrad failed in 3 of 5 reported runs" in page
    table = pd.read_csv(store.folder / "results.csv")
    assert table[table.diverged].method.value_counts().to_dict().keys() == {"SGD", "Adagrad"}


def test_no_method_that_works_is_no_advice_and_still_a_report(tmp_path):
    config, store = finished_comparison(tmp_path, lambda *_: math.nan)
    assert list(trials.read(config, store).finals()) == []
    page = compare_report.write_compare_report(store.folder).read_text(encoding="utf-8")
    assert "Nothing can be recommended" in page


def test_accuracy_is_better_when_larger(tmp_path):
    config = comparison.settings(write(tmp_path), ["SGD"])
    assert config.score({"loss": math.nan}) == math.inf
    up = comparison.settings(write(tmp_path), ["SGD"], "accuracy")
    assert up.score({"accuracy": 0.9}) < up.score({"accuracy": 0.8})
    assert up.score({"accuracy": math.nan}) == math.inf


# One run


@pytest.mark.slow
def test_a_run_depends_on_its_seed_and_rate_alone(tmp_path):
    dataset = """
import tensorflow as tf
def data():
    parts = arrays()
    sets = [tf.data.Dataset.from_tensor_slices(part) for part in parts]
    return sets[0].shuffle(64).batch(8), sets[1].batch(8), sets[2].batch(8)
"""
    for more in ("", "arrays = data\n" + dataset):
        config = comparison.settings(write(tmp_path, more), ["Adam"], batch_size=8)
        settings = {**vars(config)}
        once = compare_trial.Runner("Adam", settings)
        first = once.run(0.01, 3, None)
        once.run(1.0, 4, None)
        again, other = once.run(0.01, 3, None), compare_trial.Runner("Adam", settings)
        fresh = other.run(0.01, 3, tmp_path / "logs")
        losses = [[e["loss"] for e in r["epochs"]] for r in (first, again, fresh)]
        assert losses[0] == losses[1] == losses[2]
        assert first["validation"] == fresh["validation"]
        assert first["test"] is None
        assert set(fresh["test"]) == {"loss", "mae"}
        assert [*fresh["rates"]] == ["0"]  # the kernel: a bias is no layer of its own


@pytest.mark.slow
def test_steps_end_a_run_and_a_nan_ends_it_at_once(tmp_path):
    config = comparison.settings(write(tmp_path), ["SGD"], batch_size=8, steps=11)
    runner = compare_trial.Runner("SGD", {**vars(config)})
    result = runner.run(0.01, 0, None)
    assert [e["step"] for e in result["epochs"]] == [8, 11]
    assert result["diverged"] is None
    result = runner.run(1e20, 0, None)
    assert "in step" in result["diverged"]
    assert result["epochs"][-1]["step"] < 11


@pytest.mark.slow
def test_averaging_methods_are_judged_by_their_average(tmp_path):
    config = comparison.settings(write(tmp_path), ["ScheduleFreeSGD"], batch_size=8)
    runner = compare_trial.Runner("ScheduleFreeSGD", {**vars(config)})
    result = runner.run(0.05, 0, tmp_path / "logs")
    assert result["validation"]["loss"] == pytest.approx(result["epochs"][-1]["val_loss"], rel=1e-6)
    trained = runner._model.evaluate(
        *parts_of_data.made_data(runner._problem, EXAMPLE)["validation"]
    )[0]
    assert trained != pytest.approx(result["validation"]["loss"], rel=1e-3)


@pytest.mark.slow
def test_loss_scaling_and_unbuilt_models_are_kept(tmp_path):
    more = """
def model():
    net = keras.Sequential([keras.layers.Dense(1, dtype="mixed_float16")])
    net.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), loss="mse")
    return net
"""
    config = comparison.settings(write(tmp_path, more), ["Adagrad"], batch_size=8)
    runner = compare_trial.Runner("Adagrad", {**vars(config)})
    assert isinstance(runner._model.optimizer, keras.optimizers.LossScaleOptimizer)
    result = runner.run(0.5, 0, None)
    assert result["epochs"][-1]["loss"] < result["epochs"][0]["loss"]
    assert result["diverged"] is None


# The whole


SMALL = ["--trials", 3, "--tuning-seeds", 1, "--seeds", 3, "--epochs", 1, "--jobs", 1]


@pytest.mark.slow
def test_the_example_gives_a_report_on_its_problem(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["compare", EXAMPLE, "--methods", "Adagrad,keras.Adam", "--objective", "accuracy"]
    assert tfadaopt(monkeypatch, *words, "--out", out, *SMALL) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 × (3 rates × 1 + 3) = 12 runs of 1 epoch" in said
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "keras.Adam" in page
    assert "test accuracy" in page
    assert (out / "figures" / "sensitivity.svg").exists()
    assert (out / "figures" / "rates_Adagrad.png").exists()
    table = pd.read_csv(out / "results.csv")
    assert len(table[(table.phase == "final") & (table.part == "test")]) == 2 * 3 * 2
    before = {path: path.stat().st_mtime_ns for path in out.glob("cells/*")}
    assert tfadaopt(monkeypatch, *words, "--out", out, *SMALL) == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("cells/*")} == before
    # Interrupted: what is lost is computed again, to the same numbers, and nothing else.
    lost = sorted(before)[::3]
    old = {path: json.loads(path.read_text())["result"] for path in lost}
    for path in lost:
        path.unlink()
    assert tfadaopt(monkeypatch, *words, "--out", out, *SMALL) == 0
    for path, result in old.items():
        again = json.loads(path.read_text())["result"]
        for key in ("validation", "test", "default_rates"):
            assert again.get(key) == result.get(key)
    assert tfadaopt(monkeypatch, "report", out) == 0


@pytest.mark.slow
def test_a_trial_that_raises_leaves_the_rest_running(tmp_path, monkeypatch, capsys):
    more = """
class Picky(keras.Sequential):
    def train_step(self, *args):
        if type(self.optimizer).__name__ == "Adagrad":
            raise ValueError("no Adagrad here")
        return super().train_step(*args)

def model():
    net = Picky([keras.layers.Input([2]), keras.layers.Dense(1)])
    net.compile(loss="mse")
    return net
"""
    path, out = write(tmp_path, more), tmp_path / "out"
    words = ["compare", path, "--methods", "SGD,Adagrad", "--out", out, *SMALL]
    assert tfadaopt(monkeypatch, *words) == 1
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "broke off: ValueError: no Adagrad here" in page
    table = pd.read_csv(out / "results.csv")
    assert set(table.method) == {"SGD"}
    assert len(table[(table.phase == "final") & (table.part == "test")]) == 3
    capsys.readouterr()
    assert tfadaopt(monkeypatch, *words, "--batch-size", 16) == 2
    assert "batch_size: 32 there, 16 asked for" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_a_mistake_in_the_file_leaves_no_folder_behind(tmp_path, monkeypatch, capsys):
    path, out = write(tmp_path, "del data"), tmp_path / "out"
    assert tfadaopt(monkeypatch, "compare", path, "--methods", "SGD", "--out", out, *SMALL) == 2
    assert "has no function data()" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_an_endless_data_set_needs_a_budget_in_steps(tmp_path):
    more = """
import tensorflow as tf
arrays = data
def data():
    train, validation, _ = arrays()
    return tf.data.Dataset.from_tensor_slices(train).batch(8).repeat(), validation
"""
    path = write(tmp_path, more)
    config = comparison.settings(path, ["SGD"])
    with pytest.raises(problem.ProblemError, match="--steps"):
        compare_check.check(path, {**vars(config)})
    endless = tf.data.Dataset.range(3).repeat()
    with pytest.raises(problem.ProblemError, match=r"validation data set never ends.*\.take"):
        parts_of_data.check_part(path, "validation", endless)
