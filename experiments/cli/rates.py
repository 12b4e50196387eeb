"""The command ``tfadaopt find-rate``."""

from pathlib import Path
from typing import Annotated

import typer

from tfadaopt.experiments import configs
from tfadaopt.experiments.cli.options import NAMES, need_tensorflow
from tfadaopt.experiments.cli.terminal import console


def find_rate(
    file: Annotated[
        Path,
        typer.Argument(
            help="Python file with model(), which returns a compiled keras.Model, and data(), "
            f"which returns (train, validation) or (train, validation, test); or {NAMES}."
        ),
    ],
    lowest: Annotated[float, typer.Option(help="First learning rate.")] = 1e-7,
    highest: Annotated[float, typer.Option(help="Last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=20, max=configs.MOST, help="Batches at most.")] = 100,
    batch_size: Annotated[
        int, typer.Option(min=1, max=configs.MOST, help="Examples per step, for arrays.")
    ] = 32,
    out: Annotated[
        Path | None,
        typer.Option(help="Picture of the sweep: .png, .svg or .pdf; default runs/rates-FILE.png."),
    ] = None,
) -> None:
    """Train your model for some batches at rising learning rates, and say which one to try."""
    need_tensorflow()
    from tfadaopt.experiments.compare import parts_of_data
    from tfadaopt.experiments.compare.problem import load, made_model
    from tfadaopt.rate_finder import find_learning_rate

    picture = out or Path("runs") / f"rates-{file.stem}.png"
    if picture.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise configs.ConfigError(f"--out {picture} is no picture; end it with .png, .svg or .pdf.")
    problem = load(file)
    train = parts_of_data.made_data(problem, file)["train"]
    model = made_model(problem, file)
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        sweep = find_learning_rate(
            model,
            train,
            batch_size=batch_size,
            lowest=lowest,
            highest=highest,
            steps=steps,
        )
        sweep.save(picture)
    except (ValueError, TypeError, OSError) as error:
        raise configs.ConfigError(str(error)) from error
    optimizer = type(model.optimizer).__name__
    console.print(f"{optimizer}: {sweep}", markup=False, highlight=False)
    console.print(f"Picture: {picture}", markup=False, highlight=False, soft_wrap=True)
