"""What a run logged, in the terminal: ``tfadaopt inspect LOGDIR``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

from tfadaopt.callbacks.hindsight import marks_of
from tfadaopt.callbacks.history import History, read
from tfadaopt.callbacks.log_format import RATE, VALUE
from tfadaopt.callbacks.names import short
from tfadaopt.callbacks.tables import Table
from tfadaopt.callbacks.telling import name_of, named, together
from tfadaopt.experiments.configs import ConfigError

_BARS = "▁▂▃▄▅▆▇█"
_SPARK = 16
_MOST_PROBLEMS = 5
# Below these widths, the columns that say least go.
_WITH_SPARK, _WITH_RATIO = 78, 64


def inspect(console: Console, log_dir: Path, runs: list[str], include: str) -> None:
    """Print a summary of each run below a folder.

    Args:
        console: Where to.
        log_dir: Folder of a run, or of several.
        runs: Names of the runs to show; empty: all.
        include: Regular expression, searched in the paths of the layers.

    Raises:
        ConfigError: There is nothing to be shown.
    """
    histories = _histories(log_dir)
    if unknown := [run for run in runs if run not in histories]:
        raise ConfigError(
            f"--run {unknown[0]}: there is no such run in {log_dir}; it has {', '.join(histories)}."
        )
    try:
        pattern = re.compile(include)
    except re.error as error:
        raise ConfigError(f"--include {include!r} is no regular expression ({error}).") from None
    shown = {run: histories[run] for run in runs or histories}
    for run, history in shown.items():
        for problem in history.problems[:_MOST_PROBLEMS]:
            console.print(f"{plain(run)}: {plain(problem)}", markup=False, highlight=False)
        if len(history.problems) > _MOST_PROBLEMS:
            rest = len(history.problems) - _MOST_PROBLEMS
            console.print(f"{plain(run)}: and {rest} more", markup=False, highlight=False)
    layers = {run: _paths(history, pattern) for run, history in shown.items()}
    if not any(layers.values()):
        some = ", ".join(next(iter(_paths(h, re.compile(""))), "none") for h in shown.values())
        raise ConfigError(f"--include {include!r} leaves no layer; there are such as: {some}.")
    for run, history in shown.items():
        if layers[run]:
            _show(console, run, history, layers[run])
    console.print(f"More: tensorboard --logdir {log_dir}", markup=False, highlight=False)


def plain(text: str) -> str:
    """A text of a log without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _histories(log_dir: Path) -> dict[str, History]:
    try:
        histories = read(log_dir)
    except OSError as error:
        raise ConfigError(str(error)) from None
    if not histories:
        files = sum(1 for path in log_dir.rglob("*tfevents*"))
        found = (
            f"its {files} event files hold nothing that tfadaopt logged"
            if files
            else "it holds no event files"
        )
        raise ConfigError(
            f"nothing to inspect in {str(log_dir)!r}: {found}. Train with "
            "callbacks=[tfadaopt.callbacks.OptimizerMonitor(log_dir)] first."
        )
    return histories


def _paths(history: History, pattern: re.Pattern[str]) -> list[str]:
    paths = dict.fromkeys(path for t in history.quantities.values() for path in t.layers)
    return [path for path in paths if pattern.search(path)]


def _show(console: Console, run: str, history: History, layers: list[str]) -> None:
    steps = history.steps
    name = "" if run == "." else f"[bold]{escape(plain(run))}[/] · "
    optimizer = escape(plain(history.optimizer)) or "optimizer"
    console.print(
        f"{name}[bold]{optimizer}[/] · steps {steps[0]} to {steps[-1]} · "
        f"{len(steps)} snapshot{'s' if len(steps) > 1 else ''}{_eta(history)}",
        highlight=False,
    )
    # What is not trained, such as moving statistics, has marks and no row.
    others = set(_paths(history, re.compile(""))) - set(layers)
    marks = [mark for mark in marks_of(history) if mark["layer"] not in others]
    console.print(_grid(console.width, history, layers, marks))
    if not marks:
        # Whether StallWarning watched, and had nothing to report, is not in the log.
        more = "" if history.marks else " The callback StallWarning sees more, during the training."
        console.print(f"No stalled layer found.{more}\n", highlight=False)
        return
    for mark, paths in together(marks):
        since = f"{escape(plain(name_of(mark['kind'])))} since step {mark['since']}"
        names = named(short(paths), 8)
        console.print(f"[bold red]{since}:[/] {escape(plain(names))}", highlight=False)
        why = Grid(box=None, show_header=False, padding=(0, 0, 0, 2), pad_edge=True)
        why.add_row("cause:", escape(plain(mark["cause"])))
        why.add_row("try:", escape(plain(mark["advice"])))
        console.print(why)
    console.print()


def _eta(history: History) -> str:
    if "learning_rate" not in history.scalars:
        return ""
    _, values = history.scalars["learning_rate"]
    first, last = values[0], values[-1]
    return f" · η {first:.3g}" + (f" → {last:.3g}" if last != first else "")


def _grid(width: int, history: History, layers: list[str], marks: list[Mapping[str, Any]]) -> Grid:
    rate = history.quantities.get((RATE, "p50"), history.quantities.get((RATE, "mean")))
    ratio = history.quantities.get(("update_ratio", VALUE))
    drawn = rate if rate is not None else ratio
    grid = Grid(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("layer", overflow="fold", min_width=12)
    if rate is not None:
        grid.add_column("rate", justify="right", no_wrap=True)
        grid.add_column("since start", justify="right", no_wrap=True)
    with_ratio = ratio is not None and (rate is None or width >= _WITH_RATIO)
    if with_ratio:
        grid.add_column("‖Δθ‖/‖θ‖", justify="right", no_wrap=True)
    with_spark = drawn is not None and width >= _WITH_SPARK
    if with_spark:
        grid.add_column("rate by step" if rate is not None else "ratio by step", no_wrap=True)
    grid.add_column("", overflow="fold")
    states: dict[str, list[str]] = {}
    for mark in marks:
        for path in layers if mark["layer"] is None else [mark["layer"]]:
            states.setdefault(path, []).append(mark["kind"].replace("_", " "))
    for path, name in zip(layers, short(layers), strict=True):
        cells: list[str | Text] = [escape(plain(name))]
        if rate is not None:
            values = _of(rate, path)
            cells += [_number(values[-1:]), _change(values)]
        if with_ratio:
            cells.append(_number(_of(ratio, path)[-1:]))
        if with_spark:
            cells.append(_sparkline(_of(drawn, path)))
        cells.append(
            f"[bold red]{escape(plain(', '.join(states[path])))}[/]" if path in states else ""
        )
        grid.add_row(*cells)
    return grid


def _of(table: Table | None, path: str) -> np.ndarray:
    """What was measured of a layer, in order."""
    if table is None or path not in table.layers:
        return np.array([])
    column = table.layers.index(path)
    return table.values[table.measured[:, column], column].astype(float)


def _number(values: np.ndarray) -> str:
    if not values.size:
        return "[dim]–[/]"
    return f"{values[0]:.2e}" if np.isfinite(values[0]) else f"[bold red]{values[0]}[/]"


def _change(values: np.ndarray) -> str:
    real = values[np.isfinite(values) & (values > 0)]
    if not real.size:
        return "[dim]–[/]"
    factor = real[-1] / real[0]
    return f"× {factor:.3g}" if factor >= 1 else f"÷ {1 / factor:.3g}"


def _sparkline(values: np.ndarray) -> Text:
    """Bars on a logarithmic scale, of its own for each layer; × is NaN or infinity."""
    if not values.size:
        return Text("")
    places = np.unique(np.linspace(0, len(values) - 1, _SPARK).round().astype(int))
    picked = values[places]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(picked)
    real = logs[np.isfinite(logs)]
    low, span = real.min(initial=np.inf), np.ptp(real) if real.size else 0.0
    text = Text()
    for value, log in zip(picked, logs, strict=True):
        if not np.isfinite(value):
            text.append("×", style="bold red")
        elif not np.isfinite(log):
            text.append(_BARS[0])
        else:
            # What hardly changes is flat: its noise would fill the height.
            level = 0.5 if span < 0.05 else (log - low) / span
            text.append(_BARS[round(level * (len(_BARS) - 1))])
    return text
