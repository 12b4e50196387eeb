"""The lecture's claims as experiments that anybody can repeat: ``tfadaopt run lecture``."""

import signal

if __name__ != "tfadaopt.experiments":
    raise ImportError(
        f"This package is installed as tfadaopt.experiments, but was imported as {__name__!r}. "
        "Write 'from tfadaopt.experiments import …'."
    )

import importlib.util

# From Python, as in a notebook; each is imported when it is asked for.
_FROM_PYTHON = ("compare_methods", "results", "run_experiment", "sweep", "tune")


def __getattr__(name: str) -> object:
    if name not in _FROM_PYTHON:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tfadaopt.experiments import notebook

    return getattr(notebook, name)


def main() -> None:
    """Run the command line ``tfadaopt``."""
    try:
        from tfadaopt.experiments.cli.commands import run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "tfadaopt") or importlib.util.find_spec(package):
            raise  # A part of it is missing: it is too old, too new, or broken.
        raise SystemExit(
            f"tfadaopt: the command line needs the package {error.name!r}, which is not installed. "
            "Install it with: pip install 'tfadaopt[experiments]'"
        ) from None
    try:
        code = run()
    except KeyboardInterrupt:
        code = 130
    # What follows takes a moment, and has nothing to say to one who presses Ctrl-C again.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(code)
