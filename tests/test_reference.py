"""The reference of the site: every public name has a page, with all that a page needs."""

import inspect
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tfadaopt
from tfadaopt.experiments.cli.commands import app
from tfadaopt.experiments.method_map import survey
from tfadaopt.experiments.trial import run
from tfadaopt.experiments.trial.fragility import recorded

pytest.importorskip("sphinx", reason="the extra docs is not installed")
DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))

from extensions import claims, closed, links, maths, reference, scripts  # noqa: E402
from extensions.names import MEMBERS, METHODS, public  # noqa: E402

PAGES = reference.pages()


def test_every_public_name_has_a_page_that_the_index_lists():
    for name, thing in public().items():
        page = reference.page_of(name)
        kind = "class" if inspect.isclass(thing) else "function"
        assert f".. auto{kind}:: {name}\n" in PAGES[page]
        methods = name.removeprefix("tfadaopt.") in METHODS
        index = PAGES["reference/methods/index" if methods else "reference/index"]
        assert page.removeprefix("reference/") in index, name


def test_public_names_are_all_that_the_packages_list():
    packages = {"tfadaopt": tfadaopt, "tfadaopt.callbacks": tfadaopt.callbacks}
    for package, module in packages.items():
        for name in module.__all__:
            if not inspect.ismodule(getattr(module, name)):
                assert f"{package}.{name}" in public()


@pytest.mark.parametrize(("name", "thing"), public().items(), ids=list(public()))
def test_every_public_name_has_a_docstring_and_members_that_have_one(name, thing):
    assert ">>> " in thing.__doc__
    for member in MEMBERS.get(name, ()):
        assert getattr(thing, member).__doc__, member


def test_every_method_has_its_box_example_source_peers_and_twin():
    for name, method in METHODS.items():
        doc = reference.own_docstring(method)
        for part in (".. math::", "Args:\n", "Raises:\n", ">>> ", "Source:\n", "optimizers.Opt"):
            assert part in doc, (name, part)
        page = PAGES[f"reference/methods/{name}"]
        twin = f"../tests/references/{method.module.rpartition('.')[2]}.py"
        assert f".. literalinclude:: /{twin}" in page
        assert (DOCS / twin).exists()
        assert page.count("   * - ") == len(method.peers)


def test_every_report_of_a_benchmark_has_a_page_and_links_to_it_lead_there():
    for path in (DOCS.parent / "benchmarks").glob("*.md"):
        page = links.page_that_shows(f"benchmarks/{path.name}")
        made = scripts.reports().get(page.removesuffix(".md"))
        text = made or (DOCS / page).read_text(encoding="utf-8")
        assert f"/benchmarks/{path.name}\n" in text


def test_every_command_is_on_the_page_of_the_command_line():
    for command in app.registered_commands:
        assert f"\ntfadaopt {command.name}\n---" in PAGES["reference/command-line"]


def test_recorded_results_are_of_the_claims_rules_and_methods_there_are(tmp_path):
    """Else: tfadaopt run claims, and python docs/extensions/claims.py runs/claims."""
    claims.unpack(tmp_path)
    results = run.read_results(tmp_path)
    assert [result.name for result in results if not result.finding] == []
    rules = {name: record["rule"] for name, record in recorded().items()}
    assert {r.name: r.rule for r in results} == {r.name: rules[r.name] for r in results}
    assert [method.method for method in survey.read(tmp_path) if not method.numbers] == []


def test_a_page_that_leads_nowhere_or_asks_a_server_is_a_fault(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="b.html#there">b</a><a href="#here">h</a><a href="c.html">c</a>'
        '<a href="https://example.org">e</a><script src="https://example.org/x.js"></script></p>'
    )
    (tmp_path / "b.html").write_text('<img src="data:image/png;base64,AA"><p id="that">b</p>')
    assert [fault.partition(",")[0] for fault in closed.faults(tmp_path)] == [
        "a.html loads https://example.org/x.js from elsewhere: it would not open without a network",
        "a.html links to b.html#there",
        "a.html links to c.html",
    ]


@pytest.mark.parametrize(
    ("formula", "tags"),
    [(r"\hat m_t", "<msub><mover"), (r"\sum_{i=1}^n g", "<munderover>"), (r"\bar g", "<mover")],
)
def test_index_of_a_letter_with_an_accent_stands_beside_it(formula, tags):
    drawn = maths.mathml(formula, as_block=True)
    assert re.sub(r"\s+(?=<)", "", drawn).partition('Math/MathML">')[2].startswith(tags)
    ElementTree.fromstring(drawn)
