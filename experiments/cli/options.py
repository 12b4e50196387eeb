"""What several commands share: options, the command line itself, and the backend they need."""

import os
import shlex
import sys
from typing import Annotated

import typer

from tfadaopt.experiments import configs

MOST_JOBS = 1_024
Jobs = Annotated[
    int | None, typer.Option(min=1, max=MOST_JOBS, help="Processes; default: one per processor.")
]


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
