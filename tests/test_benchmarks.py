"""What the benchmarks count without noise, export for a GPU, keep when interrupted, and say."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    """Imports a benchmark by its name, with their folder on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


@pytest.fixture(scope="module")
def graphs(benchmark):
    return benchmark("graphs")


@pytest.mark.parametrize(
    ("arrivals", "said"),
    [
        ((100, 50), "Old arrives in 100 steps, New arrives in 50 steps: New is faster"),
        ((50, 100), "Old is faster (New on 0 of 5 problems, Old on 5)"),
        ((50, 51), "no clear difference"),
        ((100, None), "New does not arrive in 400 steps: Old is faster"),
        ((None, None), "no clear difference (New on 0 of 5 problems, Old on 0)"),
    ],
)
def test_lineage_says_what_was_measured(arrivals, said, benchmark):
    """With noisy gradients, the one that arrives earlier ends lower by a factor of 10."""
    lineage = benchmark("lineage")
    walks = {}
    for method, step in zip(("Old", "New"), arrivals, strict=True):
        exact, noisy = np.ones((2, 1 + lineage.STEPS))
        exact[slice(step, None) if step else slice(0)] = lineage.TARGET / 2
        noisy[1:] = (step or 1000) / 1000
        walks[method] = {lineage.EXACT: [(0.1, exact)] * 5, lineage.NOISY: [(0.1, noisy)] * 5}
    of_exact, of_noisy = lineage.sentence("Old", "New", walks).splitlines()
    assert said in of_exact
    old, new = (step or 1000 for step in arrivals)
    lower = (
        "New is lower" if new * 1.25 < old else "Old is lower" if old * 1.25 < new else "no clear"
    )
    assert lower in of_noisy
    assert f"Old ends at {old / 1000:.2g}" in of_noisy


@pytest.mark.slow
def test_lineage_walks_by_the_rule(benchmark):
    """SGD on the problem, step by step in NumPy."""
    lineage = benchmark("lineage")
    given, w, losses = lineage.problem(3), np.zeros(lineage.SHAPE), []
    for noise in [*given.noise, 0]:
        gradient = given.rows @ (w - given.lowest) @ given.columns
        losses.append(np.sum((w - given.lowest) * gradient) / 2)
        w = w - 0.5 * (gradient + 0.2 * noise)
    np.testing.assert_allclose(lineage.walker("SGD")(0.5, 0.2, given), losses, rtol=1e-9)


# What all can be at best is the gradient alone: 0.93 of Keras' SGD on ResNet-20, 0.66 of its
# Adagrad on the Transformer.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "method", "most"),
    [
        ("resnet20", "SGD", 1.03),
        ("resnet20", "Adam", 0.8),
        ("transformer", "Adagrad", 0.9),
        ("transformer", "RMSprop", 0.8),
    ],
)
def test_a_step_under_xla_is_no_larger_than_keras_own(network, method, most, graphs):
    ours, theirs = (graphs.operations(network, make()) for make in graphs.pair(method))
    assert ours <= most * theirs


@pytest.mark.slow
def test_an_exported_step_does_the_same_under_jax(tmp_path):
    pytest.importorskip("jax", exc_type=ImportError)
    words = [sys.executable, BENCHMARKS / "gpu.py"]
    chosen = ["--networks", "cnn", "--methods", "Adam"]
    subprocess.run([*words, "export", tmp_path / "steps", *chosen], check=True, timeout=300)
    table = tmp_path / "table.md"
    ran = [*words, "run", tmp_path / "steps", "--steps", "2", "--write", table]
    subprocess.run(ran, check=True, timeout=300)
    heads, _, *rows = [line.strip("| ").split(" | ") for line in table.read_text().splitlines()]
    place = heads.index("largest difference of the loss")
    assert [row[0] for row in rows] == ["cnn-Adam-keras", "cnn-Adam-tfadaopt"]
    assert all(float(row[place]) < 1e-4 for row in rows)


@pytest.mark.parametrize("lost", ["before the row", "before the state"])
def test_an_interrupted_run_goes_on_where_it_was(lost, benchmark, tmp_path, monkeypatch):
    fmnist = benchmark("fmnist_2c2d")
    first, second = fmnist.Run("SGD", 0.1, 42), fmnist.Run("Adam", 0.1, 42)
    trained = []

    class Counting:
        """Its state is the number of epochs so far."""

        def begin(self, run, values):
            self.done = int(values[0]) if values else 0

        def epoch(self, run):
            if len(trained) == 2 and lost == "before the row":
                raise KeyboardInterrupt
            self.done += 1
            trained.append((run.method, self.done))
            return {"accuracy": self.done, "seconds": 0.0}

        def values(self):
            if len(trained) == 2 and lost == "before the state":
                raise KeyboardInterrupt
            return [np.array(self.done)]

    monkeypatch.setattr(fmnist, "trainer_of", lambda method: Counting())
    monkeypatch.setattr(fmnist, "plan", lambda: [(first, 3, True), (second, 1, False)])
    with pytest.raises(KeyboardInterrupt):
        fmnist.train(fmnist.Results(tmp_path))
    assert trained == [("SGD", 1), ("SGD", 2)]
    trained.append("interrupted")
    fmnist.train(fmnist.Results(tmp_path))
    again = [("SGD", 2)] if lost == "before the state" else []
    assert trained[3:] == [*again, ("SGD", 3), ("Adam", 1)]
    rows = {
        (row["method"], row["epoch"]): row["accuracy"] for row in fmnist.Results(tmp_path).all()
    }
    assert rows == {("SGD", 1): 1, ("SGD", 2): 2, ("SGD", 3): 3, ("Adam", 1): 1}
    fmnist.train(fmnist.Results(tmp_path))
    assert len(trained) == 5 + len(again), "nothing is trained twice"


def test_the_report_says_what_lies_within_three_errors_and_what_does_not(benchmark):
    report = benchmark("fmnist_2c2d_report")
    cost = {"steps": 468, "seconds": 60.0, "processor_seconds": 50.0}

    def row(seed, accuracy, rate=0.1):
        return {
            "method": "SGD",
            "rate": rate,
            "seed": seed,
            "epoch": 1,
            "accuracy": accuracy,
        } | cost

    near = [row(42, 0.85), row(43, 0.86), row(44, 0.87)]
    far = [row(42, 0.90), row(43, 0.901), row(44, 0.902)]
    for rows, within in ((near, "1 of 1"), (far, "0 of 1"), (near[:1], "1 of 1")):
        text = "\n".join(report._means(rows, {"SGD": 0.1}))
        assert f"{within} means lie within" in text
        assert ("fewer than 3 seeds" in text) == (len(rows) < 3)
    # Of ten runs and three: 3 √(0.0112²/10 + 0.01²/3).
    assert report.bar(0.0112, [0.85, 0.86, 0.87]) == pytest.approx(0.02031, abs=1e-5)
    rates = np.geomspace(1e-4, 1, 12)
    mine, best = [row(42, 0.27, rates[0]), row(42, 0.1, rates[-1])], {"SGD": rates[9]}
    curve = "\n".join(report._curves(mine, rates, best))
    assert "the published seed 42 lies +0.0124 (SGD) from the published mean" in curve
    assert "2 of 36 are finished" in curve
    assert "Where both learn (1), they differ by 0.0099 in the median" in curve
    assert "Of 1 where one does not, 1 do not in either" in curve
    assert list(report._every_method(near)) == [], "the published ones have tables of their own"
    others = [{**row(42, 0.3, 0.5), "method": "Yogi"}]
    table = "\n".join(report._every_method([*near, *mine, *others, row(43, 0.4)]))
    assert "| SGD | 0.2700 at 0.0001, **0.8500 at 0.1**, 0.1000 at 1 |\n| Yogi |" in table
    assert "seeds of the three methods above lie up to 0.4700 apart" in table


def test_the_page_of_costs_is_what_the_benchmarks_wrote(benchmark):
    costs = benchmark("costs")
    page = costs.PAGE.read_text(encoding="utf-8")
    assert costs.filled(page) == page, "run: python benchmarks/costs.py"
    assert "| Adam |" in page
    readme = (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")
    assert [text for text in costs.for_readme() if text not in readme] == []
    with pytest.raises(ValueError, match="'fit, plain' stands 0 times"):
        costs.filled(page.replace("<!-- fit, plain:", "<!-- fits:"))


def test_a_measured_row_takes_its_place_in_the_table(benchmark, tmp_path, monkeypatch):
    tables = benchmark("tables")
    monkeypatch.setattr(tables, "HERE", tmp_path)
    orders = {"mode": ["plain", "xla"], "size": (10, 9)}
    for mode, size, ratio in (
        ("xla", 9, 1.0),
        ("plain", 9, 2.0),
        ("xla", 10, 3.0),
        ("xla", 9, 4.0),
    ):
        kept = tables.Kept("some.md", orders)  # each in a run of its own
        kept.put({"mode": mode, "size": size, "ratio": ratio})
    assert {"mode": "xla", "size": 10} in kept
    assert {"mode": "plain", "size": 10} not in kept
    rows = [tuple(row.values()) for row in tables.rows_of("some.md")]
    assert rows == [("plain", "9", "2.00"), ("xla", "10", "3.00"), ("xla", "9", "4.00")]


@pytest.fixture
def scale(benchmark):
    report = benchmark("scale_report")
    return report, json.loads(report.FIGURES.read_text())


def test_the_page_about_scale_has_the_figures_that_were_kept(scale, benchmark):
    report, figures = scale
    for name, lines in report.texts(figures).items():
        written = (benchmark("measured").FOLDER / f"{name}.txt").read_text(encoding="utf-8")
        assert written.splitlines() == lines, name


def test_what_the_page_says_turns_with_the_figures(scale):
    report, figures = scale
    worse = {**figures}
    worse["overhead ray"] = [{"first": 30.0, "each": 1.5}, {"first": 10.0, "each": 2.5}]
    worse["faults cluster"] = {"cells": 9, "problems": ["other bytes", "no fault happened"]}
    worse["driver"] = [{"cells": 1_000, "fewer": 500, "few": 100.0, "many": 150.0}]
    worse["driver"][0]["milliseconds"] = 4.0
    costs, faults, paper = (
        " ".join(" ".join(lines).split()) for lines in report.texts(worse).values()
    )
    assert "20.0 (10.0 to 30.0) s until the first one" in costs
    assert "Ray takes 10 % of a cell of 20 s, which is more than the 5 % that it may lose" in costs
    assert "in a sweep of 9 cells" in faults
    assert "| 2 problems |" in faults
    assert "it hands out 250 a second" in paper
    assert "100,000 bytes for each cell" in paper
    assert "which is more than" not in "\n".join(report.texts(figures)["scale-costs"])
