"""Claims: the engine, the statistics, the frame, and each finding's numbers against theory."""

import ast
import json
import math
import re
import runpy
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pydantic
import pytest
import scipy.linalg
import tensorflow as tf
from typer.testing import CliRunner

from tests.test_verdicts import FEW, seen
from tfadaopt.experiments import catalog, claims, configs
from tfadaopt.experiments.claims import hand_tuning
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.method_map import survey
from tfadaopt.experiments.problems.curvature import largest_eigenvalue
from tfadaopt.experiments.problems.walks import arrivals, moved_by_rounding, walk
from tfadaopt.experiments.reports import intervals as statistics
from tfadaopt.experiments.reports.figures import Bars, Contours, Lines, Series
from tfadaopt.experiments.runs import stages
from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.trial import claim, fragility, registry
from tfadaopt.experiments.trial import run as trial
from tfadaopt.experiments.trial.landscape import landscape
from tfadaopt.experiments.trial.slides import BEYOND, SLIDES

FOLDER = Path(claims.__file__).parent
# The code of a claim stands on its page, for readers: no function of it is long.
MOST_NODES = 900


def bowl(w):
    return 0.5 * tf.reduce_sum(w**2, axis=1)


# Walks


@pytest.mark.parametrize("xla", [True, False])
def test_walkers_follow_the_closed_form_in_float64(xla):
    rates = [0.1, 0.5, 1.9]
    seen = walk("SGD", rates, [3.0, -1.0], 40, loss=bowl, record=["point", "loss"], xla=xla)
    t = np.arange(41)[:, np.newaxis, np.newaxis]
    expected = np.array([3.0, -1.0]) * (1 - np.array(rates)[:, np.newaxis]) ** t
    np.testing.assert_allclose(seen["point"], expected, rtol=1e-13)
    np.testing.assert_allclose(seen["loss"], 0.5 * np.sum(expected**2, axis=2), rtol=1e-13)


@pytest.mark.parametrize(
    "method",
    ["Adagrad", *(pytest.param(m, marks=pytest.mark.slow) for m in ("AdaGradNorm", "DoG"))],
)
def test_walkers_of_a_grid_do_not_see_each_other(method):
    """Also of a method that takes norms, where the walkers must not share a variable."""
    more = {"loss": bowl, "record": ["point", "rate"], "every": 5}
    together = walk(method, [0.1, 0.7, 1e200], [3.0, -1.0], 20, **more)
    alone = walk(method, [0.7], [3.0, -1.0], 20, **more)
    assert together["step"].tolist() == [0, 5, 10, 15, 20]
    for name in ("point", "rate"):
        assert together[name].shape == (5, 3, 2)
        np.testing.assert_allclose(together[name][:, 1], alone[name][:, 0], rtol=1e-13)


def test_what_is_recorded_is_what_was_applied():
    more = {"loss": bowl, "record": ["point", "rate", "accumulator"]}
    seen = walk("Adagrad", 0.3, [3.0, -1.0], 10, epsilon=1e-7, **more)
    applied = seen["point"][:-1] - seen["rate"][1:] * seen["point"][:-1]
    np.testing.assert_allclose(seen["point"][1:], applied, rtol=1e-13)
    np.testing.assert_allclose(seen["rate"], 0.3 / np.sqrt(1e-7 + seen["accumulator"]), rtol=1e-13)


def test_gradients_get_the_step_and_projections_hold():
    def up(w, t):
        return -tf.cast(t, w.dtype) * tf.ones_like(w)

    seen = walk("SGD", 1.0, [0.0], 4, gradient=up, record=["point"])
    assert seen["point"][:, 0, 0].tolist() == [0, 1, 3, 6, 10]
    box = {"project": lambda w: tf.clip_by_value(w, -1.0, 5.0)}
    seen = walk("SGD", 1.0, [0.0], 4, gradient=up, record=["point"], **box)
    assert seen["point"][:, 0, 0].tolist() == [0, 1, 3, 5, 5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"rates": []}, "0 rates"),
        ({"loss": None}, "Give a loss"),
        ({"steps": 5, "every": 2}, "no multiple"),
        ({"loss": lambda w: bowl(w) * math.nan}, "nan.* before SGD has moved"),
    ],
    ids=["empty grid", "no loss", "every", "NaN at once"],
)
def test_a_walk_that_cannot_begin_says_why(words, said):
    arguments = {"rates": [0.1], "start": [1.0], "steps": 4, "loss": bowl} | words
    with pytest.raises(ValueError, match=said):
        walk("SGD", **arguments)


def test_a_walker_has_arrived_where_it_stays():
    heights = np.array([[9.0, 9.0, 9.0, 1.0], [2.0, math.nan, 3.0, 1.0], [1.0, 1.0, 3.0, 2.0]])
    assert arrivals(heights, 2.0).tolist() == [1, 2, math.inf, 0]
    assert arrivals(heights, 2.0, every=10).tolist() == [10, 20, math.inf, 0]
    leaves = np.array([[9.0, 9.0], [1.0, 1.0], [9.0, math.nan], [1.0, math.nan]])
    assert arrivals(leaves, 2.0).tolist() == [3, math.inf]


def test_starts_are_moved_by_rounding_only():
    moved = moved_by_rounding([-0.5, 1.5], 5)
    assert len({tuple(start) for start in moved.tolist()}) == 5
    np.testing.assert_allclose(moved, np.tile([-0.5, 1.5], (5, 1)), rtol=1e-14)


# Statistics


@pytest.mark.slow
def test_intervals_cover_the_median_of_a_population():
    rng = np.random.default_rng(0)
    covered = 0
    for sample in rng.normal(size=[100, 25]):
        found = statistics.interval(sample)
        assert found.low <= found.value <= found.high
        covered += found.low <= 0 <= found.high
    assert 88 <= covered <= 99


def test_failed_runs_count_as_infinite_and_are_never_dropped():
    assert statistics.interval([1.0, 2.0, math.nan]).value == 2.0
    assert statistics.interval([1.0, math.nan, math.nan]).value == math.inf
    assert statistics.interval([1.0, 2.0, math.nan]).high == math.inf
    with pytest.raises(ValueError, match="at least 3"):
        statistics.interval([1.0, 2.0])
    found = statistics.sensitivity([0.1, 1.0, 10.0], [2.0, 1.0, math.nan])
    assert (found.failed, found.good, found.tried) == (1, 1, 3)
    assert statistics.sensitivity([0.1, 1.0], [math.nan, math.nan]).width == 0


def test_width_and_edge_of_a_sensitivity():
    rates = np.geomspace(1e-3, 1, 13)  # four to a decade
    found = statistics.sensitivity(rates, np.where(rates < 0.0101, 1.0, 5.0))
    assert found.width == pytest.approx(5 / 4)
    assert (found.best_rate, found.at_edge, found.good) == (pytest.approx(1e-3), True, 5)
    assert statistics.sensitivity(rates, np.abs(np.log10(rates) + 2) + 1).at_edge is False
    with pytest.raises(ValueError, match="rising"):
        statistics.sensitivity([1.0, 0.1], [1.0, 1.0])


def test_a_curvature_of_products_that_are_no_numbers_is_none():
    assert math.isnan(largest_eigenvalue(lambda v: v * math.nan, (3,), 3))


def test_transfer_is_what_the_other_problems_rate_costs():
    rates = [0.01, 0.1, 1.0]
    assert statistics.transfer(rates, [3, 1, 2], [1, 4, 9]) == 4.0
    assert statistics.transfer(rates, [3, 1, 2], [9, 4, 9]) == 1.0
    assert statistics.transfer(rates, [3, 2, 1], [1, 4, math.nan]) == math.inf
    with pytest.raises(ValueError, match="3 rates"):
        statistics.transfer(rates, [1], [1, 2, 3])


# Records


def finding(word="confirmed", *numbers):
    lines = Lines(
        *("t", "x", "y"),
        (Series("SGD", np.arange(3), [1.0, np.nan, np.inf], style="theory"),),
    )
    bars = Bars("t", "y", ("a",), [1.0], [0.5], [2.0], [1.0])
    ground = landscape("t", bowl, (-1, 1), (-2, 2), {"SGD": np.ones([3, 2])})
    failures = (claim.Failure("walkers that diverged", 1, 3),)
    return claim.Finding(word, "c", numbers, (lines, bars, ground), "m", failures)


def test_a_result_survives_json_with_infinities():
    number = claim.within("n", np.float32(math.inf), 3.0, absolute=1, low=np.float64(1), key=True)
    result = claim.Result(
        *("claim-x", "topic", None, "s"), finding=finding("depends", number), settings={"seeds": 3}
    )
    text = result.to_json()
    strict = json.loads(text, parse_constant=pytest.fail)
    back = claim.Result.from_json(json.dumps(strict))
    assert back.to_json() == text
    assert back.finding.numbers == (number,)
    assert back.finding.numbers[0].measured == math.inf
    assert [type(f) for f in back.finding.figures] == [Lines, Bars, Contours]
    y = back.finding.figures[0].series[0].y
    assert (y[0], math.isnan(y[1]), y[2]) == (1.0, True, math.inf)


def test_records_are_frozen_and_checked():
    with pytest.raises(pydantic.ValidationError, match="confirmed"):
        finding("perhaps")
    with pytest.raises(ValueError, match="y has 2 values and x 3"):
        Series("a", [1, 2, 3], [1, 2])
    with pytest.raises(AttributeError):
        finding().verdict = "refuted"


def test_verdicts_can_fail():
    good, bad = claim.within("a", 1.0, 1.1, absolute=0.2), claim.within("b", 1.0, 2.0, relative=0.1)
    assert (good.agrees, bad.agrees) == (True, False)
    assert claim.within("c", math.nan, 1.0, absolute=9).agrees is False
    assert claim.between("d", 3.0, 1, 2).agrees is False
    assert claim.verdict([good, claim.Number("free", 7.0)]) == "confirmed"
    assert claim.verdict([good, bad]) == "refuted"
    assert claim.verdict([bad], otherwise="depends") == "depends"


# The claims there are


def test_a_claim_is_one_short_file_with_its_rules():
    for entry in registry.entries():
        loaded = entry.load()
        assert loaded.name == entry.name
        assert claim.first_paragraph(loaded.reading) == entry.reading
        for name in ("title", "hypothesis", "measure", "acceptance", "theory", "source"):
            assert getattr(loaded, name), f"{entry.name} has no {name}"
        assert loaded.kind in ("by definition", "by theorem", "measured")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", loaded.dated)
        tree = ast.parse((FOLDER / f"{entry.module.rpartition('.')[2]}.py").read_text())
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        longest = max(functions, key=lambda f: len(list(ast.walk(f))))
        assert len(list(ast.walk(longest))) <= MOST_NODES, f"{entry.name}: {longest.name}"


def test_slides_name_each_claim_once():
    named = [entry.name for entry in registry.entries()]
    assert len(set(named)) == len(named)
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert {name.removeprefix("claim-").replace("-", "_") for name in named} == files


def test_only_the_lectures_words_stand_in_quotation_marks():
    """Neither what the lecture does not say nor a reading has any, nor a number of a section."""
    for slide in BEYOND:
        assert all(statement.sentence is None for statement in slide.statements)
    for entry in registry.entries():
        loaded = entry.load()
        texts = (entry.reading, loaded.title, loaded.hypothesis, loaded.acceptance, loaded.theory)
        assert not any('"' in text or "“" in text for text in texts)
        assert not re.match(r"\d+\.\d+ ", entry.reading)
    quoted = [s.sentence for slide in SLIDES for s in slide.statements if s.sentence]
    assert len(set(quoted)) == len(quoted) == 19


def test_listing_shows_each_sentence_without_tensorflow():
    shown = " ".join(CliRunner().invoke(cli.app, ["list", "--experiments"]).output.split())
    for entry in registry.entries():
        assert entry.name in shown
        assert (entry.sentence or entry.reading)[:20] in shown
    together = catalog.find("claims").claims + catalog.find("network-claims").claims
    assert sorted(together) == sorted(entry.name for entry in registry.entries())
    with pytest.raises(configs.ConfigError, match="Did you mean 'claim-ravine'"):
        catalog.find("claim-ravin")


# What they find


def measured(name: str) -> dict[str, float]:
    claimed = registry.find(name).load()
    return {
        n.label: n.measured for n in claimed.conclude(seen(name.removeprefix("claim-"))).numbers
    }


def steps_of_a_loop(curvature, rate, mu, nesterov):
    """Steps to a millionth of the distance, in NumPy; Nesterov's at the look-ahead point."""
    theta, b = np.ones(len(curvature)), np.zeros(len(curvature))
    goal, steps, last = 1e-6 * np.linalg.norm(theta), 0, 0
    while steps < 2 * last + 10:  # for good: momentum may come near and leave again
        g = curvature * theta
        b = mu * b + g
        theta = theta - rate * (g + mu * b if nesterov else b)
        steps += 1
        if np.linalg.norm(theta) > goal:
            last = steps
    return last + 1


@pytest.mark.slow
def test_steps_in_the_ravine_are_those_of_a_loop():
    module = sys.modules[registry.find("claim-ravine").load().observe.__module__]
    values = measured("claim-ravine")
    for kappa in (100, 1000):
        for how in module.tuned(kappa):
            curvature = np.geomspace(1 / kappa, 1, 50)
            nesterov = how.method == "Nesterov"
            expected = steps_of_a_loop(curvature, how.eta, how.mu or 0.0, nesterov)
            assert values[f"{how.method}, {how.form}, κ = {kappa}: steps"] == expected
    assert values["steps of SGD over those of momentum, κ = 1000"] == pytest.approx(6107 / 288)


@pytest.mark.slow
@pytest.mark.parametrize("mu", [0.0, 0.9, 0.99])
def test_noise_of_momentum_is_the_solution_of_lyapunovs_equation(mu):
    eta = 0.01
    a = np.array(
        [[mu, 1.0], [-eta * mu, 1 - eta]]
    )  # of (b, w) under b ← μb + w + noise, w ← w − ηb
    noise = np.outer([1.0, -eta], [1.0, -eta])
    expected = scipy.linalg.solve_discrete_lyapunov(a, noise)[1, 1]
    number = measured("claim-momentum-noise")[f"variance of w, μ = {mu}, η = {eta}"]
    assert number == pytest.approx(expected, rel=0.1)


@pytest.mark.slow
def test_momentum_cycles_where_lessard_recht_and_packard_say():
    points = [v for label, v in measured("claim-nesterov-cycle").items() if ": point" in label]
    assert points == pytest.approx([-2208 / 1225, 792 / 1225, 2592 / 1225], rel=1e-12)


@pytest.mark.slow
def test_steps_to_arrive_are_those_of_a_loop():
    """At a rate where nothing is chaotic; counted until it stays."""
    rate, mu, point, velocity = 0.001, 0.5, np.array([-0.5, 1.5]), np.zeros(2)
    heights = []
    for _ in range(20_001):
        x, y = point
        heights.append((1 - x) ** 2 + 100 * (y - x**2) ** 2)
        slope = np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])
        velocity = mu * velocity + slope
        point = point - rate * velocity
    expected = 1 + max(t for t, height in enumerate(heights) if height > 1e-4)
    steps = seen("hand-tuning").steps["Momentum", 0.5, "Rosenbrock"]
    rates = np.array(FEW.learning_rates)
    assert np.all(steps[:, np.flatnonzero(rates == rate)] == expected)


@pytest.mark.slow
def test_a_smaller_last_batch_weighs_more():
    values = measured("claim-minibatch-mean")
    label = "weight of an example in a last batch of 40 over one of 64"
    assert values[label] == pytest.approx(1.6)


# Trials


class OneByOne:
    """Runs cells in this process, as an executor of one job would."""

    def __init__(self, jobs, log):
        pass

    def map_unordered(self, work, cells):
        for cell in cells:
            try:
                work(cell)
                yield cell, None
            except Exception as error:
                yield cell, error

    def close(self):
        pass


def at_most(seen, limits):
    return "depends" if seen <= limits["most"] else "refuted"


@pytest.fixture
def claims_of_the_test(monkeypatch):
    """Two claims: one that counts its runs, and one that raises until it is mended."""
    calls, broken = [], [True]

    def counts(settings):
        calls.append(settings)
        return 7 + settings.seed

    def raises(settings):
        if broken[0]:
            raise ArithmeticError("the loss is NaN at once")
        return 3

    def tell(seen, limits, verdict):
        return finding(verdict, claim.within("steps", seen, 5, absolute=1, unit="steps"))

    def make(name, observe, deterministic):
        words = ("title", "hypothesis", "measure", "acceptance", "theory", "source")
        texts = dict.fromkeys(words, "text") | {"reading": f"{name}.", "dated": "2026-11-29"}
        more = {"kind": "measured", "limits": {"most": 5.0}, "deterministic": deterministic}
        more |= {"observe": observe, "decide": at_most, "tell": tell}
        return claim.Claim(f"claim-{name}", **texts, **more)

    made = [make("counts", counts, False), make("raises", raises, True)]
    entries = tuple(registry.Entry(c.name, c.name, "topic", None, c.reading) for c in made)
    by_name = {c.name: c for c in made}
    monkeypatch.setattr(registry, "entries", lambda: entries)
    monkeypatch.setattr(registry.Entry, "load", lambda self: by_name[self.name])
    monkeypatch.setattr(stages, "LocalExecutor", OneByOne)
    monkeypatch.setattr(trial, "write_report", lambda folder, animate: None)
    monkeypatch.setattr(survey, "cells", list)  # the map takes its seconds
    return calls, broken


def tfadaopt_run(monkeypatch, *words) -> int:
    monkeypatch.setattr(sys, "argv", ["tfadaopt", *map(str, words)])
    return cli.run()


def test_a_failure_is_shown_in_its_place_the_rest_runs_and_a_rerun_goes_on(
    claims_of_the_test, tmp_path, monkeypatch, capsys
):
    calls, broken = claims_of_the_test
    words = "run", "claims", "--out", tmp_path, "--set", "seeds=4"
    assert tfadaopt_run(monkeypatch, *words) == 1
    said = capsys.readouterr()
    assert "the loss is NaN at once" in said.err
    assert {"refuted", "failed"} <= set(said.out.replace("│", " ").split())
    counted, failed = trial.read_results(tmp_path)
    assert (counted.finding.verdict, counted.settings["seeds"]) == ("refuted", 4)
    assert counted.repeat == "tfadaopt run claim-counts --set seeds=4"
    assert (failed.name, failed.finding, failed.hypothesis) == ("claim-raises", None, "text")
    assert failed.error == "ArithmeticError: the loss is NaN at once"
    assert Store(tmp_path).describe()["finished"] is None

    broken[0] = False
    assert tfadaopt_run(monkeypatch, *words) == 0
    assert len(calls) == 1  # what is finished is not computed again
    counted, mended = trial.read_results(tmp_path)
    assert (mended.error, mended.finding.verdict) == ("", "depends")
    assert Store(tmp_path).describe()["finished"]


def test_a_process_that_dies_takes_no_other_claim_along(
    claims_of_the_test, tmp_path, monkeypatch, capsys
):
    calls, _ = claims_of_the_test
    compute = trial.compute

    def dies(cell, config, folder):
        if cell["claim"] == "claim-raises":
            raise WorkerError("Its process died (killed by SIGKILL).")
        compute(cell, config, folder)

    monkeypatch.setattr(trial, "compute", dies)
    reversed_entries = registry.entries()[::-1]
    monkeypatch.setattr(registry, "entries", lambda: reversed_entries)
    assert tfadaopt_run(monkeypatch, "run", "claims", "--out", tmp_path) == 1
    assert "Its process died" in capsys.readouterr().err
    assert len(calls) == 1
    results = {result.name: result for result in trial.read_results(tmp_path)}
    assert results["claim-counts"].finding
    assert "Its process died" in results["claim-raises"].error


def test_all_claims_together_have_the_map_of_the_methods_too(
    claims_of_the_test, tmp_path, monkeypatch, capsys
):
    _, broken = claims_of_the_test
    broken[0] = False
    cells = [{"kind": survey.KIND, "method": name, "course": "x"} for name in ("SGD", "Adam")]

    def walks(cell, folder):
        if cell["method"] == "Adam":
            raise WorkerError("Its process died (killed by SIGKILL).")
        Store(folder).put(cell, {"numbers": {}, "error": "", "seconds": 0.0})

    monkeypatch.setattr(survey, "cells", lambda: cells)
    monkeypatch.setattr(survey, "compute", walks)
    assert tfadaopt_run(monkeypatch, "run", "claims", "--out", tmp_path / "all") == 1
    assert "'method': 'Adam'" in capsys.readouterr().err
    kept = Store(tmp_path / "all")
    assert [kept.has(cell) for cell in cells] == [True, False]
    assert [s.error for s in survey.read(kept.folder)] == ["", "not run yet"]
    assert tfadaopt_run(monkeypatch, "run", "claim-counts", "--out", tmp_path / "one") == 0
    assert not Store(tmp_path / "one").has(cells[0])


def test_a_claim_that_concludes_nothing_has_failed_and_says_so(
    claims_of_the_test, tmp_path, monkeypatch
):
    nothing = replace(registry.entries()[0].load(), tell=lambda *_: None)
    monkeypatch.setattr(registry.Entry, "load", lambda self: nothing)
    config = configs.Claims()
    Store(tmp_path).open("claims", config, "")
    with pytest.raises(TypeError, match="claim-counts returned None, not a Finding"):
        trial.compute(trial.cell_of("claim-counts", config), config, tmp_path)
    assert trial.read_results(tmp_path)[0].error.endswith("not a Finding.")


def test_what_is_no_result_of_a_claim_counts_as_missing(claims_of_the_test, tmp_path, caplog):
    config = configs.Claims()
    store = Store(tmp_path).open("claims", config, "")
    counts, raises = (trial.cell_of(name, config) for name in ("claim-counts", "claim-raises"))
    store.put(counts, {"name": 3})
    store.put_failure(raises, {"name": 3})
    assert {(r.finding, r.error) for r in trial.read_results(tmp_path)} == {(None, "")}
    assert "holds no result of a claim" in caplog.text
    # And one without a number has none beside its verdict.
    found = claim.Result("claim-counts", "topic", None, "s", finding=finding("depends"))
    store.put(counts, json.loads(found.to_json()))
    columns = [list(column.cells) for column in trial.table(tmp_path).columns]
    assert [column[0] for column in columns[2:]] == ["[yellow]depends[/]", "", ""]


def test_a_claim_can_be_tried_alone(claims_of_the_test, tmp_path, monkeypatch, capsys):
    assert tfadaopt_run(monkeypatch, "run", "claim-counts", "--out", tmp_path) == 0
    (result,) = trial.read_results(tmp_path)
    assert result.name == "claim-counts"
    assert "steps: 7 steps" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_a_verdict_is_tried_under_other_thresholds_and_seeds(claims_of_the_test, tmp_path):
    calls, broken = claims_of_the_test
    broken[0] = False
    config = configs.Claims(seed=2, other_seeds=2)
    Store(tmp_path).open("claims", config, "")
    for name in ("claim-counts", "claim-raises"):
        trial.compute(trial.cell_of(name, config), config, tmp_path)
    counted, raised = trial.read_results(tmp_path)
    assert [settings.seed for settings in calls] == [2, 3, 4]  # measured once for each seed
    assert [(r.change, r.verdict) for r in counted.retrials] == [
        ("seed 3", "refuted"),
        ("seed 4", "refuted"),
        ("most × ½", "refuted"),
        ("most × 2", "depends"),
    ]
    found = fragility.fragility(counted)
    assert found.text.startswith("The same under 2 other seeds.")
    assert "depends with most × 2" in found.text
    assert [r.change for r in found.turned] == ["most × 2"]
    assert fragility.fragility(raised).text.startswith("Nothing in it is random.")
    assert (counted.dated, len(counted.rule)) == ("2026-11-29", 12)
    assert counted.limits == {"most": 5.0}


def test_recorded_verdicts_are_shown_where_rule_and_settings_are_the_same(tmp_path, monkeypatch):
    settings = asdict(configs.Claims())
    kept = claim.Result(
        *("claim-x", "topic", None, "s"),
        finding=finding("depends"),
        settings=settings,
        rule="abc",
        deterministic=False,
        retrials=[claim.Retrial(f"seed {i}", "depends" if i < 5 else "refuted") for i in range(6)],
    )
    failed = replace(kept, name="claim-y", finding=None)
    fragility.write_record([kept, failed], tmp_path / "recorded.json")
    content = json.loads((tmp_path / "recorded.json").read_text())
    assert list(content) == ["claim-x"]
    monkeypatch.setattr(fragility, "recorded", lambda: content)
    fresh = replace(kept, retrials=())
    assert fragility.fragility(fresh).recorded
    assert "refuted under seed 5" in fragility.fragility(fresh).text
    for other in ({"rule": "abd"}, {"settings": settings | {"seeds": 3}}):
        changed = fragility.fragility(replace(fresh, **other))
        assert not changed.recorded
        assert "not tried" in changed.text
    firm = replace(kept, limits={"most": 5.0}, retrials=[claim.Retrial("most × 2", "depends")])
    assert fragility.fragility(firm).text.endswith(
        "The same with its threshold halved and doubled."
    )


def test_what_was_interrupted_is_told_in_its_place(claims_of_the_test, tmp_path):
    config = configs.Claims(seeds=4)
    Store(tmp_path).open("claims", config, "")
    trial.compute(trial.cell_of("claim-counts", config), config, tmp_path)
    counted, missing = trial.read_results(tmp_path)
    assert counted.finding is not None
    assert (missing.finding, missing.error) == (None, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "claim-ravin"], "Did you mean 'claim-ravine'"),
        (["run", "claims", "--set", "learning_rates="], "at least 1"),
        (["run", "claims", "--set", "seeds=2"], "greater than or equal to 3"),
        (["run", "claims", "--set", "sead=3"], "Did you mean 'seed'"),
        (["run", "claims", "--set", "seed=-1"], "greater than or equal to 0"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(words, said, tmp_path, monkeypatch, capsys):
    assert tfadaopt_run(monkeypatch, *words, "--out", tmp_path / "new") == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()


def test_a_folder_without_claims_is_refused(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="tfadaopt run claims"):
        trial.read_results(tmp_path)
    monkeypatch.setattr(sys, "argv", ["record", str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="tfadaopt run claims"):
        runpy.run_module("tfadaopt.experiments.trial.record", run_name="__main__")


def test_momentum_that_never_arrives_has_no_narrow_range():
    """Nor a picture of the path at its best rate."""
    rates = np.array([0.01, 0.1])
    never = {
        (method, mu, problem): np.full((2, 2), np.inf)
        for method in hand_tuning.BOTH
        for mu in hand_tuning.MOMENTA
        for problem in hand_tuning.PROBLEMS
    }
    assert hand_tuning.picture(rates, never) is None
    limits = hand_tuning.CLAIM.limits
    assert hand_tuning.decide(hand_tuning.Seen(rates, never, None), limits) == "depends"
