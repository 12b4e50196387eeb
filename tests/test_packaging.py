"""What is built and installed, and the commands that do it."""

import itertools
import os
import re
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import tfadaopt
from releasing import __main__ as releasing
from releasing import builds

from .support.commands import output, run

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest needs it there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
MAPPED = ("callbacks", "experiments")  # stand at the top level, live in tfadaopt
TESTED = ("experiments", "docs", "dev")  # the extras whose versions are pinned
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SENT = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "CITATION.cff")
BUILT_FROM = ("tfadaopt", *MAPPED, "tests", "MANIFEST.in", *SENT)
EPOCH = 1_800_000_000


# Each worker of pytest-xdist would build and install for itself.
in_one_worker = pytest.mark.xdist_group("packaging")


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel that was built from it.

    Built without isolation, with the setuptools of the constraints: no registry is asked, so a
    failure is one of the project. That `requires` of the build system is enough, the editable
    install of `make` shows.
    """
    tree = copied(tmp_path_factory.mktemp("tree"))
    builds.build(tree, tree / "dist", EPOCH)
    build = (sys.executable, "-m", "build", "--no-isolation")
    output(*build, "--wheel", "--outdir", tree / "direct", tree, cwd=tree)
    return tree


def copied(tree: Path) -> Path:
    """The folder, with the files in it that are built from."""
    tree.mkdir(exist_ok=True)
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, tree / name)
    return tree


def wheel_content(folder: Path) -> dict[str, bytes]:
    (wheel,) = folder.glob("tfadaopt-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
@in_one_worker
def test_wheel_holds_the_package_and_nothing_else(dist):
    expected = {p.relative_to(ROOT) for p in (ROOT / "tfadaopt").glob("*.py")}
    for folder in ("tfadaopt/optimizers", "tfadaopt/testing", *MAPPED):
        expected |= {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*.py")}
    expected |= {p.relative_to(ROOT) for p in (ROOT / "experiments").rglob("*.html.j2")}
    expected |= {p.relative_to(ROOT) for p in (ROOT / "experiments/trial").glob("*.json")}
    expected |= {p.relative_to(ROOT) for p in (ROOT / "experiments/playground").glob("*.[jc]s*")}
    tab = {p.relative_to(ROOT) for p in (ROOT / "callbacks/plugin/static").iterdir()}
    expected |= tab
    names = {
        f"tfadaopt/{path.as_posix()}" if path.parts[0] in MAPPED else path.as_posix()
        for path in expected
    }
    assert any(name.endswith(".html.j2") for name in names)
    assert {path.name for path in tab} >= {"index.js", "app.js", "style.css"}
    content = wheel_content(dist / "dist")
    assert {n for n in content if ".dist-info/" not in n} == names | {"tfadaopt/py.typed"}
    assert {n.split("/")[0].partition("-")[0] for n in content} == {"tfadaopt"}
    (entry_points,) = (n for n in content if n.endswith("entry_points.txt"))
    (metadata,) = (n for n in content if n.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {tfadaopt.__version__}\n" in content[metadata].decode()
    assert "tfadaopt = tfadaopt.experiments:main" in content[entry_points].decode()
    assert "tfadaopt = tfadaopt.callbacks.plugin:Loader" in content[entry_points].decode()


@pytest.mark.slow
@in_one_worker
def test_sdist_keeps_the_folders_and_builds_the_same_wheel(dist):
    (sdist,) = (dist / "dist").glob("tfadaopt-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in MAPPED:
        assert {p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*.py")} <= names
        assert not any(name.startswith(f"tfadaopt/{folder}/") for name in names)
    assert {*SENT, "tfadaopt/py.typed"} <= names
    assert not any(name.startswith("tests") for name in names)  # without what they need
    assert wheel_content(dist / "dist") == wheel_content(dist / "direct")


@pytest.mark.slow
@in_one_worker
def test_two_builds_are_the_same_to_the_last_bit(dist, tmp_path):
    elsewhere = copied(tmp_path / "another place")
    made = builds.build(elsewhere, tmp_path / "out", EPOCH, TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    assert {path.name for path in made} == {path.name for path in (dist / "dist").iterdir()}
    for path in made:
        assert path.read_bytes() == (dist / "dist" / path.name).read_bytes(), path.name


def test_the_version_stands_in_one_place():
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    attribute = PYPROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute == "tfadaopt.__version__"
    assert releasing.version() == tfadaopt.__version__
    assert "version:" not in (ROOT / "CITATION.cff").read_text().replace("cff-version:", "")


@pytest.mark.parametrize(
    ("heading", "tags", "said"),
    [
        ("9.8.7 (2026-12-01)", "", None),
        ("9.8.7 (2026-12-01)", "v9.8.7", "There is a tag v9.8.7"),
        ("9.8.7", "", "write the heading '## 9.8.7 ("),
        ("Unreleased", "", "begins with 'Unreleased'"),
        ("19.8.7 (2026-12-01)", "", "the version is 9.8.7"),
    ],
)
def test_a_release_has_its_own_heading_and_no_tag(heading, tags, said, tmp_path, monkeypatch):
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n\n## 0.1.0\n")
    monkeypatch.setattr(releasing, "ROOT", tmp_path)
    monkeypatch.setattr(releasing, "_output", lambda *_: tags)
    release = releasing.Release("9.8.7", {}, tmp_path)
    if said is None:
        assert releasing.check_version(release) == "9.8.7 of 2026-12-01"
    else:
        with pytest.raises(releasing.WrongError, match=re.escape(said)):
            releasing.check_version(release)


def test_the_checklist_is_what_the_command_does():
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", (ROOT / "docs/releasing.md").read_text(), re.M)
    steps = [(step.name, step.says) for step in releasing.CHECKLIST]
    assert [row for row in rows if row[0] in dict(steps)] == steps


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory) -> Path:
    """Folder of the programs of a fresh environment with the wheel in it.

    Everything else comes from the environment of the tests, through a path file: nothing is
    downloaded, and an editable install in there stays out, because its own path files are not read.
    """
    environment = tmp_path_factory.mktemp("environment")
    output(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = (dist / "dist").glob("tfadaopt-*.whl")
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "--no-input")
    output(*pip, "install", "--no-deps", "--no-index", wheel, cwd=environment)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(output(programs / "python", "-c", ask, cwd=environment).strip())
    (packages / "rest.pth").write_text("\n".join(site.getsitepackages()))
    return programs


@pytest.mark.slow
@in_one_worker
def test_installed_package_leaves_other_names_alone(installed, tmp_path):
    for name in MAPPED:
        (tmp_path / f"{name}.py").write_text("foreign = True\n")
    code = """
import callbacks, experiments
assert callbacks.foreign and experiments.foreign
import tfadaopt, tfadaopt.callbacks, tfadaopt.experiments
assert not hasattr(tfadaopt.callbacks, "foreign") and not hasattr(tfadaopt.experiments, "foreign")
from tfadaopt.callbacks import EffectiveLearningRate
from tfadaopt.experiments.lecture import report
print(tfadaopt.__file__, tfadaopt.callbacks.__file__, tfadaopt.experiments.__file__, sep="\\n")
print(tfadaopt.Adagrad(0.5).get_config()["name"], EffectiveLearningRate.__name__)
"""
    answer = output(installed / "python", "-c", code, cwd=tmp_path, MPLBACKEND="agg")
    *files, names = answer.splitlines()
    for file in files:
        assert Path(file).resolve().is_relative_to(installed.parent.resolve())
    assert names == "adagrad EffectiveLearningRate"


@pytest.mark.slow
@in_one_worker
def test_installed_command_runs_anywhere(installed, tmp_path):
    for name in MAPPED:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    assert "run" in output(installed / "tfadaopt", "--help", cwd=tmp_path)
    assert "Adagrad" in output(installed / "tfadaopt", "list", cwd=tmp_path)


@pytest.mark.parametrize("name", MAPPED)
def test_mapped_folders_refuse_to_be_top_level_packages(name):
    process = run(sys.executable, "-c", f"import {name}", cwd=ROOT)
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"tfadaopt.{name}" in last
    assert f"'{name}'" in last


@pytest.mark.parametrize("name", MAPPED)
def test_symlinks_show_readers_where_the_packages_live(name):
    link = ROOT / "tfadaopt" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


def test_every_package_is_named_in_the_build():
    found = {"tfadaopt"}
    for folder in ("tfadaopt/optimizers", "tfadaopt/testing", *MAPPED):
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            found.add(".".join(parts if parts[0] == "tfadaopt" else ("tfadaopt", *parts)))
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == found


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_are_names_and_versions(file):
    lines = (ROOT / file).read_text().splitlines()
    assert lines[0].startswith("#")
    pins = [line for line in lines if not line.startswith("#")]
    names = [re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", pin)] == []
    assert names == sorted(set(names))
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [*PYPROJECT["project"]["dependencies"], *(w for e in TESTED for w in extras[e])]
    assert {re.match(r"[\w-]+", w)[0] for w in wanted} - set(names) == {"tfadaopt"}


def test_the_lowest_set_is_the_lowest_that_is_allowed():
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and line[0] != "#")
    pins = {name.lower(): version for name, version in pins.items()}
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [*PYPROJECT["project"]["dependencies"], *(w for e in TESTED for w in extras[e])]
    bounds = dict(wish.split(">=") for wish in wanted if ">=" in wish)
    assert len(bounds) == len(wanted) - 3  # extras name extras
    wrong = [
        f"{name}: {pins[name]} is not {bound}"
        for name, bound in bounds.items()
        if not f"{pins[name]}.".startswith(f"{bound}.")
    ]
    assert wrong == []


def test_nothing_newer_is_refused():
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [
        *PYPROJECT["project"]["dependencies"],
        *itertools.chain.from_iterable(extras.values()),
    ]
    assert [wish for wish in wanted if "<" in wish or "==" in wish] == []


def test_ci_runs_the_test_command_of_the_makefile():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text().splitlines() if line and line[0] != "#"]
    assert commands[:2] == ["set -euo pipefail", 'cd "$(dirname "$0")/.."']
    assert commands[-1] == "make test"


@pytest.mark.parametrize(
    ("apt", "said"),
    [
        ('echo "apt-get $*"', ""),
        ("exit 100", "Chromium could not be installed"),
        (None, "Chromium could not be installed"),
    ],
)
def test_ci_goes_on_without_a_browser(tmp_path, apt, said):
    # A machine with these programs only: no Chromium; make says that it was reached.
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(shutil.which(name))
    fakes = {"make": 'echo "make $*"', "id": "echo 0", "timeout": 'shift; "$@"'}
    for name, body in {**fakes, **({"apt-get": apt} if apt else {})}.items():
        (tmp_path / name).write_text(f"#!{tmp_path / 'bash'}\n{body}\n")
        (tmp_path / name).chmod(0o755)
    process = run(tmp_path / "bash", ROOT / ".ci" / "run", cwd=tmp_path, PATH=str(tmp_path))
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "make test"
    assert (said in process.stdout) if said else ("Chromium" not in process.stdout)


def make(*arguments: str | Path) -> subprocess.CompletedProcess:
    # Perhaps `make test` runs these tests: what it was called with is not for this call.
    ours = dict.fromkeys(("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"), "")
    return run("make", *arguments, cwd=ROOT, **ours)


def test_make_refuses_a_python_that_is_too_old(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" || exit 1\n')
    old.chmod(0o755)
    for python, text in [(old, "is Python 3.9.1"), (tmp_path / "none", "There is no '")]:
        made = make(f"PYTHON={python}", f"VENV={tmp_path / 'venv'}", "demo")
        assert made.returncode != 0
        assert text in made.stdout
        assert "make PYTHON=python3.12" in made.stdout
    assert not (tmp_path / "venv").exists()


def test_make_names_its_targets():
    listed = {line.split()[0] for line in make().stdout.splitlines()}
    wanted = {"help", "demo", "test", "quick", "audit", "matrix", "peers", "format", "clean"}
    wanted |= {"fuzz", "coverage", "notebooks", "release"}
    wanted |= {"docs", "links"}
    assert listed == wanted
