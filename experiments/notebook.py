"""Experiments from Python: what the command line does, with a table of pandas back."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from tfadaopt.experiments import catalog, configs
from tfadaopt.experiments.runs import engines
from tfadaopt.experiments.runs.engines import Engine
from tfadaopt.experiments.runs.stages import Failures, Progress
from tfadaopt.experiments.sweeps import sweep as sweeping
from tfadaopt.experiments.sweeps import tables, tuning


def sweep(
    function: sweeping.Function,
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    out: str | Path,
    show: bool = True,
    **engine: Any,
) -> pd.DataFrame:
    """Call a function at each point of a grid, in worker processes, and return a table.

    What is finished is kept in a folder, so that the same call goes on where it was. A function
    that does something else, with the same name, is another sweep, and wants another folder.
    In a script, call it below ``if __name__ == "__main__":``, since each worker imports the script.

    Args:
        function: Called with the values of a point by name; returns a number, or a dictionary of
            numbers, texts and lists. It may be defined in the notebook. It has to seed what it
            draws at random.
        grid: Values by name, of which each combination is a point; or the points themselves.
        out: Result folder.
        show: Whether to show a bar.
        **engine: How the points are computed: ``jobs`` (processes at a time), ``engine`` ("local"
            or "ray"), ``address``, ``gpus_per_run``, ``join``, ``fresh``.

    Returns:
        A row for each point, with its values, what the function returned, and ``error`` where it
        raised.

    Raises:
        ValueError: The folder holds something else, or a value cannot be kept.

    Example:
        >>> from tfadaopt import experiments
        >>> table = experiments.sweep(                                         # doctest: +SKIP
        ...     lambda rate, steps: {"loss": (1 - 2 * rate) ** (2 * steps)},
        ...     {"rate": [0.1, 0.2], "steps": [10, 100]},
        ...     out="runs/parabola",
        ... )
    """
    at = sweeping.points(grid) if isinstance(grid, Mapping) else [*map(dict, grid)]
    with _bars(show) as progress:
        return sweeping.run(function, at, Path(out), Engine(**engine), progress)


def tune(
    function: sweeping.Function,
    space: Mapping[str, Any],
    out: str | Path,
    trials: int = 30,
    objective: str = "loss",
    larger_is_better: bool = False,
    at_once: int = 1,
    seed: int = 0,
    show: bool = True,
    **engine: Any,
) -> pd.DataFrame:
    """Look for the best point of a space within a budget, by Optuna's TPE.

    Args:
        function: As of ``sweep``; each trial has a process of its own.
        space: By name (low, high), (low, high, "log") or a list of choices; two whole numbers make
            whole numbers.
        out: Result folder; the same call goes on where it was, with the same proposals.
        trials: The budget.
        objective: What of the returned dictionary counts; ``value`` where a number is returned.
        larger_is_better: Whether more of it is better.
        at_once: Trials that are proposed at a time, without the results of each other.
        seed: Seed of the proposals.
        show: Whether to show a bar.
        **engine: As of ``sweep``.

    Returns:
        A row for each trial, in the order of the proposals.

    Raises:
        ValueError: Optuna is not installed, the space has no form that is known, or the function
            returned no such objective.

    Example:
        >>> from tfadaopt import experiments
        >>> table = experiments.tune(                                          # doctest: +SKIP
        ...     lambda rate: {"loss": (1 - 2 * rate) ** 2},
        ...     {"rate": (1e-3, 1.0, "log")},
        ...     out="runs/best",
        ... )

    Source:
        J. Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011 (TPE).
    """
    with _bars(show) as progress:
        return tuning.tune(
            function,
            space,
            trials,
            objective,
            larger_is_better,
            at_once,
            seed,
            Path(out),
            Engine(**engine),
            progress,
        )


def run_experiment(
    name: str, out: str | Path | None = None, show: bool = True, **settings: Any
) -> pd.DataFrame:
    """Run an experiment as ``tfadaopt run`` does, and return its results.

    Args:
        name: Its name, such as "lecture".
        out: Result folder; default ``runs/NAME``.
        show: Whether to show a bar.
        **settings: Its settings by name, and those of ``sweep`` for how it is computed, as
            ``jobs``.

    Returns:
        A row for each cell; ``results`` says of what columns.

    Raises:
        ValueError: There is no such experiment or setting.
        RuntimeError: Parts failed; the same call tries them again.

    Example:
        >>> from tfadaopt import experiments
        >>> table = experiments.run_experiment("lecture", epochs=10)           # doctest: +SKIP
    """
    engine, own = _parted(settings)
    experiment = catalog.find(name)
    texts = {key: _as_text(value) for key, value in own.items()}
    config = configs.override(experiment.config(), texts)
    folder = Path(out) if out is not None else Path("runs") / name
    with _bars(show) as progress:
        failures = experiment.run(
            config, folder, f"tfadaopt.experiments.run_experiment({name!r})", engine, progress
        )
    _check(failures)
    return tables.results(folder)


def compare_methods(
    file: str | Path,
    methods: Sequence[str] = ("SGD", "Momentum", "Adagrad", "RMSprop", "Adam"),
    out: str | Path | None = None,
    show: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Compare methods on a model and data of one's own as ``tfadaopt compare`` does.

    Args:
        file: Python file of the problem.
        methods: Names of the methods.
        out: Result folder; default ``runs/compare-FILE``. The report lies in it.
        show: Whether to show a bar.
        **settings: Those of ``tfadaopt compare`` by name, such as ``trials``, ``seeds`` and
            ``epochs``, and those of ``sweep`` for how it is computed.

    Returns:
        A row for each run; ``results`` says of what columns.

    Raises:
        ValueError: Something is wrong with the problem or a setting.
        RuntimeError: Runs broke off; the same call tries them again.

    Example:
        >>> from tfadaopt import experiments
        >>> table = experiments.compare_methods(                               # doctest: +SKIP
        ...     "examples/compare_digits.py", ["Adam", "Muon"], objective="accuracy"
        ... )
    """
    from tfadaopt.experiments.compare import comparison
    from tfadaopt.experiments.compare import run as compare

    engine, own = _parted(settings)
    config = comparison.settings(Path(file), methods, **own)
    folder = Path(out) if out is not None else Path("runs") / f"compare-{Path(file).stem}"
    command = f"tfadaopt.experiments.compare_methods({str(file)!r})"
    with _bars(show) as progress:
        failures = compare.run(config, folder, command, engine, progress)
    _check(failures)
    return tables.results(folder)


def results(out: str | Path, curves: bool = False) -> pd.DataFrame:
    """Return all results of a folder: a row per cell, or per record of its curves.

    Args:
        out: Result folder of any experiment, sweep or comparison.
        curves: Whether each record of a list, such as that of an epoch, gets a row.

    Returns:
        Columns ``cell.*`` (what determines a result), ``result.*``, ``version.*``, ``file`` and
        ``sha256``.

    Raises:
        ValueError: The folder holds no results.

    Example:
        >>> from tfadaopt import experiments
        >>> table = experiments.results("runs/compare-compare_digits")         # doctest: +SKIP
    """
    return tables.results(Path(out), curves)


def _parted(settings: Mapping[str, Any]) -> tuple[Engine, dict[str, Any]]:
    """Return how something is computed, and what."""
    names = engines.Engine.__dataclass_fields__
    how = {name: value for name, value in settings.items() if name in names}
    return Engine(**how), {name: v for name, v in settings.items() if name not in names}


def _as_text(value: Any) -> str:
    is_list = isinstance(value, list | tuple | range)
    return ",".join(map(str, value)) if is_list else str(value)


def _check(failures: Failures) -> None:
    if failures:
        cell, error = failures[0]
        raise RuntimeError(
            f"{len(failures)} parts failed, the first of them {cell}: {error}. What is finished is "
            "kept: the same call goes on there."
        ) from error


@contextlib.contextmanager
def _bars(show: bool) -> Iterator[Progress]:
    """Yield what shows the stages of a run, in a notebook or a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Bars(*columns, TimeElapsedColumn(), disable=not show) as bars:
        stages: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done)

        yield progress
