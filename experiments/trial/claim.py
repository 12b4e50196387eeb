"""What a claim, a finding and a number are; all of it survives a trip through JSON."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar

import pydantic
from pydantic import Field

from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.reports.figures import Figure, record
from tfadaopt.experiments.trial.digests import digest

Verdict = Literal["confirmed", "refuted", "depends"]
Kind = Literal["by definition", "by theorem", "measured"]
Limits = Mapping[str, float]
Seen = TypeVar("Seen")


@record
class Number:
    """Something measured, beside what theory says.

    Attributes:
        label: What was measured.
        measured: The value, the median where there are several seeds; infinity: never reached.
        theory: What was predicted from theory alone, or None.
        low: Lower end of the 95 % interval, or of the range over starts; None for a single value.
        high: Upper end of it.
        unit: Unit, such as "steps"; empty for none.
        agrees: Whether it is what was predicted, by the rule in ``allowed``; None: no prediction.
        allowed: Which values agree, in words; fixed before the run.
        note: What else there is to know of it.
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
class Retrial:
    """The verdict under a change of the seed or of a threshold.

    Attributes:
        change: What was changed: "seed 3", or "largest gap × ½".
        verdict: The verdict then.
    """

    change: str
    verdict: Verdict


@record
class Finding:
    """What an experiment found; every text in it is made from its numbers.

    Attributes:
        verdict: "confirmed", "refuted" or "depends".
        condition: When the sentence holds, or what exactly was found, in a sentence or two.
        numbers: What was measured, beside the theory.
        figures: Data of the figures; the first one shows the finding at a glance.
        meaning: What it means for someone who trains a CNN.
        failures: What diverged or failed, counted.
        fails: Where the sentence fails, in a few words; empty if nowhere that was tried.
    """

    verdict: Verdict
    condition: str
    numbers: tuple[Number, ...]
    figures: tuple[Figure, ...]
    meaning: str
    failures: tuple[Failure, ...] = ()
    fails: str = ""

    @property
    def key_number(self) -> Number | None:
        """The number to show beside the verdict."""
        return next((n for n in self.numbers if n.key), next(iter(self.numbers), None))


@dataclasses.dataclass(frozen=True)
class Claim(Generic[Seen]):
    """A sentence on trial, with the rule that was fixed before the run.

    What is measured is apart from what is concluded, so that a verdict can be tried under other
    thresholds without measuring again.

    Attributes:
        name: "claim-" and the name of its file: ``claim-ravine`` is in ``ravine.py``.
        reading: Docstring of its file: how the sentence is read, in our words.
        title: Some words.
        kind: Whether it holds by definition, by a theorem, or is a matter of measuring.
        hypothesis: What is to be true if the sentence is.
        measure: What is measured, on what, with what budget for each method.
        acceptance: When it is confirmed, refuted, or depends.
        theory: What theory predicts, and why.
        source: Where that is from, with the number of the equation or theorem.
        dated: Day of the rule, as "2026-11-29"; a changed rule has a new one.
        limits: Thresholds of the rule by name.
        observe: Measures; all that is drawn at random comes from ``settings.seed``.
        decide: The rule: a verdict from what was seen and the thresholds.
        tell: The texts, numbers and figures of that verdict.
        deterministic: Whether nothing in it is random, so that a seed changes nothing.
    """

    name: str
    reading: str
    title: str
    kind: Kind
    hypothesis: str
    measure: str
    acceptance: str
    theory: str
    source: str
    dated: str
    limits: Limits
    observe: Callable[[Claims], Seen]
    decide: Callable[[Seen, Limits], Verdict]
    tell: Callable[[Seen, Limits, Verdict], Finding]
    deterministic: bool = True

    def run(self, settings: Claims) -> Finding:
        """Measure, and return what follows from it."""
        return self.conclude(self.observe(settings))

    def conclude(self, seen: Seen) -> Finding:
        """Return what follows from what was measured."""
        return self.tell(seen, self.limits, self.decide(seen, self.limits))

    @property
    def rule(self) -> str:
        """Digest of all that decides: hypothesis, measure, acceptance, thresholds and ``decide``.

        Of code it takes what it says, not how it is laid out; functions of the same file that
        ``decide`` calls belong to it.
        """
        words = [self.hypothesis, self.measure, self.acceptance]
        return digest(words, self.decide, self.limits)


@record
class Result:
    """A claim and what came of it: what the report needs, and what is kept.

    Attributes:
        name: Name of the claim.
        topic: The slide's topic.
        sentence: The lecture's words, or None where they are not the lecture's.
        reading: How it is read, in our words.
        title: Some words.
        kind: "by definition", "by theorem" or "measured"; empty where that is not known.
        hypothesis: What was to be true.
        measure: What was measured.
        acceptance: The rule.
        theory: What was predicted.
        source: Where that is from.
        rule: Digest of the rule.
        dated: Day of the rule.
        limits: Its thresholds.
        deterministic: Whether seeds change nothing.
        finding: What was found, or None: it failed.
        retrials: Verdicts under other thresholds, and under other seeds if those were asked for.
        error: Why it failed; empty if it did not.
        seconds: How long it took.
        versions: Versions of Python and of the packages.
        settings: Settings of the run.
        repeat: Command line that repeats it.
    """

    name: str
    topic: str
    sentence: str | None
    reading: str
    title: str = ""
    kind: str = ""
    hypothesis: str = ""
    measure: str = ""
    acceptance: str = ""
    theory: str = ""
    source: str = ""
    rule: str = ""
    dated: str = ""
    limits: dict[str, float] = Field(default_factory=dict)
    deterministic: bool = True
    finding: Finding | None = None
    retrials: tuple[Retrial, ...] = ()
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


def first_paragraph(docstring: str) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join(docstring.split("\n\n")[0].split())


def within(
    label: str,
    measured: float,
    theory: float,
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
    allowed: str = "",
    **more: Any,
) -> Number:
    """Return a number that agrees if it is within a tolerance of theory; both may be given.

    Args:
        label: What was measured.
        measured: The value.
        theory: What was predicted.
        absolute: Largest distance.
        relative: Largest distance, as a share of theory.
        allowed: Which values agree, in words; by default, from the tolerances.
        **more: Other fields of ``Number``.
    """
    tolerance = absolute + relative * abs(theory)
    parts = [f"± {absolute:g}"] * bool(absolute) + [f"± {100 * relative:.2g} %"] * bool(relative)
    agrees = bool(abs(measured - theory) <= tolerance) or measured == theory
    words = allowed or " and ".join(parts) or "exactly"
    return Number(label, float(measured), float(theory), agrees=agrees, allowed=words, **more)


def between(
    label: str,
    measured: float,
    lowest: float,
    highest: float,
    *,
    theory: float | None = None,
    allowed: str = "",
    **more: Any,
) -> Number:
    """Return a number that agrees if it lies between two bounds, both included."""
    agrees = bool(lowest <= measured <= highest)
    words = allowed or f"{lowest:.6g} to {highest:.6g}"
    return Number(label, float(measured), theory, agrees=agrees, allowed=words, **more)


def verdict(numbers: Iterable[Number], otherwise: Verdict = "refuted") -> Verdict:
    """Return "confirmed" if all numbers that theory predicts agree, else ``otherwise``."""
    return "confirmed" if all(n.agrees is not False for n in numbers) else otherwise


def of_all(holds: Iterable[bool]) -> Verdict:
    """Return "confirmed" if all of them hold, "refuted" if none does, else "depends".

    Example:
        >>> of_all([True, True]), of_all([True, False]), of_all([False, False])
        ('confirmed', 'depends', 'refuted')
    """
    found = list(holds)
    return "confirmed" if all(found) else "depends" if any(found) else "refuted"
