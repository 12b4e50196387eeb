"""Which claims there are: the modules of ``claims`` whose docstring begins with a section."""

import ast
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from tfadaopt.experiments.trial.claim import Claim, split_heading

# Named, not imported: claims are written with what this package offers.
_CLAIMS = "tfadaopt.experiments.claims"


@dataclass(frozen=True)
class Entry:
    """A claim that has not been imported: importing one takes TensorFlow's seconds."""

    name: str
    module: str
    section: str
    sentence: str

    def load(self) -> Claim:
        """Import its module and return the claim."""
        return importlib.import_module(self.module).CLAIM


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Return all claims in the order of the lecture."""
    found = []
    for path in _folder().glob("*.py"):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if re.match(r"\d+\.\d+ ", docstring):
            name = f"claim-{path.stem.replace('_', '-')}"
            found.append(Entry(name, f"{_CLAIMS}.{path.stem}", *split_heading(docstring)))
    return tuple(sorted(found, key=lambda entry: (_order(entry.section), entry.name)))


def entries_of(experiment: str) -> tuple[Entry, ...]:
    """Return what an experiment puts on trial: "claims", "network-claims" or a single claim.

    Claims about networks take minutes: "claims" leaves them out.

    Example:
        >>> [entry.name for entry in entries_of("claim-terminal-velocity")]
        ['claim-terminal-velocity']
    """
    network = [entry for entry in entries() if entry.name.startswith("claim-network-")]
    chosen = {
        "claims": [entry for entry in entries() if entry not in network],
        "network-claims": network,
    }
    return tuple(chosen.get(experiment, [e for e in entries() if e.name == experiment]))


def find(name: str) -> Entry:
    """Return the claim of that name; it must be one of them."""
    return next(entry for entry in entries() if entry.name == name)


def _folder() -> Path:
    (folder,) = importlib.util.find_spec(_CLAIMS).submodule_search_locations
    return Path(folder)


def _order(section: str) -> tuple[int, ...]:
    return tuple(int(number) for number in section.split("."))
