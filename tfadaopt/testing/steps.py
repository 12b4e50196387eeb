"""A few steps of an optimizer on a kernel and a bias, by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

KERNEL_AND_BIAS = [(4, 3), (3,)]


def some_gradients(steps: int, seed: int = 0) -> list[list[np.ndarray]]:
    """Gradients of each step, of a kernel and a bias."""
    random = np.random.default_rng(seed)
    return [
        [random.normal(size=s).astype("float32") for s in KERNEL_AND_BIAS] for _ in range(steps)
    ]


def some_variables() -> list[keras.Variable]:
    """A kernel and a bias."""
    random = np.random.default_rng(9)
    return [
        keras.Variable(random.normal(size=s).astype("float32"), name=name)
        for s, name in zip(KERNEL_AND_BIAS, ("kernel", "bias"), strict=True)
    ]


def apply_all(
    optimizer: Any,
    steps: Sequence[Sequence[np.ndarray]],
    before: Callable[[list[keras.Variable]], None] = lambda variables: None,
) -> list[keras.Variable]:
    """The kernel and the bias after these gradients.

    Args:
        optimizer: What steps.
        steps: Gradients of each step.
        before: What is done to the variables before each step.
    """
    variables = some_variables()
    for gradients in steps:
        before(variables)
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], variables)
    return variables


def path_of(optimizer: Any, steps: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """The kernel and the bias after each of these gradients."""
    path: list[list[np.ndarray]] = []
    variables = some_variables()
    for gradients in steps:
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], variables)
        path.append([v.numpy() for v in variables])
    return path
