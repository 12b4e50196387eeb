"""README and pages of the site: their code runs as written, their commands and links exist."""

import re
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

import tfadaopt
from tfadaopt.experiments.cli.commands import app

ROOT = Path(__file__).parent.parent
# What the builder writes is no page of ours.
MADE = {"_build", "reference"}
SITE = [p for p in (ROOT / "docs").rglob("*.md") if not MADE & set(p.parts)]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(SITE))
}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXTS[page], re.DOTALL | re.MULTILINE)


@pytest.fixture
def as_it_was():
    """What a page may set for its process, and the next must not see."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    yield
    keras.config.set_dtype_policy(policy)
    keras.config.set_floatx(floatx)


@pytest.mark.quick_rows(2)
@pytest.mark.parametrize("page", [page for page in TEXTS if blocks(page, "python")])
def test_python_runs_as_written(page, as_it_was, monkeypatch, tmp_path):
    """In one namespace, from top to bottom, in an empty folder; only the download is replaced."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [512, 28, 28], dtype="uint8")
    labels = generator.integers(0, 10, [512], dtype="uint8")
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: ((images, labels), None))
    monkeypatch.chdir(tmp_path)
    space: dict = {"__name__": "__main__"}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), space)


def test_readme_is_short_and_its_first_code_takes_ten_lines():
    assert len(TEXTS["README.md"].splitlines()) <= 140
    lines = blocks("README.md", "python")[0].splitlines()
    assert len([line for line in lines if line]) <= 10


COMMANDS = [(page, line) for page in TEXTS for line in "".join(blocks(page, "bash")).splitlines()]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda text: text[:40])
def test_commands_exist(page, line):
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        made = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", made, flags=re.MULTILINE)
    elif words[0] == "tfadaopt":
        assert words[1] in {command.name for command in app.registered_commands}
    elif words[0] == "python":
        assert (ROOT / words[1]).exists()  # a script
    else:
        assert words[:2] == ["pip", "install"] or words[0] == "tensorboard"


def prose(page: str) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", TEXTS[page], flags=re.DOTALL | re.MULTILINE)


LINKS = [
    (page, link) for page in TEXTS for link in re.findall(r"\]\((?!http|#)([^)\s]+)\)", prose(page))
]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page, link):
    """The site's builder holds them too; of its own pages of the reference, it alone."""
    path = (ROOT / page).parent / link.partition("#")[0]
    path = path.resolve().relative_to(ROOT)
    assert path.parts[:2] == ("docs", "reference") or (ROOT / path).exists()


def test_names_every_method_and_command_under_benchmarks():
    for method in tfadaopt.methods():
        assert f"`~tfadaopt.{method.name}`" in TEXTS["docs/manual/methods.md"]
    for page, text in TEXTS.items():
        for script in re.findall(r"benchmarks/\w+\.py", text):
            assert (ROOT / script).exists(), page
    assert "@@" not in "".join(TEXTS.values())
