"""A monitor's numbers in Weights & Biases."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadaopt.callbacks.log_format import Tables, in_words
from tfadaopt.callbacks.writers import of_board

STEP = "optimizer_step"


class WandbWriter:
    """Write a monitor's scalars to a run of Weights & Biases, and its marks as alerts.

    The run is the one that is active when numbers come: call ``wandb.init()`` before ``fit``. The
    x axis of the charts is ``optimizer_step``, the optimizer's iterations, so that what else is
    logged to the run may count steps of its own. Closing does not finish the run.

    Args:
        run: A run, or None: the active one. Default None.

    Raises:
        ImportError: The package ``wandb`` is not installed.

    Example:
        >>> import wandb  # doctest: +SKIP
        >>> from tfadaopt.callbacks import OptimizerMonitor, WandbWriter
        >>> run = wandb.init(project="digits", mode="offline")  # doctest: +SKIP
        >>> monitor = OptimizerMonitor("logs", writers=[WandbWriter()])  # doctest: +SKIP
    """

    def __init__(self, run: Any = None) -> None:
        self._wandb = of_board("WandbWriter", "wandb")
        self._given = run
        self._known: tuple[Any, set[str]] = (None, set())

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        tables: Tables,
        marks: Sequence[Mapping[str, Any]],
    ) -> None:
        """Log the numbers of one step."""
        run = self._given or self._wandb.run
        if run is None:
            raise RuntimeError("no run is active; call wandb.init() before fit")
        if self._known[0] is not run:
            run.define_metric(STEP, hidden=True)
            self._known = run, set()
        groups = {tag.split("/")[0] + ("/*" if "/" in tag else "") for tag in scalars}
        for group in groups - self._known[1]:
            run.define_metric(group, step_metric=STEP)
            self._known[1].add(group)
        run.log({**scalars, STEP: step})
        for mark in marks:
            run.alert(title=f"StallWarning: {mark['kind']}", text=in_words(mark))

    def flush(self) -> None:
        """Do nothing: W&B sends what it has."""

    def close(self) -> None:
        """Do nothing: the run is the user's."""
