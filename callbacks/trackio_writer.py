"""A monitor's numbers in trackio."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadaopt.callbacks.log_format import Tables, in_words
from tfadaopt.callbacks.writers import of_board


class TrackioWriter:
    """Write a monitor's scalars to the run of trackio that is active, and its marks as alerts.

    Call ``trackio.init(project=…)`` before ``fit``; ``trackio.show()`` draws the charts. The step
    is the optimizer's iterations. Closing does not finish the run.

    Args:
        run: A run, or None: the active one. Default None.

    Raises:
        ImportError: The package ``trackio`` is not installed.

    Example:
        >>> import trackio  # doctest: +SKIP
        >>> from tfadaopt.callbacks import OptimizerMonitor, TrackioWriter
        >>> run = trackio.init(project="digits")  # doctest: +SKIP
        >>> monitor = OptimizerMonitor("logs", writers=[TrackioWriter()])  # doctest: +SKIP
    """

    def __init__(self, run: Any = None) -> None:
        self._trackio = of_board("TrackioWriter", "trackio")
        self._given = run

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        tables: Tables,
        marks: Sequence[Mapping[str, Any]],
    ) -> None:
        """Log the numbers of one step."""
        run = self._given or self._trackio
        run.log(dict(scalars), step=step)
        for mark in marks:
            run.alert(title=f"StallWarning: {mark['kind']}", text=in_words(mark))

    def flush(self) -> None:
        """Do nothing: trackio has what it was given."""

    def close(self) -> None:
        """Do nothing: the run is the user's."""
