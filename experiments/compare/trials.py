"""What a comparison has come to so far, read once: what was tried, and what comes next."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tfadaopt.experiments.compare.comparison import (
    FIRST_TUNING_SEED,
    Comparison,
    cell_of,
    check_cell,
)
from tfadaopt.experiments.compare.rate_search import best_rate, next_rate
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.store import Store

# The first rates to try are known at once; after them, each depends on those before.
_KNOWN_AT_ONCE = 3


@dataclass(frozen=True)
class Run:
    """A run of a comparison, as the folder has it.

    Attributes:
        cell: What determines it.
        result: What it came to, or None.
        failure: Why it broke off since the command was last given, or None.
    """

    cell: Cell
    result: Mapping | None
    failure: Mapping | None

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
class MethodTrials:
    """What a comparison has of one method.

    Attributes:
        method: Its name.
        default: Its default rate.
        trials: The finished trials, in the order in which their rates were proposed.
        complete: Whether no rate is left to try.
        chosen: Rate of the best of them, None if there is none or all failed.
        finals: The runs at it that are to be reported, by seed.
    """

    method: str
    default: float
    trials: tuple[Trial, ...]
    complete: bool
    chosen: float | None
    finals: tuple[Run, ...]

    @property
    def scores(self) -> dict[float, float]:
        """Score of each rate that was tried."""
        return {trial.rate: trial.score for trial in self.trials}


@dataclass(frozen=True)
class Reading:
    """All that a comparison has come to so far.

    Attributes:
        config: Settings.
        problem: What was found when the problem was looked at.
        methods: What there is of each method, in the order they were named.
    """

    config: Comparison
    problem: Mapping
    methods: tuple[MethodTrials, ...]

    def tried(self) -> Iterator[Run]:
        """Yield the runs of the finished trials."""
        for method in self.methods:
            for trial in method.trials:
                yield from trial.runs

    def finals(self) -> Iterator[Run]:
        """Yield the runs that are reported, finished or not."""
        for method in self.methods:
            yield from method.finals

    def next_trials(self) -> list[Cell]:
        """Return the runs of the next trial of each method, none when all budgets are used up."""
        cells = []
        for method in self.methods:
            ahead = method.scores
            for rate in _proposed(self.config, method.default, ahead):
                if len(ahead) > len(method.trials) and len(ahead) >= _KNOWN_AT_ONCE:
                    break
                cells += tuning_cells(self.config, method.method, rate)
                ahead[rate] = math.inf
        return cells


def read(config: Comparison, store: Store) -> Reading:
    """Return what a comparison has come to; each file of its folder is looked at once.

    The rates are proposed again from the results there are, so that an interrupted comparison goes
    on exactly where it was.
    """
    problem = store.get(check_cell(config))
    methods = (_method(config, store, m, problem["default_rates"][m]) for m in config.methods)
    return Reading(config, problem, tuple(methods))


def tuning_cells(config: Comparison, method: str, rate: float) -> list[Cell]:
    """Return the runs of one trial: a rate, several seeds."""
    seeds = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + config.tuning_seeds)
    return [cell_of(config, "tune", method, rate, seed) for seed in seeds]


def final_cells(config: Comparison, method: str, rate: float) -> list[Cell]:
    """Return the runs at the chosen rate that are reported."""
    return [cell_of(config, "final", method, rate, seed) for seed in range(config.seeds)]


def _method(config: Comparison, store: Store, method: str, default: float) -> MethodTrials:
    scores: dict[float, float] = {}
    trials, complete = [], False
    for rate in _proposed(config, default, scores):
        runs = _runs(store, tuning_cells(config, method, rate))
        if not all(run.finished for run in runs):
            break
        trials.append(Trial(rate, runs, _median([run.score(config) for run in runs])))
        scores[rate] = trials[-1].score
    else:
        complete = True
    chosen = best_rate(scores)
    finals = () if chosen is None else _runs(store, final_cells(config, method, chosen))
    return MethodTrials(method, default, tuple(trials), complete, chosen, finals)


def _proposed(config: Comparison, default: float, scores: Mapping[float, float]) -> Iterator[float]:
    """Yield rates to try until the budget is used up; ``scores`` grows meanwhile."""
    while len(scores) < config.trials:
        rate = next_rate(scores, default, decades_first=min(config.trials, _KNOWN_AT_ONCE))
        if rate in scores:
            return  # Between neighbours of three digits there is no other one.
        yield rate


def _runs(store: Store, cells: Sequence[Cell]) -> tuple[Run, ...]:
    return tuple(
        Run(cell, store.get(cell), None)
        if store.has(cell)
        else Run(cell, None, store.failure(cell))
        for cell in cells
    )


def _median(scores: Sequence[float]) -> float:
    # As np.median, but infinities of both signs make no NaN.
    ranked = sorted(scores)
    middle = len(ranked) // 2
    if len(ranked) % 2 or ranked[middle] == ranked[middle - 1]:
        return ranked[middle]
    return (ranked[middle - 1] + ranked[middle]) / 2
