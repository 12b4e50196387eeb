"""Which modules beside a user's file belong to it: those that it imports, and those they do."""

import ast
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tfadaopt.experiments.configs import ConfigError

_PACKAGES = {"site-packages", "dist-packages"}
_NOT_LOCAL = ("tfadaopt", "__main__", "__mp_main__")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of one file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).") from None


def local_modules(path: Path) -> list[Path]:
    """Return the files beside a problem's file that it imports, and those that these import.

    They are found by reading, so before anything is run; ``imported_modules`` finds what only
    running shows.
    """
    root, found, queue = path.resolve().parent, set(), [path.resolve()]
    while queue:
        source = queue.pop()
        try:
            tree = ast.parse(source.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue  # importing it says what is wrong
        for name in _imported(tree, source, root):
            for file in _files_of(root, name):
                if file not in found and file != path.resolve():
                    found.add(file)
                    queue.append(file)
    return sorted(found)


def imported_modules(path: Path) -> dict[str, str]:
    """Return the digest of each local module that this process has imported, by its path.

    Local is what lies neither with Python nor among its packages; paths are relative to the
    problem's folder.
    """
    python = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    found = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in _NOT_LOCAL or not isinstance(file, str):
            continue
        file = Path(file).resolve()
        if file == path.resolve() or file.suffix != ".py" or not file.is_file():
            continue
        if _PACKAGES & set(file.parts) or any(map(file.is_relative_to, python)):
            continue
        found[os.path.relpath(file, path.resolve().parent)] = digest_of(file)
    return found


def _imported(tree: ast.Module, source: Path, root: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, those of packages' parts too."""
    package = source.parent.relative_to(root).parts if source.is_relative_to(root) else ()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else ())))
            if base:
                yield base
            yield from (".".join(filter(None, (base, alias.name))) for alias in node.names)


def _files_of(root: Path, name: str) -> Iterator[Path]:
    """Yield the files below a folder that importing a dotted name runs."""
    place = root
    for part in name.split("."):
        place = place / part
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                yield file
