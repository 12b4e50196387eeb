"""The report tells what the tables hold, in one page that needs nothing else."""

import html.parser
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tfadaopt.experiments.lecture import report
from tfadaopt.experiments.reports import draw
from tfadaopt.experiments.reports.figures import Lines, Panels, Series

METHODS = ["SGD", "Adagrad"]
RATES = [0.01, 0.1, 1.0]
ACCURACY = {"SGD": (0.90, 0.92, 0.94), "Adagrad": (0.8, 0.8, 0.8)}
SECTIONS = ("glance", "curves", "sensitivity", "rates", "accumulators", "surfaces", "repeat")


def write(folder: Path, results: pd.DataFrame, layers: pd.DataFrame) -> Path:
    settings = {"methods": METHODS, "learning_rates": RATES, "seeds": 3, "condition_number": 9.0}
    settings |= {"surface_learning_rates": [0.1], "surface_steps": 3, "split_seed": 0}
    settings |= {"train_size": 3500, "validation_size": 750}
    run = {"experiment": "lecture", "settings": settings, "command": "tfadaopt run lecture"}
    run |= {"versions": {"keras": "3.15.1"}, "machine": "<a & b>", "started": "", "seconds": 1.0}
    run["finished"] = "2026-11-24T00:00:00+00:00"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(run))
    results.to_csv(folder / "results.csv", index=False)
    layers.to_csv(folder / "layers.csv", index=False)
    chosen = [(method, 0.1, 0.3, 0.9, method == "Adagrad") for method in METHODS]
    columns = ["method", "learning_rate", "validation_loss", "validation_accuracy", "at_edge"]
    pd.DataFrame(chosen, columns=columns).to_csv(folder / "chosen.csv", index=False)
    names = ("ravine", "rotated ravine", "saddle")
    paths = [
        {"surface": s, "method": m, "learning_rate": 0.1, "step": t, "x": -t, "y": t, "f": 9 / 2**t}
        for s in names
        for m in METHODS
        for t in range(4)
    ]
    pd.DataFrame(paths).to_csv(folder / "trajectories.csv", index=False)
    reached = [
        {"surface": s, "method": m, "learning_rate": 0.1, "steps_to_target": steps}
        | {"target": "f ≤ 1", "sensible_rates": 1, "grid_size": 1}
        for s in names
        for m, steps in zip(METHODS, (123, math.nan), strict=True)
    ]
    pd.DataFrame(reached).to_csv(folder / "surfaces.csv", index=False)
    grid = np.linspace(-3, 3, 9)
    height = grid[:, None] ** 2 + grid[None, :] ** 2
    arrays = {
        f"{s.replace(' ', '_')}_{a}": v
        for s in names
        for a, v in zip("xyf", (grid, grid, height), strict=True)
    }
    np.savez(folder / "contours.npz", **arrays)
    return folder


def results() -> pd.DataFrame:
    rows = []
    for method in METHODS:
        for rate in RATES:
            diverged = (method, rate) == ("SGD", 1.0)
            loss = math.nan if diverged else 0.5
            rows.append(("tune", method, rate, None, 2, "validation", loss, 0.9, diverged))
        for seed, accuracy in enumerate(ACCURACY[method]):
            for epoch in (1, 2):
                rows.append(("final", method, 0.1, seed, epoch, "validation", 0.4, 0.9, False))
            rows.append(("final", method, 0.1, seed, 2, "test", 0.25, accuracy, False))
    columns = ["phase", "method", "learning_rate", "seed", "epoch"]
    columns += ["split", "loss", "accuracy", "diverged"]
    return pd.DataFrame(rows, columns=columns)


def layers() -> pd.DataFrame:
    rows = []
    for seed in range(3):
        for step in (10, 40, 160):
            for layer, first in (("conv_1", 1.0), ("logits", 4.0)):
                for name in ("p05", "p50", "p95"):
                    at = (seed, step)
                    variable = f"net/{layer}/kernel"
                    rate = first / math.sqrt(step)
                    rows.append(("SGD", *at, "effective_learning_rate", variable, name, 0.1))
                    rows.append(("Adagrad", *at, "effective_learning_rate", variable, name, rate))
                    rows.append(("Adagrad", *at, "accumulator/accumulator", variable, name, step))
    columns = ["method", "seed", "step", "quantity", "variable", "statistic", "value"]
    return pd.DataFrame(rows, columns=columns)


class Page(html.parser.HTMLParser):
    """What the page refers to, its sections, its pictures and its text."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.alts, self.sections, self.words = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.alts.append(attributes.get("alt", ""))
        if tag == "section":
            self.sections.append(attributes.get("id"))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("report") / "run", results(), layers())


@pytest.fixture(scope="module")
def page(folder) -> Page:
    return Page(report.write_report(folder))


def test_page_is_self_contained_and_complete(page, folder):
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert tuple(page.sections) == SECTIONS
    assert len(page.links) == len(page.alts) == len(list(folder.glob("figures/*.svg"))) == 8
    assert all(len(alt) > 20 for alt in page.alts)
    assert 'name="viewport"' in (folder / "report.html").read_text()


def test_numbers_are_those_of_the_tables(page):
    assert "SGD θ ← θ − η g 0.1 92.0 % 90.0–94.0 0.25 0 of 3 1 of 3" in page.text
    assert "(edge) 80.0 % 80.0–80.0" in page.text
    assert "123" in page.text
    assert "never" in page.text
    assert "<a & b>" in page.text  # escaped in the source, whole in the text


def test_rates_are_described_by_what_was_logged():
    tables = {"layers": layers()}
    assert report.describe("SGD", tables)["constant"]
    story = report.describe("Adagrad", tables)
    assert not story["constant"]
    assert (story["first_step"], story["last_step"]) == (10, 160)
    assert story["spread"] == pytest.approx(4)
    for layer in story["layers"]:
        assert layer["factor"] == pytest.approx(4)
        assert layer["slope"] == pytest.approx(-0.5)
    assert report.describe("RMSprop", tables) is None


def test_interval_of_the_mean():
    low, high = report.mean_interval(np.array([0.90, 0.92, 0.94]))
    assert 0.90 <= low < 0.92 < high <= 0.94
    assert report.mean_interval(np.array([0.8, 0.8, 0.8])) == (0.8, 0.8)
    assert report.mean_interval(np.array([0.8, 0.9])) is None


def test_partial_results_say_what_is_missing(tmp_path):
    table = results()
    only_tuned = table[(table.phase == "tune") & (table.method == "SGD")]
    page = Page(report.write_report(write(tmp_path / "run", only_tuned, layers()[:0])))
    assert page.sections[0] == "missing"
    assert "SGD: 0 of 3 final runs" in page.text
    assert "Adagrad: 0 of 3 rates tried" in page.text
    assert "Not there yet" in page.text


@pytest.mark.parametrize("name", ["run.json", "results.csv", "contours.npz"])
def test_missing_table_is_named_with_the_command_that_makes_it(name, tmp_path):
    folder = write(tmp_path / "run", results(), layers())
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name}.*tfadaopt run lecture --out"):
        report.write_report(folder)


def test_panels_share_axes_styles_and_one_legend():
    def panel(title, *labels):
        lines = tuple(Series(label, [1, 2], [1.0, 2.0]) for label in labels)
        return Lines(title, "step", "rate", lines)

    data = Panels("Rates", (panel("a", "conv", "dense"), panel("b", "dense"), panel("c", "conv")))
    figure = draw.draw(data)
    drawn = {
        (axes.get_title(), line.get_label()): line.get_color()
        for axes in figure.axes
        for line in axes.get_lines()
    }
    assert drawn["a", "dense"] == drawn["b", "dense"] != drawn["a", "conv"] == drawn["c", "conv"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["conv", "dense"]
    assert len({axes.get_ylim() for axes in figure.axes[:3]}) == 1


def test_only_the_points_that_are_named_are_ringed():
    plain = Lines("Rates", "η", "loss", (Series("SGD", [0.1, 1.0], [2.0, 3.0]),))
    ringed = Lines("Rates", "η", "loss", (Series("SGD", [0.1, 1.0], [2.0, 3.0], ringed=[1.0]),))
    assert len(draw.draw(plain).axes[0].get_lines()) == 1
    *_, ring = draw.draw(ringed).axes[0].get_lines()
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([1.0], [3.0])
