"""Claims: the engine, the statistics, the frame, and each finding's numbers against theory."""

import ast
import functools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pydantic
import pytest
import scipy.linalg
import tensorflow as tf
from typer.testing import CliRunner

from tfadaopt.experiments import catalog, claims, configs
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.problems.walks import arrivals, walk
from tfadaopt.experiments.reports import intervals as statistics
from tfadaopt.experiments.reports.figures import Bars, Contours, Lines, Series
from tfadaopt.experiments.runs import stages
from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.trial import claim, registry
from tfadaopt.experiments.trial import run as trial
from tfadaopt.experiments.trial.landscape import landscape

FOLDER = Path(claims.__file__).parent
# The code of a claim stands on its page, for readers.
MOST_STATEMENTS = 60
SETTINGS = configs.Claims(seeds=3, learning_rates=(0.0003, 0.001, 0.003))


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


def test_arrivals_are_first_steps_and_never_is_infinite():
    heights = np.array([[9.0, 9.0, 9.0], [2.0, math.nan, 3.0], [5.0, 1.0, 3.0]])
    assert arrivals(heights, 2.0).tolist() == [1, 2, math.inf]
    assert arrivals(heights, 2.0, every=10).tolist() == [10, 20, math.inf]


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
        *("claim-x", "2.2", "s"), finding=finding("depends", number), settings={"seeds": 3}
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


@pytest.mark.parametrize("entry", registry.entries(), ids=lambda entry: entry.name)
def test_a_claim_is_one_short_file_with_its_rules(entry):
    loaded = entry.load()
    assert (loaded.name, loaded.section, loaded.sentence) == (
        *(entry.name, entry.section, entry.sentence),
    )
    for name in ("title", "hypothesis", "measure", "acceptance", "theory", "source"):
        assert getattr(loaded, name), name
    assert {"confirmed", "refuted", "depends"} & set(loaded.acceptance.lower().split())
    path = FOLDER / f"{entry.module.rpartition('.')[2]}.py"
    statements = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.stmt)]
    assert len(statements) <= MOST_STATEMENTS


def test_claims_come_in_the_order_of_the_lecture():
    sections = [tuple(map(int, entry.section.split("."))) for entry in registry.entries()]
    assert sections == sorted(sections)
    assert len({entry.name for entry in registry.entries()}) == len(sections) >= 7


def test_listing_shows_each_sentence_without_tensorflow():
    shown = " ".join(CliRunner().invoke(cli.app, ["list", "--experiments"]).output.split())
    for entry in registry.entries():
        assert entry.name in shown
        assert entry.sentence.split('"')[1][:30] in shown
    together = catalog.find("claims").claims + catalog.find("network-claims").claims
    assert sorted(together) == sorted(entry.name for entry in registry.entries())
    with pytest.raises(configs.ConfigError, match="Did you mean 'claim-ravine'"):
        catalog.find("claim-ravin")


# What they find


@functools.cache
def found(name: str) -> claim.Finding:
    return registry.find(name).load().run(SETTINGS)


def measured(name: str) -> dict[str, float]:
    return {number.label: number.measured for number in found(name).numbers}


def steps_of_a_loop(curvature, rate, mu, nesterov):
    """Steps to a millionth of the distance, in NumPy; Nesterov's at the look-ahead point."""
    theta, b = np.ones(len(curvature)), np.zeros(len(curvature))
    goal, steps = 1e-6 * np.linalg.norm(theta), 0
    while np.linalg.norm(theta) > goal:
        g = curvature * theta
        b = mu * b + g
        theta = theta - rate * (g + mu * b if nesterov else b)
        steps += 1
    return steps


@pytest.mark.slow
def test_steps_in_the_ravine_are_those_of_a_loop():
    module = sys.modules[registry.find("claim-ravine").load().run.__module__]
    values = measured("claim-ravine")
    for kappa in (100, 1000):
        for method, form, rate, mu, *_ in module.tuned(kappa):
            curvature = np.geomspace(1 / kappa, 1, 50)
            expected = steps_of_a_loop(curvature, rate, mu or 0.0, method == "Nesterov")
            assert values[f"{method}, {form}, κ = {kappa}"] == expected
    assert values["fewer steps with momentum, κ = 1000"] == pytest.approx(6107 / 288)


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
    points = [v for label, v in measured("claim-nesterov-cycle").items() if "point" in label]
    assert points == pytest.approx([-2208 / 1225, 792 / 1225, 2592 / 1225], rel=1e-12)


@pytest.mark.slow
def test_rates_that_arrive_are_those_of_a_loop():
    missed = 0
    for rate in SETTINGS.learning_rates:
        x, y = -0.5, 1.5
        for _ in range(20_000):
            if (1 - x) ** 2 + 100 * (y - x**2) ** 2 <= 1e-4:
                break
            slope = -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)
            x, y = x - rate * slope[0], y - rate * slope[1]
            if abs(x) > 1e9:
                missed += 1
                break
        else:
            missed += 1
    counts = {failure.what: failure.count for failure in found("claim-hand-tuning").failures}
    assert counts["SGD, Rosenbrock: rates that do not arrive"] == missed > 0


@pytest.mark.slow
def test_a_smaller_last_batch_weighs_more():
    values = measured("claim-minibatch-mean")
    assert values["weight of an example in a smaller last batch"] == pytest.approx(1.6)
    assert values["slope of log variance over log n"] == pytest.approx(-1, abs=0.1)


EXPECTED = {
    "claim-minibatch-mean": "confirmed",
    "claim-ravine": "confirmed",
    "claim-terminal-velocity": "confirmed",
    "claim-momentum-noise": "refuted",
    "claim-nesterov-cycle": "confirmed",
    "claim-nesterov-forms": "confirmed",
    "claim-hand-tuning": "confirmed",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_verdicts_follow_from_what_is_measured(name, monkeypatch):
    """They are those of the lecture on trial, and turn when the optimizer does something else."""
    assert found(name).verdict == EXPECTED[name]
    assert [n.label for n in found(name).numbers if n.agrees is False] == []
    assert found(name).figures
    module = sys.modules[registry.find(name).load().run.__module__]

    def wrong(method, rates, *args, **more):
        if name == "claim-hand-tuning":  # whose verdict hangs on how many rates arrive
            points = np.zeros([2, len(rates), 2])
            return {"loss": points[..., 0], "point": points}
        return walk(method, 0.8 * np.asarray(rates), *args, **more)

    monkeypatch.setattr(module, "walk", wrong)
    assert registry.find(name).load().run(configs.Claims(seeds=3)).verdict != EXPECTED[name]


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


@pytest.fixture
def claims_of_the_test(monkeypatch):
    """Two claims: one that counts its runs, and one that raises until it is mended."""
    calls, broken = [], [True]

    def counts(settings):
        calls.append(settings)
        return finding("refuted", claim.within("steps", 7, 5, absolute=1, unit="steps"))

    def raises(settings):
        if broken[0]:
            raise ArithmeticError("the loss is NaN at once")
        return finding("depends")

    def make(name, run):
        texts = dict.fromkeys(("hypothesis", "measure", "acceptance", "theory", "source"), "text")
        return claim.Claim(f"claim-{name}", f'2.1 "{name}."', "title", run=run, **texts)

    made = [make("counts", counts), make("raises", raises)]
    entries = tuple(registry.Entry(c.name, c.name, c.section, c.sentence) for c in made)
    by_name = {c.name: c for c in made}
    monkeypatch.setattr(registry, "entries", lambda: entries)
    monkeypatch.setattr(registry.Entry, "load", lambda self: by_name[self.name])
    monkeypatch.setattr(stages, "LocalExecutor", OneByOne)
    monkeypatch.setattr(trial, "write_report", lambda folder, animate: None)
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


def test_a_claim_can_be_tried_alone(claims_of_the_test, tmp_path, monkeypatch, capsys):
    assert tfadaopt_run(monkeypatch, "run", "claim-counts", "--out", tmp_path) == 0
    (result,) = trial.read_results(tmp_path)
    assert result.name == "claim-counts"
    assert "steps: 7 steps" in " ".join(capsys.readouterr().out.replace("│", " ").split())


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
        (["run", "claims", "--set", "seed=3"], "Did you mean 'seeds'"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(words, said, tmp_path, monkeypatch, capsys):
    assert tfadaopt_run(monkeypatch, *words, "--out", tmp_path / "new") == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()


def test_a_folder_without_claims_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="tfadaopt run claims"):
        trial.read_results(tmp_path)
