"""Tuning inside a budget: Optuna proposes, the executors of all sweeps compute."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.engines import Engine
from tfadaopt.experiments.runs.stages import Progress
from tfadaopt.experiments.sweeps import proposals, sweep


def tune(
    function: sweep.Function,
    space: Mapping[str, Any],
    trials: int,
    objective: str,
    larger_is_better: bool,
    at_once: int,
    seed: int,
    folder: Path,
    jobs: int | Engine,
    progress: Progress,
) -> pd.DataFrame:
    """Try a function where Optuna's TPE proposes, within a number of trials.

    The trials are proposed ``at_once`` at a time, and told in the order in which they were
    proposed: the same seed makes the same trials, whoever computes them and however often the run
    is interrupted. Each is computed in a process of its own.

    Returns:
        A row for each trial, in the order of the proposals.

    Raises:
        ConfigError: Optuna is not installed, the space has no form that is known, or the function
            returned no such objective.
    """
    optuna = proposals.imported()
    if trials < 1 or at_once < 1:
        raise ConfigError(f"trials={trials}, at_once={at_once}: both are at least 1.")
    drawn = {name: _distribution(optuna, name, of) for name, of in space.items()}
    study = optuna.create_study(
        direction="maximize" if larger_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    )
    engine = Engine(jobs=jobs) if isinstance(jobs, int) else jobs
    of = sweep.settings(function)
    cells: list[Any] = []
    with sweep.opened(of, folder, engine) as store:
        filling = sweep.stages(function, store, replace(engine, fresh=True), progress)
        with filling:
            for first in range(0, trials, at_once):
                asked = [study.ask(drawn) for _ in range(min(at_once, trials - first))]
                batch = [
                    sweep.cell_of(of, {n: sweep.plain(n, v) for n, v in trial.params.items()})
                    for trial in asked
                ]
                unique = {str(cell["settings"]): cell for cell in batch}
                filling.compute(of.function, [*unique.values()], len(cells), trials)
                for trial, cell in zip(asked, batch, strict=True):
                    result = store.find(cell)
                    if result is not None and objective not in result:
                        raise ConfigError(
                            f"objective={objective!r}: the function returned {', '.join(result)}; "
                            "name one of these."
                        )
                    value = result[objective] if result else math.nan
                    if isinstance(value, int | float) and not math.isnan(value):
                        study.tell(trial, value)
                    else:
                        study.tell(trial, state=optuna.trial.TrialState.FAIL)
                cells += batch
            filling.end([*{str(cell["settings"]): cell for cell in cells}.values()])
        return sweep.frame(store, cells)


def _distribution(optuna: Any, name: str, of: Any) -> Any:
    known = optuna.distributions
    if isinstance(of, tuple) and len(of) in (2, 3) and of[2:] in ((), ("log",)):
        low, high = of[:2]
        is_whole = isinstance(low, int) and isinstance(high, int)
        kind = known.IntDistribution if is_whole else known.FloatDistribution
        try:
            return kind(low, high, log=bool(of[2:]))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"space: {name!r}: {error}") from None
    if isinstance(of, Sequence) and not isinstance(of, str | tuple) and of:
        return known.CategoricalDistribution([sweep.plain(name, value) for value in of])
    raise ConfigError(
        f"space: {name!r} is {of!r}; give (low, high), (low, high, 'log') or a list of choices."
    )
