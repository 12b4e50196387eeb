"""The picture of TensorBoard's tab "Optimizer" without TensorBoard: a Matplotlib figure."""

import importlib
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfadaopt.callbacks.hindsight import marks_of
from tfadaopt.callbacks.history import History, read
from tfadaopt.callbacks.log_format import QUANTITIES, RATE, VALUE
from tfadaopt.callbacks.names import short
from tfadaopt.callbacks.tables import Table

# The first of them that was logged, where the user names none.
_STATISTICS = (VALUE, "p50", "norm", "mean")
_NAN, _NOTHING, _ZERO = "#D81B60", "#EEEEEE", "#000000"
# More columns than pixels are slow, and nobody sees them.
_COLUMNS = 1000
_MOST_NAMES = 60
# A value far below all others, such as the first of an accumulator, would take all the colours.
_DECADES = 12


def plot(
    log: str | os.PathLike[str] | History | Mapping[str, History],
    quantity: str = RATE,
    statistic: str | None = None,
    runs: Sequence[str] | None = None,
    include: str = "",
) -> Any:
    """Draw what was logged: layers × steps on a logarithmic scale of colours, a panel for each run.

    Runs share the scale. NaN and infinity are red, a value of 0 (or below) is black, what was not
    measured is grey. A layer that ``StallWarning`` reported, or that is seen to have stopped
    afterwards, is hatched from the step on since which it did.

    Args:
        log: Folder of a run, or of several; or what ``tfadaopt.callbacks.history.read`` returned.
        quantity: ``effective_learning_rate``, ``accumulator/<slot>``, ``update_ratio``,
            ``update_norm``, ``gradient_norm`` or ``weight_norm``. Default
            ``effective_learning_rate``.
        statistic: ``mean``, ``min``, ``max``, ``p05``, ``p50``, ``p95``, or ``norm`` of an
            accumulator. Default: ``p50``, or what there is.
        runs: Names of the runs to draw. Default all.
        include: Regular expression, searched in the paths of the layers. Default: all layers.

    Returns:
        A ``matplotlib.figure.Figure``: the last expression of a cell shows it in a notebook,
        ``figure.savefig("rates.svg")`` keeps it.

    Raises:
        ImportError: Matplotlib is not installed.
        FileNotFoundError: There is no such folder.
        ValueError: Nothing of the kind was logged.

    Example:
        >>> import keras, numpy, tempfile, tfadaopt
        >>> from tfadaopt.callbacks import EffectiveLearningRate, plot
        >>> model = keras.Sequential([keras.Input([3]), keras.layers.Dense(1, name="out")])
        >>> model.compile(optimizer=tfadaopt.Adagrad(0.1), loss="mse")
        >>> with tempfile.TemporaryDirectory() as logs:
        ...     callback = EffectiveLearningRate(logs, every=2)
        ...     fit = model.fit(numpy.ones([32, 3]), numpy.ones([32]), 8, verbose=0,
        ...                     callbacks=[callback])
        ...     figure = plot(logs)
        >>> figure.axes[0].get_title(loc="left")
        'Adagrad'
    """
    matplotlib = _matplotlib()
    tables, histories = _chosen(log, quantity, statistic, runs, include)
    (_, statistic), *_ = tables.values()
    values = {run: _thinned(table) for run, (table, _) in tables.items()}
    norm = _norm(matplotlib, [table.values for table in values.values()])
    heights = [max(1.2, 0.2 * min(len(t.layers), _MOST_NAMES)) for t in values.values()]
    figure = matplotlib.figure.Figure(
        figsize=(9, sum(heights) + 0.7 * len(heights) + 1.2), layout="constrained"
    )
    grid = figure.subplots(len(values), 1, squeeze=False, height_ratios=heights)
    seen: set[str] = set()
    for axes, (run, table) in zip(grid[:, 0], values.items(), strict=True):
        mesh = _draw(matplotlib, axes, table, norm)
        seen |= _draw_marks(axes, table, marks_of(histories[run]))
        seen |= _kinds_of_cells(table)
        axes.set_title(_title(run, histories[run], alone=len(values) == 1), loc="left", fontsize=11)
    grid[-1, 0].set_xlabel("step (optimizer iterations)")
    label = QUANTITIES.get(quantity, quantity.replace("/", ": "))
    name = "median" if statistic == "p50" else statistic
    detail = "" if statistic == VALUE else f", {name} of the coordinates"
    # Above, and not beside the scale: a picture of few layers is lower than these words are long.
    figure.suptitle(label + detail, fontsize=10)
    figure.colorbar(mesh, ax=grid[:, 0].tolist(), extend="min", pad=0.01)
    _legend(matplotlib, figure, seen)
    return figure


def _matplotlib() -> Any:
    try:
        matplotlib = importlib.import_module("matplotlib")
        for part in ("colors", "figure", "patches", "pyplot"):  # pyplot: notebooks show figures
            importlib.import_module(f"matplotlib.{part}")
    except ImportError as error:
        raise ImportError(
            "plot needs Matplotlib, which is not installed: run pip install matplotlib, or look at "
            "the same picture in TensorBoard, in the tab Optimizer."
        ) from error
    return matplotlib


def _chosen(
    log: str | os.PathLike[str] | History | Mapping[str, History],
    quantity: str,
    statistic: str | None,
    runs: Sequence[str] | None,
    include: str,
) -> tuple[dict[str, tuple[Table, str]], Mapping[str, History]]:
    """Table and statistic of each run to be drawn, and the histories of all."""
    if isinstance(log, History):
        histories: Mapping[str, History] = {".": log}
    else:
        histories = log if isinstance(log, Mapping) else read(log)
        for run, history in histories.items():
            if history.problems:
                warnings.warn(f"{run}: {'; '.join(history.problems[:5])}", stacklevel=2)
    where = "this history" if isinstance(log, History | Mapping) else f"log_dir={os.fspath(log)!r}"
    if not histories:
        raise ValueError(
            f"{where} holds nothing that callbacks of tfadaopt logged; give the folder that "
            "OptimizerMonitor or EffectiveLearningRate writes to, after the first epoch."
        )
    if unknown := set(runs or ()) - set(histories):
        raise ValueError(
            f"runs={sorted(unknown)} are not in {where}; it has {', '.join(histories)}."
        )
    wanted = (statistic,) if statistic else _STATISTICS
    found = {}
    for run in runs or histories:
        tables = histories[run].quantities
        name = next((name for name in wanted if (quantity, name) in tables), None)
        table = _included(tables[quantity, name], include) if name else None
        if table is not None and name is not None:
            found[run] = table, name
    if not found:
        logged = sorted({f"{q} ({s})" for h in histories.values() for q, s in h.quantities})
        what = f"quantity={quantity!r}" + (f" with statistic={statistic!r}" if statistic else "")
        layers = f" of layers like {include!r}" if include else ""
        raise ValueError(f"{where} has no {what}{layers}; it has {', '.join(logged)}.")
    return found, histories


def _included(table: Table, include: str) -> Table | None:
    keep = [i for i, layer in enumerate(table.layers) if re.search(include, layer)]
    if not keep or not len(table.steps):
        return None
    layers = tuple(table.layers[i] for i in keep)
    values, measured = table.values[:, keep], table.measured[:, keep]
    return replace(table, layers=layers, values=values, measured=measured)


def _thinned(table: Table) -> Table:
    keep = np.unique(np.linspace(0, len(table.steps) - 1, _COLUMNS).round().astype(int))
    values, measured = table.values[keep], table.measured[keep]
    return replace(
        table, steps=table.steps[keep], walls=table.walls[keep], values=values, measured=measured
    )


def _norm(matplotlib: Any, arrays: Sequence[npt.NDArray[Any]]) -> Any:
    positive = np.concatenate([a[np.isfinite(a) & (a > 0)] for a in arrays])
    high = positive.max(initial=0.0) or 1.0
    low = max(positive.min(initial=high), high * 10.0**-_DECADES)
    # One colour for one value: a scale needs two ends.
    return matplotlib.colors.LogNorm(*((low, high) if low < high else (low / 2, high * 2)))


def _draw(matplotlib: Any, axes: Any, table: Table, norm: Any) -> Any:
    colours = matplotlib.colormaps["viridis"].with_extremes(under=_ZERO, bad=(0, 0, 0, 0))
    values = table.values.T.astype(float)
    axes.set_facecolor(_NOTHING)
    edges = _edges(table.steps)
    rows = np.arange(len(table.layers) + 1) - 0.5
    unreal = np.ma.masked_where(~(table.measured.T & ~np.isfinite(values)), np.ones_like(values))
    red = matplotlib.colors.ListedColormap([_NAN])
    axes.pcolormesh(edges, rows, unreal, cmap=red, rasterized=True)
    # Zero has no logarithm: below all colours.
    shown = np.ma.masked_invalid(np.where(values <= 0, norm.vmin / 1e3, values))
    mesh = axes.pcolormesh(edges, rows, shown, cmap=colours, norm=norm, rasterized=True)
    axes.set_ylim(len(table.layers) - 0.5, -0.5)
    every = -(-len(table.layers) // _MOST_NAMES)
    axes.set_yticks(range(0, len(table.layers), every), short(table.layers)[::every], fontsize=8)
    return mesh


def _edges(steps: npt.NDArray[Any]) -> npt.NDArray[Any]:
    steps = steps.astype(float)
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middles = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middles[0]], middles, [2 * steps[-1] - middles[-1]]])


def _draw_marks(axes: Any, table: Table, marks: Iterable[Mapping[str, Any]]) -> set[str]:
    place = {layer: row for row, layer in enumerate(table.layers)}
    end = _edges(table.steps)[-1]
    seen = set()
    for mark in marks:
        rows = [place[mark["layer"]]] if mark["layer"] in place else []
        if mark["layer"] is None:
            rows = list(place.values())
        for row in rows:
            if mark["kind"] == "nan":
                continue  # Red says it.
            axes.fill_betweenx(
                [row - 0.5, row + 0.5],
                mark["since"],
                end,
                facecolor="none",
                edgecolor="white",
                hatch="////",
                linewidth=0,
            )
            axes.plot(mark["since"], row, marker="|", color="white", markersize=7)
            seen.add("stopped")
    return seen


def _kinds_of_cells(table: Table) -> set[str]:
    kinds = set()
    if (table.measured & ~np.isfinite(table.values)).any():
        kinds.add("nan")
    if not table.measured.all():
        kinds.add("nothing")
    if (table.values <= 0).any():
        kinds.add("zero")
    return kinds


def _legend(matplotlib: Any, figure: Any, seen: set[str]) -> None:
    patch = matplotlib.patches.Patch
    known = {
        "nan": patch(facecolor=_NAN, label="NaN or infinity"),
        "zero": patch(facecolor=_ZERO, label="0"),
        "nothing": patch(facecolor=_NOTHING, edgecolor="#999999", label="not measured"),
        "stopped": patch(
            facecolor="#31688e", edgecolor="white", hatch="////", label="stopped or exploding"
        ),
    }
    handles = [handle for name, handle in known.items() if name in seen]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9
        )


def _title(run: str, history: History, alone: bool) -> str:
    name = history.optimizer or "optimizer"
    return name if alone and run == "." else f"{run} · {name}"
