"""Settings of the test run, and the table of figures at its end."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

FIGURES = pytest.StashKey[dict]()


def pytest_configure(config):
    config.stash[FIGURES] = {}


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


def pytest_terminal_summary(terminalreporter, config):
    title = None
    for (section, line), figure in sorted(config.stash[FIGURES].items()):
        if section != title:
            terminalreporter.section(section)
            title = section
        figure = f"{figure:.2g}" if isinstance(figure, float) else figure
        terminalreporter.write_line(f"{line:40} {figure}")
