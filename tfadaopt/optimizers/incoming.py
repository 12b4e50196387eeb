"""What comes into a step: gradients that belong to their variables, in the dtype of the arithmetic.

All of it is decided while the step is traced; of float32 models nothing is changed.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfadaopt import compat


def paired(owner: str, grads: Sequence, variables: Sequence) -> None:
    """Raise unless each variable is there once and has one gradient of its shape, or None.

    Raises:
        ValueError: There are more or fewer gradients than variables, one has another shape, or a
            variable is named twice.
    """
    if len(grads) != len(variables):
        raise ValueError(
            f"{owner}: received {len(grads)} gradients for {len(variables)} variables; give one "
            "for each, in their order, or None where a variable has none."
        )
    once(owner, variables)
    for g, variable in zip(grads, variables, strict=True):
        if g is None or isinstance(g, tf.IndexedSlices):
            continue
        shape = tf.TensorShape(getattr(g, "shape", tf.convert_to_tensor(g).shape))
        if not shape.is_compatible_with(tf.TensorShape(variable.shape)):
            raise ValueError(
                f"{owner}: the gradient of {compat.path_of(variable)!r} has the shape {shape}, but "
                f"the variable {tuple(variable.shape)}; give gradients in the order of the "
                "variables, each of the shape of its own."
            )


def once(owner: str, variables: Sequence) -> None:
    """Raise a ``ValueError`` if a variable is named twice."""
    keys = [compat.key_of(variable) for variable in variables]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise ValueError(
                f"{owner}: the variable {compat.path_of(variables[i])!r} is named twice; give each "
                "variable once, with the sum of its gradients."
            )


def trainable(owner: str, variables: Sequence) -> None:
    """Raise for variables that no method here can train.

    Raises:
        TypeError: One is complex.
    """
    for variable in variables:
        if tf.as_dtype(variable.dtype).is_complex:
            raise TypeError(
                f"{owner}: the variable {compat.path_of(variable)!r} is complex, for which these "
                "rules are not defined. Keep its real and imaginary parts as two variables, or use "
                "an optimizer of Keras for it."
            )


def is_float(variable) -> bool:
    """Whether a variable can have a gradient; counters and switches have no state, and stay."""
    return tf.as_dtype(variable.dtype).is_floating


def widened(grads: Sequence, variables: Sequence) -> list:
    """Gradients of half-precision variables in float32: clipped, divided and summed up there."""
    return [
        tf.cast(g, "float32") if g is not None and is_half(variable) else g
        for g, variable in zip(grads, variables, strict=True)
    ]


def is_half(variable) -> bool:
    """Whether the arithmetic of a variable's step is in float32 though the variable is not."""
    return keras.backend.standardize_dtype(variable.dtype) in ("float16", "bfloat16")
