"""What the command line shows: progress, what is said meanwhile, errors, where the report is."""

import contextlib
import logging
import shlex
import sys
from collections.abc import Callable, Iterator
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

INTERRUPTED = 130

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
    # One line, whatever the width: names of files are to be copied.
    errors.print(f"tfadaopt: {printable(text)}", markup=False, highlight=False, soft_wrap=True)


def watched(work: Callable[[Callable[[str, int, int], None]], list]) -> list:
    """Do some work while its stages are shown, and return what failed."""
    columns = TextColumn("{task.description:<29}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        stages: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done)

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


def end(folder: Path, failures: list) -> None:
    for cell, error in failures:
        errors.print(printable(f"Failed: {cell}: {error!r}"), markup=False)
    say_where(folder)
    if failures:
        errors.print(f"{len(failures)} parts failed. The same command tries them again.")
        raise typer.Exit(1)


def say_where(folder: Path) -> None:
    console.print(f"\nReport:      {folder / 'report.html'}", markup=False, highlight=False)
    if (folder / "logs").exists():
        command = f"tensorboard --logdir {shlex.quote(str(folder / 'logs'))}"
        console.print(f"TensorBoard: {command}", markup=False, highlight=False)
