"""What a comparison has come to so far, read once: what was tried, and what comes next."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfadaopt.experiments.compare.comparison import (
    FIRST_TUNING_SEED,
    Comparison,
    cell_of,
    check_cell,
)
from tfadaopt.experiments.compare.contenders import Arm
from tfadaopt.experiments.compare.rate_search import best_rate, next_rate
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.sweeps.proposals import proposed_rates

# The first rates to try are known at once; after them, each depends on those before.
KNOWN_AT_ONCE = 3


@dataclass(frozen=True)
class Run:
    """A run of a comparison, as the folder has it.

    Attributes:
        cell: What determines it.
        result: What it came to, or None. Of a tuning run, the last epoch stands for all, with the
            seconds of all: of thousands of them, the curves would fill the memory.
        failure: Why it broke off since the command was last given, or None.
    """

    cell: Cell
    result: Mapping[str, Any] | None
    failure: Mapping[str, Any] | None

    @property
    def finished(self) -> bool:
        """Whether it has a result, or broke off."""
        return self.result is not None or self.failure is not None

    def score(self, config: Comparison, part: str = "validation") -> float:
        """Return its score on a part of the data; infinity if it failed."""
        if self.result is None or self.result["diverged"] or self.result[part] is None:
            return math.inf
        return config.score(self.result[part])


@dataclass(frozen=True)
class Trial:
    """A learning rate, tried with several seeds.

    Attributes:
        rate: The rate.
        runs: Its runs, by seed.
        score: Median of their scores; what diverged or broke off counts as infinity.
    """

    rate: float
    runs: tuple[Run, ...]
    score: float


@dataclass(frozen=True)
class Search:
    """The search of a rate, with one weight decay.

    Attributes:
        decay: The weight decay, or None for what the method has by itself.
        trials: The finished trials, in the order in which their rates were proposed.
        complete: Whether no rate is left to try.
    """

    decay: float | None
    trials: tuple[Trial, ...]
    complete: bool

    @property
    def scores(self) -> dict[float, float]:
        """Score of each rate that was tried."""
        return {trial.rate: trial.score for trial in self.trials}

    @property
    def best(self) -> float | None:
        """Rate of the best score, None if all failed."""
        return best_rate(self.scores)


@dataclass(frozen=True)
class ArmTrials:
    """What a comparison has of one method with one schedule.

    Attributes:
        arm: Method and schedule.
        default: Default rate of the method.
        searches: A search of its rate for each weight decay.
        chosen: The search whose best score is lowest; the first one if all failed.
        finals: The runs at its best rate that are to be reported, by seed.
    """

    arm: Arm
    default: float
    searches: tuple[Search, ...]
    chosen: Search
    finals: tuple[Run, ...]

    @property
    def complete(self) -> bool:
        """Whether no rate is left to try."""
        return all(search.complete for search in self.searches)

    def tried(self) -> Iterator[Run]:
        """Yield the runs of the finished trials."""
        for search in self.searches:
            for trial in search.trials:
                yield from trial.runs


@dataclass(frozen=True)
class Reading:
    """All that a comparison has come to so far.

    Attributes:
        config: Settings.
        problem: What was found when the problem was looked at.
        arms: What there is of each method with each schedule, in the order they were named.
    """

    config: Comparison
    problem: Mapping[str, Any]
    arms: tuple[ArmTrials, ...]

    def tried(self) -> Iterator[Run]:
        """Yield the runs of the finished trials."""
        for arm in self.arms:
            yield from arm.tried()

    def finals(self) -> Iterator[Run]:
        """Yield the runs that are reported, finished or not."""
        for arm in self.arms:
            yield from arm.finals

    def next_trials(self) -> list[Cell]:
        """Return the runs of the next trial of each search, none when all budgets are used up."""
        cells = []
        for arm in self.arms:
            for search in arm.searches:
                ahead = search.scores
                for rate in _proposed(self.config, arm.default, ahead):
                    if len(ahead) > len(search.trials) and len(ahead) >= KNOWN_AT_ONCE:
                        break
                    cells += tuning_cells(self.config, arm.arm, search.decay, rate)
                    ahead[rate] = math.inf
        return cells


# Called with each run that counts, and all that it came to.
Visit = Callable[[Cell, Mapping[str, Any]], None]


def read(config: Comparison, store: Store, visit: Visit | None = None) -> Reading:
    """Return what a comparison has come to; each file of its folder is looked at once.

    The rates are proposed again from the results there are, so that an interrupted comparison goes
    on exactly where it was.

    Args:
        config: Settings.
        store: Where the results are.
        visit: Called with the cell and the whole result of each run of a finished trial, and of
            each reported run.
    """
    problem = store.get(check_cell(config))
    defaults = problem["default_rates"]
    with store.indexed():
        arms = [_arm(config, store, arm, defaults[arm.method], visit) for arm in config.arms]
    return Reading(config, problem, tuple(arms))


def tuning_cells(config: Comparison, arm: Arm, decay: float | None, rate: float) -> list[Cell]:
    """Return the runs of one trial: a rate, several seeds."""
    seeds = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + config.tuning_seeds)
    return [cell_of(config, "tune", arm, decay, rate, seed) for seed in seeds]


def final_cells(config: Comparison, arm: Arm, decay: float | None, rate: float) -> list[Cell]:
    """Return the runs at the chosen rate that are reported."""
    return [cell_of(config, "final", arm, decay, rate, seed) for seed in range(config.seeds)]


def _arm(
    config: Comparison, store: Store, arm: Arm, default: float, visit: Visit | None
) -> ArmTrials:
    searches = tuple(_search(config, store, arm, decay, default, visit) for decay in config.decays)
    chosen = min(searches, key=lambda search: min(search.scores.values(), default=math.inf))
    finals: tuple[Run, ...] = ()
    if chosen.best is not None:
        finals = _runs(store, final_cells(config, arm, chosen.decay, chosen.best))
        _show(finals, visit)
    return ArmTrials(arm, default, searches, chosen, finals)


def _search(
    config: Comparison,
    store: Store,
    arm: Arm,
    decay: float | None,
    default: float,
    visit: Visit | None,
) -> Search:
    scores: dict[float, float] = {}
    trials, complete = [], False
    for rate in _proposed(config, default, scores):
        runs = _runs(store, tuning_cells(config, arm, decay, rate))
        if not all(run.finished for run in runs):
            break
        _show(runs, visit)
        runs = tuple(map(_without_curves, runs))
        score = statistics.median(run.score(config) for run in runs)
        trials.append(Trial(rate, runs, score))
        scores[rate] = trials[-1].score
    else:
        complete = True
    return Search(decay, tuple(trials), complete)


def _proposed(config: Comparison, default: float, scores: Mapping[float, float]) -> Iterator[float]:
    """Yield rates to try until the budget is used up; ``scores`` grows meanwhile."""
    if config.tuner is not None:
        yield from proposed_rates(scores, default, config.trials, KNOWN_AT_ONCE)
        return
    while len(scores) < config.trials:
        rate = next_rate(scores, default, decades_first=min(config.trials, KNOWN_AT_ONCE))
        if rate in scores:
            return  # Between neighbours of three digits there is no other one.
        yield rate


def _runs(store: Store, cells: Sequence[Cell]) -> tuple[Run, ...]:
    return tuple(
        Run(cell, result, None if result is not None else store.failure(cell))
        for cell in cells
        for result in (store.find(cell),)
    )


def _show(runs: Sequence[Run], visit: Visit | None) -> None:
    for run in runs if visit is not None else ():
        if visit is not None and run.result is not None:
            visit(run.cell, run.result)


def _without_curves(run: Run) -> Run:
    if run.result is None:
        return run
    kept: dict[str, Any] = {n: v for n, v in run.result.items() if n not in ("epochs", "rates")}
    epochs = run.result["epochs"]
    seconds = sum(float(epoch["seconds"]) for epoch in epochs)
    kept["epochs"] = [{**epochs[-1], "seconds": seconds}] if epochs else []
    return Run(run.cell, kept, None)
