"""What comes into a step: gradients that belong to their variables, in the dtype of the arithmetic.

All of it is decided while the step is traced; of float32 models nothing is changed.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfadaopt import compat


def paired(owner: str, grads: Sequence, variables: Sequence) -> None:
    """Raise unless each variable is there once and has one gradient of its shape, or None.

    Raises:
        ValueError: There are more or fewer gradients than variables, one has another shape, or a
            variable is named twice.
        TypeError: One is no variable, or none that has a gradient, or a gradient is complex.
    """
    if len(grads) != len(variables):
        raise ValueError(
            f"{owner}: received {len(grads)} gradients for {len(variables)} variables; give one "
            "for each, in their order, or None where a variable has none."
        )
    once(owner, variables)
    for g, variable in zip(grads, variables, strict=True):
        if g is None:
            continue
        if tf.as_dtype(g.dtype if hasattr(g, "dtype") else "float32").is_complex:
            raise TypeError(
                f"{owner}: the gradient of {compat.path_of(variable)!r} is complex; its imaginary "
                "part would be lost. Give a real one, such as keras.ops.real(gradient)."
            )
        if not is_float(variable) and not getattr(variable, "overwrite_with_gradient", False):
            raise TypeError(
                f"{owner}: the variable {compat.path_of(variable)!r} is {variable.dtype}, which no "
                "step can change; give None as its gradient, and it stays as it is."
            )
        shape = _shape_of(g)
        if not shape.is_compatible_with(tf.TensorShape(variable.shape)):
            raise ValueError(
                f"{owner}: the gradient of {compat.path_of(variable)!r} has the shape {shape}, but "
                f"the variable {tuple(variable.shape)}; give gradients in the order of the "
                "variables, each of the shape of its own."
            )


def _shape_of(g) -> tf.TensorShape:
    """What is known of a gradient's shape; rows of an embedding are as wide as their values."""
    if not isinstance(g, tf.IndexedSlices):
        return tf.TensorShape(g.shape if hasattr(g, "shape") else tf.convert_to_tensor(g).shape)
    known = None if g.dense_shape is None else tf.convert_to_tensor(g.dense_shape)
    known = None if known is None else tf.get_static_value(known)
    return tf.TensorShape([None if known is None else known[0]]).concatenate(g.values.shape[1:])


def once(owner: str, variables: Sequence) -> None:
    """Raise unless each is a variable, and named once.

    Raises:
        TypeError: One is a tensor or an array, such as an argument of a ``tf.function`` is.
        ValueError: One is named twice.
    """
    seen = set()
    for variable in variables:
        if not isinstance(variable, keras.Variable | tf.Variable):
            raise TypeError(
                f"{owner}: received {variable!r} where a variable is needed. Give the variables "
                "themselves, such as model.trainable_variables; as an argument of a tf.function, "
                "a variable of Keras becomes a tensor: let the function know it from outside."
            )
        key = compat.key_of(variable)
        if key in seen:
            raise ValueError(
                f"{owner}: the variable {compat.path_of(variable)!r} is named twice; give each "
                "variable once, with the sum of its gradients."
            )
        seen.add(key)


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


def usable_rate(owner: str, rate) -> None:
    """Raise a ``ValueError`` for a rate η, or one for each of several, below 0 or not finite."""
    value = tf.convert_to_tensor(rate).numpy()
    if value.dtype.kind == "f" and not ((value >= 0) & np.isfinite(value)).all():
        raise ValueError(
            f"{owner}: learning_rate={value} is not allowed; it must be finite and at least 0. It "
            "was assigned to the variable, or is what a schedule or callable returns."
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
