"""How often the detector is wrong on recordings, with intervals."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.stalls.recording import Recording, read
from tfadaopt.callbacks.stalls import StallDetector

# Below this accuracy on what it was trained on, a digit classifier has not learned.
LEARNED = 0.3


@dataclass(frozen=True)
class Verdict:
    """What came of one run.

    Attributes:
        run: The recording.
        marks: What was reported: step and mark.
        void: Why it does not count; empty: it does.
    """

    run: Recording
    marks: list
    void: str

    @property
    def is_healthy(self) -> bool:
        return not self.run.about["expected"]

    @property
    def right(self) -> list:
        """Marks of a right kind at a right layer."""
        about = self.run.about
        return [
            (step, m)
            for step, m in self.marks
            if m.kind in about["expected"] and re.search(about["where"], m.layer or "")
            and step >= about["event"]
        ]  # fmt: skip

    @property
    def is_wrong(self) -> bool:
        """A false alarm, or no right mark."""
        return bool(self.marks) if self.is_healthy else not self.right

    @property
    def misleads(self) -> bool:
        """Whether the first right mark names another cause, or any mark the opposite advice."""
        about, first = self.run.about, self.right[0][1]
        texts = [f"{m.cause} {m.advice}" for _, m in self.marks]
        said = re.search(about["says"], f"{first.cause} {first.advice}")
        never = about["never"]
        return not said or (bool(never) and any(re.search(never, text) for text in texts))

    @property
    def delay(self) -> int:
        """Steps from the event to the first right mark."""
        return self.right[0][0] - self.run.about["event"]


def verdict(run: Recording) -> Verdict:
    """Judge one recording."""
    about = run.about
    accuracy = about["result"].get("accuracy")
    void = ""
    learns = about["must_learn"] and not about["expected"]
    if learns and accuracy is not None and accuracy < LEARNED:
        void = f"healthy, but its accuracy is {accuracy:.2f}"
    if (
        about["expected"]
        and accuracy is not None
        and accuracy > 0.9
        and "nan" not in about["expected"]
    ):
        void = f"broken, but its accuracy is {accuracy:.2f}"
    if about["expected"] == ["nan"] and not _had_nan(run):
        void = "broken, but all is finite"
    return Verdict(run, run.marks(StallDetector(run.layers)), void)


def _had_nan(run: Recording) -> bool:
    """Whether anything was NaN or infinite, or an update was left out."""
    return any(
        look.not_finite
        or any(
            not np.isfinite(values).all() or (quantity.endswith("skipped_updates") and values.any())
            for (quantity, _), (_, values) in look.tables.items()
        )
        for look in run.looks
    )


def wilson(wrong: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a rate."""
    if not of:
        return 0.0, 1.0
    rate, shrink = wrong / of, 1 + z * z / of
    middle = (rate + z * z / (2 * of)) / shrink
    half = z * math.sqrt(rate * (1 - rate) / of + z * z / (4 * of * of)) / shrink
    return max(middle - half, 0.0), min(middle + half, 1.0)


def rate(wrong: int, of: int) -> str:
    """A rate with its interval."""
    low, high = wilson(wrong, of)
    return (
        f"{wrong} of {of} ({100 * wrong / max(of, 1):.1f} %, {100 * low:.1f} to {100 * high:.1f})"
    )


def verdicts(folder: Path, half: str, only: str = "") -> Iterator[Verdict]:
    """Those of all recordings of one half."""
    for path in sorted((folder / half).glob("*.npz")):
        if only in path.name:
            yield verdict(read(path))


def table(found: list[Verdict]) -> str:
    """Rates by kind, in Markdown."""
    lines = [
        "| kind | runs | scenarios | without a right mark | wrong cause or advice "
        "| steps until reported: median (largest) |",
        "|---|---|---|---|---|---|",
    ]
    counted = [v for v in found if not v.void]
    broken = [v for v in counted if not v.is_healthy]
    for kind in [*dict.fromkeys(v.run.about["kind"] for v in broken), ""]:
        of = [v for v in broken if kind in ("", v.run.about["kind"])]
        told = [v for v in of if v.right]
        delays = sorted(v.delay for v in told)
        late = f"{delays[len(delays) // 2]} ({delays[-1]})" if delays else "–"
        lines.append(
            f"| {kind or '**all**'} | {len(of)} | {_scenarios(of)} | "
            f"{rate(len(of) - len(told), len(of))} | "
            f"{rate(sum(v.misleads for v in told), len(told))} | {late} |"
        )
    well = [v for v in counted if v.is_healthy]
    alarmed = {v.run.about["name"] for v in well if v.is_wrong}
    lines += [
        "",
        f"False alarms: by run {rate(sum(v.is_wrong for v in well), len(well))}, by scenario "
        f"{rate(len(alarmed), _scenarios(well))}. Without a right mark, by scenario: "
        f"{rate(len({v.run.about['name'] for v in broken if v.is_wrong}), _scenarios(broken))}. "
        f"{len(found) - len(counted)} runs do not count: they are not what they should be.",
    ]
    return "\n".join(lines)


def _scenarios(found: list[Verdict]) -> int:
    return len({v.run.about["name"] for v in found})


def judge_all(folder: Path, half: str, only: str, write: Path | None) -> None:
    """Print what is wrong in one part, and its table; write the tables of all parts."""
    found = list(verdicts(folder, half, only))
    for v in found:
        name = f"{v.run.about['name']} (seed {v.run.about['seed']})"
        if v.void:
            print(f"void  {name}: {v.void}")
        elif v.is_wrong or (not v.is_healthy and (v.misleads or v.delay > 100)):
            said = {(m.kind, step, m.cause[:60]): m.layer for step, m in v.marks}
            problem = "wrong" if v.is_wrong else "misleads" if v.misleads else f"late {v.delay}"
            print(f"{problem}  {name}: {list(said.items())[:4]}")
    print(table(found))
    if write:
        parts = [f"{about}\n\n{table(list(verdicts(folder, part)))}\n" for part, about in PARTS]
        write.write_text("\n".join([HEAD, *parts]), encoding="utf-8")


HEAD = """# How often StallWarning is wrong

    python -m benchmarks.stalls record FOLDER --half judge    # and --half tune, --half late
    python -m benchmarks.stalls judge FOLDER --half judge --write benchmarks/stalls.md

Default arguments, a look every 10 steps; intervals are Wilson's, of 95 %. A healthy run counts if
it learned something, a broken one if it did not learn all the same. A right mark is one of a kind
that is promised, at a layer that is broken, after the event; its cause or advice is wrong where it
does not name what was broken, or where any mark of the run advises the opposite.
"""
PARTS = (
    (
        "judge",
        """## Scenarios written and recorded when the rules were fixed (`fresh.py`)

Read again after two faults were mended that they showed: losses that were taken as those of batches
where Keras reports a mean, and what shows that Nadam gets no gradient (before that, 3 of 88 broken
runs had no right mark; false alarms were the same, 0 of 130).""",
    ),
    ("late", "## Scenarios that were looked at once before the last changes"),
    ("tune", "## Scenarios that the rules were made on"),
)
