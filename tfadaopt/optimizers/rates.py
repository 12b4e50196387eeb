"""Learning rates as they are given: to the constructor, later, and by a schedule or callable."""

import inspect
import numbers
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfadaopt.optimizers.arguments import single

Schedule = keras.optimizers.schedules.LearningRateSchedule
Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule | Callable[[], tf.Tensor]
Given = TypeVar("Given")

_LATER = "give a number such as 0.01"


def rate(owner: str, value: object) -> Rate:
    """Return a learning rate: a number as float, or what is called for one.

    Raises:
        TypeError: It is neither a number, nor a schedule, nor a callable without arguments.
        ValueError: A number below 0, or that float32 does not hold.
    """
    hint = (
        "give a number such as 0.01, a keras.optimizers.schedules.LearningRateSchedule or a "
        "callable without arguments"
    )
    if isinstance(value, type) or not callable(value):
        return single(owner, "learning_rate", value, at_least=0.0, hint=hint)
    if isinstance(value, Schedule):
        return value
    try:
        inspect.signature(value).bind()
    except TypeError as error:
        raise TypeError(
            f"{owner}: learning_rate={value!r} wants arguments ({error}), but it is called without "
            f"any; {hint}. A function of the step is a schedule: make a subclass of it."
        ) from error
    except ValueError:
        pass  # Some builtins do not say what they take.
    return value


def later(owner: str, given: object, value: Any) -> Rate | tf.Tensor:
    """Return a rate that is assigned to an optimizer which was made with ``given``.

    Raises:
        TypeError: It is no rate, or the optimizer was made with a schedule or callable.
        ValueError: A number below 0, or that float32 does not hold.
    """
    if callable(value) and not isinstance(value, type):
        return rate(owner, value)
    if callable(given):
        kind = "LearningRateSchedule" if isinstance(given, Schedule) else "callable"
        raise TypeError(
            f"{owner}: This optimizer was created with a `{kind}` ({type(given).__name__}), so "
            "that no number can be assigned to its learning_rate, nor by a callback such as "
            "ReduceLROnPlateau. Make it with a number, or let a callable return a tf.Variable and "
            "assign to that."
        )
    if tf.is_tensor(value) and not hasattr(value, "numpy"):
        return value  # It is known only when the graph runs.
    if np.ndim(value) == 0:
        value = np.asarray(value).item() if not isinstance(value, str) else value
        return single(owner, "learning_rate", value, at_least=0.0, hint=_LATER)
    return value


def found(owner: str, value: Given) -> Given:
    """Return a rate as a schedule or callable gives it: a number has to be one that is allowed.

    Raises:
        TypeError: It is no number.
        ValueError: A number below 0, or that float32 does not hold.
    """
    if value is None or isinstance(value, numbers.Real | str):
        single(owner, "learning_rate", value, at_least=0.0, hint=_LATER)
    return value


def usable(owner: str, value: tf.Tensor | float) -> None:
    """Raise a ``ValueError`` for a rate η, or one for each of several, below 0 or not finite."""
    eta = tf.convert_to_tensor(value).numpy()
    if eta.dtype.kind == "f" and not ((eta >= 0) & np.isfinite(eta)).all():
        raise ValueError(
            f"{owner}: learning_rate={eta} is not allowed; it must be finite and at least 0. It "
            "was assigned to the variable, or is what a schedule or callable returns."
        )
