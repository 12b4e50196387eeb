"""What ``tfadaopt compare`` says: budgets, tests, costs, and sentences that follow from results."""

import gc
import math

import pandas as pd
import pytest

from tests.support.comparisons import finished_comparison, page_of, reading, said_of, valley, write
from tfadaopt.experiments.compare import advice, comparison, costs, figures, significance
from tfadaopt.experiments.compare import report as compare_report
from tfadaopt.experiments.compare import results as compare_results
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.store import Store


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    """Pages without pictures: drawing them takes most of the time."""
    monkeypatch.setattr(compare_report, "figures", lambda *_: [])


# Budgets


def test_each_method_gets_the_same_budget_and_seeds_of_its_own(tmp_path):
    found, _, _ = reading(*finished_comparison(tmp_path, valley, trials=6))
    assert [len(arm.chosen.trials) for arm in found.arms] == [6, 6]
    assert all(len(trial.runs) == 3 for arm in found.arms for trial in arm.chosen.trials)
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
    found, contenders, _ = reading(config, store)
    (search,) = found.arms[0].searches
    assert search.complete
    assert len(search.scores) == len(search.trials) < 60
    assert found.next_trials() == []
    assert advice.missing(found, contenders) == []


def test_weight_decay_is_a_second_axis_and_a_schedule_an_arm(tmp_path):
    def loss(name, rate, seed, decay):
        apart = {"SGD": (0.1, 0.0), "SGD cosine": (1.0, 0.1)}[name]
        off = math.log10(rate / apart[0]) ** 2 + abs(decay - apart[1])
        return 1 + (name == "SGD") + off + 0.01 * (seed % 7)

    more = {"schedules": ["constant", "cosine"], "weight_decays": ["0", "0.01", "0.1"]}
    config, store = finished_comparison(tmp_path, loss, "SGD", seeds=6, **more)
    found, contenders, ranked = reading(config, store)
    assert [(c.label, c.chosen, c.decay) for c in contenders] == [
        ("SGD", 0.1, 0.0),
        ("SGD cosine", 1.0, 0.1),
    ]
    assert [len(arm.searches) for arm in found.arms] == [3, 3]
    assert {c.tuning_runs for c in contenders} == {3 * 5 * 3}
    assert contenders[1].by_decay == pytest.approx({0.0: 1.13, 0.01: 1.12, 0.1: 1.03}, abs=0.03)
    assert ranked[0].label == "SGD cosine"
    said = said_of(config, store)
    assert said.startswith("Choose SGD cosine with η up to 1 and λ = 0.1. It is better than SGD")
    assert "weight decay of SGD cosine, 0.1, is the largest that was tried" in said
    assert "weight decay of SGD, " not in said
    page = page_of(store)
    assert "rises for 5 % of the steps" in page
    table = pd.read_csv(store.folder / "results.csv")
    assert set(table.schedule) == {"constant", "cosine"}
    assert set(table.weight_decay) == {0.0, 0.01, 0.1}


# Failures


def test_runs_that_fail_count_as_infinitely_bad_and_are_told(tmp_path):
    def fails(method, rate, seed):
        if method == "Adagrad" and seed in (1, 2, 3):
            return None if seed == 1 else math.nan
        if rate > 0.2:
            return math.nan
        return valley("SGD", rate, 0) - (method == "Adagrad") / 2

    config, store = finished_comparison(tmp_path, fails)
    read, found, ranked = reading(config, store)
    # Better where it works, but it fails in three of five.
    assert [c.label for c in ranked] == ["SGD", "Adagrad"]
    assert (ranked[1].failed, ranked[1].middle.value) == (3, math.inf)
    assert all(c.failed_trials == 3 * sum(r > 0.2 for r in c.rates) > 0 for c in found)
    told = compare_results.failures(read)
    assert sum(f["phase"] == "reported run" for f in told) == 3
    page = page_of(store)
    assert "diverged: training loss nan in step 3" in page
    assert "broke off: &lt;boom&gt;" in page
    assert "Adagrad failed in 3 of 5 reported runs" in page
    table = pd.read_csv(store.folder / "results.csv")
    assert table[table.diverged].method.value_counts().to_dict().keys() == {"SGD", "Adagrad"}


def test_no_method_that_works_is_no_advice_and_still_a_report(tmp_path):
    config, store = finished_comparison(tmp_path, lambda *_: math.nan)
    assert list(reading(config, store)[0].finals()) == []
    assert "Nothing can be recommended" in page_of(store)


@pytest.mark.parametrize("seeds", [2, 3])
def test_a_method_whose_reported_runs_all_fail_is_nobodys_choice(seeds, tmp_path):
    def loss(name, rate, seed):
        return math.nan if seed < seeds else valley("SGD", rate, 0)

    config, store = finished_comparison(tmp_path, loss, "SGD", seeds=seeds)
    _, _, (alone,) = reading(config, store)
    assert (alone.failed, alone.middle.value) == (seeds, math.inf)
    assert "Nothing can be recommended" in said_of(config, store)


def test_a_difference_has_no_interval_where_the_better_method_failed(tmp_path):
    def loss(name, rate, seed):
        return math.nan if name == "SGD" and seed == 1 else valley(name, rate, 0)

    _, _, ranked = reading(*finished_comparison(tmp_path, loss))
    (pair,) = significance.pairs(ranked)
    assert pair.better == "SGD"
    assert pair.gap.value == pytest.approx(1)
    assert math.isnan(pair.gap.low)


def test_figures_are_of_what_there_is(tmp_path):
    """All of no finished rate, curves of runs that ended before a validation, a run that broke."""
    for folder in ("none", "some"):
        (tmp_path / folder).mkdir()
    of_none = reading(*finished_comparison(tmp_path / "none", lambda *_: math.nan, "SGD"))
    assert dict(figures.figures(*of_none[:2])) == {}
    config, store = finished_comparison(
        tmp_path / "some", lambda _, rate, seed: None if seed == 0 else valley("SGD", rate, seed)
    )
    for run in reading(config, store)[0].finals():
        if run.result is not None:
            epochs = [{n: v for n, v in e.items() if n != "val_loss"} for e in run.result["epochs"]]
            store.put(run.cell, run.result | {"epochs": epochs})
    read, found, _ = reading(config, store)
    made = dict(figures.figures(read, found))
    assert list(made) == ["sensitivity", "loss", "rates_SGD", "rates_Adagrad"]
    assert list(made["rates_SGD"].series[0].y) == [1.0, 0.5]


def test_a_folder_without_a_result_is_refused_with_what_to_do(tmp_path):
    config = comparison.settings(write(tmp_path), ["SGD"])
    with pytest.raises(FileNotFoundError, match="holds no comparison"):
        compare_report.write_compare_report(tmp_path)
    Store(tmp_path / "out").open("compare", config, "").close()
    with pytest.raises(FileNotFoundError, match="nothing is finished yet"):
        compare_report.write_compare_report(tmp_path / "out")


def test_who_collects_no_cycles_goes_on_without(tmp_path):
    _, store = finished_comparison(tmp_path, valley, "SGD", trials=1, seeds=1)
    gc.disable()
    try:
        page_of(store)
        assert not gc.isenabled()
    finally:
        gc.enable()
    page_of(store)
    assert gc.isenabled()


def test_what_is_not_finished_is_counted(tmp_path):
    config, store = finished_comparison(tmp_path, valley)
    of_one = [run for run in reading(config, store)[0].finals() if run.cell["method"] == "SGD"]
    store.file_of(of_one[0].cell).unlink()
    read, found, _ = reading(config, store)
    assert advice.missing(read, found) == ["SGD: 4 of 5 reported runs"]


def test_of_two_tuning_seeds_the_mean_counts(tmp_path):
    def loss(name, rate, seed):
        return 1.0 + seed % 2

    read, _, _ = reading(*finished_comparison(tmp_path, loss, "SGD", tuning_seeds=2, trials=1))
    assert [trial.score for trial in read.arms[0].chosen.trials] == [1.5]


def test_accuracy_is_better_when_larger(tmp_path):
    config = comparison.settings(write(tmp_path), ["SGD"])
    assert config.score({"loss": math.nan}) == math.inf
    up = comparison.settings(write(tmp_path), ["SGD"], "accuracy")
    assert up.score({"accuracy": 0.9}) < up.score({"accuracy": 0.8})
    assert up.score({"accuracy": math.nan}) == math.inf


# On the way


def test_epochs_and_time_to_the_target_and_the_cost_of_tuning(tmp_path):
    """All come down from 3 to 1 times their loss: SGD from 3.9, Adagrad from 6."""
    config, store = finished_comparison(tmp_path, lambda m, r, s: valley(m, r, 0), "SGD,Adagrad")
    read, found, _ = reading(config, store)
    assert costs.target(read) == 2.0  # what both reach
    sgd, adagrad = costs.ways(read, found, 2.0)
    assert (sgd.epochs, sgd.steps, sgd.reached, sgd.runs) == (2, 4, 5, 5)
    assert (adagrad.epochs, adagrad.steps) == (3, 6)
    assert sgd.pace == pytest.approx(50)
    assert sgd.seconds == pytest.approx(0.2)
    assert sgd.tuning == costs.Spent(15, 45, 90, pytest.approx(4.5))
    assert sgd.with_tuning == pytest.approx(4.7)
    page = page_of(store)
    assert "SGD reaches it first: after 2 epochs, 4 steps." in page
    assert "took 30 runs and 9.0 s of training, 3 times as much as the reported runs" in page


def test_a_target_of_ones_own_and_one_that_nobody_reaches(tmp_path):
    config, store = finished_comparison(tmp_path, valley, target=0.5, seeds=3)
    read, found, _ = reading(config, store)
    assert {way.epochs for way in costs.ways(read, found, costs.target(read))} == {math.inf}
    page = page_of(store)
    assert "a validation loss of 0.5 or less, as asked for with --target" in page
    assert "No method reaches it in half of its runs." in page
    assert "reaches it first" not in page


def test_a_run_that_diverged_has_reached_nothing(tmp_path):
    def loss(name, rate, seed):
        return math.nan if name == "Adagrad" and seed < 3 else valley("SGD", rate, 0)

    read, found, _ = reading(*finished_comparison(tmp_path, loss, target=1e9))
    assert [way.reached for way in costs.ways(read, found, 1e9)] == [5, 2]


# Where a search ends


def test_optuna_proposes_the_rates_after_the_default(tmp_path):
    pytest.importorskip("optuna", reason="the extra optuna is not installed")
    more = {"trials": 6, "seeds": 1, "tuner": comparison.tuner("optuna")}
    read, _, _ = reading(*finished_comparison(tmp_path, valley, "SGD", **more))
    rates = [trial.rate for trial in read.arms[0].chosen.trials]
    assert rates[0] == 0.01
    assert len(set(rates)) == 6
    assert 0.1 not in rates  # as the grid would have it


@pytest.mark.parametrize(
    ("best", "trials", "said"),
    [
        (0.02, 5, None),
        (3.0, 8, "began at its default, η = 0.01, left its first 3 rates, a decade to either side"),
        (1e-5, 7, "and found the best at 1e-05, 1/1e+03 of that"),
        (1e6, 4, "ended at the edge of what 4 trials could reach, 1: a larger rate may be better"),
        (1e-6, 3, "ended at the edge of what 3 trials could reach, 0.001: a smaller rate"),
        (0.01, 1, "began at its default, η = 0.01, and tried no other rate"),
    ],
)
def test_a_search_says_where_it_went(best, trials, said, tmp_path):
    def loss(name, rate, seed):
        return 1 + math.log10(rate / best) ** 2

    config, store = finished_comparison(tmp_path, loss, "SGD", trials=trials, seeds=1)
    found = said_of(config, store)
    assert ("The search for SGD" in found) == (said is not None)
    assert (said or "") in found


# Folders of before


def test_the_models_own_optimizer_is_named_with_its_schedule(tmp_path):
    _, store = finished_comparison(tmp_path, valley, "compiled", trials=3, seeds=1)
    page = page_of(store)
    assert "its schedule CosineDecay is scaled as a whole, and η is its highest value" in page
    assert "compiled with η up to 0.1 ran alone" in page
    assert "The search for compiled began as it is compiled, η = 0.01" in page
    assert set(pd.read_csv(store.folder / "results.csv").schedule) == {"CosineDecay"}


def of_before(store: Store) -> None:
    """Make a folder what version 0.1 would have left: no new settings, no word of schedules."""
    store.close()
    run = files.unsealed((store.folder / "run.json").read_bytes())
    for name in ("schedules", "weight_decays", "target"):
        assert run["settings"].pop(name) is None
    (store.folder / "run.json").write_text(files.sealed(run))
    for path in store.folder.glob("cells/*.json"):
        record = files.unsealed(path.read_bytes())
        record["result"].pop("compiled", None)
        if record["cell"].pop("schedule", None):
            path.unlink()  # it had another name
        else:
            path.write_text(files.sealed(record))


def test_results_of_before_are_read_and_gone_on_with(tmp_path):
    config, store = finished_comparison(tmp_path, valley, seeds=6)
    of_before(store)
    assert "Choose SGD with η = 0.1" in page_of(store)
    again = Store(store.folder).open("compare", config, "tfadaopt compare mine.py")
    assert reading(config, again)[0].next_trials() == []
    again.close()


def test_more_seeds_and_trials_go_on_in_the_same_folder(tmp_path):
    config, store = finished_comparison(tmp_path, valley, trials=4, seeds=3)
    store.close()
    before = sorted(store.folder.glob("cells/*"))
    more, store = finished_comparison(tmp_path, valley, trials=6, seeds=6)
    store.close()
    assert set(before) < set(store.folder.glob("cells/*"))
    assert (store.describe()["settings"]["seeds"], more.trials) == (6, 6)
    assert said_of(more, store).startswith("Choose SGD with η = 0.1")
    with pytest.raises(ConfigError, match="seeds: 6 there, 3 asked for"):
        store.open("compare", config, "", growing=("seeds", "trials"))


def test_runs_of_before_without_their_schedule_are_left_out_with_a_sentence(tmp_path):
    _, store = finished_comparison(tmp_path, valley, "SGD,compiled", seeds=3)
    assert "trained <em>compiled</em> without its schedule" not in page_of(store)
    of_before(store)
    page = page_of(store)
    assert "trained <em>compiled</em> without its schedule" in page
    assert "compiled: 0 of 5 rates tried" in page
    assert "SGD with η = 0.1" in page
