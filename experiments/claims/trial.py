"""Put claims on trial: in worker processes, resumed, a failure in its place."""

import functools
import json
import shlex
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, fields
from pathlib import Path

from rich.table import Table

from tfadaopt.experiments.cells import Cell
from tfadaopt.experiments.claims import registry
from tfadaopt.experiments.claims.claim import Claim, Finding, Number, Result
from tfadaopt.experiments.configs import Claims
from tfadaopt.experiments.executor import LocalExecutor
from tfadaopt.experiments.store import Store, versions

Progress = Callable[[str, int, int], None]
Failures = list[tuple[Cell, Exception]]


def run(
    experiment: str,
    names: Sequence[str],
    config: Claims,
    folder: Path,
    command: str,
    jobs: int,
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
        jobs: Number of processes.
        progress: Called with the name of a stage, the claims done and the claims in all.
        animate: Whether paths in the report can be played.

    Returns:
        The claims that failed, each with its exception; the report shows them in their place.

    Raises:
        ConfigError: The folder holds results of other settings.
    """
    store = Store(folder)
    store.open(experiment, config, command)
    began = time.monotonic()
    failures: Failures = []
    cells = [cell_of(name, config) for name in names]
    missing = [cell for cell in cells if not store.has(cell)]
    progress("Claims on trial", len(cells) - len(missing), len(cells))
    work = functools.partial(compute, config=config, folder=folder)
    complete, log = False, folder / "worker.log"

    def note(cell: Cell, error: Exception | None) -> None:
        missing.remove(cell)
        if error is not None:
            failures.append((cell, error))
        progress("Claims on trial", len(cells) - len(missing), len(cells))

    try:
        for cell, error in _attempt(work, missing, jobs, log):
            note(cell, error)
        # Where a process died, it took those beside it along: what is left is tried one by one.
        for cell in list(missing):
            outcome = list(_attempt(work, [cell], 1, log))
            if not outcome:
                died = ChildProcessError(f"Its process died; see {log}. Was there enough memory?")
                _keep_failure(folder, registry.find(str(cell["claim"])), config, died)
                outcome = [(cell, died)]
            note(*outcome[0])
        complete = not failures
    finally:
        store.finish(time.monotonic() - began, complete)
    write_report(folder, animate)
    return failures


def _attempt(
    work: Callable[[Cell], None], cells: Sequence[Cell], jobs: int, log: Path
) -> Iterator[tuple[Cell, Exception | None]]:
    """Yield each cell that was tried with its exception; none any more once a process has died."""
    executor = LocalExecutor(jobs, log=log)
    try:
        yield from executor.map_unordered(work, list(cells))
    except BrokenProcessPool:
        return
    finally:
        executor.close()


def compute(cell: Cell, config: Claims, folder: Path) -> None:
    """Try one claim and keep its result; one that fails leaves its reason, and raises."""
    store, entry = Store(folder), registry.find(str(cell["claim"]))
    _failure_path(folder, entry.name).unlink(missing_ok=True)
    claim, began = None, time.monotonic()
    try:
        claim = entry.load()
        finding = claim.run(config)
        if not isinstance(finding, Finding):
            raise TypeError(f"{entry.name} returned {finding!r}, not a Finding.")
    except Exception as raised:
        traceback.print_exc()  # into worker.log
        _keep_failure(folder, entry, config, raised, claim)
        raise
    result = result_of(entry, claim, config, finding, "", time.monotonic() - began)
    store.put(cell, json.loads(result.to_json()))


def _keep_failure(
    folder: Path,
    entry: registry.Entry,
    config: Claims,
    error: Exception,
    claim: Claim | None = None,
) -> None:
    path = _failure_path(folder, entry.name)
    path.parent.mkdir(exist_ok=True)
    result = result_of(entry, claim, config, None, f"{type(error).__name__}: {error}", 0.0)
    path.write_text(result.to_json(), encoding="utf-8")


def result_of(
    entry: registry.Entry,
    claim: Claim | None,
    config: Claims,
    finding: Finding | None,
    error: str,
    seconds: float,
) -> Result:
    """Return all that is kept of a trial; the claim is None if its module cannot be imported."""
    names = ("title", "hypothesis", "measure", "acceptance", "theory", "source")
    text = {name: getattr(claim, name) for name in names} if claim else {}
    settings = asdict(config)
    return Result(
        *(entry.name, entry.section, entry.sentence),
        **text,
        finding=finding,
        error=error,
        seconds=seconds,
        versions=versions(),
        settings=settings,
        repeat=command_of(entry.name, config),
    )


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
    """
    store = Store(folder)
    run = store.describe()
    entries = registry.entries_of(str(run["experiment"])) if run else ()
    if run is None or not entries:
        raise FileNotFoundError(
            f"{folder} holds no results of claims. Make them first: "
            f"tfadaopt run claims --out {shlex.quote(str(folder))}"
        )
    config = Claims(**run["settings"])
    results = []
    for entry in entries:
        cell, failure = cell_of(entry.name, config), _failure_path(folder, entry.name)
        if store.has(cell):
            results.append(Result.from_json(json.dumps(store.get(cell))))
        elif failure.exists():
            results.append(Result.from_json(failure.read_text(encoding="utf-8")))
        else:
            results.append(result_of(entry, None, config, None, "", 0.0))
    return tuple(results)


def table(folder: Path) -> Table:
    """Return the verdicts in a folder as a table for the terminal."""
    colors = {"confirmed": "green", "refuted": "red", "depends": "yellow"}
    shown = Table("", "sentence", "verdict", "key number", "theory", title="The lecture on trial")
    for result in read_results(folder):
        if result.finding is None:
            word = "failed" if result.error else "not run yet"
            shown.add_row(result.section, result.sentence, f"[bold red]{word}[/]", result.error, "")
            continue
        number, word = result.finding.key_number, result.finding.verdict
        verdict = f"[{colors[word]}]{word}[/]"
        shown.add_row(result.section, result.sentence, verdict, *_describe(number))
    return shown


def write_report(folder: Path, animate: bool = False) -> None:
    """Write the report of a run of claims; ``animate``: with paths that can be played."""
    from tfadaopt.experiments.claims_report import write_claims_report

    results = read_results(folder)
    write_claims_report(folder, results, Store(folder).describe(), animate)


def cell_of(name: str, config: Claims) -> Cell:
    """Return what determines the result of a claim."""
    return {"kind": "claim", "claim": name, **asdict(config)}


def _failure_path(folder: Path, name: str) -> Path:
    return folder / "failures" / f"{name}.json"


def _describe(number: Number | None) -> tuple[str, str]:
    if number is None:
        return "", ""
    spread = "" if number.low is None else f" [{number.low:.3g}, {number.high:.3g}]"
    measured = f"{number.label}: {number.measured:.4g}{spread} {number.unit}"
    return measured.strip(), "" if number.theory is None else f"{number.theory:.4g}"
