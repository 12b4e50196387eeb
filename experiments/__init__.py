"""The lecture's claims as experiments that anybody can repeat."""

if __name__ != "tfadaopt.experiments":
    raise ImportError(
        f"This package is installed as tfadaopt.experiments, but was imported as {__name__!r}. "
        "Write 'from tfadaopt.experiments import …'."
    )
