"""The command ``tfadaopt overview``."""

from pathlib import Path
from typing import Annotated

import typer

from tfadaopt.experiments.cli.options import need_tensorflow
from tfadaopt.experiments.cli.terminal import console


def overview_of(
    folders: Annotated[
        list[Path], typer.Argument(help="Result folders of tfadaopt compare, one for each problem.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("runs/overview"),
) -> None:
    """Read several comparisons together: places, performance profiles, ease of tuning."""
    need_tensorflow()
    from tfadaopt.experiments.compare.overview_report import write_overview

    page = write_overview(folders, out)
    console.print(f"Report: {page}", markup=False, highlight=False, soft_wrap=True)
