"""Several comparisons read together: each a problem, with the same methods."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfadaopt.experiments.compare import comparison, costs, profiles, results, trials
from tfadaopt.experiments.compare.comparison import Comparison
from tfadaopt.experiments.compare.costs import Attempts, Spent
from tfadaopt.experiments.compare.results import Contender, Floats
from tfadaopt.experiments.compare.trials import ArmTrials
from tfadaopt.experiments.configs import ConfigError, settings_of
from tfadaopt.experiments.reports.intervals import Interval
from tfadaopt.experiments.runs.store import Store


@dataclass(frozen=True)
class Entry:
    """What one method did on one problem.

    Attributes:
        middle: Median objective, with its interval where there are three runs.
        scores: Score of each reported run, by seed; less is better, infinity for a failure.
        steps: Steps of each of them to the target; infinity: never.
        seconds: Seconds of each of them to the target, at the method's median pace; None where
            that is not known.
        attempts: Trials until one is at the target.
        tuning: What its trials cost.
    """

    middle: Interval | None
    scores: tuple[float, ...]
    steps: tuple[float, ...]
    seconds: tuple[float, ...] | None
    attempts: Attempts
    tuning: Spent

    @property
    def median_steps(self) -> float:
        """Median steps to the target."""
        return float(profiles.lower_median(np.array(self.steps)))

    @property
    def median_seconds(self) -> float | None:
        """Median seconds to the target, None where the pace is not known."""
        if self.seconds is None:
            return None
        return float(profiles.lower_median(np.array(self.seconds)))


@dataclass(frozen=True)
class Compared:
    """One problem, and what each method did on it.

    Attributes:
        name: Name of the problem.
        folder: Result folder.
        config: Settings of the comparison.
        part: Part of the data that scores are of.
        goal: Objective on validation that is to be reached.
        entries: What each method did, by label.
    """

    name: str
    folder: Path
    config: Comparison
    part: str
    goal: float
    entries: dict[str, Entry]


@dataclass(frozen=True)
class Standing:
    """What one method did over all problems.

    Attributes:
        label: Name of method and schedule.
        rank: Mean place, 1 the best, with the 95 % interval of the seeds.
        in_steps: Area below its performance profile in steps, 1 at most.
        in_seconds: The same in seconds; None where the pace of a run is not known.
        solved: Problems whose target it reaches in half of its runs.
        attempts: Trials until one is at the target, median over the problems; of two middle ones
            the larger.
        tuning: Seconds of all its trials.
    """

    label: str
    rank: Interval
    in_steps: Interval
    in_seconds: Interval | None
    solved: int
    attempts: float
    tuning: float


def read(folders: Sequence[Path]) -> list[Compared]:
    """Return what several result folders hold, each of a comparison.

    Raises:
        ConfigError: There are fewer than two, one holds no comparison or nothing that is finished,
            or one is given twice.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise ConfigError(
            f"Received {', '.join(map(str, folders)) or 'no folder'}; give at least two result "
            "folders of tfadaopt compare, each once."
        )
    found = [_whole(folder) for folder in folders]
    names = [compared.name for compared in found]
    return [
        Compared(
            **vars(one) | {"name": str(one.folder)} if names.count(one.name) > 1 else vars(one)
        )
        for one in found
    ]


def common(found: Sequence[Compared]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels of the methods that all problems have, and of those that some lack.

    Raises:
        ConfigError: Fewer than two are in all of them.
    """
    every = list(dict.fromkeys(label for compared in found for label in compared.entries))
    there = tuple(x for x in every if all(x in compared.entries for compared in found))
    if len(there) < 2:
        each = "; ".join(f"{c.folder}: {', '.join(c.entries) or 'none'}" for c in found)
        raise ConfigError(
            f"Fewer than two methods have finished runs in all folders: {each}. Compare the same "
            "methods, with the same schedules, on each problem."
        )
    return there, tuple(x for x in every if x not in there)


def standings(found: Sequence[Compared], labels: Sequence[str]) -> list[Standing]:
    """Return what each method did over all problems, the best mean place first."""
    each = [[compared.entries[label] for label in labels] for compared in found]
    places = profiles.intervals(
        [_by_seed([e.scores for e in row]) for row in each], profiles.middle, profiles.ranks
    )
    in_steps = _areas([[e.steps for e in row] for row in each])
    timed = [[e.seconds for e in row if e.seconds is not None] for row in each]
    known = all(len(row) == len(labels) for row in timed)
    in_seconds = _areas(timed) if known else [None] * len(labels)
    made = [
        Standing(
            label=label,
            rank=places[i],
            in_steps=in_steps[i],
            in_seconds=in_seconds[i],
            solved=sum(math.isfinite(row[i].median_steps) for row in each),
            attempts=sorted(row[i].attempts.first for row in each)[len(each) // 2],
            tuning=sum(row[i].tuning.seconds for row in each),
        )
        for i, label in enumerate(labels)
    ]
    return sorted(made, key=lambda standing: standing.rank.value)


def ratios(found: Sequence[Compared], labels: Sequence[str], seconds: bool) -> Floats:
    """Return how many times as long as the fastest each takes to the target [problems, methods].

    Args:
        found: The problems.
        labels: The methods.
        seconds: Whether time is of seconds, not of steps; all paces must be known.
    """
    rows = []
    for compared in found:
        entries = [compared.entries[label] for label in labels]
        rows.append([e.median_seconds if seconds else e.median_steps for e in entries])
    return profiles.ratios(np.array(rows, "float64"))


def _areas(times: Sequence[Sequence[Sequence[float]]]) -> Sequence[Interval]:
    return profiles.intervals([_by_seed(row) for row in times], profiles.lower_median, _area)


def _area(times: Floats) -> Floats:
    return profiles.scores(profiles.ratios(times))


def _by_seed(rows: Sequence[Sequence[float]]) -> Floats:
    # Where a comparison is not finished, the seeds that all methods have.
    seeds = min(map(len, rows))
    return np.array([row[:seeds] for row in rows], "float64")


def _whole(folder: Path) -> Compared:
    try:
        return _compared(folder)
    except ConfigError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Each file is whole, but they do not belong together, or somebody has made them up.
        raise ConfigError(
            f"{folder}: its results do not have the form that an overview needs "
            f"({type(error).__name__}: {error}). Run its comparison again into another folder."
        ) from error


def _compared(folder: Path) -> Compared:
    store = Store(folder)
    run = store.describe()
    if run is None or run["experiment"] != comparison.EXPERIMENT:
        raise ConfigError(
            f"{folder} holds no comparison. Make one first: tfadaopt compare FILE --out {folder}"
        )
    config = settings_of(run, Comparison, folder)
    reading = trials.read(config, store) if store.has(comparison.check_cell(config)) else None
    goal = None if reading is None else costs.target(reading)
    if reading is None or goal is None:
        raise ConfigError(f"{folder}: no reported run is finished. Give its command again.")
    entries = {}
    for arm, contender in zip(reading.arms, results.contenders(reading), strict=True):
        if contender.scores or (arm.complete and arm.chosen.best is None):
            entries[contender.label] = _entry(arm, contender, config, goal)
    part = results.part_reported(reading)
    return Compared(Path(config.file).stem, folder, config, part, goal, entries)


def _entry(arm: ArmTrials, contender: Contender, config: Comparison, goal: float) -> Entry:
    scores = contender.scores
    steps = tuple(costs.reached_at(run, config, goal)[1] for run in arm.finals if run.finished)
    if not scores:
        # All trials failed: that is a result, and no reason to leave a method out.
        scores = steps = (math.inf,) * config.seeds
    reached, pace = any(map(math.isfinite, steps)), contender.seconds
    seconds = tuple(step * (pace or 1.0) / 1_000 for step in steps)
    return Entry(
        middle=contender.middle,
        scores=scores,
        steps=steps,
        seconds=None if reached and pace is None else seconds,
        attempts=costs.attempts(arm, config, goal),
        tuning=costs.spent(arm.tried()),
    )
