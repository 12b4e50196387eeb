"""The report of claims: a page each, and an index of all, in the order of the lecture."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tfadaopt.experiments.method_map.page import PAGE, write_map
from tfadaopt.experiments.method_map.survey import Surveyed
from tfadaopt.experiments.playground.embed import playground
from tfadaopt.experiments.reports import animation, pages
from tfadaopt.experiments.reports.pages import Picture
from tfadaopt.experiments.reports.picture import picture
from tfadaopt.experiments.runs.files import make_folder, write_whole
from tfadaopt.experiments.trial import registry
from tfadaopt.experiments.trial.claim import Finding, Number, Result
from tfadaopt.experiments.trial.fragility import Fragility, fragility
from tfadaopt.experiments.trial.slides import BEYOND, SLIDES, Slide

# What stands in the place of a verdict where there is none comes last.
WORDS = {
    "confirmed": "confirmed",
    "depends": "depends",
    "refuted": "refuted",
    "failed": "no verdict: failed",
    "missing": "not run yet",
}


def write_claims_report(
    folder: Path,
    results: Sequence[Result],
    run: Mapping,
    animate: bool = False,
    surveyed: Sequence[Surveyed] = (),
) -> Path:
    """Write ``report.html``, a page for each result, the map, and all figures as SVG and PNG.

    Args:
        folder: Result folder; pages go into its folder ``claims``, figures into ``figures``.
        results: A result per claim, in the order of the lecture; failed ones too.
        run: What ``run.json`` says: command, machine, seconds, versions, settings.
        animate: Whether paths over contours can be played step by step.
        surveyed: What is known of each method, for the map; without it there is none.

    Returns:
        Path of the index.

    Raises:
        ValueError: A result has a name that no claim has, and that might lead out of the folder.
    """
    strange = [r.name for r in results if not re.fullmatch(r"claim-[a-z0-9-]+", r.name)]
    if strange:
        raise ValueError(f"{strange[0]!r} is no name of a claim: those are claim-, a-z, 0-9 and -.")
    for name in ("claims", "figures"):
        make_folder(folder / name, inside=True)
    page = pages.template("claim.html.j2")
    readings = {}
    for i, result in enumerate(results):
        finding = result.finding
        numbers = [row(n) for n in finding.numbers] if finding else []
        pictures = [
            picture(folder / "figures", f"{result.name}-{k}", figure, animate)
            for k, figure in enumerate(finding.figures if finding else (), start=1)
        ]
        key = key_texts(finding) if finding else None
        text = page.render(
            claim=result,
            verdict=verdict(result),
            words=WORDS,
            finding=finding,
            key=key,
            pictures=pictures,
            numbers=numbers,
            # A column that is empty in every row tells nothing.
            columns={
                name: any(n[name] not in ("", None) for n in numbers)
                for name in ("theory", "allowed", "agrees", "note")
            },
            failures=failures(finding) if finding else ([], ""),
            intervals=any(n["interval"] for n in numbers),
            rules=rules(result),
            fragility=fragility(result),
            versions=listed(result.versions),
            settings=listed(result.settings),
            machine=run.get("machine", ""),
            code=code(result.name),
            before=results[i - 1] if i else None,
            after=results[i + 1] if i + 1 < len(results) else None,
            duration=pages.duration,
            seconds=animation.SECONDS,
        )
        write_whole(folder / "claims" / f"{result.name}.html", text)
        readings[result.name] = Reading(
            result.name,
            result.title or result.name,
            result.reading,
            result.kind,
            verdict(result),
            finding.condition if finding else " ".join(result.error.split()),
            finding.fails if finding else "",
            fragility(result),
            key,
            pictures[0] if pictures else None,
        )
    if surveyed:
        write_map(folder, surveyed, readings)
    index = pages.template("claims_index.html.j2").render(
        map=PAGE if surveyed else "",
        methods=len(surveyed),
        playground=playground(),
        lecture=rows_of(SLIDES, readings),
        beyond=rows_of(BEYOND, readings),
        run=run,
        words=WORDS,
        tally=tally(results),
        unfinished=unfinished(results),
        versions=listed(run.get("versions", {})),
        settings=listed(run.get("settings", {})),
        duration=pages.duration,
    )
    path = folder / "report.html"
    write_whole(path, index)
    return path


@dataclass(frozen=True)
class Reading:
    """A claim as the index shows it.

    Attributes:
        name: Name of the claim; its page is ``claims/NAME.html``.
        title: Some words.
        reading: How the sentence is read, in our words.
        kind: "by definition", "by theorem", "measured" or empty.
        verdict: A key of ``WORDS``.
        summary: What was found, or why it failed.
        fails: Where the sentence fails; empty if nowhere that was tried.
        fragility: How easily the verdict turns, or None.
        key: Texts of the number to show, or None.
        picture: Its first figure, or None.
    """

    name: str
    title: str
    reading: str
    kind: str
    verdict: str
    summary: str
    fails: str
    fragility: Fragility | None
    key: dict | None
    picture: Picture | None


@dataclass(frozen=True)
class Row:
    """A row of the index: what a slide says, and how it is read.

    Attributes:
        topic: The slide's topic; the same in following rows of one slide.
        sentence: The lecture's words, to be shown in quotation marks, or None.
        readings: The claims of this run that try it.
        elsewhere: Names of the claims that would try it, where none of them is in this run.
    """

    topic: str
    sentence: str | None
    readings: tuple[Reading, ...]
    elsewhere: tuple[str, ...] = ()


def rows_of(slides: Sequence[Slide], readings: Mapping[str, Reading]) -> tuple[Row, ...]:
    """Return the rows of a table, in the order of the slides.

    Left out is what the lecture does not say and no claim of this run tries; of a run of one claim,
    all else.

    Args:
        slides: The lecture's, or those beyond it.
        readings: The claims of this run by name.
    """
    rows = []
    for slide in slides:
        for statement in slide.statements:
            found = tuple(readings[name] for name in statement.claims if name in readings)
            elsewhere = () if found else statement.claims
            if found or (statement.sentence and len(readings) > 1):
                rows.append(Row(slide.topic, statement.sentence, found, elsewhere))
    return tuple(rows)


def verdict(result: Result) -> str:
    """Return the verdict of a result, or what stands in its place: failed, missing."""
    if result.finding:
        return result.finding.verdict
    return "failed" if result.error else "missing"


def tally(results: Sequence[Result]) -> list[tuple[str, int]]:
    """Return how many there are of each verdict, of those there are."""
    counts = Counter(map(verdict, results))
    return [(word, counts[word]) for word in WORDS if counts[word]]


def unfinished(results: Sequence[Result]) -> str:
    """Say what has no verdict, and what to do about it; empty where nothing is to be said."""
    parts = []
    for kind, words in (("failed", "Failed"), ("missing", "Not run yet")):
        names = [r.title or r.name for r in results if verdict(r) == kind]
        if names:
            parts.append(f"{words}: {', '.join(names)}.")
    if parts:
        parts.append("Run the command at the end again: it keeps what is finished and does these.")
    return " ".join(parts)


def rules(result: Result) -> list[tuple[str, str]]:
    """Return what was fixed before the run, by name, in the order of a trial."""
    return [
        ("Hypothesis", result.hypothesis),
        ("Measured", result.measure),
        (f"Rule of {result.dated}, digest {result.rule}", result.acceptance),
        ("Thresholds", listed({name: pages.exact(of) for name, of in result.limits.items()})),
        ("Theory", result.theory),
        ("Source", result.source),
    ]


def key_texts(finding: Finding) -> dict | None:
    """Return the texts of the number to show beside the verdict."""
    number = finding.key_number
    if number is None:
        return None
    texts = row(number)
    beside = []
    if number.low is not None:
        beside.append(f"95 % interval {texts['interval']}")
    if number.theory is not None:
        beside.append(f"theory {texts['theory']}")
    return texts | {"beside": "; ".join(beside)}


def row(number: Number) -> dict:
    """Return the texts of a number's row in the table."""
    unit = f" {number.unit}" if math.isfinite(number.measured) else ""
    # What has an interval is not known to more digits than the interval shows.
    interval, digits = "", 4
    if number.low is not None:
        interval, digits = f"{pages.exact(number.low, 3)} to {pages.exact(number.high, 3)}", 3
    allowed = re.sub(r"^-inf to (.*)$", r"at most \1", number.allowed)
    return {
        "label": number.label,
        "measured": f"{pages.exact(number.measured, digits)}{unit}".strip(),
        "theory": "" if number.theory is None else pages.exact(number.theory),
        "interval": interval,
        "allowed": re.sub(r"^(.*) to inf$", r"at least \1", allowed),
        "agrees": number.agrees,
        "note": number.note,
    }


def failures(finding: Finding) -> tuple[list[str], str]:
    """Return what failed, a line each, and in a line what did not."""
    failed = [f"{f.what}: {f.count} of {f.of}" for f in finding.failures if f.count]
    fine = [f"{f.what}: 0 of {f.of}" for f in finding.failures if not f.count]
    return failed, "; ".join(fine)


def listed(pairs: Mapping[str, object]) -> str:
    """Return names and values in one line."""
    texts = []
    for name, value in pairs.items():
        if isinstance(value, list | tuple):
            if len(value) > 6:
                value = f"{len(value)} from {value[0]} to {value[-1]}"
            else:
                value = ", ".join(map(str, value))
        texts.append(f"{name} {value}")
    return "; ".join(texts)


def code(name: str) -> dict | None:
    """Return the source of a claim's module, with its parts of speech marked, or None."""
    entry = next((entry for entry in registry.entries() if entry.name == name), None)
    if entry is None:
        return None
    source = entry.file.read_text(encoding="utf-8")
    marked = pygments.highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    return {"module": entry.module, "lines": len(source.splitlines()), "html": marked}
