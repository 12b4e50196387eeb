"""The figures of ``docs/scale.md``: ``scale.py`` and ``faults.py`` keep them, texts follow.

They are in ``scale.json``, by command; the page includes what is written into ``docs/measured``.
"""

import json
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import measured

from tfadaopt.experiments.runs import records

FIGURES = Path(__file__).with_name("scale.json")
Figures = Mapping[str, Any]
# What an executor may take of a cell of 20 s.
CELL, SHARE = 20.0, 0.05
# What is thought through on paper.
GPUS, MANY = 10_000, 10_000_000
_OF_TEXTS = ("report", "export", "driver", "overhead local", "overhead ray")


def keep(name: str, found: Any) -> None:
    """Keep what a command came to, in the place of what it came to before; write all texts."""
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures |= {name: found, "machine": records.machine()}
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    if missing := {*_OF_TEXTS} - figures.keys():
        print(f"No text is written yet: of {', '.join(sorted(missing))} nothing is kept.")
        return
    for text, lines in texts(figures).items():
        measured.write_text(text, lines)


def texts(figures: Figures) -> dict[str, list[str]]:
    """Return the lines of each text, by its name."""
    return {
        "scale-costs": costs(figures),
        "scale-faults": faults(figures),
        "scale-paper": paper(figures),
    }


def costs(figures: Figures) -> list[str]:
    """Return a table of what everything costs, and whether that is little enough."""
    report, export, driver = figures["report"], figures["export"], figures["driver"]
    of_report = "`python benchmarks/scale.py report FOLDER` after `simulate FOLDER`"
    lines = [
        f"Measured on {figures['machine']}; the median, and the range where it was measured more "
        "often than once.",
        "",
        "| what | command | what it came to |",
        "|---|---|---|",
        f"| `tfadaopt report` on {report['cells']:,} cells of 10 arms, with the index that a run "
        f"leaves | {of_report} | {_process(report['with it'])} |",
        f"| the same without an index, from the files | the same | "
        f"{_process(report['without an index'])} |",
        "| `tfadaopt export` of them as Parquet | `python benchmarks/scale.py export FOLDER` | "
        f"{_process(export)} |",
        f"| a driver of {driver[0]['cells']:,} cells that do nothing | `python benchmarks/scale.py "
        f"driver FOLDER --cells {driver[0]['cells']}` | {_of(driver, 'many')} MB "
        f"({_of(driver, 'few')} MB with {driver[0]['fewer']:,}), {_of(driver, 'milliseconds', 2)} "
        "ms of a processor for each |",
    ]
    for engine, place in (("local", "on local processes"), ("ray", "on Ray")):
        runs = figures[f"overhead {engine}"]
        command = f"`python benchmarks/scale.py overhead FOLDER --engine {engine} --cells 200`"
        lines.append(
            f"| a cell {place}, beside its work | {command} | {_of(runs, 'first', 1)} s until the "
            f"first one is done, with Python and TensorFlow; {_of(runs, 'each', 4)} s for each "
            "after it in the same process |"
        )
    said = []
    for engine, name in (("local", "Local processes take"), ("ray", "Ray takes")):
        share = _median(figures[f"overhead {engine}"], "each") / CELL
        verdict = "which is within" if share <= SHARE else "which is more than"
        said.append(f"{name} {100 * share:.2g} % of a cell of {CELL:g} s, {verdict}")
    return [*lines, "", *(f"{each} the {100 * SHARE:g} % that it may lose." for each in said)]


def faults(figures: Figures) -> list[str]:
    """Return a table of what faults came to."""
    lines = ["| fault | command | what it came to |", "|---|---|---|"]
    for name, (fault, command, fine) in _FAULTS.items():
        found = figures.get(f"faults {name}")
        if found is None:
            continue
        came_to = fine if not found["problems"] else f"{len(found['problems'])} problems"
        lines.append(
            f"| {fault.format(**found)} | `python benchmarks/faults.py {command.format(**found)}` "
            f"| {came_to.format(**found)} |"
        )
    return lines


_FAULTS = {
    "workers": (
        "{kills} × kill -9 of a worker in a sweep of 100 cells",
        "workers --rounds {kills}",
        "byte-identical, nothing left behind",
    ),
    "driver": (
        "{kills} × kill -9 of the driver, then the same command",
        "driver --rounds {kills}",
        "byte-identical, no orphan, no finished cell touched",
    ),
    "cluster": (
        "one of two Ray nodes removed in a sweep of {cells} cells, and a process that ends",
        "cluster --rounds {cells}",
        "byte-identical to local processes",
    ),
    "checkpoints": (
        "one of two Ray nodes removed while it trains",
        "checkpoints",
        "the run goes on on the other node after step {step} of {steps}, byte-identical, its log "
        "included",
    ),
    "place": (
        "full disk, read-only disk, clock set by ± 10 years",
        "place",
        "said, resumed, nothing computed again",
    ),
    "damage": (
        "{rounds} × a damaged file",
        "damage --rounds {rounds}",
        "set aside and computed again",
    ),
}


def paper(figures: Figures) -> list[str]:
    """Return what breaks first with very many cells, with the figures that it follows from."""
    report, driver, ray = figures["report"], figures["driver"], figures["overhead ray"]
    times = MANY / report["cells"]
    hours = _median(report["with it"], "processor") * times / 3600
    grown = 1e6 * (_median(driver, "many") - _median(driver, "few"))
    grown /= driver[0]["cells"] - driver[0]["fewer"]
    handing = _median(driver, "milliseconds")
    start, next_cell = _median(ray, "first"), 1e3 * _median(ray, "each")
    slow, quick = GPUS / (20 * 60), GPUS / CELL  # cells that end each second
    between = 5 * 365 * 24 / GPUS  # hours
    items = f"""
1. **One folder with 10⁷ files.** Names of 10⁷ files are gigabytes of metadata; each cell makes
and removes a claim and makes a result, so about six metadata operations. With cells of 20 minutes
on {GPUS:,} GPUs, {slow:.0f} cells end each second: {6 * slow:.0f} operations
a second are nothing. With cells of {CELL:g} s they are {quick:.0f} cells and {6 * quick:,.0f}
operations a second, about what one NFS server can do. *Change:* a folder for each of the first
two digits of the digest (256 folders of 40,000 files), and cells of a minute at least, by giving
a task several seeds.

2. **One driver.** At {handing:.2f} ms for each cell it hands out {1e3 / handing:,.0f} a
second at most, and one process of Ray gets its next cell {next_cell:.1f} ms
after the last. How many processes of Ray one driver can serve was not measured here. {GPUS:,}
GPUs with cells of {CELL:g} s need {quick:.0f} a second. *Change:* one driver for each method, in
folders of their own or with `--join`; claims keep them apart.

3. **The report.** It reads all cells once: for 10⁷ that is {hours:.1f} h of a processor, and the
index is {report["index"] * times / 1e9:.0f} GB. *Change:* the index in parts, one for each folder
of 1, as Parquet: a report needs six columns of it.

4. **Memory of the driver.** From {driver[0]["fewer"]:,} to {driver[0]["cells"]:,} cells that are
made when they are asked for it grew by {grown:,.0f} bytes for each cell, the results that were
read last included, which stop at 32 MB: at most {grown * MANY / 1e9:.1f} GB for 10⁷. What is not
handed out so are the points of a grid
and the table that `experiments.sweep` returns, and the record of its trials
that `compare` reads again after each stage. *Change:* a table on disk, as `tfadaopt export`
writes one.

5. **Start of the processes.** Each takes {start:.0f} s, once: {100 * start / CELL:.0f} % of one
cell of {CELL:g} s, and {100 * start / 86_400:.2f} % of a day. {GPUS:,} of them read TensorFlow at
once, from where it is installed. *Change:* an installation on each node, not on the file system
that all share.

6. **Machines that fail.** If a GPU fails once in five years, {GPUS:,} of them lose one in
{between:.1f} h: nothing, beside cells of 20 minutes. A claim of a lost machine is waited for
180 s by who joins, not at all by Ray; a run with checkpoints loses 30 s of its training.
"""
    # The lines above are wrapped as code is; a number may be longer than its expression.
    wrap = textwrap.TextWrapper(118, subsequent_indent="   ", break_on_hyphens=False)
    return [line for item in items.split("\n\n") for line in wrap.wrap(" ".join(item.split()))]


def _process(runs: Sequence[Figures]) -> str:
    seconds = f"{_of(runs, 'seconds', 1)} s, {_of(runs, 'processor', 1)} s of a processor"
    return f"{seconds}, {_of(runs, 'megabytes')} MB"


def _median(runs: Sequence[Figures], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def _of(runs: Sequence[Figures], name: str, digits: int = 0) -> str:
    """Return the median of some runs, and their range."""
    values = sorted(run[name] for run in runs)
    lowest, highest = (f"{value:.{digits}f}" for value in (values[0], values[-1]))
    among = f" ({lowest} to {highest})" if lowest != highest else ""
    return f"{_median(runs, name):.{digits}f}{among}"
