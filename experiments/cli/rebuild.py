"""Write the report of a result folder again, whatever lies in it: ``tfadaopt report``."""

from pathlib import Path

import jinja2

from tfadaopt.experiments.configs import ConfigError
from tfadaopt.experiments.runs.files import DamagedError
from tfadaopt.experiments.trial import registry


def rebuild(folder: Path, animate: bool = False) -> None:
    """Write the report of the run that a folder holds.

    The folder may be somebody else's: nothing is written but the report's own files in it, and
    what it says is shown as text.

    Args:
        folder: Result folder.
        animate: Whether paths in a report of claims can be played.

    Raises:
        ConfigError: There is no run, or so little of it is whole that there is no report.
    """
    from tfadaopt.experiments.runs.store import Store

    # Imported one by one: tables of pandas take their time, and a comparison needs none.
    try:
        run = Store(folder).describe() or {}
        experiment = str(run.get("experiment", "lecture"))
        if experiment == "compare":
            from tfadaopt.experiments.compare.report import write_compare_report

            write_compare_report(folder)
        elif experiment == "sweep":
            from tfadaopt.experiments.sweeps import tables

            tables.export(folder, folder / "results.csv")
        elif experiment == "lecture":
            from tfadaopt.experiments.lecture import run as lecture

            lecture.rebuild(folder)
        elif registry.entries_of(experiment):
            from tfadaopt.experiments.trial import run as trial

            trial.write_report(folder, animate)
        else:
            raise ConfigError(
                f"{folder / 'run.json'}: there is no experiment {experiment!r} whose report could "
                "be written. Was it made by another version of tfadaopt?"
            )
    except DamagedError as error:
        raise ConfigError(
            f"{error} Give the command of the run again, with --out {folder}: it keeps the results "
            "that are whole, and writes what is missing again."
        ) from None
    except (ConfigError, OSError) as error:
        if isinstance(error, FileNotFoundError) and error.filename is None:
            raise ConfigError(str(error)) from None
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        jinja2.TemplateError,
    ) as error:
        # Each file is whole, but they do not belong together, or somebody has made them up.
        raise ConfigError(
            f"{folder}: its results do not have the form that a report needs "
            f"({type(error).__name__}: {error}). Run its experiment again into another folder."
        ) from error
