"""Settings of the test run, and the table of figures at its end."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FIGURES = pytest.StashKey[dict]()


def pytest_configure(config):
    config.stash[FIGURES] = {}
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(Merge(config.stash[FIGURES]))


@pytest.fixture
def figures(pytestconfig) -> dict:
    """Figures by (section, line), for the summary: ``figures[section, line] = number or text``."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture
def worst(figures):
    """Keep the largest figure of a (section, line): ``worst(section, line, number)``."""

    def keep(section: str, line: str, number: float) -> None:
        figures[section, line] = max(number, figures.get((section, line), 0.0))

    return keep


def pytest_sessionfinish(session):
    """A worker of pytest-xdist hands its figures to the process that prints them."""
    if hasattr(session.config, "workeroutput"):
        figures = session.config.stash[FIGURES]
        session.config.workeroutput["figures"] = [(*key, figure) for key, figure in figures.items()]


class Merge:
    """Joins the figures of workers: the worse number, the sum of counts."""

    def __init__(self, figures):
        self.figures = figures

    def pytest_testnodedown(self, node):
        for section, line, figure in getattr(node, "workeroutput", {}).get("figures", ()):
            old = self.figures.get((section, line), figure)
            if isinstance(figure, str) and (section, line) in self.figures:
                pairs = zip(old.split(" of "), figure.split(" of "), strict=True)
                figure = " of ".join(str(int(a) + int(b)) for a, b in pairs)
            elif not isinstance(figure, str):
                figure = max(old, figure)
            self.figures[section, line] = figure


def pytest_terminal_summary(terminalreporter, config):
    title = None
    for (section, line), figure in sorted(config.stash[FIGURES].items()):
        if section != title:
            terminalreporter.section(section)
            title = section
        figure = f"{figure:.2g}" if isinstance(figure, float) else figure
        terminalreporter.write_line(f"{line:40} {figure}")
