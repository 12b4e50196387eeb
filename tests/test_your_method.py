"""A method of one's own, as the guide and the example package have it; pages run as written."""

import os
import re
import sys
from pathlib import Path

import pytest

from .support.commands import output

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "your_method"


def blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / "guides" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def run(codes: list[str], page: str) -> dict:
    """All in one namespace, from top to bottom."""
    space: dict = {"__name__": "guide"}
    for code in codes:
        exec(compile(code, page, "exec"), space)
    return space


def test_page_of_other_boards_runs_as_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("other-boards.md")
    run([code], "other-boards.md")
    lines = (tmp_path / "ratios.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4 * 2  # steps × layers
    assert lines[0].startswith("2,")
    assert list((tmp_path / "logs" / "mine").glob("*tfevents*"))


@pytest.mark.slow
def test_page_of_methods_runs_as_written(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    codes = blocks("your-own-method.md")
    lines = [line for line in codes[0].splitlines() if line.strip()]
    assert len(lines) <= 30
    space = run(codes, "your-own-method.md")
    assert not space["report"].failed
    assert "24 of 25 contracts hold" in capsys.readouterr().out
    assert list((tmp_path / "logs" / "settling").glob("*tfevents*"))


@pytest.mark.slow
def test_example_package_is_installed_apart_and_holds_all_contracts(tmp_path):
    source = tmp_path / "source"
    for path in EXAMPLE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / path.relative_to(EXAMPLE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    target = tmp_path / "target"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install")
    how = ("--no-deps", "--no-build-isolation", "--target", target)
    output(*pip, *how, source, cwd=tmp_path)
    (tmp_path / "apart").mkdir()
    test = tmp_path / "apart" / "test_your_method.py"
    test.write_bytes((EXAMPLE / "test_your_method.py").read_bytes())
    known = [str(target), str(ROOT)]
    said = output(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test),
        cwd=test.parent,
        PYTHONPATH=os.pathsep.join(known),
    )
    assert "3 passed" in said
    code = (
        "import sys; before = set(sys.modules); "  # coverage brings modules of tests
        "import tfadaopt.testing, your_method; "
        "print(your_method.__file__, {'pytest', 'tests'} & (set(sys.modules) - before))"
    )
    said = output(sys.executable, "-c", code, cwd=test.parent, PYTHONPATH=os.pathsep.join(known))
    assert said.split() == [str(target / "your_method" / "__init__.py"), "set()"]
