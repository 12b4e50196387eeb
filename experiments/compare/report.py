"""The report of a comparison: what to choose on the user's own problem, and how sure that is."""

import csv
import io
import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.compare import comparison, results, trials
from tfadaopt.experiments.compare.results import Contender, Difference
from tfadaopt.experiments.compare.trials import Reading
from tfadaopt.experiments.configs import settings_of
from tfadaopt.experiments.reports import pages
from tfadaopt.experiments.reports.figures import Lines, Series
from tfadaopt.experiments.reports.picture import picture
from tfadaopt.experiments.runs.files import make_folder, write_whole
from tfadaopt.experiments.runs.store import Store

# Lines that a figure of layers can hold.
_MOST_LAYERS = 6
_FEW_SEEDS = 5


def write_compare_report(folder: Path) -> Path:
    """Write ``report.html``, ``figures/`` and ``results.csv`` from the results of a folder.

    Args:
        folder: Result folder of ``tfadaopt compare``; partial results are reported as such.

    Returns:
        Path of the report.

    Raises:
        FileNotFoundError: The folder holds no comparison, or nothing of it is finished.
    """
    store = Store(folder)
    run = store.describe()
    if run is None or run["experiment"] != comparison.EXPERIMENT:
        raise FileNotFoundError(
            f"{folder} holds no comparison. Make one first: tfadaopt compare FILE --out "
            f"{shlex.quote(str(folder))}"
        )
    config = settings_of(run, comparison.Comparison, folder)
    if not store.has(comparison.check_cell(config)):
        raise FileNotFoundError(f"{folder}: nothing is finished yet. Give the command again.")
    reading = trials.read(config, store)
    found = results.contenders(reading)
    ranked = results.ranking(found)
    apart = results.differences(ranked)
    sure = results.sureness(ranked)
    write_table(folder, reading)
    make_folder(folder / "figures", inside=True)
    page = pages.template("compare.html.j2").render(
        run=run,
        config=config,
        problem=reading.problem,
        part=results.part_reported(reading),
        ranked=[*ranked, *(c for c in found if not c.scores)],
        apart={d.method: d for d in apart},
        sure=sure,
        advice=advice(config, ranked, apart, sure),
        missing=missing(config, found),
        failures=results.failures(reading),
        defaults=[c for c in found if not math.isnan(c.at_default)],
        rules={method.name: method.rule for method in METHODS},
        figures=[
            picture(folder / "figures", name, figure, animate=False)
            for name, figure in figures(reading, found)
        ],
        number=shown,
        decades=decades,
        duration=pages.duration,
    )
    path = folder / "report.html"
    write_whole(path, page)
    return path


def advice(
    config: comparison.Comparison,
    ranked: Sequence[Contender],
    apart: Sequence[Difference],
    sure: dict[str, float],
) -> list[str]:
    """Return what to choose and how sure that is, the advice itself first, in sentences."""
    if not ranked or ranked[0].middle is None or math.isinf(ranked[0].middle.value):
        return ["Nothing can be recommended: no method finished its runs. See the failures below."]
    best, others = ranked[0], [c.method for c in ranked[1:]]
    rate = pages.short(best.chosen)
    same = [d.method for d in apart if not d.clear]
    share = f"in {100 * sure[best.method]:.0f} % of resamples of the seeds its median is the best"
    if not others:
        said = [f"{best.method} ran with η = {rate}; name more methods to compare it with."]
    elif not same:
        said = [
            f"Choose {best.method} with η = {rate}. It is better than {_listed(others)} by more "
            f"than the seeds explain: {share}."
        ]
    else:
        pool = [c for c in ranked if c.method in (best.method, *same)]
        said = [
            f"{best.method} with η = {rate} has the best median, but {_listed(same)} cannot be "
            f"told apart from it with {config.seeds} seeds: {share}."
        ]
        widest = max((c for c in pool if c.width is not None), key=lambda c: c.width, default=None)
        fastest = min((c for c in pool if c.seconds), key=lambda c: c.seconds, default=None)
        if widest is not None:
            said.append(
                f"Of these, {widest.method} forgives a wrong rate most: its validation loss stays "
                f"within 1.1 × its best over {decades(widest.width)} of rates."
            )
        if fastest is not None and fastest.seconds < 0.9 * max(c.seconds or 0 for c in pool):
            said.append(f"{fastest.method} takes the least time per step.")
        said.append("More --seeds would tell them apart, if there is anything to tell.")
    for c in ranked:
        if c.at_edge:
            more = "smaller" if c.chosen == c.rates[0] else "larger"
            said.append(
                f"{c.method}'s best rate lies at the end of what {config.trials} trials could "
                f"reach: a {more} one may be better; give more --trials."
            )
        if c.failed:
            said.append(f"{c.method} failed in {c.failed} of {len(c.scores)} reported runs.")
    if config.seeds < _FEW_SEEDS:
        said.append(f"{config.seeds} seeds are few: take it as a hint.")
    return said


def missing(config: comparison.Comparison, found: Sequence[Contender]) -> list[str]:
    """Say which parts of the comparison are not finished."""
    gaps = []
    for c in found:
        if not c.complete:
            gaps.append(f"{c.method}: {len(c.rates)} of {config.trials} rates tried")
        elif c.chosen is not None and len(c.scores) < config.seeds:
            gaps.append(f"{c.method}: {len(c.scores)} of {config.seeds} reported runs")
    return gaps


def figures(reading: Reading, found: Sequence[Contender]) -> Iterator[tuple[str, Lines]]:
    """Yield name and data of each figure for which there are results."""
    config = reading.config
    name = config.objective
    as_loss = not config.larger_is_better and all(v > 0 for c in found for v in c.values)
    tried, seeds = [], config.tuning_seeds
    band = f"median of {seeds} tuning seeds, band from the lowest to the highest"
    for c in found:
        if any(map(math.isfinite, c.values)):
            y, low, high = (_gaps(values) for values in (c.values, c.lows, c.highs))
            tried.append(Series(c.method, c.rates, y, low, high))
    if tried:
        yield (
            "sensitivity",
            Lines(
                f"What the learning rate does to the {name}",
                "learning rate η",
                f"validation {name}",
                tried,
                True,
                as_loss,
                caption=f"After the same budget: {band if seeds > 1 else 'one tuning seed'}. A gap "
                "is a rate that failed.",
            ),
        )
    over = {m.method: results.curves(m) for m in reading.methods}
    over = {method: table for method, table in over.items() if "step" in table}
    for key in dict.fromkeys((f"val_{name}", "loss")):
        lines = [
            Series(m, t["step"], *(t[key, part] for part in ("median", "low", "high")))
            for m, t in over.items()
            if (key, "median") in t
        ]
        if lines:
            what = f"validation {name}" if key.startswith("val_") else "training loss"
            positive = all(value > 0 for s in lines for value in s.y)
            words = (f"{what[0].upper()}{what[1:]} at the chosen rates", "step", what)
            caption = f"Median of {config.seeds} seeds, band from the lowest to the highest."
            log = positive and not (key.startswith("val_") and config.larger_is_better)
            yield key, Lines(*words, lines, False, log, caption)
    for method in reading.methods:
        rates = results.layer_rates(reading, method)
        if len({value for _, values in rates.values() for value in values}) > 1:
            paths = list(rates)
            spread = np.linspace(0, len(paths) - 1, min(_MOST_LAYERS, len(paths))).round()
            lines = [Series(paths[int(i)], *rates[paths[int(i)]]) for i in spread]
            caption = "The median coordinate of each kernel, in the first reported run."
            title = f"{method.method}: effective learning rate of the layers, η = {method.chosen:g}"
            words = (title, "step", "effective learning rate")
            yield f"rates_{method.method}", Lines(*words, lines, True, True, caption)


def write_table(folder: Path, reading: Reading) -> None:
    """Write ``results.csv``: every number of every run, a row each."""
    runs = [r for r in (*reading.tried(), *reading.finals()) if r.result is not None]
    with io.StringIO(newline="") as file:
        table = csv.writer(file)
        columns = ("phase", "method", "learning_rate", "seed")
        table.writerow([*columns, "diverged", "epoch", "step", "part", "name", "value"])
        for run in runs:
            cell, result = run.cell, run.result
            begin = [cell["kind"], *(cell[n] for n in columns[1:]), bool(result["diverged"])]
            for epoch in result["epochs"]:
                at = [epoch["epoch"], epoch["step"]]
                for name, value in epoch.items():
                    if name in ("epoch", "step"):
                        continue
                    part = "validation" if name.startswith("val_") else "train"
                    table.writerow([*begin, *at, part, name.removeprefix("val_"), value])
            for part in ("validation", "test"):
                for name, value in (result[part] or {}).items():
                    table.writerow([*begin, "end", "end", part, name, value])
        write_whole(folder / "results.csv", file.getvalue())


def shown(value: float | None) -> str:
    """Return a number for the page; what failed is named."""
    if value is not None and math.isinf(value):
        return "failed"
    return pages.exact(value, 4)


def decades(width: float) -> str:
    """Return a width in words: 1 decade, 1.5 decades."""
    return f"{width:.2g} decade{'' if f'{width:.2g}' == '1' else 's'}"


def _gaps(values: Sequence[float]) -> list[float]:
    return [v if math.isfinite(v) else math.nan for v in values]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
