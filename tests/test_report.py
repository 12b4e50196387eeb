"""The report tells what the tables hold, in one page that needs nothing else."""

import html.parser
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tfadaopt.catalog import METHODS as CATALOG
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.lecture import report
from tfadaopt.experiments.reports import animation, draw, look, scales, styles
from tfadaopt.experiments.reports.figures import Contours, Lines, Panels, Series, Trajectory
from tfadaopt.experiments.reports.intervals import sensitivity
from tfadaopt.experiments.reports.picture import describe

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
    return pd.DataFrame(rows, columns=columns).assign(stopped="")


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_runs_that_the_time_limit_ended_are_counted(tmp_path, page):
    assert "ended by the time limit" not in page.text
    table = results()
    cut = (table.phase == "tune") & (table.method == "SGD")
    table["stopped"] = table.stopped.where(~cut, "time limit of 9 s passed in step 4")
    page = Page(report.write_report(write(tmp_path / "run", table, layers())))
    said = f"SGD: {len(RATES)} of the runs were ended by the time limit of"
    assert said in page.text
    assert "Adagrad: 0 of the runs" not in page.text


@pytest.mark.parametrize("name", ["run.json", "results.csv", "contours.npz"])
def test_missing_table_is_named_with_the_command_that_makes_it(name, tmp_path):
    folder = write(tmp_path / "run", results(), layers())
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name}.*tfadaopt run lecture --out"):
        report.write_report(folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("results.csv", b"phase,method\n", r"results\.csv is damaged \(it has no column learning_"),
        ("contours.npz", b"PK", r"contours\.npz is damaged .*tfadaopt run lecture --out"),
    ],
)
def test_a_damaged_table_is_named_with_the_command_that_makes_it(name, content, said, tmp_path):
    folder = write(tmp_path / "run", results(), layers())
    (folder / name).write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        report.write_report(folder)


def test_figures_are_of_what_there_is():
    """Final runs of one method, in which one layer was not logged, and no accumulator."""
    table, logged = results(), layers()
    tables = {
        "results": table[(table.phase == "final") & (table.method == "SGD")],
        "layers": logged[
            (logged.quantity == "effective_learning_rate")
            & ((logged.method == "SGD") | (logged.variable != "net/conv_1/kernel"))
        ],
        "trajectories": pd.DataFrame(columns=report.TABLES["trajectories"]),
    }
    made = dict(report._figures(tables, {}, METHODS))
    assert list(made) == ["curves", "effective_learning_rate"]
    assert [[s.label for s in panel.series] for panel in made["curves"].panels] == [["SGD"]] * 2
    sgd, adagrad = made["effective_learning_rate"].panels
    assert (len(sgd.series), len(adagrad.series)) == (2, 1 + 1)  # with t^−½
    none = {**tables, "results": table[:0], "layers": logged[:0]}
    assert dict(report._figures(none, {}, METHODS)) == {}


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


def test_panels_without_a_line_have_no_legend():
    data = Panels("Rates", (Lines("a", "step", "rate", ()), Lines("b", "step", "rate", ())))
    assert draw.draw(data).legends == []


def test_long_lines_are_thinned_to_what_can_be_told_apart_with_their_ends():
    x = np.arange(1, 5_001)
    for log, ratio in ((False, 1.0), (True, 0.01)):
        series = Series("SGD", x, 2.0 * x, low=1.0 * x, high=3.0 * x)
        thin_x, y, low, high = scales.thinned(series, log)
        assert 300 < len(thin_x) <= 500
        assert (thin_x[0], thin_x[-1]) == (1, 5_000)
        assert (y == 2 * thin_x).all()
        assert (high - low == y).all()
        gaps = np.diff(thin_x)
        assert gaps[0] / gaps[-1] == pytest.approx(ratio, abs=0.12)
    assert [len(column) for column in scales.thinned(Series("SGD", x, x), False)] == [
        500,
        500,
        0,
        0,
    ]


def test_a_figure_in_words_names_the_first_lines_and_what_has_values():
    x = [1.0, 2.0]
    many = tuple(Series(f"line {i}", x, x) for i in range(10))
    data = Lines("Rates", "η", "loss", (Series("none", x, [math.nan] * 2), *many))
    said = describe(data)
    assert "none" not in said
    assert "line 6: from 1 to 2. And 3 more lines." in said
    assert "line 7" not in said


def test_a_path_without_a_finite_point_is_neither_said_nor_drawn_nor_played(tmp_path):
    grid = np.linspace(-1, 1, 5)
    paths = (
        Trajectory("none", [], []),
        Trajectory("gone", [math.nan], [0.0]),
        Trajectory("SGD", [-1, -0.5, 0], [0, 0.2, 0.1]),
    )
    data = Contours("Paths", "x", "y", grid, grid, grid[:, None] ** 2 + grid**2, paths)
    assert "none" not in describe(data)
    assert "SGD ends at (0, 0.1) after 2 steps." in describe(data)
    figure = draw.draw(data)
    (axes,) = figure.axes
    assert {"none", "gone"}.isdisjoint(line.get_label() for line in axes.get_lines())
    moving = animation.animate(figure, data, look.save(figure, tmp_path / "x"), "x")
    assert moving.count('class="trail"') == 1


def test_only_the_points_that_are_named_are_ringed():
    plain = Lines("Rates", "η", "loss", (Series("SGD", [0.1, 1.0], [2.0, 3.0]),))
    ringed = Lines("Rates", "η", "loss", (Series("SGD", [0.1, 1.0], [2.0, 3.0], ringed=[1.0]),))
    assert len(draw.draw(plain).axes[0].get_lines()) == 1
    *_, ring = draw.draw(ringed).axes[0].get_lines()
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([1.0], [3.0])


# One style for a method


def test_every_method_has_a_style_of_its_own():
    seen = {
        (style["color"], style["marker"])
        for style in (styles.of_method(record.name) for record in CATALOG)
    }
    assert len(seen) == len(CATALOG)
    assert {style["color"] for style in map(styles.of_method, METHODS)} <= set(look._DARK)


@pytest.mark.parametrize(
    "labels",
    [
        ["Adagrad"],
        ["Adagrad", "SGD"],
        ["DoG", "Adagrad, η = 1"],
        ["Adagrad, along the axes", "Adagrad, turned"],
        ["layer", "Adagrad"],
        ["AdaGradNorm", "Shampoo", "RMSprop", "Adam", "SGD", "Momentum", "Adagrad"],
    ],
)
def test_a_method_has_the_same_colour_in_all_figures(labels):
    drawn = dict(zip(labels, styles.of_labels(labels), strict=True))
    for label, style in drawn.items():
        if "Adagrad" in label:
            assert style["color"] == styles.of_method("Adagrad")["color"]
    assert len({(s["color"], str(s["linestyle"]), s["marker"]) for s in drawn.values()}) == len(
        labels
    )


def test_methods_of_one_colour_are_told_apart_where_a_colour_is_free():
    assert styles.of_method("Lion")["color"] == styles.of_method("Adam")["color"]
    adam, lion, other = styles.of_labels(["Adam", "Lion", "layer"])
    assert adam == styles.of_method("Adam")
    assert len({adam["color"], lion["color"], other["color"]}) == 3
    assert lion["marker"] == styles.of_method("Lion")["marker"]


def test_values_of_one_thing_have_colours_of_no_method():
    scale = styles.of_labels([f"Momentum, μ = {mu}" for mu in (0, 0.5, 0.9, 0.99)])
    colours = [style["color"] for style in scale]
    assert colours == [colour for colour in look.RAMP if colour in colours]
    assert not {style["color"] for style in scale} & {colour for colour, *_ in look.STYLES}


def predicted(of: str = "") -> Lines:
    x = [1.0, 2.0]
    series = (
        Series("Momentum, μ = 0.9", x, x),
        Series("Momentum, μ = 0.99", x, x),
        Series("SGD", x, x),
        Series("Momentum, μ = 0.9, theory", x, x, style="theory", of=of),
    )
    return Lines("Speed", "t", "speed", series)


def test_theory_has_the_colour_of_the_line_it_is_of_and_no_other():
    # The longest common part of the labels would be that of μ = 0.99 as well.
    for of in ("Momentum, μ = 0.9", "Momentum, μ = 0.99", "SGD"):
        data = predicted(of)
        given, _ = styles.of_series(data.series)
        by_label = {s.label: style["color"] for s, style in zip(data.series, given, strict=True)}
        assert given[-1]["color"] == by_label[of]
    given, summed = styles.of_series(predicted().series)
    assert given[-1]["color"] == look.SOFT
    assert summed == set()


def test_theory_of_a_line_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"is of 'SDG', but 'Speed' measures 'Momentum, μ = 0\.9'"):
        predicted("SDG")
    with pytest.raises(ValueError, match=r"'SGD' is measured, and of='Adam'"):
        Series("SGD", [1.0], [1.0], of="Adam")


# What is judged, and paths that cover each other


def test_the_width_that_is_judged_is_marked_between_its_ends():
    rates, losses = [0.01, 0.1, 1.0, 10.0], [5.0, 1.0, 1.05, 9.0]
    found = sensitivity(rates, losses)
    assert found.ends == (0.1, 1.0)
    data = Lines(
        "Rates", "η", "loss", (Series("SGD", rates, losses, width=found.ends),), x_log=True
    )
    _, broad, ends = draw.draw(data).axes[0].get_lines()
    assert list(broad.get_xdata()) == list(ends.get_xdata()) == [0.1, 1.0]
    assert "Marked from 0.1 to 1." in describe(data)
    assert sensitivity(rates, [math.nan] * 4).ends == ()
    with pytest.raises(ValueError, match="width has 1 positions"):
        Series("SGD", rates, losses, width=[1.0])


def test_paths_apart_have_a_picture_each_that_can_be_played(tmp_path):
    grid = np.linspace(-1, 1, 5)
    paths = tuple(Trajectory(m, [-1, 0, 0.5], [k / 4, 0, 0.1]) for k, m in enumerate(METHODS))
    data = Contours("Paths", "x", "y", grid, grid, grid[:, None] ** 2 + grid**2, paths, apart=True)
    figure = draw.draw(data)
    assert [axes.get_title() for axes in figure.axes] == METHODS
    assert figure.legends == []
    for axes, method in zip(figure.axes, METHODS, strict=True):
        (path,) = [line for line in axes.get_lines() if line.get_label() == method]
        assert path.get_color() == styles.of_method(method)["color"]
    moving = animation.animate(figure, data, look.save(figure, tmp_path / "x"), "x")
    assert moving.count('id="x-box-') == moving.count('class="trail"') == len(METHODS)
