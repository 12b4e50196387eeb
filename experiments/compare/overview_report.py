"""The report over several comparisons: who is ahead, how sure that is, what tuning takes."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tfadaopt.experiments.compare import overview, profiles
from tfadaopt.experiments.compare.advice import count, listed
from tfadaopt.experiments.compare.overview import Compared, Standing
from tfadaopt.experiments.compare.report import shown, time_in_words
from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.reports import pages
from tfadaopt.experiments.reports.figures import Bars, Lines, Series
from tfadaopt.experiments.reports.intervals import Interval
from tfadaopt.experiments.reports.picture import picture
from tfadaopt.experiments.runs.files import make_folder, write_whole

PAGE, TABLE = "overview.html", "overview.csv"
# Profiles of fewer problems are a few steps.
FEW_PROBLEMS = 5
# mypy does not see the arguments of Pydantic's classes where their decorator has a name.
_series: Callable[..., Series] = Series
_lines: Callable[..., Lines] = Lines
_bars: Callable[..., Bars] = Bars


def write_overview(folders: Sequence[Path], out: Path) -> Path:
    """Write ``overview.html``, ``overview.csv`` and ``figures/`` from several comparisons.

    Args:
        folders: Result folders of ``tfadaopt compare``, at least two.
        out: Folder to write into; one that has other files is refused.

    Returns:
        Path of the page.

    Raises:
        ConfigError: A folder cannot be read, or fewer than two methods are in all of them.
    """
    found = overview.read(folders)
    labels, missing = overview.common(found)
    if out.is_dir() and any(out.iterdir()) and not (out / PAGE).exists():
        raise ConfigError(
            f"--out {out} is not empty, and holds no overview. Choose another folder with --out."
        )
    standings = overview.standings(found, labels)
    make_folder(out / "figures")
    write_whole(out / TABLE, table(found, labels))
    page = pages.template("overview.html.j2").render(
        found=found,
        labels=labels,
        missing=missing,
        standings=standings,
        sentences=sentences(found, standings),
        warnings=warnings(found, missing),
        figures=[
            picture(out / "figures", name, figure, animate=False)
            for name, figure in figures(found, labels, standings)
        ],
        number=shown,
        reach=pages.exact,
        time=time_in_words,
        interval=_interval,
        most=profiles.MOST,
        inf=math.inf,
    )
    write_whole(out / PAGE, page)
    return out / PAGE


def sentences(found: Sequence[Compared], standings: Sequence[Standing]) -> Iterator[str]:
    """Say who is ahead, and whether the seeds leave that open."""
    first = standings[0]
    yield (
        f"Over {count(len(found), 'problem')}, {first.label} has the best mean place, "
        f"{_interval(first.rank)} of {len(standings)}."
    )
    near = [s.label for s in standings[1:] if s.rank.low <= first.rank.high]
    if near:
        yield f"The seeds leave open whether it is ahead of {listed(near)}: the intervals overlap."
    fastest = max(standings, key=lambda s: s.in_steps.value)
    if fastest.in_steps.value == 0:
        yield "No method reaches any target in half of its runs."
        return
    yield (
        f"In steps to the targets, {fastest.label} scores highest, "
        f"{_interval(fastest.in_steps)} of 1; it reaches {fastest.solved} of {len(found)}."
    )
    timed = [(s, s.in_seconds) for s in standings if s.in_seconds is not None]
    if timed:
        quickest, area = max(timed, key=lambda pair: pair[1].value)
        yield f"In seconds, {quickest.label} does, {_interval(area)}."
    else:
        yield (
            "Nothing can be said of seconds: the pace of some runs is not known, as where they "
            "have one epoch."
        )
    easiest = min(standings, key=lambda s: s.attempts)
    if math.isfinite(easiest.attempts):
        same = [s.label for s in standings if s.attempts == easiest.attempts]
        are = "are" if same[1:] else "is"
        trials = count(int(easiest.attempts), "trial")
        yield f"{listed(same)} {are} the easiest to tune: at the target after {trials}, typically."


def warnings(found: Sequence[Compared], missing: Sequence[str]) -> Iterator[str]:
    """Say what these numbers do not mean."""
    if missing:
        yield f"Left out, because not all folders have finished runs of them: {listed(missing)}."
    if len(found) < FEW_PROBLEMS:
        yield (
            f"{count(len(found), 'problem')} say little of others: the intervals are of the seeds, "
            "with the problems as they are."
        )
    own = [compared.name for compared in found if compared.config.target is None]
    if own:
        yield (
            f"The target of {listed(own)} was not given beforehand, but taken from these results: "
            "what half of the methods reach."
        )
    chosen = [compared.name for compared in found if compared.part == "validation"]
    if chosen:
        yield f"The numbers of {listed(chosen)} are of the part that the rates were chosen on."
    budgets = {(c.config.tuning_runs, c.config.seeds) for c in found}
    if len(budgets) > 1:
        yield "The budgets differ from problem to problem; within each, all methods have the same."


def figures(
    found: Sequence[Compared], labels: Sequence[str], standings: Sequence[Standing]
) -> Iterator[tuple[str, Lines | Bars]]:
    """Yield name and data of each figure."""
    for name, known in (("steps", True), ("seconds", standings[0].in_seconds is not None)):
        if known:
            ratios = overview.ratios(found, labels, seconds=name == "seconds")
            yield (
                f"profile_{name}",
                _lines(
                    f"Share of problems solved, by time in {name}",
                    f"times the {name} of the fastest, τ",
                    "share of problems",
                    tuple(
                        _series(label, *profiles.profile(ratios[:, i]))
                        for i, label in enumerate(labels)
                    ),
                    caption="Solved is where half of the runs reach the target. At the left, how "
                    "often a method is the fastest; at the right, how often it is there at all.",
                ),
            )
    places = [standing.rank for standing in standings]
    yield (
        "places",
        _bars(
            "Mean place over the problems",
            "mean place, 1 is best",
            tuple(standing.label for standing in standings),
            [place.value for place in places],
            [place.low for place in places],
            [place.high for place in places],
            caption="By the median of what is reported, with 95 % intervals of the seeds.",
        ),
    )
    tuning = sorted(standings, key=lambda standing: standing.attempts)
    yield (
        "attempts",
        _bars(
            "Trials until one is at the target",
            "trials, median over the problems",
            tuple(standing.label for standing in tuning),
            [standing.attempts for standing in tuning],
            caption="In the order in which rates were tried: 1 where the default rate is good.",
        ),
    )


def table(found: Sequence[Compared], labels: Sequence[str]) -> str:
    """Return a row for each problem and method, as CSV."""
    rows = [_row(compared, label) for compared in found for label in labels]
    with io.StringIO(newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return file.getvalue()


def _row(compared: Compared, label: str) -> dict[str, object]:
    entry = compared.entries[label]
    middle = entry.middle or Interval(math.inf, math.inf, math.inf)
    return {
        "problem": compared.name,
        "method": label,
        "objective": compared.config.objective,
        "part": compared.part,
        "median": middle.value,
        "low": middle.low,
        "high": middle.high,
        "runs": len(entry.scores),
        "failed": sum(map(math.isinf, entry.scores)),
        "target": compared.goal,
        "steps_to_target": entry.median_steps,
        "seconds_to_target": entry.median_seconds,
        "tuning_runs": entry.tuning.runs,
        "tuning_seconds": entry.tuning.seconds,
        "trials": entry.attempts.tried,
        "good_trials": entry.attempts.good,
        "trials_to_target": entry.attempts.first,
        "trials_to_target_at_random": entry.attempts.at_random,
    }


def _interval(found: Interval) -> str:
    ends = f"{pages.exact(found.low, 3)} to {pages.exact(found.high, 3)}"
    return f"{pages.exact(found.value, 3)} ({ends})"
