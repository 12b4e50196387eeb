"""``python -m releasing``: go through the checklist of a release, and stop where it fails."""

import argparse
import ast
import datetime
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from packaging.metadata import Metadata

from releasing import builds

ROOT = Path(__file__).resolve().parents[1]
SMOKE = ROOT / "releasing" / "smoke.py"


class WrongError(Exception):
    """A step of the checklist fails; the message says what to do."""


class Release(NamedTuple):
    """What is released, and with what.

    Attributes:
        version: Of the package.
        pythons: Python for the lowest and for the newest versions of what it depends on.
        dist: Where the wheel and the sdist lie.
    """

    version: str
    pythons: dict[str, str]
    dist: Path


class Step(NamedTuple):
    """One line of the checklist."""

    name: str
    says: str
    do: Callable[[Release], str]


def check_tree(_: Release) -> str:
    changed = _output("git", "status", "--porcelain")
    if changed:
        raise WrongError(f"These files are not committed; commit or remove them:\n{changed}")
    return f"commit {_output('git', 'rev-parse', '--short', 'HEAD')}"


def check_version(release: Release) -> str:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## (.*)$", changelog, re.MULTILINE)
    found = heading[1] if heading else "nothing"
    match = re.fullmatch(rf"{re.escape(release.version)} \((\d{{4}}-\d\d-\d\d)\)", found)
    if match is None:
        raise WrongError(
            f"CHANGELOG.md begins with {found!r}, and the version is {release.version}: write "
            f"the heading '## {release.version} ({datetime.date.today()})' in the place of "
            "'## Unreleased', or another version into tfadaopt/__init__.py."
        )
    if _output("git", "tag", "--list", f"v{release.version}"):
        raise WrongError(f"There is a tag v{release.version} already: choose another version.")
    return f"{release.version} of {match[1]}"


def run_tests(_: Release) -> str:
    if subprocess.run(["make", "test"], cwd=ROOT, check=False).returncode:
        raise WrongError("make test fails, see above: a release has no failing test.")
    return "make test"


def build_twice(release: Release) -> str:
    made = []
    # What must not matter is not the same: place, time zone, order of sets.
    differing = ({"TZ": "UTC", "PYTHONHASHSEED": "0"}, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1"})
    epoch = builds.day_of(ROOT, "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        for number, environment in enumerate(differing):
            tree, out = Path(folder, f"tree-{number}"), Path(folder, f"dist-{number}")
            builds.export(ROOT, "HEAD", tree)
            made.append(builds.build(tree, out, epoch, **environment))
        for one, other in zip(*made, strict=True):
            if one.name != other.name or one.read_bytes() != other.read_bytes():
                raise WrongError(
                    f"Two builds of one commit differ: {one.name} and {other.name}. What of the "
                    "machine or the time is in them? releasing/builds.py takes it out."
                )
        shutil.rmtree(release.dist, ignore_errors=True)
        release.dist.mkdir()
        for path in made[0]:
            shutil.copy(path, release.dist)
    return "\n".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in _built(release)
    )


def check_metadata(release: Release) -> str:
    sdist, wheel = _built(release)
    with tarfile.open(sdist) as files:
        inner = f"tfadaopt-{release.version}/"
        texts = [files.extractfile(f"{inner}PKG-INFO").read()]  # type: ignore[union-attr]
        names = {name.removeprefix(inner) for name in files.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        info = f"tfadaopt-{release.version}.dist-info/"
        texts.append(archive.read(f"{info}METADATA"))
        names_of_wheel = set(archive.namelist())
    for text in texts:
        metadata = Metadata.from_email(text)  # raises a group of what is wrong
        if str(metadata.version) != release.version:
            raise WrongError(f"The metadata say {metadata.version}, not {release.version}.")
        if metadata.license_expression != "MIT" or not metadata.description:
            raise WrongError("The metadata lack the licence or the README: see pyproject.toml.")
    wanted = {"LICENSE", "CHANGELOG.md", "SECURITY.md", "CITATION.cff", "pyproject.toml"}
    missing = [*(wanted - names), *({f"{info}licenses/LICENSE"} - names_of_wheel)]
    if missing:
        raise WrongError(f"Not in what was built: {', '.join(sorted(missing))}.")
    return f"{len(names_of_wheel)} files in the wheel, {len(names)} in the sdist"


def install_both(release: Release) -> str:
    said = []
    for kind, constraints in (("lowest", "constraints-lowest.txt"), ("newest", "constraints.txt")):
        with tempfile.TemporaryDirectory() as folder:
            environment = Path(folder, "environment")
            _output(release.pythons[kind], "-m", "venv", str(environment))
            python = str(environment / "bin" / "python")
            pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
            for path in reversed(_built(release)):  # The wheel, then the sdist in its place.
                wish = f"tfadaopt[experiments] @ {path.as_uri()}"
                _output(*pip, "install", "-c", str(ROOT / constraints), wish, cwd=Path(folder))
                seen = _output(python, "-I", str(SMOKE), release.version, cwd=Path(folder))
                said.append(f"{kind}, {path.name}: {seen}")
                _output(*pip, "uninstall", "--yes", "tfadaopt", cwd=Path(folder))
    return "\n".join(said)


CHECKLIST = (
    Step("tree", "All files are committed.", check_tree),
    Step(
        "version",
        "CHANGELOG.md begins with this version and its day, and no tag has it.",
        check_version,
    ),
    Step("test", "`make test`: lint, types and all tests.", run_tests),
    Step(
        "build",
        "Wheel and sdist are built twice from the commit, and are the same to the last bit.",
        build_twice,
    ),
    Step(
        "metadata",
        "Their metadata are valid, and licence, changelog and README are in them.",
        check_metadata,
    ),
    Step(
        "install",
        "Wheel and sdist are installed into clean environments of the lowest and of the newest "
        "versions; there a model is trained, saved and loaded, and the tab and the command are "
        "found.",
        install_both,
    ),
)


def version() -> str:
    """The version, from the one place where it is written; nothing is imported for it."""
    tree = ast.parse((ROOT / "tfadaopt" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise WrongError("tfadaopt/__init__.py has no __version__.")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m releasing", description=__doc__)
    names = [step.name for step in CHECKLIST]
    parser.add_argument("steps", nargs="*", help=f"only these, for a try: {', '.join(names)}")
    parser.add_argument("--lowest", default=sys.executable, help="Python of the lowest versions")
    parser.add_argument("--newest", default=sys.executable, help="Python of the newest versions")
    given = parser.parse_args(arguments)
    if unknown := set(given.steps) - set(names):
        parser.error(f"there is no step {sorted(unknown)[0]!r}; there are {', '.join(names)}")
    pythons = {"lowest": given.lowest, "newest": given.newest}
    release = Release(version(), pythons, ROOT / "dist")
    for number, step in enumerate(CHECKLIST, 1):
        if given.steps and step.name not in given.steps:
            continue
        print(f"[{number}/{len(CHECKLIST)}] {step.name}: {step.says}", flush=True)
        try:
            print(step.do(release), flush=True)
        except WrongError as error:
            print(error)
            return 1
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(map(str, error.cmd))}\n{error.output or ''}{error.stderr or ''}")
            return 1
    if not given.steps:
        print(f"tfadaopt {release.version} is ready in {release.dist}; docs/releasing.md goes on.")
    return 0


def _built(release: Release) -> list[Path]:
    """The sdist and the wheel."""
    found = [
        *release.dist.glob(f"tfadaopt-{release.version}.tar.gz"),
        *release.dist.glob(f"tfadaopt-{release.version}-*.whl"),
    ]
    if len(found) != 2:
        raise WrongError(f"{release.dist} has no wheel and sdist: let the step 'build' run first.")
    return found


def _output(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
