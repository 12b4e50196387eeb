"""The command line: ``tfadaopt list``, ``run``, ``compare``, ``report`` and what else it says."""

import importlib.metadata
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tfadaopt.catalog import METHODS
from tfadaopt.experiments import catalog, configs
from tfadaopt.experiments.cli.comparing import compare_methods
from tfadaopt.experiments.cli.options import (
    Address,
    EngineName,
    GpusPerRun,
    Jobs,
    Join,
    Strategy,
    TimeLimit,
    command,
    known_strategy,
    need_tensorflow,
)
from tfadaopt.experiments.cli.overview import overview_of
from tfadaopt.experiments.cli.rates import find_rate
from tfadaopt.experiments.cli.terminal import console, end, say_error, say_where, shown, watched
from tfadaopt.experiments.runs import engines

app = typer.Typer(
    name="tfadaopt",
    help="Make gradient descent visible: see what each optimizer does to each layer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Animate = Annotated[
    bool, typer.Option("--animate", help="Claims: let the reader play the paths, step by step.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        packages = {"TensorFlow": "tensorflow", "Keras": "keras"}
        others = (f"{n} {importlib.metadata.version(p)}" for n, p in packages.items())
        version = importlib.metadata.version("tfadaopt")
        console.print(f"tfadaopt {version} ({', '.join(others)})", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version, and end."
        ),
    ] = False,
) -> None:
    """Make gradient descent visible: see what each optimizer does to each layer."""


@app.command("list")
def list_all(
    methods: Annotated[bool, typer.Option("--methods", help="Only the methods.")] = False,
    experiments: Annotated[
        bool, typer.Option("--experiments", help="Only the experiments, with their settings.")
    ] = False,
) -> None:
    """List the optimization methods and the experiments."""
    if methods or not experiments:
        table = Table(title="Methods", caption="state: floats per parameter")
        table.add_column("method", no_wrap=True)
        for column in ("year", "update", "state", "elementwise", "source"):
            table.add_column(column)
        for method in METHODS:
            elementwise = "yes" if method.elementwise else "no"
            cells = method.rule, str(method.state), elementwise, method.source
            table.add_row(method.name, str(method.year), *cells)
        console.print(table)
    if experiments or not methods:
        for experiment in catalog.experiments():
            console.print(f"[bold]{experiment.name}[/]: {escape(experiment.summary)}")
            # A single claim has the settings of all claims together.
            if experiments and len(experiment.claims) != 1:
                table = Table("setting", "default")
                for name, value in vars(experiment.config()).items():
                    table.add_row(name, _as_text(value))
                console.print(table)
        console.print("Run one with: tfadaopt run NAME", markup=False)


@app.command("run")
def run_experiment(
    name: Annotated[str, typer.Argument(help="Experiment; 'tfadaopt list' shows them.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Result folder; default runs/NAME. Results in it are resumed."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change a setting; repeat for more. Lists: a,b,c."
        ),
    ] = None,
    jobs: Jobs = None,
    engine: EngineName = engines.LOCAL,
    address: Address = "local",
    gpus_per_run: GpusPerRun = 0.0,
    join: Join = False,
    animate: Animate = False,
    time_limit: TimeLimit = None,
    strategy: Strategy = None,
) -> None:
    """Run an experiment, or go on with one that was interrupted, and write its report."""
    need_tensorflow()
    experiment = catalog.find(name)
    if animate and not experiment.claims:
        raise configs.ConfigError(f"--animate is for claims; {name!r} has no paths to play.")
    of_training = {"time_limit": time_limit, "strategy": known_strategy(strategy)}
    given = {setting: str(value) for setting, value in of_training.items() if value is not None}
    if given and experiment.claims:
        raise configs.ConfigError(
            f"--time-limit and --strategy are for runs that train networks, 'lecture' and compare; "
            f"{name!r} has neither."
        )
    config = configs.override(experiment.config(), _pairs(settings or []) | given)
    chosen = engines.Engine(engine, jobs, address, gpus_per_run, join)
    folder = out or Path("runs") / name
    console.print(f"Running {name} into {folder}. Ctrl-C keeps what is finished.", markup=False)
    failures = watched(
        lambda show: experiment.run(
            config,
            folder,
            command(),
            chosen,
            show,
            **{"animate": True} if animate else {},
        )
    )
    if experiment.claims:
        from tfadaopt.experiments.trial.run import table

        console.print(table(folder))
    end(folder, failures)


app.command("compare")(compare_methods)
app.command("find-rate")(find_rate)
app.command("overview")(overview_of)


@app.command("report")
def rebuild_report(
    folder: Annotated[Path, typer.Argument(help="Result folder of a run.")],
    animate: Animate = False,
) -> None:
    """Write the report of a result folder again."""
    from tfadaopt.experiments.cli import rebuild

    rebuild.rebuild(folder, animate)
    say_where(folder)


@app.command("export")
def export_results(
    folder: Annotated[Path, typer.Argument(help="Result folder of a run.")],
    to: Annotated[Path, typer.Option(help="File to write: NAME.csv or NAME.parquet.")],
    curves: Annotated[
        bool, typer.Option("--curves", help="A row per record of a curve, such as an epoch.")
    ] = False,
) -> None:
    """Write all cells of a result folder as one table, for pandas, W&B or MLflow."""
    from tfadaopt.experiments.sweeps import tables

    rows = tables.export(folder, to, curves)
    console.print(f"{rows} rows in {to}", markup=False, highlight=False)


@app.command("inspect")
def inspect_logs(
    folder: Annotated[Path, typer.Argument(metavar="LOGDIR", help="Folder a callback logged to.")],
    runs: Annotated[
        list[str] | None, typer.Option("--run", help="Only this run; repeat for more.")
    ] = None,
    include: Annotated[
        str, typer.Option(help="Only layers whose path matches this regular expression.")
    ] = "",
) -> None:
    """Show what the optimizer did to each layer of a logged run, and which layers stalled."""
    need_tensorflow()
    from tfadaopt.experiments.cli.inspection import inspect

    inspect(console, folder, runs or [], include)


def run() -> int:
    """Run the command line and return its exit code: 0, 1 failed, 2 wrong usage, 130 Ctrl-C."""
    # TensorFlow's start-up notes would drown the progress bars; workers inherit this.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with shown():
            app()
    except configs.ConfigError as error:
        say_error(str(error))
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say_error(
            f"{where}{error.strerror or error}. Correct that, or choose another place. What is "
            "finished is kept: the same command goes on there."
        )
        return 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def _pairs(texts: list[str]) -> dict[str, str]:
    """Return settings by name, each given once as NAME=VALUE."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise configs.ConfigError(
                f"--set {text!r} is not NAME=VALUE; write, say, --set epochs=2."
            )
        if name in found:
            raise configs.ConfigError(
                f"--set {name} is given twice: {found[name]!r} and {value!r}. Give it once."
            )
        found[name] = value
    return found


def _as_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
