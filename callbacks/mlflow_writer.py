"""A monitor's numbers in MLflow."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfadaopt.callbacks.log_format import Tables, in_words
from tfadaopt.callbacks.writers import of_board

# What MLflow takes in names of metrics.
_OTHERS = re.compile(r"[^\w\-./ :]")


class MlflowWriter:
    """Write a monitor's scalars to a run of MLflow as metrics, and its marks as tags.

    The run is the one that is active when numbers come: MLflow starts one where there is none. The
    step of a metric is the optimizer's iterations. Characters that MLflow does not take in a name
    become ``_``. A mark is the tag ``stall_warning.<layer>``. Closing does not end the run.

    Args:
        run_id: Identifier of a run, or None: the active one. Default None.

    Raises:
        ImportError: The package ``mlflow`` (or ``mlflow-skinny``) is not installed.

    Example:
        >>> import mlflow  # doctest: +SKIP
        >>> from tfadaopt.callbacks import MlflowWriter, OptimizerMonitor
        >>> mlflow.set_tracking_uri("sqlite:///mlflow.db")  # doctest: +SKIP
        >>> monitor = OptimizerMonitor("logs", writers=[MlflowWriter()])  # doctest: +SKIP
    """

    def __init__(self, run_id: str | None = None) -> None:
        self._mlflow = of_board("MlflowWriter", "mlflow")
        self._run_id = run_id

    def write(
        self,
        step: int,
        scalars: Mapping[str, float],
        tables: Tables,
        marks: Sequence[Mapping[str, Any]],
    ) -> None:
        """Log the numbers of one step."""
        metrics = {_OTHERS.sub("_", tag): value for tag, value in scalars.items()}
        self._mlflow.log_metrics(metrics, step=step, run_id=self._run_id)
        for mark in marks:
            name = _OTHERS.sub("_", f"stall_warning.{mark.get('layer') or 'model'}")
            self._mlflow.MlflowClient().set_tag(self._of_run(), name, in_words(mark))

    def _of_run(self) -> str:
        return self._run_id or self._mlflow.active_run().info.run_id

    def flush(self) -> None:
        """Do nothing: MLflow has what it was given."""

    def close(self) -> None:
        """Do nothing: the run is the user's."""
