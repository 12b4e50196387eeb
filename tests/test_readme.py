"""The README's code runs as written."""

import re
import shlex
from pathlib import Path

import keras
import numpy as np
import pytest

import tfadaopt

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_runs_as_written(monkeypatch, tmp_path):
    """In one namespace, from top to bottom, in an empty folder; only the download is replaced."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, [512, 28, 28], dtype="uint8")
    labels = generator.integers(0, 10, [512], dtype="uint8")
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: ((images, labels), None))
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), space)
    assert len(list((tmp_path / "logs" / "adagrad").glob("events.*"))) == 1
    assert space["rate"].shape == space["kernel"].shape == (784, 10)
    assert list(space["state"]) == ["accumulator", "skipped_updates"]


def test_own_training_takes_ten_lines():
    assert len(blocks("python")[0].strip().splitlines()) <= 14


def test_commands_exist():
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in "".join(blocks("bash")).splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", made, flags=re.MULTILINE), line
        elif words[0] == "tfadaopt":
            assert words[1] in ("list", "run", "report", "compare", "inspect"), line
        else:
            assert words[:2] == ["pip", "install"], line


PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md")
LINKS = [
    (page, link)
    for page in PAGES
    for link in re.findall(r"\]\((?!http)([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "path"), LINKS)
def test_links_lead_somewhere(page, path):
    assert ((ROOT / page).parent / path.partition("#")[0]).exists()


def test_names_every_method_and_command_under_benchmarks():
    for method in tfadaopt.methods():
        assert f"`{method.name}`" in README
    for script in re.findall(r"benchmarks/\w+\.py", README):
        assert (ROOT / script).exists()
    assert "@@" not in README
