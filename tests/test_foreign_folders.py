"""``tfadaopt report`` on somebody else's folder: it stays inside, and all it says is text."""

import html.parser
import json
import sys
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.comparisons import finished_comparison, valley
from tests.test_claims_report import contours, finding, lines, result
from tests.test_report import layers, results
from tests.test_report import write as write_lecture
from tfadaopt.experiments import configs
from tfadaopt.experiments.cli import commands as cli
from tfadaopt.experiments.playground.embed import playground
from tfadaopt.experiments.runs import files
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.trial import claim
from tfadaopt.experiments.trial import run as trial

NAME = "claim-terminal-velocity"
MARKUP = '"><script>alert(1)</script><svg onload=alert(1)>[/][bold]\x1b[2J</style>{{ 7*7 }}'
MARKUP += "\n\t'&lt;\u202eright to left" + "x" * 10_000
PATHS = ("../../../evil", "/tmp/evil", "claim-a/../../evil", "..", "claim-\x00", "a" * 300, MARKUP)


def runs(tag: str, attributes: dict) -> bool:
    """Whether an element of a page or a picture can run something, or fetch it."""
    if tag.rpartition("}")[2].lower() in ("script", "iframe", "object", "embed", "link", "base"):
        return True
    return any(name.startswith("on") or "javascript:" in str(v) for name, v in attributes.items())


class Tags(html.parser.HTMLParser):
    """The elements of a page that can run something, but for our own picture."""

    def __init__(self, path: Path):
        super().__init__()
        self.running = []
        self.feed(path.read_text(encoding="utf-8").replace(str(playground()), "", 1))

    def handle_starttag(self, tag, attrs):
        if runs(tag, dict(attrs)):
            self.running.append((tag, attrs))


@pytest.fixture
def report(monkeypatch, capsys, tmp_path):
    """Report a folder; return exit code and words, and check that all stayed inside and text."""

    def give(folder: Path, *words) -> tuple[int, str]:
        outside = {p for p in tmp_path.rglob("*") if not p.is_relative_to(folder)}
        monkeypatch.setattr(sys, "argv", ["tfadaopt", "report", str(folder), *words])
        code = cli.run()
        said = "".join(capsys.readouterr())
        assert {p for p in tmp_path.rglob("*") if not p.is_relative_to(folder)} == outside
        assert not [*Path("/tmp").glob("evil*"), *Path(tmp_path.anchor).glob("evil*")]
        assert not {*"\x1b\u202e"} & {*said}
        for page in folder.rglob("*.html"):
            assert Tags(page).running == [], page
        for svg in folder.rglob("*.svg"):
            assert not [e for e in ET.parse(svg).getroot().iter() if runs(str(e.tag), e.attrib)]
        return code, said

    return give


def claims_folder(folder: Path, **more) -> Store:
    config = configs.claims()
    kept = result(NAME, None, finding("confirmed"), settings=asdict(config))
    store = Store(folder).open(NAME, config, "run <b>")
    content = json.loads(kept.to_json()) | more
    store.put(trial.cell_of(NAME, config), content)
    store.close()
    return store


@pytest.mark.parametrize("name", PATHS, ids=range(len(PATHS)))
@pytest.mark.parametrize("kind", ["cell", "failure"])
def test_a_claims_name_is_the_catalogs(kind, name, report, tmp_path):
    store = claims_folder(tmp_path / "deep" / "out", name=name)
    if kind == "failure":
        failed = claim.Result(name, MARKUP, MARKUP, MARKUP, error=MARKUP)
        store.put_failure(trial.cell_of(NAME, configs.claims()), json.loads(failed.to_json()))
    code, said = report(store.folder, "--animate")
    assert code == 0
    assert "holds the result of" in said
    assert [p.name for p in (store.folder / "claims").iterdir()] == [f"{NAME}.html"]
    shown = "alert(1)" in (store.folder / "report.html").read_text()
    assert shown == (kind == "failure")  # as text


def test_what_a_claim_says_is_text(report, tmp_path):
    store = claims_folder(
        tmp_path / "out",
        **dict.fromkeys(("topic", "sentence", "title", "hypothesis", "source", "repeat"), MARKUP),
    )
    assert report(store.folder, "--animate")[0] == 0
    page = (store.folder / "claims" / f"{NAME}.html").read_text()
    assert "&lt;script&gt;" in page
    assert "tfadaopt run claim-terminal-velocity" in page  # how to repeat it is the catalog's, too


def texts_of(data: object, name: str = "") -> object:
    """Return a record with all its texts replaced, but those that choose a form, or are empty."""
    if isinstance(data, dict):
        return {key: texts_of(value, key) for key, value in data.items()}
    if isinstance(data, list):
        return [texts_of(value, name) for value in data]
    is_text = isinstance(data, str) and data and name not in ("kind", "style", "verdict")
    return MARKUP if is_text and data not in ("NaN", "Infinity", "-Infinity") else data


@pytest.mark.slow
def test_what_its_figures_and_numbers_say_is_text(report, tmp_path):
    plain = json.loads(result(NAME, None, finding("refuted", (contours(), lines()))).to_json())
    store = claims_folder(tmp_path / "out", finding=texts_of(plain["finding"]))
    code, said = report(store.folder, "--animate")
    assert code == 0, said
    assert len(list((store.folder / "figures").glob("*.svg"))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("metric", [r"$\frac{1}$/../../evil", MARKUP], ids=["math", "markup"])
def test_a_metric_may_have_any_name(metric, report, tmp_path):
    config, store = finished_comparison(tmp_path, valley, objective="loss", trials=2, seeds=3)
    named = Store(tmp_path / "named").open(
        "compare", type(config)(**vars(config) | {"objective": metric}), MARKUP
    )

    def renamed(values: dict) -> dict:
        more = {metric: values["loss"]} | ({f"val_{metric}": 1.0} if "epoch" in values else {})
        return values | more

    for path in store.folder.glob("cells/*.json"):
        record = files.unsealed(path.read_bytes())
        content = record["result"]
        if "epochs" in content:
            content["epochs"] = [renamed(epoch) for epoch in content["epochs"]]
            content |= {part: renamed(content[part]) for part in ("validation", "test")}
        else:
            content |= {"model": MARKUP, "loss": metric, "metrics": [metric]}
        named.put(record["cell"], content)
    named.close()
    store.close()
    code, said = report(named.folder)
    assert code == 0, said
    assert len(list((named.folder / "figures").glob("*.svg"))) > 2


@pytest.mark.slow
def test_tables_of_the_lecture_are_text(report, tmp_path):
    tables, table = results(), layers()
    tables.loc[0, "method"] = MARKUP
    folder = write_lecture(tmp_path / "run", tables, table)
    for name in ("trajectories.csv", "surfaces.csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(
            text.replace("saddle", "../../evil").replace("f ≤ 1", "<script>")
        )
    run = json.loads((folder / "run.json").read_text())
    run |= {"machine": MARKUP, "versions": {MARKUP: MARKUP}, "command": MARKUP}
    (folder / "run.json").write_text(json.dumps(run))
    code, said = report(folder)
    assert code == 0, said


@pytest.mark.quick_rows(1)
@pytest.mark.parametrize("which", ["figures", "report.html"])
def test_a_link_that_leads_out_is_not_followed(which, report, tmp_path, monkeypatch):
    if which != "figures":
        monkeypatch.setattr("tfadaopt.experiments.lecture.report.draw", lambda *_: {})
    folder, outside = write_lecture(tmp_path / "run", results(), layers()), tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (folder / which).symlink_to(outside / "kept" if which == "report.html" else outside)
    assert report(folder)[0] == 0
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept"
    assert not (folder / which).is_symlink()


MADE_UP = {
    "settings": lambda run: run.update(settings={"methods": ["../../evil"], "seeds": "many"}),
    "experiment": lambda run: run.update(experiment=MARKUP),
    "seconds": lambda run: run.update(seconds=[]),
}


@pytest.mark.parametrize("how", MADE_UP)
@pytest.mark.parametrize("kind", ["lecture", "claims", "compare"])
def test_a_made_up_run_is_refused_with_a_sentence(kind, how, report, tmp_path):
    if kind == "lecture":
        folder = write_lecture(tmp_path / "run", results(), layers())
    elif kind == "claims":
        folder = claims_folder(tmp_path / "out").folder
    else:
        _, store = finished_comparison(tmp_path, valley, trials=2, seeds=3)
        store.close()
        folder = store.folder
    run = files.unsealed((folder / "run.json").read_bytes())
    MADE_UP[how](run)
    (folder / "run.json").write_text(files.sealed(run))
    code, said = report(folder)
    assert code == 2, said
    assert "run.json" in said


def test_results_that_do_not_belong_together_are_refused(report, tmp_path):
    """Whole files, with digests that fit, whose content somebody has made up."""
    _, store = finished_comparison(tmp_path, valley, trials=2, seeds=3)
    for path in store.folder.glob("cells/tune-*.json"):
        record = files.unsealed(path.read_bytes())
        record["result"] = {"diverged": None, "validation": {"loss": "low"}, "epochs": 3}
        path.write_text(files.sealed(record))
    store.close()
    code, said = report(store.folder)
    assert code == 2
    assert str(store.folder) in "".join(said.split())
