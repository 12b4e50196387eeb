"""The report of a comparison: what to choose on the user's own problem, and how sure that is."""

import contextlib
import gc
import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfadaopt.catalog import METHODS
from tfadaopt.experiments.compare import (
    advice,
    comparison,
    contenders,
    costs,
    results,
    significance,
    trials,
)
from tfadaopt.experiments.compare.figures import figures
from tfadaopt.experiments.compare.table import table
from tfadaopt.experiments.configs import settings_of
from tfadaopt.experiments.reports import pages
from tfadaopt.experiments.reports.picture import picture
from tfadaopt.experiments.runs.files import make_folder, write_whole
from tfadaopt.experiments.runs.store import Store

_RATES = {
    contenders.CONSTANT: "is constant",
    contenders.COSINE: f"rises for {100 * contenders.WARM_UP:g} % of the steps and then falls to "
    "0 as half a cosine does, η being the highest",
}


def write_compare_report(folder: Path) -> Path:
    """Write report, advice, ``figures/`` and ``results.csv`` from the results of a folder.

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
    with _without_collection():
        with table(folder, config, store) as visit:
            reading = trials.read(config, store, visit)
        return _written(folder, run, config, reading)


def _written(
    folder: Path,
    run: Mapping[str, Any],
    config: comparison.Comparison,
    reading: trials.Reading,
) -> Path:
    found = results.contenders(reading)
    ranked = results.ranking(found)
    pairs = significance.pairs(ranked)
    sure = results.sureness(ranked)
    said, missing = advice.advice(config, ranked, pairs, sure), advice.missing(reading, found)
    goal = costs.target(reading)
    ways = costs.ways(reading, found, goal) if goal is not None else []
    make_folder(folder / "figures", inside=True)
    page = pages.template("compare.html.j2").render(
        run=run,
        config=config,
        problem=reading.problem,
        settings=settings_in_words(reading),
        part=results.part_reported(reading),
        ranked=[*ranked, *(c for c in found if not c.scores)],
        apart={pair.worse: pair for pair in pairs if pair.better == ranked[0].label},
        pairs=pairs,
        sure=sure,
        advice=said,
        missing=missing,
        outdated=is_outdated(config, reading.problem),
        goal=None if goal is None else advice.on_target(config, goal, ways),
        tuning=advice.on_tuning(ways, costs.spent(reading.finals()).seconds),
        ways=ways,
        failures=results.failures(reading),
        defaults=[c for c in found if not math.isnan(c.at_default)],
        rules={method.name: method.rule for method in METHODS},
        figures=[
            picture(folder / "figures", name, figure, animate=False)
            for name, figure in figures(reading, found)
        ],
        number=shown,
        decades=advice.decades,
        duration=pages.duration,
        reach=pages.exact,
        time=time_in_words,
        power=significance.POWER,
        level=significance.LEVEL,
    )
    path = folder / "report.html"
    write_whole(path, page)
    gaps = [f"Not finished: {'; '.join(missing)}."] if missing else []
    write_whole(folder / "advice.txt", "\n".join([*said, *gaps]) + "\n")
    return path


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no cycles while 100,000 results are held: each look would go through all."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def settings_in_words(reading: trials.Reading) -> list[str]:
    """Say what each method was trained with beside its rate."""
    config, methods = reading.config, reading.config.methods
    said = []
    if any(method != contenders.COMPILED for method in methods):
        names = config.schedules or (contenders.CONSTANT,)
        rate = " or ".join(_RATES[name] for name in names)
        each = ", each tuned apart" if len(names) > 1 else ""
        said.append(f"Other arguments of the methods are their defaults; the rate {rate}{each}.")
    if contenders.COMPILED in methods and "compiled" in reading.problem:
        own = reading.problem["compiled"]
        what = own["schedule"]
        rate = (
            f"its schedule {what} is scaled as a whole, and η is its highest value in a run, "
            f"{pages.short(own['highest'])} as it is compiled"
            if what
            else f"its constant rate is scaled, {pages.short(own['highest'])} as it is compiled"
        )
        said.append(
            f"compiled is the {reading.problem['optimizer']} that the model is compiled with, with "
            f"all its settings: {rate}."
        )
    if config.weight_decays:
        tried = ", ".join(pages.short(decay) if decay else "0" for decay in config.weight_decays)
        said.append(
            f"For each weight decay λ of {tried} the rates are searched anew, and the best pair is "
            "taken: θ ← θ − η λ θ before each update, decoupled from the gradient."
        )
    return said


def is_outdated(config: comparison.Comparison, found: Mapping[str, Any]) -> bool:
    """Whether results are of a version that left out the schedule of the compiled optimizer.

    Args:
        config: Settings.
        found: What was found when the problem was looked at.
    """
    return contenders.COMPILED in config.methods and "compiled" not in found


def shown(value: float | None, digits: int = 4) -> str:
    """Return a number for the page; what failed is named."""
    if value is not None and math.isinf(value):
        return "failed"
    return pages.exact(value, digits)


def time_in_words(seconds: float | None) -> str:
    """Return a duration for the page; infinity is what never came."""
    if seconds is None:
        return "—"
    return "never" if math.isinf(seconds) else pages.duration(seconds)
