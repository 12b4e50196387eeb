"""Settings of the test run, and the table of figures at its end."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from .support.two_devices import results_of

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FIGURES = pytest.StashKey[dict]()
CONTRACTS = pytest.StashKey[dict]()


def pytest_configure(config):
    config.stash[FIGURES] = {}
    config.stash[CONTRACTS] = {}


@pytest.fixture
def figures(pytestconfig) -> dict:
    """Figures by (section, line), for the summary: ``figures[section, line] = number or text``."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture
def worst(figures):
    """Keep the largest figure of a (section, line): ``worst(section, line, number)``."""

    def keep(section: str, line: str, number: float) -> None:
        # Workers send it on, which they cannot with a number of NumPy.
        figures[section, line] = max(float(number), figures.get((section, line), 0.0))

    return keep


def pytest_sessionfinish(session):
    """A worker of pytest-xdist hands its figures to the process that prints them."""
    if hasattr(session.config, "workeroutput"):
        measuring = "coverage" in sys.modules and sys.modules["coverage"].Coverage.current()
        if measuring:
            measuring.save()  # One that takes ten seconds to end is killed.
        figures = session.config.stash[FIGURES]
        session.config.workeroutput["figures"] = [(*key, figure) for key, figure in figures.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Join the figures of a worker to those of others: the worse number, the sum of counts."""
    figures = node.config.stash[FIGURES]
    for section, line, figure in getattr(node, "workeroutput", {}).get("figures", ()):
        old = figures.get((section, line))
        if old is not None and isinstance(figure, str):
            pairs = zip(old.split(" of "), figure.split(" of "), strict=True)
            figure = " of ".join(str(int(a) + int(b)) for a, b in pairs)
        elif old is not None:
            figure = max(old, figure)
        figures[section, line] = figure


def pytest_terminal_summary(terminalreporter, config):
    if config.option.contracts:
        write_contracts(config)
    title = None
    for (section, line), figure in sorted(config.stash[FIGURES].items()):
        if section != title:
            terminalreporter.section(section)
            title = section
        figure = f"{figure:.2g}" if isinstance(figure, float) else figure
        terminalreporter.write_line(f"{line:40} {figure}")


def pytest_addoption(parser):
    parser.addoption(
        "--contracts", metavar="FILE", help="Write a table of methods and contracts, in Markdown."
    )


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """Mark what is slow: all that needs two devices, in one worker; rows after the first few."""
    rows = Counter()
    for item in items:
        if "two_devices" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("two devices"))
        few = item.get_closest_marker("quick_rows")
        if few and not item.get_closest_marker("slow"):
            rows[item.function] += 1
            if rows[item.function] > few.args[0]:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def on_two_devices(request) -> dict:
    """What each test file that asks for it computes on two devices, all in one process."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    tests = [item for item in tests if "two_devices" in item.fixturenames]
    if request.config.getoption("loadgroup", default=False):
        assert "@" in tests[0].nodeid, "pytest-xdist sees no groups: each worker does all of this"
    return results_of(sorted({item.path.stem for item in tests}))


@pytest.fixture(scope="module")
def two_devices(request, on_two_devices):
    """What the function ``on_two_devices`` of the test's own file returned."""
    return on_two_devices[request.path.stem]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Say which method and contract a test was of: the parameter ``case``, and its function."""
    report = yield
    case = getattr(item, "callspec", None) and item.callspec.params.get("case")
    if case is not None:
        module = item.path.stem.removeprefix("test_")
        name = item.originalname.removeprefix("test_")
        report.user_properties.append(("contract", (case.name, module, name)))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(report, config):
    """Count what passed and failed of each contract; workers of pytest-xdist end up here, too."""
    status = yield
    # A module that cannot be collected has no properties: its error is to be shown.
    for key, contract in getattr(report, "user_properties", ()):
        if key == "contract" and (report.when == "call" or report.outcome != "passed"):
            method, *contract = contract
            tests = config.stash[CONTRACTS].setdefault(tuple(contract), {})
            tests.setdefault(method, {})[report.nodeid] = report.outcome
    return status


def write_contracts(config) -> None:
    """Write the table: a row for each contract, the number of its tests for each method."""
    contracts = config.stash[CONTRACTS]
    methods = sorted({method for tests in contracts.values() for method in tests}, key=str.lower)
    lines = ["| contract | " + " | ".join(methods) + " |", "|---" * (len(methods) + 1) + "|"]
    for (module, name), tests in sorted(contracts.items()):
        cells = []
        for method in methods:
            outcomes = list(tests.get(method, {}).values())
            bad = sum(outcome != "passed" for outcome in outcomes)
            cells.append(f"{bad} of {len(outcomes)} fail" if bad else str(len(outcomes) or "–"))
        lines.append(f"| {module}: {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    Path(config.option.contracts).write_text("\n".join(lines) + "\n", encoding="utf-8")
