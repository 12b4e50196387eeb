"""The report of a run: one self-contained page, and its figures as files."""

import shlex
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.configs import ConfigError, Lecture, settings_of
from tfadaopt.experiments.lecture import figures
from tfadaopt.experiments.reports.figures import Figure
from tfadaopt.experiments.reports.pages import Picture, short, template
from tfadaopt.experiments.reports.picture import picture
from tfadaopt.experiments.runs.files import make_folder, write_whole
from tfadaopt.experiments.runs.store import Store

# The tables that a run leaves, and their columns.
TABLES = {
    "results": (
        "phase",
        "method",
        "learning_rate",
        "seed",
        "epoch",
        "split",
        "loss",
        "accuracy",
        "diverged",
        "stopped",
    ),
    "chosen": ("method", "learning_rate", "validation_loss", "validation_accuracy", "at_edge"),
    "layers": ("method", "seed", "step", "quantity", "variable", "statistic", "value"),
    "trajectories": ("surface", "method", "learning_rate", "step", "x", "y", "f"),
    "surfaces": (
        "surface",
        "method",
        "learning_rate",
        "steps_to_target",
        "target",
        "sensible_rates",
        "grid_size",
    ),
}
LOWEST = {"ravine": 0.0, "rotated ravine": 0.0, "saddle": -0.25}
# The accumulator that sizes or carries each method's step.
_SLOTS = ("accumulator", "velocity", "momentum")


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and ``figures/`` from the tables of a result folder.

    Args:
        folder: Result folder of ``tfadaopt run``; partial results are reported as such.

    Returns:
        Path of the report.

    Raises:
        FileNotFoundError: A table is missing.
        ConfigError: A file is damaged; the message names it.
    """
    run, tables, contours = _read(folder)
    config = settings_of(run, Lecture, folder)
    run, methods = run | {"settings": asdict(config)}, list(config.methods)
    html = template("report.html.j2").render(
        run=run,
        missing=missing(run["settings"], tables),
        rules={record.name: record.rule for record in METHODS},
        glance=glance(methods, tables),
        surfaces=tables["surfaces"].to_dict("records"),
        methods=methods,
        stories=[story for method in methods if (story := describe(method, tables))],
        pictures=draw(folder / "figures", tables, contours, methods),
        tensorboard=f"tensorboard --logdir {shlex.quote(str(folder / 'logs'))}",
        number=short,
    )
    path = folder / "report.html"
    write_whole(path, html)
    return path


def missing(settings: Mapping, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say which parts of the experiment are not finished."""
    tried = tables["results"].drop_duplicates(["phase", "method", "learning_rate", "seed"])
    tuned, final = (tried[tried.phase == phase] for phase in ("tune", "final"))
    gaps = []
    for method in settings["methods"]:
        parts = (
            ("rates tried", (tuned.method == method).sum(), len(settings["learning_rates"])),
            ("final runs", (final.method == method).sum(), settings["seeds"]),
            ("surfaces", (tables["surfaces"].method == method).sum(), len(LOWEST)),
        )
        gaps += [f"{method}: {n} of {total} {part}" for part, n, total in parts if n < total]
    return gaps


def glance(methods: list[str], tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """Return a row per method: chosen rate, test accuracy and loss over seeds, divergences."""
    results, chosen = tables["results"], tables["chosen"].set_index("method")
    rows = []
    for method in methods:
        final = results[(results.phase == "final") & (results.method == method)]
        test = final[final.split == "test"]
        tuned = results[(results.phase == "tune") & (results.method == method)]
        accuracy = test.accuracy.to_numpy()
        rows.append(
            {
                "method": method,
                "rate": chosen.learning_rate.get(method),
                "at_edge": bool(chosen.at_edge.get(method, False)),
                "n": len(test),
                "accuracy": float(accuracy.mean()) if len(test) else None,
                "interval": mean_interval(accuracy),
                "range": (float(accuracy.min()), float(accuracy.max())) if len(test) else None,
                "loss": float(test.loss.mean()) if len(test) else None,
                "diverged": int(final.groupby("seed").diverged.any().sum()),
                "stopped": _runs_stopped(final, "seed") + _runs_stopped(tuned, "learning_rate"),
                "diverged_tuning": int(tuned.groupby("learning_rate").diverged.any().sum()),
                "tried": tuned.learning_rate.nunique(),
            }
        )
    return rows


def mean_interval(sample: np.ndarray) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of the mean, or None for fewer than three values."""
    if len(sample) < 3:
        return None
    if np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    with warnings.catch_warnings():
        # With few seeds BCa may be degenerate; the percentile interval is always defined.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap((sample,), np.mean, method="percentile", rng=0)
    return float(interval.confidence_interval.low), float(interval.confidence_interval.high)


def describe(method: str, tables: Mapping[str, pd.DataFrame]) -> dict | None:
    """Return what the logged rates of a method say: how they fell, and how layers differ."""
    layers = tables["layers"]
    rates = layers[
        (layers.method == method)
        & (layers.quantity == "effective_learning_rate")
        & (layers.statistic == "p50")
        & layers.variable.str.endswith("kernel")
    ]
    if rates.empty:
        return None
    over_time = rates.pivot_table(
        index="step", columns="variable", values="value", aggfunc="median", sort=False
    ).sort_index()
    first, last = over_time.iloc[0], over_time.iloc[-1]
    step = np.log(over_time.index.to_numpy(float))
    return {
        "method": method,
        "constant": bool((over_time.nunique() == 1).all() and first.nunique() == 1),
        "first_step": int(over_time.index[0]),
        "last_step": int(over_time.index[-1]),
        "spread": float(last.max() / last.min()) if last.min() > 0 else None,
        "layers": [
            {
                "layer": variable.rsplit("/", 2)[-2],
                "first": float(first[variable]),
                "last": float(last[variable]),
                "factor": float(first[variable] / last[variable]) if last[variable] else None,
                "slope": float(np.polyfit(step, np.log(over_time[variable]), 1)[0])
                if len(step) > 1 and (over_time[variable] > 0).all()
                else None,
            }
            for variable in over_time.columns
        ],
    }


def draw(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    contours: Mapping[str, np.ndarray],
    methods: Sequence[str],
) -> dict[str, Picture]:
    """Draw all figures for which there are data, keep them as files, and return them by name."""
    make_folder(folder, inside=True)
    drawn = dict(_figures(tables, contours, methods))
    return {name: picture(folder, name, data, animate=False) for name, data in drawn.items()}


def _figures(
    tables: Mapping[str, pd.DataFrame],
    contours: Mapping[str, np.ndarray],
    methods: Sequence[str],
) -> Iterator[tuple[str, Figure]]:
    results, layers, paths = tables["results"], tables["layers"], tables["trajectories"]
    paths = paths[paths.surface.isin(list(LOWEST))]  # their names become those of files
    if (results.phase == "final").any():
        yield "curves", figures.learning_curves(results, methods)
    if (results.phase == "tune").any():
        yield "sensitivity", figures.sensitivity(results, tables["chosen"], methods)
    if len(layers):
        rates = dict.fromkeys(layers.method.unique(), "effective_learning_rate")
        label = "effective learning rate"
        data = figures.layers_over_time(layers, methods, rates, label, guide=True)
        yield "effective_learning_rate", data
        present = layers.groupby("method").quantity.unique()
        sizing = {
            method: next(f"accumulator/{s}" for s in _SLOTS if f"accumulator/{s}" in quantities)
            for method, quantities in present.items()
            if any(q.startswith("accumulator/") for q in quantities)
        }
        if sizing:
            label = "accumulator magnitude"
            data = figures.layers_over_time(layers, methods, sizing, label, guide=False)
            yield "accumulators", data
    for surface in paths.surface.unique():
        ground = figures.trajectories(paths, surface, contours, methods)
        yield f"path_{surface.replace(' ', '_')}", ground
    if len(paths):
        yield "descent", figures.excess_over_time(paths, LOWEST, methods)


def _read(folder: Path) -> tuple[dict, dict[str, pd.DataFrame], Mapping[str, np.ndarray]]:
    for name in ("run.json", *(f"{table}.csv" for table in TABLES), "contours.npz"):
        if not (folder / name).exists():
            raise FileNotFoundError(
                f"{folder / name} does not exist, so there is nothing to report. Make the results "
                f"first: tfadaopt run lecture --out {shlex.quote(str(folder))}"
            )
    run = Store(folder).describe() or {}
    tables = {}
    for table, columns in TABLES.items():
        try:
            tables[table] = pd.read_csv(folder / f"{table}.csv")
            missing_columns = [c for c in columns if c not in tables[table]]
            if missing_columns:
                raise ValueError(f"it has no column {missing_columns[0]}")
        except (OSError, ValueError) as error:
            raise _damaged(folder / f"{table}.csv", error) from None
    tables["results"]["diverged"] = tables["results"].diverged.astype(bool)
    tables["results"]["stopped"] = tables["results"].stopped.notna()
    try:
        with np.load(folder / "contours.npz", allow_pickle=False) as arrays:
            contours = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(folder / "contours.npz", error) from None
    return run, tables, contours


def _runs_stopped(results: pd.DataFrame, run: str) -> int:
    return int(results[results.stopped][run].nunique())


def _damaged(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{path} is damaged ({' '.join(str(error).split())[:100]}). Write it again from the "
        f"results: tfadaopt run lecture --out {shlex.quote(str(path.parent))} with the settings "
        "of the run."
    )
