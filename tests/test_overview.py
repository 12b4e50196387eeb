"""Several comparisons read together: times, profiles, places, and how easily a method is tuned."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.support.comparisons import finished_comparison, tfadaopt
from tfadaopt.experiments.compare import (
    comparison,
    costs,
    overview,
    overview_report,
    profiles,
    trials,
)
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.reports.intervals import Interval

INF = math.inf


def bowl(best, height):
    """Losses of a method that has its best rate and its height, with some noise of the seed."""
    return lambda rate, seed: height + math.log10(rate / best) ** 2 + 0.01 * (seed % 5)


def compared(folder, methods, **more):
    """A finished comparison of methods, each with its losses."""
    folder.mkdir()

    def loss(name, rate, seed):
        return methods[name](rate, seed)

    config, store = finished_comparison(folder, loss, ",".join(methods), **more)
    return config, store


# Numbers


def test_a_score_is_the_area_below_the_profile():
    times = np.random.default_rng(0).lognormal(sigma=1.0, size=(6, 4))
    times[0, 1], times[2] = INF, INF
    found = profiles.ratios(times)
    assert (found[np.isfinite(found)] >= 1).all()
    for method, score in enumerate(profiles.scores(found)):
        x, share = profiles.profile(found[:, method])
        assert (x[0], x[-1]) == (1.0, profiles.MOST)
        assert score == pytest.approx(float(np.sum(np.diff(x) * share[1:])) / (profiles.MOST - 1))
    assert profiles.scores(found).max() <= 5 / 6, "nobody solves the third problem"


def test_places_are_means_over_problems_with_intervals_of_the_seeds():
    ahead = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    mixed = np.array([[1.0, 3.0, 3.5], [2.0, 2.0, 2.0]])
    first, second = profiles.intervals([ahead, mixed], profiles.middle, profiles.ranks)
    assert (first.value, second.value) == (1.5, 1.5)
    # The place on the second problem hangs on its seeds, that on the first does not.
    assert (first.low, first.high) == (1.0, 1.5)
    assert (second.low, second.high) == (1.5, 2.0)
    certain, _ = profiles.intervals([ahead, ahead], profiles.middle, profiles.ranks)
    assert (certain.value, certain.low, certain.high) == (1.0, 1.0, 1.0)


def test_a_failure_is_the_last_place_and_never_there():
    failed = np.array([[1.0, INF, INF], [9.0, 9.0, 9.0]])
    places = profiles.intervals([failed], profiles.middle, profiles.ranks)
    assert [place.value for place in places] == [2.0, 1.0]
    assert profiles.lower_median(failed).tolist() == [INF, 9.0]
    # Of two, the lower: half of the runs are there.
    assert profiles.lower_median(np.array([3.0, INF])) == 3.0


# Trials until one is good


def test_attempts_are_trials_in_their_order_and_at_random(tmp_path):
    methods = {"SGD": bowl(0.01, 1), "Adagrad": bowl(1.0, 1), "Adam": bowl(0.1, 50)}
    config, store = compared(tmp_path / "a", methods, trials=5, tuning_seeds=1, seeds=1, target=1.3)
    read = trials.read(config, store)
    found = {arm.arm.label: costs.attempts(arm, config, 1.3) for arm in read.arms}
    tried = [trial.rate for trial in read.arms[1].chosen.trials]
    # Adagrad's search begins at 0.01 and comes to 1 last of the decades.
    assert tried[:4] == [0.01, 0.1, 0.001, 1.0]
    assert (found["SGD"].first, found["SGD"].tried) == (1, 5)
    assert found["Adagrad"].first == 4
    for one in (found["SGD"], found["Adagrad"]):
        assert one.at_random == pytest.approx(6 / (one.good + 1))
    assert found["Adam"] == costs.Attempts(0, 5, INF, INF)


# Over several problems


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two problems: SGD is ahead on one, Adagrad fails on the other in all its trials."""
    easy = {"SGD": bowl(0.01, 1), "Adagrad": bowl(0.01, 2), "Adam": bowl(0.01, 4)}
    hard = {"SGD": bowl(0.01, 3), "Adagrad": lambda rate, seed: math.nan, "Adam": bowl(0.01, 1)}
    folder, few = tmp_path_factory.mktemp("two"), {"trials": 3, "tuning_seeds": 1, "seeds": 3}
    compared(folder / "easy", easy, target=6.2, **few)
    compared(folder / "hard", hard, target=3.2, **few)
    return [folder / "easy" / "out", folder / "hard" / "out"]


def test_each_problem_is_read_with_its_times_and_failures(two):
    easy, hard = overview.read(two)
    assert overview.common([easy, hard]) == (("SGD", "Adagrad", "Adam"), ())
    # From 3 times down to once its end, over three epochs of two steps, each of 0.1 s.
    assert [easy.entries[m].median_steps for m in ("SGD", "Adagrad", "Adam")] == [2, 2, 6]
    assert easy.entries["SGD"].median_seconds == pytest.approx(0.1)
    failed = hard.entries["Adagrad"]
    assert set(failed.scores) == set(failed.steps) == {INF}
    assert failed.median_seconds == INF
    assert failed.attempts.first == INF
    assert overview.ratios([easy, hard], ["SGD", "Adagrad", "Adam"], False).tolist() == [
        [1, 1, 3],
        [3, INF, 1],
    ]


def test_standings_are_of_all_problems_the_best_place_first(two):
    found = overview.read(two)
    standings = {s.label: s for s in overview.standings(found, ["SGD", "Adagrad", "Adam"])}
    assert next(iter(standings)) == "SGD"
    assert {label: s.rank.value for label, s in standings.items()} == {
        "SGD": 1.5,
        "Adagrad": 2.5,
        "Adam": 2.0,
    }
    assert standings["SGD"].in_steps.value == pytest.approx((3 + 1) / 3 / 2)
    assert standings["Adagrad"].in_steps.value == pytest.approx((3 + 0) / 3 / 2)
    assert standings["Adagrad"].in_seconds.value == pytest.approx(0.5)
    assert [s.solved for s in standings.values()] == [2, 2, 1]
    assert (standings["Adam"].attempts, standings["Adagrad"].attempts) == (1, INF)
    assert standings["SGD"].tuning == pytest.approx(2 * 3 * 3 * 0.1)


def test_the_page_says_who_is_ahead_and_what_that_does_not_mean(two, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(overview_report, "figures", lambda *_: [])
    out = tmp_path / "all"
    assert tfadaopt(monkeypatch, "overview", *two, "--out", out) == 0
    page = " ".join((out / "overview.html").read_text(encoding="utf-8").split())
    assert "Over 2 problems, SGD has the best mean place, 1.5 (1.5 to 1.5) of 3." in page
    assert "say little of others" in page
    assert "was not given beforehand" not in page
    rows = list(csv.DictReader((out / "overview.csv").open(encoding="utf-8")))
    assert len(rows) == 6
    assert rows[4]["method"] == "Adagrad"
    assert (rows[4]["failed"], rows[4]["steps_to_target"]) == ("3", "inf")
    # Again into the same folder, but into none that holds something else.
    assert tfadaopt(monkeypatch, "overview", *two, "--out", out) == 0
    assert tfadaopt(monkeypatch, "overview", *two, "--out", two[0]) == 2
    assert "holds no overview" in " ".join(capsys.readouterr().err.split())


def test_a_method_that_a_folder_lacks_is_left_out_and_named(tmp_path):
    methods = {"SGD": bowl(0.01, 1), "Adagrad": bowl(0.01, 2), "Adam": bowl(0.01, 4)}
    few = {"trials": 1, "tuning_seeds": 1, "seeds": 3}
    compared(tmp_path / "a", methods, **few)
    compared(tmp_path / "b", {name: methods[name] for name in ("Adam", "SGD")}, **few)
    found = overview.read([tmp_path / "a" / "out", tmp_path / "b" / "out"])
    labels, missing = overview.common(found)
    assert (labels, missing) == (("SGD", "Adam"), ("Adagrad",))
    said = " ".join(overview_report.warnings(found, missing))
    assert "Left out, because not all folders have finished runs of them: Adagrad." in said
    assert "was not given beforehand" in said


def test_no_target_that_is_reached_and_budgets_that_differ_are_said(tmp_path):
    alike = {"SGD": bowl(0.01, 1), "Adagrad": lambda rate, seed: bowl(0.01, 1.05)(rate, seed + 1)}
    few = {"trials": 1, "tuning_seeds": 1, "seeds": 3, "target": 1e-9}
    compared(tmp_path / "a", alike, **few)
    compared(
        tmp_path / "b", {name: alike[name] for name in ("Adagrad", "SGD")}, **few | {"seeds": 4}
    )
    found = overview.read([tmp_path / "a" / "out", tmp_path / "b" / "out"])
    standings = overview.standings(found, ["SGD", "Adagrad"])
    said = " ".join(overview_report.sentences(found, standings))
    assert "No method reaches any target in half of its runs." in said
    said = " ".join(overview_report.warnings(found, ()))
    assert "The budgets differ from problem to problem" in said


def standing(label, rank, attempts, in_seconds=None):
    place, steps = Interval(rank, rank - 0.3, rank + 0.3), Interval(0.9 - rank / 10, 0.5, 0.9)
    return overview.Standing(label, place, steps, in_seconds, 2, attempts, 1.0)


def test_what_is_said_follows_from_the_standings(two):
    found, seconds = overview.read(two), Interval(0.4, 0.3, 0.5)
    close = [standing("SGD", 1.2, 3.0), standing("Adagrad", 1.6, 3.0), standing("Adam", 3.0, INF)]
    said = " ".join(overview_report.sentences(found, close))
    assert "leave open whether it is ahead of Adagrad: the intervals overlap." in said
    assert "In steps to the targets, SGD scores highest, 0.78 (0.5 to 0.9) of 1" in said
    assert "Nothing can be said of seconds" in said
    assert "SGD and Adagrad are the easiest to tune: at the target after 3 trials" in said
    names = [name for name, _ in overview_report.figures(found, ["SGD", "Adam"], close)]
    assert names == ["profile_steps", "places", "attempts"]
    clear = [standing("SGD", 1.0, INF, seconds), standing("Adam", 3.0, INF, seconds)]
    said = " ".join(overview_report.sentences(found, clear))
    assert "In seconds, SGD does, 0.4 (0.3 to 0.5)." in said
    for words in ("leave open", "Nothing can be said", "easiest to tune"):
        assert words not in said


def test_warnings_follow_from_the_problems(two):
    found = overview.read(two)
    of_validation = replace(found[0], name="mine", part="validation")
    said = " ".join(overview_report.warnings([of_validation, *found, *found], ()))
    assert said == "The numbers of mine are of the part that the rates were chosen on."
    assert "2 problems say little of others" in " ".join(overview_report.warnings(found, ()))


def test_a_pace_that_is_not_known_has_no_median(two):
    entry = overview.read(two)[0].entries["SGD"]
    assert replace(entry, seconds=None).median_seconds is None


def test_a_method_is_there_once_it_has_a_reported_run(tmp_path):
    few = {"trials": 1, "tuning_seeds": 1, "seeds": 3}
    config, store = compared(tmp_path / "a", {"SGD": bowl(0.01, 1), "Adam": bowl(0.01, 4)}, **few)
    compared(tmp_path / "b", {"SGD": bowl(0.01, 1), "Adam": bowl(0.01, 4)}, **few)
    folders = [tmp_path / name / "out" for name in ("a", "b")]
    for run in trials.read(config, store).finals():
        if run.cell["method"] == "Adam":
            store.file_of(run.cell).unlink()
    assert [list(found.entries) for found in overview.read(folders)] == [["SGD"], ["SGD", "Adam"]]
    store.file_of(comparison.check_cell(config)).unlink()
    with pytest.raises(ConfigError, match=r"a.out: no reported run is finished"):
        overview.read(folders)


def test_folders_that_cannot_be_read_together(tmp_path):
    few = {"trials": 1, "tuning_seeds": 1, "seeds": 3}
    compared(tmp_path / "a", {"SGD": bowl(0.01, 1), "Adam": bowl(0.01, 4)}, **few)
    config, store = compared(tmp_path / "b", {"Adagrad": bowl(0.01, 1)}, **few)
    a, b = tmp_path / "a" / "out", tmp_path / "b" / "out"
    with pytest.raises(ConfigError, match="give at least two"):
        overview.read([a])
    with pytest.raises(ConfigError, match="each once"):
        overview.read([a, a, b])
    with pytest.raises(ConfigError, match="holds no comparison"):
        overview.read([a, tmp_path])
    with pytest.raises(ConfigError, match="Fewer than two methods have finished runs in all"):
        overview.common(overview.read([a, b]))
    store.put(comparison.check_cell(config), {"made": "up"})
    with pytest.raises(ConfigError, match=r"b.out: its results do not have the form.*KeyError"):
        overview.read([a, b])


def test_the_figures_have_a_line_or_a_bar_for_each_method(two):
    found, labels = overview.read(two), ("SGD", "Adagrad", "Adam")
    standings = overview.standings(found, labels)
    made = dict(overview_report.figures(found, labels, standings))
    assert list(made) == ["profile_steps", "profile_seconds", "places", "attempts"]
    assert [series.label for series in made["profile_steps"].series] == list(labels)
    # Adagrad is the fastest on one problem, and never there on the other.
    assert set(made["profile_steps"].series[1].y) == {0.5}
    assert made["places"].values == (1.5, 2.0, 2.5)
    assert made["attempts"].values == (1.0, 1.0, INF)
