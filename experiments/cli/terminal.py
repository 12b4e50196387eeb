"""What the command line shows: progress, what is said meanwhile, errors, where the report is."""

import contextlib
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from tfadaopt.experiments.runs.executor import WorkerError
from tfadaopt.experiments.runs.files import printable, said
from tfadaopt.experiments.runs.stages import Failures

INTERRUPTED = 130
# So many times are looked at before the first, with its start, is left out of a pace.
_WITH_START = 4
# Characters of an advice, which may be somebody else's.
_MOST_ADVICE = 4000

console = Console()
errors = Console(stderr=True)


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show what is said while something runs, whatever the terminal can show."""
    for stream in (sys.stdout, sys.stderr):
        # Such as a name that is not UTF-8: it is written out.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    notes = _Notes()
    said.addHandler(notes)
    try:
        yield
    finally:
        said.removeHandler(notes)


class _Notes(logging.Handler):
    """Shows what is said while something runs."""

    def emit(self, record: logging.LogRecord) -> None:
        say_error(record.getMessage())


def say_error(text: str) -> None:
    """Say what is wrong, in one line on the error stream."""
    # One line, whatever the width: names of files are to be copied.
    errors.print(f"tfadaopt: {printable(text)}", markup=False, highlight=False, soft_wrap=True)


class TimeLeft:
    """Estimates how long a run goes on, from the pace of the stage it is in.

    Args:
        later: Cells that come after a stage, by its name; they are taken to be like its own.
        clock: Returns seconds.
    """

    def __init__(
        self, later: Mapping[str, int] | None = None, clock: Callable[[], float] = time.monotonic
    ):
        self._later, self._clock = later or {}, clock
        self._seen: dict[str, list[tuple[float, int]]] = {}

    def after(self, stage: str, done: int, total: int) -> str:
        """Return what is left in words, empty before the first cell is done.

        Args:
            stage: Name of the stage.
            done: Cells of it that are done; those that were when it began tell nothing of its pace.
            total: Cells of it in all.
        """
        seen = self._seen.setdefault(stage, [])
        if not seen or done > seen[-1][1]:
            seen.append((self._clock(), done))
        left = total - done + self._later.get(stage, 0)
        if len(seen) < 2 or not left:
            return ""
        # The first cell takes longer, since processes start: later ones say more, once there are.
        (began, before), (now, _) = seen[0 if len(seen) <= _WITH_START else 1], seen[-1]
        return f"about {in_words((now - began) / (done - before) * left)} left"


def in_words(seconds: float) -> str:
    """Return a duration that is estimated: 40 s, 3 min, 2 h 10 min.

    Example:
        >>> in_words(0.2), in_words(44), in_words(200), in_words(7_790)
        ('1 s', '40 s', '3 min', '2 h 10 min')
    """
    if seconds < 90:
        return f"{max(1, round(seconds, -1 if seconds > 10 else None)):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes, -1), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def watched(
    work: Callable[[Callable[[str, int, int], None]], Failures],
    later: Mapping[str, int] | None = None,
) -> Failures:
    """Do some work while its stages are shown, with the time that is left, and return what failed.

    Args:
        work: Called with what shows a stage: its name, the cells done and the cells in all.
        later: Cells that come after a stage, by its name.
    """
    columns = TextColumn("{task.description:<29}"), BarColumn(), MofNCompleteColumn()
    more = TimeElapsedColumn(), TextColumn("{task.fields[left]}")
    estimate = TimeLeft(later)
    with Progress(*columns, *more, console=console) as bars:
        stages: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            left = estimate.after(stage, done, total)
            if stage not in stages:
                for task in stages.values():
                    bars.update(task, left="")
                stages[stage] = bars.add_task(stage, total=total, left="")
            bars.update(stages[stage], completed=done, left=left)

        try:
            return work(show)
        except KeyboardInterrupt:
            bars.stop()
            errors.print("Interrupted. What is finished is kept: the same command goes on there.")
            raise typer.Exit(INTERRUPTED) from None
        except WorkerError as error:
            bars.stop()
            errors.print(
                f"No worker process can start: {error} What is finished is kept: the same command "
                "goes on there, with --jobs 1 in less memory.",
                markup=False,
            )
            raise typer.Exit(1) from None


def end(folder: Path, failures: Failures) -> None:
    """Say what failed, and where the report is; what failed ends the command with code 1."""
    for cell, error in failures:
        errors.print(printable(f"Failed: {cell}: {error!r}"), markup=False)
    say_where(folder)
    if failures:
        errors.print(f"{len(failures)} parts failed. The same command tries them again.")
        raise typer.Exit(1)


def say_where(folder: Path) -> None:
    """Say what a comparison advises, where the report lies, and how to open the logs."""
    advice = folder / "advice.txt"
    if advice.is_file():
        with advice.open(encoding="utf-8", errors="replace") as file:
            found = file.read(_MOST_ADVICE)
        console.print()
        for line in found.splitlines():
            console.print(printable(line), markup=False, highlight=False)
    page = folder / "report.html"
    report = page if page.exists() else folder / "results.csv"
    console.print(f"\nReport:      {report}", markup=False, highlight=False)
    if (folder / "logs").exists():
        command = f"tensorboard --logdir {shlex.quote(str(folder / 'logs'))}"
        console.print(f"TensorBoard: {command}", markup=False, highlight=False)
