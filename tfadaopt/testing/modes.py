"""Contracts of ways to train: eager, compiled, under XLA, several steps at once, two devices."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfadaopt.testing.models import fit, make_model
from tfadaopt.testing.subject import NotApplicableError, Subject, agree, values


def compiled_step(subject: Subject) -> None:
    """``fit`` with a compiled step does what the eager one does."""
    _same_in_fit(subject, "the compiled step", jit_compile=False)


def xla(subject: Subject) -> None:
    """``fit`` with a step that XLA compiles does what the eager one does."""
    _same_in_fit(subject, "the step under XLA", jit_compile=True)


def several_steps_per_execution(subject: Subject) -> None:
    """``fit`` with steps_per_execution=3 does what the eager one does."""
    _same_in_fit(subject, "steps_per_execution=3", jit_compile=False, steps_per_execution=3)


def two_devices(subject: Subject) -> None:
    """``fit`` under a strategy of two devices does what it does on one."""
    devices = next(
        (
            found
            for kind in ("GPU", "CPU")
            if len(found := tf.config.list_logical_devices(kind)) > 1
        ),
        None,
    )
    if devices is None:
        raise NotApplicableError(
            "this process has one device; tf.config.set_logical_device_configuration, before "
            "TensorFlow starts, makes two of a CPU"
        )
    # Collective operations of two strategies in one process would get in each other's way.
    strategy = tf.distribute.MirroredStrategy(
        [device.name for device in devices[:2]],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )
    with strategy.scope():
        received = _moved(subject, batch_size=8)
    agree(
        "how far the weights went in fit on two devices",
        received,
        _moved(subject, batch_size=8),
        tolerance(subject),
    )


def _same_in_fit(subject: Subject, what: str, **compile_arguments: Any) -> None:
    expected = _moved(subject, run_eagerly=True)
    received = _moved(subject, **compile_arguments)
    agree(f"how far the weights went in fit with {what}", received, expected, tolerance(subject))


def tolerance(subject: Subject) -> float:
    """How far two ways may part: matrices are decomposed otherwise from mode to mode."""
    return 1e-2 if subject.is_matrix_method else 1e-4


def _moved(subject: Subject, batch_size: int = 4, **compile_arguments: Any) -> list[np.ndarray]:
    """How far each weight went in an epoch of 24 examples."""
    model = make_model(subject.make(), **compile_arguments)
    starts = values(model.trainable_variables)
    fit(model, batch_size=batch_size)
    return [v - s for v, s in zip(values(model.trainable_variables), starts, strict=True)]
