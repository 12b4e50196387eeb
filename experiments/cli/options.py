"""What several commands share: options, the command line itself, and the backend they need."""

import os
import shlex
import sys
from typing import Annotated

import typer

from tfadaopt.experiments import configs
from tfadaopt.experiments.problems.images.named import NAMED

MOST_JOBS = 1_024
NAMES = f"one of {', '.join(NAMED)}"
Jobs = Annotated[
    int | None, typer.Option(min=1, max=MOST_JOBS, help="Processes; default: one per processor.")
]
EngineName = Annotated[
    str, typer.Option("--engine", help="Who computes: local (processes of this machine), or ray.")
]
Address = Annotated[
    str,
    typer.Option(
        help="Of Ray: auto (the cluster of this machine), HOST:PORT, or local (one for this run)."
    ),
]
GpusPerRun = Annotated[float, typer.Option(help="GPUs of each run, which Ray hands out.")]
Join = Annotated[
    bool, typer.Option("--join", help="Share the work with a run that has the same folder.")
]

TimeLimit = Annotated[
    float | None,
    typer.Option(min=0.001, help="Seconds of a training run; one that takes longer is cut short."),
]
Strategy = Annotated[
    str | None,
    typer.Option(help="'mirrored': train each network on all devices of this machine at once."),
]


def known_strategy(name: str | None) -> str | None:
    """Return the name of a strategy.

    Raises:
        ConfigError: Commands know no such strategy.
    """
    if name not in (None, "mirrored"):
        raise configs.ConfigError(
            f"--strategy {name!r} is not known; there is 'mirrored'. Several machines need a loop "
            "of your own, as in examples/multi_worker.py: see docs/guides/several-devices.md."
        )
    return name


def command() -> str:
    """Return the command line that was given."""
    return shlex.join(["tfadaopt", *sys.argv[1:]])


def need_tensorflow() -> None:
    """Check that Keras runs on TensorFlow, here and in the processes that are started.

    Raises:
        ConfigError: The environment asks for another backend.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        raise configs.ConfigError(
            f"KERAS_BACKEND is {backend!r}, but tfadaopt needs Keras on TensorFlow. Take it out of "
            "the environment: KERAS_BACKEND=tensorflow tfadaopt …"
        )
    # Else a file of settings in the home folder might say otherwise.
    os.environ["KERAS_BACKEND"] = backend
