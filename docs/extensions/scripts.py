"""The page of the scripts of benchmarks: what each measures, and how it is called."""

import ast
import inspect
import re
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def page() -> str:
    """The docstrings of all scripts of the folder that can be called."""
    text = "Scripts\n=======\n\n"
    text += "Run them from a checkout, in the environment that ``make test`` makes.\n"
    for path in (*sorted(BENCHMARKS.glob("*.py")), BENCHMARKS / "stalls" / "__main__.py"):
        source = path.read_text(encoding="utf-8")
        doc = ast.get_docstring(ast.parse(source))
        if doc and "__main__" in source:
            name = path.relative_to(BENCHMARKS.parent).as_posix()
            text += f"\n{name}\n{'-' * len(name)}\n\n{_blocks(doc)}\n"
    return text


def reports() -> dict[str, str]:
    """A page for each report of a benchmark that has none in ``docs/benchmarks``."""
    found = {}
    for path in BENCHMARKS.glob("*.md"):
        if (Path(__file__).parents[1] / "benchmarks" / path.name).exists():
            continue
        has_title = path.read_text(encoding="utf-8").startswith("# ")
        title = "" if has_title else f"# {path.stem.replace('_', ' ').capitalize()}\n\n"
        include = f"```{{include}} ../../../benchmarks/{path.name}\n:relative-images:\n```\n"
        found[f"reference/reports/{path.stem}"] = title + include
    return found


def _blocks(doc: str) -> str:
    """A docstring whose indented paragraphs are commands."""
    parts = []
    for part in inspect.cleandoc(doc).split("\n\n"):
        indented = all(line.startswith("    ") for line in part.splitlines())
        # Dashes of an option in the midst of words would become one long dash.
        words = re.sub(r"(?<![`\w-])--\w[\w-]*", r"``\g<0>``", part)
        parts.append(f".. code-block:: bash\n\n{part}" if indented else words)
    return "\n\n".join(parts)
