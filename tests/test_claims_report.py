"""The report of claims: a page each that needs nothing else, an index, figures as files."""

import html.parser
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from tfadaopt.experiments import configs
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.method_map import survey
from tfadaopt.experiments.reports import draw, figures, look, pages, scales, styles
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.trial import claim as frame
from tfadaopt.experiments.trial import report as claims_report
from tfadaopt.experiments.trial import run as trial
from tfadaopt.experiments.trial.slides import Slide, Statement

pytestmark = pytest.mark.xdist_group("claims report")  # written once, not once in each worker

RUN = {"command": "tfadaopt run claims", "seconds": 75.2, "machine": "two <cores>"}
RUN |= {"versions": {"keras": "3.15.1"}, "settings": {"seeds": 10}, "finished": None}
EVIL = "\"Rates <script>alert(1)</script> & 'more'.\""


def lines() -> figures.Lines:
    t = np.arange(1, 60)
    series = (
        figures.Series("Adagrad", t, 0.5 / np.sqrt(t), 0.4 / np.sqrt(t), 0.6 / np.sqrt(t)),
        figures.Series("SGD", t, np.full(59, 0.25)),
        figures.Series("predicted", t, 0.5 / np.sqrt(t), style="theory", of="Adagrad"),
    )
    return figures.Lines("Rates", "step", "rate", series, True, True, "Look at the slope.")


def contours() -> figures.Contours:
    x, y = np.linspace(-2, 2, 9), np.linspace(-1, 1, 5)
    height = x[None] ** 2 + 10 * y[:, None] ** 2
    paths = (
        figures.Trajectory("SGD", [-1.5, -1.0, -0.5], [0.5, -0.5, 0.25]),
        figures.Trajectory("Momentum", [-1.5, 0.0, 1e9, math.nan], [0.5, 0.1, 1e9, math.nan]),
    )
    return figures.Contours("Paths", "x", "y", x, y, height, paths, caption="Ring: start.")


def bars(**more) -> figures.Bars:
    values = (12.0, 340.0, math.inf)
    return figures.Bars("Steps", "steps", ("SGD", "Adagrad", "Adam"), values, **more)


def finding(verdict="depends", figures=(), **more) -> frame.Finding:
    numbers = (
        frame.Number(
            "steps", math.inf, 612, unit="steps", agrees=False, allowed="± 1", note="Why."
        ),
        frame.Number("gain", 20.0, 31.6, 19.24, 22.5, "×", True, "10 to inf", key=True),
    )
    return frame.Finding(verdict, f"It <depends>: {verdict}.", numbers, figures, "Tune η.", **more)


def result(name, sentence=None, found=None, **more) -> frame.Result:
    texts = {"title": f"Title of {name}", "acceptance": "Rule <1>.", "kind": "measured"}
    texts |= {"rule": "0123456789ab", "dated": "2026-11-29", "limits": {"most": 5.0}}
    known = texts | {"seconds": 0.5, "repeat": f"repeat {name}"} | more
    return frame.Result(name, "Topic", sentence, f"Reading of {name}.", finding=found, **known)


VELOCITY, FAILED, REFUTED, MISSING = (
    "claim-terminal-velocity",
    "claim-ravine",
    "claim-zigzag",
    "claim-saddle",
)
RESULTS = (
    result(REFUTED, EVIL, finding("refuted", (contours(),), fails="Fails at <1>.")),
    result(FAILED, EVIL, None, error="ValueError: Nan in <layer> & so on"),
    result(
        VELOCITY,
        None,
        finding(
            "confirmed",
            (lines(), bars(theory=(12, 300, math.nan))),
            failures=(frame.Failure("SGD diverged", 3, 25), frame.Failure("Adam diverged", 0, 25)),
        ),
        source="Duchi 2011, https://jmlr.org/papers/v12/duchi11a.html",
        retrials=(frame.Retrial("most × ½", "refuted"), frame.Retrial("most × 2", "confirmed")),
    ),
    result(MISSING, None, None),
)


SAID = Statement((REFUTED, FAILED), EVIL)
SURVEYED = (survey.Surveyed("SGD", {}, "not run yet"),)
PAGES = ["report", "map", *(f"claims/{r.name}" for r in RESULTS)]


class Page(html.parser.HTMLParser):
    """Its elements with their attributes, and its text."""

    def __init__(self, path: Path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements, self.words = [], []
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str, name: str) -> list[str]:
        return [a[name] for t, a in self.elements if t == tag and name in a]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("claims") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims_report, "SLIDES", (Slide("Topic", (SAID,)),))
        claims_report.write_claims_report(folder, RESULTS, RUN, animate=True, surveyed=SURVEYED)
    return folder


@pytest.fixture(scope="module")
def index(folder) -> Page:
    return Page(folder / "report.html")


def page(folder: Path, name: str) -> Page:
    return Page(folder / "claims" / f"{name}.html")


def test_index_has_all_claims_in_the_order_given(index, folder):
    names = [r.name for r in RESULTS]
    assert re.findall(r'id="(claim-[a-z-]+)"', index.source) == names
    assert re.findall(r'href="#(claim-[a-z-]+)"', index.source) == names
    assert [p.stem for p in sorted((folder / "claims").iterdir())] == sorted(names)
    assert "confirmed 1 refuted 1 no verdict: failed 1 not run yet 1" in index.text
    assert "gain: 20 × (95 % interval 19.2 to 22.5; theory 31.6)" in index.text
    assert "1 min 15 s of computing on two <cores>" in index.text


def test_pages_lead_to_each_other(folder):
    hops = []
    for r in RESULTS:
        links = page(folder, r.name).elements
        hops.append(
            [
                (a["rel"], a["href"])
                for t, a in links
                if t == "a" and a.get("rel") in ("prev", "next")
            ]
        )
    a, b, c, d = (f"{r.name}.html" for r in RESULTS)
    follow = [[("next", b)], [("prev", a), ("next", c)], [("prev", b), ("next", d)], [("prev", c)]]
    assert [sorted(set(h)) for h in hops] == [sorted(h) for h in follow]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_else(name, folder):
    path = folder / f"{name}.html"
    it = Page(path)
    assert 'name="viewport"' in it.source
    assert not {t for t, _ in it.elements} & {"link", "iframe", "object"}
    # The interactive picture is the only script, and in the page.
    assert [a for t, a in it.elements if t == "script"] == [{"type": "module"}] * (name == "report")
    assert all(s.startswith("data:image/svg+xml;base64,") for s in it.all("img", "src"))
    assert not re.search(r"@import|url\((?!#)|^import ", it.source, re.MULTILINE)
    outside = [h for h in it.all("a", "href") if not h.startswith("#")]
    local = [h for h in outside if not h.startswith("https://")]
    assert local
    assert [h for h in local if not (path.parent / h).exists()] == []


def test_sentences_stand_in_quotation_marks_and_readings_do_not(index):
    lecture, beyond = index.text.split("What the lecture does not say what is said elsewhere")
    beyond, _, found = beyond.partition("Drag it yourself")
    assert f"“{EVIL}”" in lecture
    assert "“" not in beyond
    assert "“" not in found
    assert "Fails at <1>." in lecture
    assert f"Reading of {VELOCITY}." in beyond
    assert not re.search(r"\b2\.\d+ Title", index.text)


def test_index_leads_to_the_map_and_has_the_interactive_picture(index, folder):
    assert "map.html" in index.all("a", "href")
    assert (folder / "map.html").exists()
    assert index.source.count('id="playground"') == 1


def test_without_a_survey_there_is_no_map(tmp_path):
    claims_report.write_claims_report(tmp_path, RESULTS[:1], RUN)
    assert not (tmp_path / "map.html").exists()
    assert "map.html" not in Page(tmp_path / "report.html").source


def test_text_is_escaped(folder, index):
    first = page(folder, VELOCITY)
    for it in (page(folder, REFUTED), index):
        assert "<script>" not in it.source
        assert EVIL in it.text
    assert "It <depends>: confirmed." in first.text
    assert "Rule <1>." in first.text
    assert "https://jmlr.org/papers/v12/duchi11a.html" in first.all("a", "href")


def test_a_page_tells_what_was_found(folder):
    it = page(folder, VELOCITY)
    for words in (
        "gain 20 × 95 % interval 19.2 to 22.5; theory 31.6",
        "steps never 612 ± 1 no Why.",
        "gain 20 × [19.2 to 22.5] 31.6 at least 10 yes",
        "SGD diverged: 3 of 25 None of these: Adam diverged: 0 of 25.",
        "What it means when you train a CNN Tune η.",
        "Rule of 2026-11-29, digest 0123456789ab",
        "Not a sentence of the lecture",
        "Nothing in it is random. With its threshold halved and doubled: refuted with most × ½",
        "repeat claim-terminal-velocity Took 0.5 s on two <cores>.",
        "Look at the slope.",
    ):
        assert words in it.text
    # The verdict is a word, not only a colour.
    assert "confirmed" in it.text
    assert "from tfadaopt.experiments.trial.claim import Claim" in it.text


def test_a_finding_without_a_number_has_none_beside_its_verdict(tmp_path):
    found = frame.Finding("depends", "So.", (), (), "Hm.")
    claims_report.write_claims_report(tmp_path, [result("claim-x", None, found)], RUN)
    assert claims_report.key_texts(found) is None
    assert "95 % interval" not in Page(tmp_path / "report.html").text


def test_a_result_with_a_path_for_a_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'\.\./claim-x' is no name of a claim"):
        claims_report.write_claims_report(tmp_path, [result("../claim-x", None)], RUN)
    assert list(tmp_path.iterdir()) == []


def test_short_lists_are_shown_whole_and_long_ones_by_their_ends():
    said = claims_report.listed({"seeds": 3, "rates": [0.1, 1.0], "many": list(range(9))})
    assert said == "seeds 3; rates 0.1, 1.0; many 9 from 0 to 8"


def test_an_empty_column_is_left_out(tmp_path):
    number = frame.Number("loss", 0.25)
    found = frame.Finding("depends", "So.", (number,), (), "Hm.")
    claims_report.write_claims_report(tmp_path, [result("claim-x", None, found)], RUN)
    assert "quantity measured loss 0.25 How" in page(tmp_path, "claim-x").text


def test_failed_and_unfinished_claims_stand_in_their_place(folder, index):
    failed, missing = page(folder, FAILED), page(folder, MISSING)
    assert "ValueError: Nan in <layer> & so on" in failed.text
    assert "ValueError: Nan in <layer> & so on" in index.text
    assert "not been run yet" in missing.text
    assert f"Failed: Title of {FAILED}. Not run yet: Title of {MISSING}." in index.text
    for it in (failed, missing):
        assert "Rule <1>." in it.text
        assert not it.all("img", "src")


def test_every_figure_says_what_it_shows(folder, index):
    rates = "Rates. rate against step. Adagrad: from 0.5 to 0.06509. SGD: from 0.25 to 0.25. Dotted"
    steps = "Steps. steps. SGD: 12, theory 12. Adagrad: 340, theory 300. Adam: never"
    alts = page(folder, VELOCITY).all("img", "alt")
    assert [a[: len(t)] for a, t in zip(alts, (rates, steps), strict=True)] == [rates, steps]
    assert (
        "SGD ends at (−0.5, 0.25) after 2 steps."
        in page(folder, REFUTED).all("svg", "aria-label")[0]
    )
    assert len(index.all("img", "alt")) == 2
    assert all(index.all("img", "alt"))


def test_figures_are_files_too(folder):
    files = folder / "figures"
    names = ["claim-terminal-velocity-1", "claim-terminal-velocity-2", "claim-zigzag-1"]
    assert sorted(p.name for p in files.glob("*.png")) == [f"{n}.png" for n in names]
    for name in names:
        root = ET.parse(files / f"{name}.svg").getroot()
        assert root.tag.endswith("svg")
        assert "prefers-color-scheme: dark" in (files / f"{name}.svg").read_text()
        assert (files / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_data_give_the_same_picture(tmp_path):
    twice = [look.save(draw.draw(lines()), tmp_path / n) for n in ("a", "b")]
    assert twice[0] == twice[1]


# Animation


def test_paths_can_be_played(folder):
    it = page(folder, REFUTED)
    assert "claim-zigzag-1-play" in it.all("input", "id")
    assert it.all("label", "for") == ["claim-zigzag-1-play"]
    assert "prefers-reduced-motion:no-preference" in it.source
    assert "#claim-zigzag-1-play:checked ~ svg .moving" in it.source
    ids = [a["id"] for _, a in it.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert not page(folder, VELOCITY).all("input", "id")


def test_the_animation_walks_the_paths(folder):
    source = (folder / "figures" / "claim-zigzag-1.animated.svg").read_text()
    trails = [e for e in ET.fromstring(source).iter() if e.get("class") == "trail"]
    assert len(trails) == 2
    corners = [tuple(map(float, p.split(","))) for p in trails[0].get("points").split()]
    # (−1.5, 0.5), (−1, −0.5), (−0.5, 0.25): equal steps to the right; y points down in an SVG.
    (x0, y0), (x1, y1), (x2, y2) = corners
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 - y0 == pytest.approx((y1 - y2) / 0.75, abs=0.3)
    assert y1 > y2 > y0
    moves = re.search(r"@keyframes claim-zigzag-1-0\{(.*?)\}\}", source)[1]
    shares = [float(v) for v in re.findall(r"stroke-dashoffset:([\d.]+)", moves)]
    assert (shares[0], shares[-1]) == (1, 0)
    assert shares == sorted(shares, reverse=True)


def test_a_path_is_drawn_up_to_where_it_leaves():
    x, _ = scales.seen(contours().paths[1], contours())
    assert x.tolist() == [-1.5, 0.0, 1e9]


# Drawing


def test_a_method_keeps_its_colour():
    few = styles.of_labels(["Adam", "Adagrad"])
    many = styles.of_labels(["SGD, η = 1", "DoG", "Adagrad", "NAG", "AdaGradNorm"])
    assert few[1]["color"] == many[2]["color"]
    assert len({(style["color"], style["marker"]) for style in many}) == 5
    one = styles.of_labels(["Adagrad, aligned", "Adagrad, rotated", "SGD"])
    assert one[0]["color"] == one[1]["color"]
    assert one[0]["linestyle"] != one[1]["linestyle"]
    ramp = styles.of_labels([f"c = 1e{k}" for k in range(-4, 3)])
    assert [style["color"] for style in ramp] == sorted({s["color"] for s in ramp}, key=_lightness)


def test_theory_has_the_colour_of_what_it_predicts():
    axes = draw.draw(lines()).axes[0]
    measured, theory = axes.lines[0], axes.lines[2]
    assert measured.get_color() == theory.get_color() != axes.lines[1].get_color()
    assert (measured.get_linestyle(), theory.get_marker()) == ("-", "None")
    assert len(axes.collections) == 1  # the band


def test_what_diverges_does_not_squeeze_the_rest():
    t = np.arange(1, 100)
    series = (
        figures.Series("SGD", t, 10.0 ** (3 * t)),
        figures.Series("Adam", t, 1.0 / t),
        figures.Series("Adagrad", t, np.where(t > 50, np.nan, 0.5)),
    )
    data = figures.Lines("f", "t", "f", series, y_log=True)
    low, high = draw.draw(data).axes[0].get_ylim()
    assert low < 0.01
    assert 10 < high < 1e6


def test_bars_of_which_none_is_finite_have_an_axis_to_read():
    never = figures.Bars("Trials", "trials", ("SGD", "Adam"), (math.inf, math.nan))
    axes = draw.draw(never).axes[0]
    assert axes.get_xlim() == (0, 1)
    assert [text.get_text() for text in axes.texts] == ["never", "none"]


@pytest.mark.parametrize("y_log", [True, False])
def test_a_bar_that_never_comes_says_so(y_log):
    axes = draw.draw(bars(y_log=y_log)).axes[0]
    assert [t.get_text() for t in axes.texts] == ["12", "340", "never"]
    assert all(axes.get_xlim()[0] <= t.xy[0] <= axes.get_xlim()[1] for t in axes.texts)


def test_colours_can_be_told_apart():
    paper, page_of_night = look.PAPER, look._DARK[look.PAPER]
    colours = [colour for colour, _, _ in look.STYLES]
    assert min(_contrast(c, paper) for c in colours) >= 3
    assert min(_contrast(look._DARK[c], page_of_night) for c in (*colours, *look.RAMP)) >= 3
    for seen in _SIGHTS.values():
        places = [_lab(np.array(seen) @ _linear(c)) for c in colours]
        assert min(math.dist(a, b) for a, b in itertools.combinations(places, 2)) > 19
    greys = sorted(_lightness(c) for c in colours)
    assert min(b - a for a, b in itertools.pairwise(greys)) > 1


# Severe deficiencies, in linear light: Machado, Oliveira and Fernandes (2009).
_SIGHTS = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _linear(colour: str) -> np.ndarray:
    rgb = np.array(mpl.colors.to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lab(rgb: np.ndarray) -> tuple[float, float, float]:
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(matrix) @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def _lightness(colour: str) -> float:
    return _lab(_linear(colour))[0]


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6107.0, "6\u202f107"),
        (-0.5, "−0.5"),
        (11867.6, "11868"),
        (2.4e-7, "2.4 × 10⁻⁷"),
        (1e-12, "10⁻¹²"),
        (math.inf, "never"),
        (math.nan, "—"),
        (0.0, "0"),
    ],
)
def test_numbers_are_written_for_a_reader(value, text):
    assert pages.exact(value) == text


# From the command line


def test_report_is_written_again_from_what_is_kept(tmp_path, monkeypatch):
    config, name = configs.claims(), "claim-terminal-velocity"
    store = Store(tmp_path / "run")
    store.open(name, config, "tfadaopt run " + name)
    kept = result(name, None, finding("confirmed", (contours(),)), settings=asdict(config))
    store.put(trial.cell_of(name, config), json.loads(kept.to_json()))
    for animate in ([], ["--animate"]):
        monkeypatch.setattr(sys, "argv", ["tfadaopt", "report", str(store.folder), *animate])
        assert cli.run() == 0
        written = page(store.folder, name)
        assert "It <depends>: confirmed." in written.text
        assert bool(written.all("input", "id")) == bool(animate)
    (store.folder / "run.json").unlink()
    assert cli.run() == 2


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs the browser Chromium")
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_on_a_phone(name, folder, tmp_path):
    frame_page = tmp_path / "phone.html"
    frame_page.write_text(
        f'<iframe style="border:0;width:390px;height:800px" src="{folder / name}.html"></iframe>'
        "<script>onload = () => { const page = document.querySelector('iframe').contentDocument;"
        "document.body.dataset.width = page.documentElement.scrollWidth; }</script>"
    )
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += [
        "--hide-scrollbars",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command += ["--allow-file-access-from-files", "--dump-dom", f"file://{frame_page}"]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    assert re.search(r'data-width="(\d+)"', seen)[1] == "390"
