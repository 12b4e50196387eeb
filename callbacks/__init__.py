"""Callbacks that log what an optimizer does: import them from ``tfadaopt.callbacks``."""

if __name__ != "tfadaopt.callbacks":
    raise ImportError(
        f"This package is installed as tfadaopt.callbacks, but was imported as {__name__!r}. Write "
        "'from tfadaopt.callbacks import …', and run Python outside the project's own folder tree."
    )
