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
    from tfadaopt.callbacks.optimizer_monitor import OptimizerMonitor
    from tfadaopt.callbacks.picture import plot
    from tfadaopt.callbacks.stall_warning import StallWarning
    from tfadaopt.callbacks.update_ratio import UpdateRatio
    from tfadaopt.callbacks.when import LogSpaced

__all__ = [
    "AccumulatorMagnitude",
    "AveragedWeights",
    "EffectiveLearningRate",
    "LogSpaced",
    "OptimizerMonitor",
    "StallWarning",
    "UpdateRatio",
    "plot",
]

_MODULE_OF = {
    "AccumulatorMagnitude": "tfadaopt.callbacks.accumulator_magnitude",
    "AveragedWeights": "tfadaopt.callbacks.averaged_weights",
    "EffectiveLearningRate": "tfadaopt.callbacks.effective_learning_rate",
    "LogSpaced": "tfadaopt.callbacks.when",
    "OptimizerMonitor": "tfadaopt.callbacks.optimizer_monitor",
    "StallWarning": "tfadaopt.callbacks.stall_warning",
    "UpdateRatio": "tfadaopt.callbacks.update_ratio",
    "plot": "tfadaopt.callbacks.picture",
}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return load(__name__, name, _MODULE_OF[name])
    raise AttributeError(f"module 'tfadaopt.callbacks' has no attribute {name!r}; it has {__all__}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
