"""Callbacks that log what an optimizer does: import them from ``tfadaopt.callbacks``.

Names load on first use: TensorBoard imports this package for its plugins and must not wait for
TensorFlow.
"""

if __name__ != "tfadaopt.callbacks":
    raise ImportError(
        f"This package is installed as tfadaopt.callbacks, but was imported as {__name__!r}. Write "
        "'from tfadaopt.callbacks import …', and run Python outside the project's own folder tree."
    )

from typing import TYPE_CHECKING, Any

from tfadaopt.lazy import load

if TYPE_CHECKING:
    from tfadaopt.callbacks.accumulator_magnitude import AccumulatorMagnitude
    from tfadaopt.callbacks.averaged_weights import AveragedWeights
    from tfadaopt.callbacks.effective_learning_rate import EffectiveLearningRate
    from tfadaopt.callbacks.mlflow_writer import MlflowWriter
    from tfadaopt.callbacks.optimizer_monitor import OptimizerMonitor
    from tfadaopt.callbacks.picture import plot
    from tfadaopt.callbacks.stall_warning import StallWarning
    from tfadaopt.callbacks.trackio_writer import TrackioWriter
    from tfadaopt.callbacks.update_ratio import UpdateRatio
    from tfadaopt.callbacks.wandb_writer import WandbWriter
    from tfadaopt.callbacks.when import LogSpaced
    from tfadaopt.callbacks.writers import Writer

__all__ = [
    "AccumulatorMagnitude",
    "AveragedWeights",
    "EffectiveLearningRate",
    "LogSpaced",
    "MlflowWriter",
    "OptimizerMonitor",
    "StallWarning",
    "TrackioWriter",
    "UpdateRatio",
    "WandbWriter",
    "Writer",
    "plot",
]

_MODULE_OF = {
    "AccumulatorMagnitude": "tfadaopt.callbacks.accumulator_magnitude",
    "AveragedWeights": "tfadaopt.callbacks.averaged_weights",
    "EffectiveLearningRate": "tfadaopt.callbacks.effective_learning_rate",
    "LogSpaced": "tfadaopt.callbacks.when",
    "MlflowWriter": "tfadaopt.callbacks.mlflow_writer",
    "OptimizerMonitor": "tfadaopt.callbacks.optimizer_monitor",
    "StallWarning": "tfadaopt.callbacks.stall_warning",
    "TrackioWriter": "tfadaopt.callbacks.trackio_writer",
    "UpdateRatio": "tfadaopt.callbacks.update_ratio",
    "WandbWriter": "tfadaopt.callbacks.wandb_writer",
    "Writer": "tfadaopt.callbacks.writers",
    "plot": "tfadaopt.callbacks.picture",
}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return load(__name__, name, _MODULE_OF[name])
    raise AttributeError(f"module 'tfadaopt.callbacks' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
