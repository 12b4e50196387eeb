"""Which claims there are, in the order of the slides; none is imported before it is needed."""

import ast
import functools
import importlib
from dataclasses import dataclass
from pathlib import Path

from tfadaopt.experiments.trial.claim import Claim, first_paragraph
from tfadaopt.experiments.trial.slides import BEYOND, SLIDES

# Named, not imported: claims are written with what this package offers.
_CLAIMS = "tfadaopt.experiments.claims"
_FOLDER = Path(__file__).parents[1] / "claims"


@dataclass(frozen=True)
class Entry:
    """A claim that has not been imported: importing one takes TensorFlow's seconds.

    Attributes:
        name: "claim-" and the name of its file.
        module: Its module.
        topic: The slide's topic.
        sentence: The lecture's words, or None where they are not the lecture's.
        reading: What is tried, in our words: the docstring of its file.
    """

    name: str
    module: str
    topic: str
    sentence: str | None
    reading: str

    @property
    def summary(self) -> str:
        """What it is about, in a line: the lecture's words in quotation marks, or the reading."""
        return self.reading if self.sentence is None else f'"{self.sentence}": {self.reading}'

    @property
    def file(self) -> Path:
        """Its file."""
        return _FOLDER / f"{self.module.rpartition('.')[2]}.py"

    def load(self) -> Claim:
        """Import its module and return the claim."""
        claim: Claim = importlib.import_module(self.module).CLAIM
        return claim


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Return all claims in the order of the lecture; those it does not make come last.

    Raises:
        FileNotFoundError: A slide names a claim that has no file.
    """
    found = []
    for slide in SLIDES + BEYOND:
        for statement in slide.statements:
            for name in statement.claims:
                stem = name.removeprefix("claim-").replace("-", "_")
                source = (_FOLDER / f"{stem}.py").read_text(encoding="utf-8")
                reading = first_paragraph(ast.get_docstring(ast.parse(source)) or "")
                module = f"{_CLAIMS}.{stem}"
                found.append(Entry(name, module, slide.topic, statement.sentence, reading))
    return tuple(found)


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
