"""Experiments from Python: sweeps of one's own function, tuning, and results as tables."""

import contextlib
import functools
import sys
import types
import unittest.mock
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.test_store import CELL, RESULT, opened
from tfadaopt import experiments
from tfadaopt.experiments.cli import commands, rebuild
from tfadaopt.experiments.compare import run as compare_run
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.lecture import run as lecture
from tfadaopt.experiments.runs import executor, stages
from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.sweeps import code, proposals, sweep, tables
from tfadaopt.experiments.sweeps.proposals import imported, proposed_rates

PROBLEM = Path(__file__).parents[1] / "examples" / "compare_digits.py"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Workers that do without TensorFlow."""
    without = functools.partial(executor.LocalExecutor, prepare=int)
    monkeypatch.setattr(stages, "LocalExecutor", without)


def test_a_sweep_gives_a_table_and_goes_on(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def parabola(rate, steps, folder=str(marks)):
        from pathlib import Path

        (Path(folder) / f"{rate}-{steps}").open("x").close()
        if rate == 0.5:
            raise ArithmeticError("no number")
        return {"loss": (1 - 2 * rate) ** steps, "curve": [{"step": 1}], "sizes": [3, 4]}

    grid = {"rate": [0.1, 0.5], "steps": range(1, 3)}
    for _ in range(2):
        # A point that is computed again would find its mark.
        table = experiments.sweep(parabola, grid, tmp_path / "out", show=False, jobs=1)
        for failed in marks.glob("0.5-*"):
            failed.unlink()
        assert table["rate"].tolist() == [0.1, 0.1, 0.5, 0.5]
        assert table["loss"].tolist()[:2] == pytest.approx([0.8, 0.64])
        assert table["loss"].isna().tolist() == [False, False, True, True]
        assert table["error"].tolist()[2] == "ArithmeticError: no number"
    rebuild.rebuild(tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == 2
    found = experiments.results(tmp_path / "out")
    assert sorted(found["cell.settings.steps"]) == [1, 2]
    assert "result.curve" not in found
    assert len(experiments.results(tmp_path / "out", curves=True)) == 2
    with pytest.raises(ConfigError, match="with other settings"):
        experiments.sweep(lambda rate: rate, {"rate": 1}, tmp_path / "out", show=False)


def test_numbers_and_arrays_of_others_are_kept_and_what_no_file_holds_is_said(tmp_path):
    def arrays(rate):
        import numpy as np
        import tensorflow as tf

        assert type(rate) is float
        if rate > 1:
            return {"what": {1, 2}}
        return {"mean": np.float32(rate), "loss": tf.constant(rate), "curve": np.ones(2)}

    rates = {"rate": np.array([0.5, 2.0])}
    table = experiments.sweep(arrays, rates, tmp_path / "out", show=False, jobs=1)
    assert table["mean"].tolist()[0] == table["loss"].tolist()[0] == 0.5
    assert table["curve"].tolist()[0] == [1.0, 1.0]
    assert "no file can hold (a set)" in table["error"].tolist()[1]


def test_what_a_sweep_cannot_keep_is_refused_before_it_begins(tmp_path):
    with pytest.raises(ConfigError, match="'rate' has no values"):
        experiments.sweep(abs, {"rate": []}, tmp_path / "out")
    with pytest.raises(ConfigError, match="'rate' has a value of set"):
        experiments.sweep(abs, {"rate": [{1}]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


FACTOR = 2


def helper(x):
    return x + 1


def twice(x):
    return helper(helper(x))


def test_the_digest_of_a_function_is_of_what_it_does(monkeypatch):
    def calls(x):
        return helper(x) * twice(x) * FACTOR

    before = code.digest(calls)
    assert code.digest(calls) == before
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert code.digest(calls) != before
    monkeypatch.setitem(globals(), "FACTOR", 2)
    assert code.digest(calls) == before
    monkeypatch.setitem(globals(), "helper", eval("lambda x: x + 2", {"__name__": __name__}))
    assert code.digest(calls) != before


def test_all_cells_as_csv_and_parquet(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    with pytest.raises(ConfigError, match="holds no results"):
        tables.results(tmp_path)
    store = opened(tmp_path / "out")
    store.put(CELL, RESULT | {"validation": {"loss": 0.5}})
    store.put(CELL | {"seed": 3}, RESULT)
    store.file_of(CELL | {"seed": 4}).write_text("{")
    store.close()
    assert tables.export(store.folder, tmp_path / "all.csv") == 2
    monkeypatch.setattr(
        sys, "argv", ["", "export", str(store.folder), "--to", str(tmp_path / "a.csv")]
    )
    assert commands.run() == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "all.csv").read_bytes()
    table = pd.read_csv(tmp_path / "all.csv")
    assert set(table["result.validation.loss"].dropna()) == {0.5}
    assert {"cell.method", "version.keras", "file", "sha256", "result.diverged"} <= set(table)
    with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
        tables.export(store.folder, tmp_path / "all.xlsx")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ConfigError, match=r"tfadaopt\[parquet\]"):
            tables.export(store.folder, tmp_path / "all.parquet")
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    tables.export(store.folder, tmp_path / "all.parquet", curves=True)
    curves = pd.read_parquet(tmp_path / "all.parquet")
    assert curves["result.loss"].tolist()[0] == 0.25
    assert len(curves) == 4


@pytest.mark.slow
def test_optuna_tunes_within_a_budget_in_processes_of_their_own(tmp_path):
    pytest.importorskip("optuna", reason="the extra optuna is not installed")

    def loss(rate, method):
        import math
        import os

        return {"loss": abs(math.log10(rate) + 2) + (method == "b"), "process": os.getpid()}

    def no_number(rate, method):
        return {"loss": float("nan")}

    space = {"rate": (1e-5, 1.0, "log"), "method": ["a", "b"]}
    how = {"trials": 6, "at_once": 2, "show": False, "jobs": 1}
    table = experiments.tune(loss, space, tmp_path / "out", **how)
    assert len(table) == table["process"].nunique() == 6
    assert table["rate"].between(1e-5, 1).all()
    # The same proposals, all of them finished.
    again = experiments.tune(loss, space, tmp_path / "out", **how)
    pd.testing.assert_frame_equal(table, again)
    with pytest.raises(ConfigError, match="'accuracy': the function returned loss, process;"):
        experiments.tune(loss, space, tmp_path / "out", objective="accuracy", **how)
    with pytest.raises(ConfigError, match="trials=0, at_once=2: both are at least 1"):
        experiments.tune(loss, space, tmp_path / "other", **how | {"trials": 0})
    failed = experiments.tune(no_number, space, tmp_path / "failed", **how | {"trials": 1})
    assert failed["loss"].isna().tolist() == [True]
    with pytest.raises(ConfigError, match=r"'rate': .*low"):
        experiments.tune(loss, {"rate": (2.0, 1.0)}, tmp_path / "other", show=False)
    with pytest.raises(ConfigError, match="'rate' is 3"):
        experiments.tune(loss, {"rate": 3}, tmp_path / "other", show=False)


def test_without_optuna_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"tfadaopt\[optuna\]"):
        imported()


def test_rates_that_optuna_proposes_follow_from_the_results_there_are():
    pytest.importorskip("optuna", reason="the extra optuna is not installed")

    def proposals():
        scores = {}
        for rate in proposed_rates(scores, 0.01, 8, 3):
            scores[rate] = abs(rate - 0.1)
        return list(scores)

    found = proposals()
    assert found[0] == 0.01
    assert len(set(found)) == 8
    assert all(1e-5 <= rate <= 10 for rate in found)
    assert proposals() == found


def test_a_rate_that_optuna_proposes_again_is_not_tried_again(monkeypatch):
    told = []
    proposed = iter([0.01, 0.01, 0.1, 0.1, 0.1, 0.01])
    study = types.SimpleNamespace(
        enqueue_trial=lambda _: None,
        ask=lambda _: types.SimpleNamespace(params={"rate": next(proposed)}),
        tell=lambda trial, score: told.append(score),
    )
    optuna = unittest.mock.MagicMock()
    optuna.create_study.return_value = study
    monkeypatch.setattr(proposals, "imported", lambda: optuna)
    scores = {0.1: 1.0}  # from before
    for rate in proposed_rates(scores, 0.01, 2, 1):
        scores[rate] = 2.0
    assert told == [2.0, 2.0, 1.0]
    proposed = iter([0.01] * 9)
    assert list(proposed_rates({0.01: 1.0}, 0.01, 3, 1)) == []
    assert next(proposed, None) is None  # three for each of the budget, and no more


def test_points_are_each_combination():
    assert len(sweep.points({"a": [1, 2], "b": (3, 4, 5), "c": "text"})) == 6


@pytest.mark.parametrize("module", [lecture, compare_run])
def test_experiments_and_comparisons_run_as_on_the_command_line(module, tmp_path, monkeypatch):
    failures, begun = [], []

    def run(config, folder, command, engine, progress):
        begun.append((config, command, engine))
        progress("a stage", 1, 1)
        with contextlib.closing(opened(folder)) as store:
            store.put(CELL, RESULT)
        return failures

    def call():
        how = {"out": tmp_path / "out", "show": False, "epochs": 3, "seeds": 2, "jobs": 2}
        if module is lecture:
            return experiments.run_experiment("lecture", learning_rates=[0.1, 0.3], **how)
        return experiments.compare_methods(PROBLEM, ["SGD", "Adam"], **how)

    monkeypatch.setattr(module, "run", run)
    assert call()["result.diverged"].tolist() == [False]
    config, command, engine = begun[0]
    assert (config.epochs, config.seeds, engine.jobs) == (3, 2, 2)
    if module is lecture:
        assert config.learning_rates == (0.1, 0.3)
        assert command == "tfadaopt.experiments.run_experiment('lecture')"
    else:
        assert config.methods == ("SGD", "Adam")
        assert command.startswith("tfadaopt.experiments.compare_methods(")
    failures.append((CELL, WorkerError("its process died")))
    with pytest.raises(RuntimeError, match=r"1 parts failed.*its process died"):
        call()
