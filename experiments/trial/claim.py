"""What a claim, a finding and a number are; all of it survives a trip through JSON."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import pydantic
from pydantic import Field

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.reports.figures import Figure, record

Verdict = Literal["confirmed", "refuted", "depends"]


@record
class Number:
    """Something measured, beside what theory says.

    Attributes:
        label: What was measured.
        measured: The value, the median where there are several seeds; infinity: never reached.
        theory: What was predicted, or None.
        low: Lower end of the 95 % interval, or None for a deterministic value.
        high: Upper end of it.
        unit: Unit, such as "steps"; empty for none.
        agrees: Whether it is what was predicted, by the rule in ``allowed``; None: no prediction.
        allowed: Which values agree, in words; fixed before the run.
        note: Why it differs, where it does.
        key: Whether it is the number to show beside the verdict; the first one is, if none says so.
    """

    label: str
    measured: float
    theory: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    agrees: bool | None = None
    allowed: str = ""
    note: str = ""
    key: bool = False


@record
class Failure:
    """Runs that diverged, never arrived or broke off; they are counted, never dropped.

    Attributes:
        what: What failed, such as "Momentum: walkers that diverged".
        count: How many.
        of: Of how many.
    """

    what: str
    count: int
    of: int


@record
class Finding:
    """What an experiment found.

    Attributes:
        verdict: "confirmed", "refuted" or "depends".
        condition: When the sentence holds, or what exactly was found, in a sentence or two.
        numbers: What was measured, beside the theory.
        figures: Data of the figures; the first one shows the finding at a glance.
        meaning: What it means for someone who trains a CNN.
        failures: What diverged or failed, counted.
    """

    verdict: Verdict
    condition: str
    numbers: tuple[Number, ...]
    figures: tuple[Figure, ...]
    meaning: str
    failures: tuple[Failure, ...] = ()

    @property
    def key_number(self) -> Number | None:
        """The number to show beside the verdict."""
        return next((n for n in self.numbers if n.key), next(iter(self.numbers), None))


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence on trial, with the rules that were fixed before the run.

    Attributes:
        name: "claim-" and the name of its file: ``claim-ravine`` is in ``ravine.py``.
        heading: Docstring of its file: its place in the lecture and its sentence, as in
            ``2.2 "Momentum is faster in ravines."``
        title: Some words.
        hypothesis: What is to be true if the sentence is.
        measure: What is measured, on what, with what budget for each method.
        acceptance: When it is confirmed, refuted, or depends.
        theory: What theory predicts, and why.
        source: Where that is from.
        run: Does it.
        deterministic: Whether it has no seeds.
    """

    name: str
    heading: str
    title: str
    hypothesis: str
    measure: str
    acceptance: str
    theory: str
    source: str
    run: Callable[[Claims], Finding]
    deterministic: bool = True

    @property
    def section(self) -> str:
        """Its place in the lecture, such as "2.2"."""
        return split_heading(self.heading)[0]

    @property
    def sentence(self) -> str:
        """The lecture's sentence."""
        return split_heading(self.heading)[1]


@record
class Result:
    """A claim and what came of it: what the report needs, and what is kept.

    Attributes:
        name: Name of the claim.
        section: Place in the lecture.
        sentence: The lecture's sentence.
        title: Some words.
        hypothesis: What was to be true.
        measure: What was measured.
        acceptance: The rule.
        theory: What was predicted.
        source: Where that is from.
        finding: What was found, or None: it failed.
        error: Why it failed; empty if it did not.
        seconds: How long it took.
        versions: Versions of Python and of the packages.
        settings: Settings of the run.
        repeat: Command line that repeats it.
    """

    name: str
    section: str
    sentence: str
    title: str = ""
    hypothesis: str = ""
    measure: str = ""
    acceptance: str = ""
    theory: str = ""
    source: str = ""
    finding: Finding | None = None
    error: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, object] = Field(default_factory=dict)
    repeat: str = ""

    def to_json(self) -> str:
        """Return it as strict JSON."""
        return pydantic.TypeAdapter(Result).dump_json(self).decode()

    @staticmethod
    def from_json(text: str) -> "Result":
        """Return the result that ``to_json`` wrote."""
        return pydantic.TypeAdapter(Result).validate_json(text)


def split_heading(heading: str) -> tuple[str, str]:
    """Return place and sentence of a claim, from the first paragraph of its file's docstring."""
    section, _, sentence = " ".join(heading.split("\n\n")[0].split()).partition(" ")
    return section, sentence


def within(label, measured, theory, *, absolute=0.0, relative=0.0, **more) -> Number:
    """Return a number that agrees if it is within a tolerance of theory; both may be given."""
    tolerance = absolute + relative * abs(theory)
    parts = [f"± {absolute:g}"] * bool(absolute) + [f"± {100 * relative:.2g} %"] * bool(relative)
    agrees = bool(abs(measured - theory) <= tolerance)
    more = {"allowed": " and ".join(parts) or "exactly"} | more
    return Number(label, float(measured), float(theory), agrees=agrees, **more)


def between(label, measured, lowest, highest, *, theory=None, **more) -> Number:
    """Return a number that agrees if it lies between two bounds, both included."""
    agrees = bool(lowest <= measured <= highest)
    more = {"allowed": f"{lowest:.6g} to {highest:.6g}"} | more
    return Number(label, float(measured), theory, agrees=agrees, **more)


def verdict(numbers, otherwise: Verdict = "refuted") -> Verdict:
    """Return "confirmed" if all numbers that theory predicts agree, else ``otherwise``."""
    return "confirmed" if all(n.agrees is not False for n in numbers) else otherwise
