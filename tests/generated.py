"""Texts that follow from the catalog: ``make format`` writes them, a test compares them.

The number of methods in the README, their table on a page of the site, and ``tfadaopt``'s names for
type checkers and editors.
"""

import re
from pathlib import Path

from tfadaopt.catalog import METHODS, PEERS

ROOT = Path(__file__).parent.parent
README, INIT = ROOT / "README.md", ROOT / "tfadaopt" / "__init__.py"
PAGE = ROOT / "docs" / "manual" / "methods.md"


def readme(text: str) -> str:
    """The README with the number of methods."""
    new, count = re.subn(r"\*\*\d+ optimizers\*\*", f"**{len(METHODS)} optimizers**", text)
    assert count == 1, (
        "README.md does not say how many optimizers there are, as '**30 optimizers**'"
    )
    return new


def page(text: str) -> str:
    """The page of the methods with their table; each name leads to its page of the reference."""
    head = ["method", "year", "state", "elementwise", *PEERS]
    rows = [
        [
            f"{{py:class}}`~tfadaopt.{m.name}`",
            str(m.year),
            str(m.state),
            "yes" if m.elementwise else "no",
            *(peer or "—" for peer in m.peers),
        ]
        for m in METHODS
    ]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    table = "".join(f"{line}\n" for line in lines)
    new, count = re.subn(r"\| method \| year (?:.*\n)+?(?=\n)", lambda _: table, text)
    assert count == 1, f"{PAGE} has no table of methods that begins with '| method | year'"
    return new


def init(text: str) -> str:
    """``tfadaopt/__init__.py`` with an import of each method for type checkers."""
    ours = {m.module: f"    from {m.module} import {m.name} as {m.name}\n" for m in METHODS}

    def made(block: re.Match) -> str:
        lines = {line.split()[1]: line for line in block[0].splitlines(keepends=True)}
        others = {m: line for m, line in lines.items() if not re.search(r" (\w+) as \1$", line)}
        return "".join(line for _, line in sorted((others | ours).items()))

    new, count = re.subn(r"(?:    from tfadaopt\.optimizers\.\w+ import .+\n)+", made, text)
    assert count == 1, "tfadaopt/__init__.py has no imports of methods under TYPE_CHECKING"
    return new


TEXTS = {README: readme, PAGE: page, INIT: init}


if __name__ == "__main__":
    for path, made in TEXTS.items():
        path.write_text(made(path.read_text(encoding="utf-8")), encoding="utf-8")
