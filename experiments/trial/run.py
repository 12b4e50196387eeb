"""Put claims on trial: in worker processes, resumed, a failure in its place."""

import contextlib
import functools
import json
import shlex
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pydantic
from rich.markup import escape
from rich.table import Table

from tfadaopt.experiments.configs import Claims, settings_of
from tfadaopt.experiments.method_map import survey
from tfadaopt.experiments.runs.cell import Cell
from tfadaopt.experiments.runs.engines import Engine, joins
from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.runs.files import printable
from tfadaopt.experiments.runs.records import versions
from tfadaopt.experiments.runs.stages import Failures, Progress, Stages
from tfadaopt.experiments.runs.store import Store
from tfadaopt.experiments.trial import registry
from tfadaopt.experiments.trial.claim import Claim, Finding, Number, Result, Retrial
from tfadaopt.experiments.trial.fragility import under_seeds, under_thresholds

# The experiment that has the map of the methods too.
_ALL = "claims"


def run(
    experiment: str,
    names: Sequence[str],
    config: Claims,
    folder: Path,
    command: str,
    jobs: int | Engine,
    progress: Progress,
    animate: bool = False,
) -> Failures:
    """Try the claims that have no result yet, and write the report.

    Args:
        experiment: Name of the experiment: "claims", or that of a single claim.
        names: Names of the claims.
        config: Settings.
        folder: Result folder; results in it are kept, and only missing ones computed.
        command: Command line, for the report.
        jobs: Number of processes, or what computes the cells.
        progress: Called with the name of a stage, the claims done and the claims in all.
        animate: Whether paths in the report can be played.

    Returns:
        The claims that failed, each with its exception; the report shows them in their place.

    Raises:
        ConfigError: The folder holds results of other settings.
    """
    with contextlib.closing(
        Store(folder).open(experiment, config, command, join=joins(jobs))
    ) as store:
        cells = [cell_of(name, config) for name in names]
        methods = survey.cells() if experiment == _ALL else []
        failures = _fill(cells, methods, config, store, jobs, progress)
        write_report(folder, animate)
    return failures


def _fill(
    cells: Sequence[Cell],
    methods: Sequence[Cell],
    config: Claims,
    store: Store,
    jobs: int | Engine,
    progress: Progress,
) -> Failures:
    work = functools.partial(compute, config=config, folder=store.folder)

    def keep_failure(cell: Cell, error: Exception) -> None:
        # Other errors were kept by the worker, which knows more of them.
        if isinstance(error, WorkerError) and "claim" in cell:
            _keep_failure(store, registry.find(str(cell["claim"])), config, error)

    has = functools.partial(_has, store)
    with Stages(store, work, jobs, progress, has, keep_failure) as stages:
        stages.compute("Claims on trial", cells)
        stages.compute("Map of the methods", methods)
        stages.end([*cells, *methods])
    return stages.failures


def compute(cell: Cell, config: Claims, folder: Path) -> None:
    """Try one claim and keep its result; one that fails leaves its reason, and raises.

    A cell of the map is of a method instead.
    """
    if cell["kind"] == survey.KIND:
        survey.compute(cell, folder)
        return
    store, entry = Store(folder), registry.find(str(cell["claim"]))
    store.forget_failures(cell)
    claim, began = None, time.monotonic()
    try:
        claim = entry.load()
        seen = claim.observe(config)
        finding = claim.conclude(seen)
        if not isinstance(finding, Finding):
            raise TypeError(f"{entry.name} returned {finding!r}, not a Finding.")
        retrials = under_seeds(claim, config) + under_thresholds(claim, seen)
    except Exception as raised:
        traceback.print_exc()  # into worker.log
        _keep_failure(store, entry, config, raised, claim)
        raise
    seconds = time.monotonic() - began
    result = result_of(entry, claim, config, finding, "", seconds, retrials)
    store.put(cell, json.loads(result.to_json()))


def _keep_failure(
    store: Store,
    entry: registry.Entry,
    config: Claims,
    error: Exception,
    claim: Claim | None = None,
) -> None:
    result = result_of(entry, claim, config, None, f"{type(error).__name__}: {error}", 0.0)
    store.put_failure(cell_of(entry.name, config), json.loads(result.to_json()))


def result_of(
    entry: registry.Entry,
    claim: Claim | None,
    config: Claims,
    finding: Finding | None,
    error: str,
    seconds: float,
    retrials: tuple[Retrial, ...] = (),
) -> Result:
    """Return all that is kept of a trial; the claim is None if its module cannot be imported."""
    settings = asdict(config)
    return Result(
        entry.name,
        entry.topic,
        entry.sentence,
        entry.reading,
        **(_rules_of(claim) if claim else {}),
        retrials=retrials,
        finding=finding,
        error=error,
        seconds=seconds,
        versions=versions(),
        settings=settings,
        repeat=command_of(entry.name, config),
    )


def _rules_of(claim: Claim) -> dict[str, Any]:
    names = ["title", "kind", "hypothesis", "measure", "acceptance", "theory", "source"]
    names += ["rule", "dated", "deterministic"]
    return {name: getattr(claim, name) for name in names} | {"limits": dict(claim.limits)}


def command_of(name: str, config: Claims) -> str:
    """Return the command line that tries a claim with these settings."""
    words = ["tfadaopt", "run", name]
    for field in fields(config):
        value = getattr(config, field.name)
        if value != getattr(Claims(), field.name):
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += ["--set", f"{field.name}={text}"]
    return shlex.join(words)


def read_results(folder: Path) -> tuple[Result, ...]:
    """Return the results in a folder in the order of the lecture, failures in their place.

    Raises:
        FileNotFoundError: The folder holds no run of claims.
        ConfigError: What it says of the run is damaged.
    """
    store = Store(folder)
    run = store.describe()
    entries = registry.entries_of(str(run["experiment"])) if run else ()
    if run is None or not entries:
        raise FileNotFoundError(
            f"{folder} holds no results of claims. Make them first: "
            f"tfadaopt run claims --out {shlex.quote(str(folder))}"
        )
    config = settings_of(run, Claims, folder)
    results = []
    for entry in entries:
        cell, found = cell_of(entry.name, config), None
        if _has(store, cell):
            found = _parsed(store.get(cell))
        elif failure := store.failure(cell):
            found = _parsed(failure)
        if found is None:
            found = result_of(entry, None, config, None, "", 0.0)
        # Who a result is of, and how to repeat it, is for the catalog to say, not for the file.
        own = {name: getattr(entry, name) for name in ("name", "topic", "sentence", "reading")}
        results.append(replace(found, **own, repeat=command_of(entry.name, config)))
    return tuple(results)


def _has(store: Store, cell: Cell) -> bool:
    """Whether a claim has a result that can be read; one that cannot is set aside."""
    if cell["kind"] == survey.KIND:
        return survey.kept(store, cell) is not None
    if not store.has(cell):
        return False
    try:
        found = Result.from_json(json.dumps(store.get(cell)))
    except pydantic.ValidationError as error:
        store.set_aside(cell, f"holds no result of a claim ({error.error_count()} mistakes)")
        return False
    if found.name != cell["claim"]:
        store.set_aside(cell, f"holds the result of {printable(found.name)}")
        return False
    return True


def _parsed(content: dict) -> Result | None:
    try:
        return Result.from_json(json.dumps(content))
    except pydantic.ValidationError:
        return None


def table(folder: Path) -> Table:
    """Return the verdicts in a folder as a table for the terminal."""
    colors = {"confirmed": "green", "refuted": "red", "depends": "yellow"}
    columns = ("sentence", "read as", "verdict", "key number", "theory")
    shown = Table(*columns, title="The lecture on trial")
    for result in read_results(folder):
        sentence = f'"{result.sentence}"' if result.sentence else ""
        words = escape(sentence), escape(result.reading)  # "locally [convex] region"
        if result.finding is None:
            word = "failed" if result.error else "not run yet"
            error = escape(printable(result.error))
            shown.add_row(*words, f"[bold red]{word}[/]", error, "")
            continue
        number, word = result.finding.key_number, result.finding.verdict
        verdict = f"[{colors[word]}]{word}[/]"
        shown.add_row(*words, verdict, *_describe(number))
    return shown


def write_report(folder: Path, animate: bool = False) -> None:
    """Write the report of a run of claims; ``animate``: with paths that can be played."""
    from tfadaopt.experiments.trial.report import write_claims_report

    results, described = read_results(folder), Store(folder).describe() or {}
    surveyed = survey.read(folder) if described.get("experiment") == _ALL else ()
    write_claims_report(folder, results, described, animate, surveyed)


def cell_of(name: str, config: Claims) -> Cell:
    """Return what determines the result of a claim."""
    return {"kind": "claim", "claim": name, **asdict(config)}


def _describe(number: Number | None) -> tuple[str, str]:
    if number is None:
        return "", ""
    spread = "" if number.low is None else f" [{number.low:.3g}, {number.high:.3g}]"
    measured = f"{number.label}: {number.measured:.4g}{spread} {number.unit}"
    measured = escape(printable(measured.strip()))
    return measured, "" if number.theory is None else f"{number.theory:.4g}"
