"""The command ``tfadaopt compare``."""

from pathlib import Path
from typing import Annotated

import typer

from tfadaopt.experiments import configs
from tfadaopt.experiments.cli.options import (
    NAMES,
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
from tfadaopt.experiments.cli.terminal import console, end, watched
from tfadaopt.experiments.runs import engines

_METHODS = "SGD,Momentum,Adagrad,RMSprop,Adam"


def compare_methods(
    file: Annotated[
        Path,
        typer.Argument(
            help="Python file with model(), which returns a compiled keras.Model, and data(), "
            f"which returns (train, validation) or (train, validation, test); or {NAMES}."
        ),
    ],
    methods: Annotated[
        str,
        typer.Option(
            help="Methods, with commas: tfadaopt's by name, Keras' own as keras.Adam, and "
            "'compiled', the optimizer that the model is compiled with, with its schedule. "
            f"Default: {_METHODS.replace(',', ', ')}.",
            show_default=False,  # as one word it would be cut
        ),
    ] = _METHODS,
    trials: Annotated[int, typer.Option(min=1, max=999, help="Learning rates per method.")] = 5,
    tuning_seeds: Annotated[int, typer.Option(min=1, max=999, help="Runs at each of them.")] = 3,
    seeds: Annotated[
        int, typer.Option(min=1, max=999, help="Reported runs at the chosen rate.")
    ] = 10,
    epochs: Annotated[int, typer.Option(min=1, max=configs.MOST, help="Epochs of each run.")] = 3,
    steps: Annotated[
        int | None, typer.Option(min=1, max=configs.MOST, help="Steps of each run instead.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=configs.MOST, help="Examples per step, for arrays.")
    ] = 32,
    objective: Annotated[
        str, typer.Option(help="What to compare: loss, accuracy, …, or max:NAME, min:NAME.")
    ] = "loss",
    schedules: Annotated[
        str,
        typer.Option(
            help="Schedules, with commas: constant, and cosine, with warm-up. Each method is tuned "
            "and reported with each."
        ),
    ] = "constant",
    weight_decays: Annotated[
        str,
        typer.Option(
            help="Weight decays, with commas, such as 0,0.001,0.01: rates are searched with each."
        ),
    ] = "",
    target: Annotated[
        float | None,
        typer.Option(
            help="Objective on validation whose time is taken; default: what half of the methods "
            "reach."
        ),
    ] = None,
    tuner: Annotated[
        str,
        typer.Option(
            help="Who proposes the rates: search (outwards, then between neighbours), or optuna "
            "(TPE, each run in a process of its own)."
        ),
    ] = "search",
    out: Annotated[
        Path | None,
        typer.Option(help="Result folder; default runs/compare-FILE. Results in it are resumed."),
    ] = None,
    jobs: Jobs = None,
    time_limit: TimeLimit = None,
    strategy: Strategy = None,
    engine: EngineName = engines.LOCAL,
    address: Address = "local",
    gpus_per_run: GpusPerRun = 0.0,
    join: Join = False,
) -> None:
    """Compare methods on your own model and data, each with the same budget, and report."""
    need_tensorflow()
    from tfadaopt.experiments.compare import comparison
    from tfadaopt.experiments.compare import run as compare_run

    config = comparison.settings(
        file,
        methods.split(","),
        objective,
        schedules.split(","),
        weight_decays.split(",") if weight_decays else (),
        trials=trials,
        tuning_seeds=tuning_seeds,
        seeds=seeds,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        target=target,
        time_limit=time_limit,
        strategy=known_strategy(strategy),
        tuner=comparison.tuner(tuner),
    )
    chosen = engines.Engine(engine, jobs, address, gpus_per_run, join, fresh=tuner == "optuna")
    folder = out or Path("runs") / f"compare-{file.stem}"
    each = f"{steps} steps" if steps else f"{epochs} epoch{'s' if epochs > 1 else ''}"
    decays = f"{len(config.decays)} decays × " if config.weight_decays else ""
    console.print(
        f"Comparing {', '.join(arm.label for arm in config.arms)} into {folder}: "
        f"{len(config.arms)} × ({decays}{trials} rates × {tuning_seeds} + {seeds}) = {config.runs} "
        f"runs of {each}. Ctrl-C keeps what is finished.",
        markup=False,
        highlight=False,
    )
    later = {compare_run.TUNING: len(config.arms) * seeds}
    failures = watched(lambda show: compare_run.run(config, folder, command(), chosen, show), later)
    end(folder, failures)
