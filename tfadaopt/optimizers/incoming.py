"""What comes into a step: gradients that belong to their variables, in the dtype of the arithmetic.

All of it is decided while the step is traced; of float32 models nothing is changed.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.compat import Gradient, Variable


def paired(owner: str, grads: Sequence[Gradient | None], variables: Sequence[Variable]) -> None:
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
        if not is_float(variable) and not compat.is_overwritten_by_gradient(variable):
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


def _shape_of(g: Gradient) -> tf.TensorShape:
    """What is known of a gradient's shape; rows of an embedding are as wide as their values."""
    if not isinstance(g, tf.IndexedSlices):
        return tf.TensorShape(g.shape if hasattr(g, "shape") else tf.convert_to_tensor(g).shape)
    known = None if g.dense_shape is None else tf.convert_to_tensor(g.dense_shape)
    known = None if known is None else tf.get_static_value(known)
    return tf.TensorShape([None if known is None else known[0]]).concatenate(g.values.shape[1:])


def once(owner: str, variables: Sequence[Variable]) -> None:
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


def trainable(owner: str, variables: Sequence[Variable]) -> None:
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


def can_train(
    owner: str,
    variables: Sequence[Variable],
    strategy: tf.distribute.Strategy,
    averages: bool,
    state: bool,
) -> None:
    """Raise unless an optimizer can be built for these variables.

    Args:
        owner: Name of the optimizer, for the message.
        variables: The variables.
        strategy: The ``tf.distribute`` strategy in whose scope the optimizer was made.
        averages: Whether it averages the weights.
        state: Whether it keeps anything of the shape of a variable.

    Raises:
        TypeError: One is complex, or no variable.
        ValueError: One is named twice, has a shape that is not known, cannot be averaged, or
            belongs to another strategy.
    """
    trainable(owner, variables)
    once(owner, variables)
    if averages and any(compat.is_overwritten_by_gradient(v) for v in variables):
        raise ValueError(
            f"{owner}: use_ema=True does not work with float8, whose scales are no weights "
            "that could be averaged. Leave use_ema out."
        )
    for variable in variables:
        known = tf.TensorShape(variable.shape)
        if known.rank is None or (state and not known.is_fully_defined()):
            raise ValueError(
                f"{owner}: no state can be made for a variable whose shape is known in part only. "
                "Give it a full shape, or use SGD, which has no state, without averages or "
                f"accumulation. Received: {compat.path_of(variable)!r} of shape {known}."
            )
        native = variable.value if isinstance(variable, keras.Variable) else variable
        theirs = getattr(native, "distribute_strategy", None)
        if theirs is not None and theirs is not strategy and hasattr(native, "values"):
            raise ValueError(
                f"{owner} was made outside the scope of the strategy of "
                f"{compat.path_of(variable)!r}. Make the optimizer where the model is made, "
                "inside `with strategy.scope():`, and compile the model with it there."
            )


def works_here(owner: str, accumulation_steps: int | None, overwrite_frequency: int | None) -> None:
    """Raise a ``ValueError`` for what fails in a compiled step under a distribution strategy."""
    if tf.executing_eagerly() or not tf.distribute.has_strategy():
        return
    if accumulation_steps:
        raise ValueError(
            f"{owner}: gradient_accumulation_steps={accumulation_steps} does not work in a "
            "compiled step under a tf.distribute strategy (Keras' own optimizers fail there too). "
            "Use larger batches without accumulation, or compile the model with run_eagerly=True."
        )
    if overwrite_frequency:
        raise ValueError(
            f"{owner}: ema_overwrite_frequency={overwrite_frequency} does not work in a compiled "
            "step under a tf.distribute strategy. Leave it out: the average replaces the weights "
            "at the end of fit; or use run_eagerly=True."
        )


def sum_over_replicas(grads: Sequence[Gradient | None]) -> list[Gradient | None]:
    """Sum of each gradient over the replicas of a ``tf.distribute`` strategy; None stays None."""
    context = tf.distribute.get_replica_context()
    present = [g for g in grads if g is not None]
    if context is None or context.num_replicas_in_sync == 1 or not present:
        return list(grads)
    sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if g is None else next(sums) for g in grads]


def filled(
    grads: Sequence[Gradient | None], variables: Sequence[Variable]
) -> list[Gradient | None]:
    """Gradients that are missing beside others as zeros, where batches are averaged."""
    if all(g is None for g in grads):
        return list(grads)
    return [
        tf.zeros(v.shape, v.dtype) if g is None and is_float(v) else g
        for g, v in zip(grads, variables, strict=True)
    ]


def is_float(variable: Variable) -> bool:
    """Whether a variable can have a gradient; counters and switches have no state, and stay."""
    return tf.as_dtype(variable.dtype).is_floating


def widened(
    grads: Sequence[Gradient | None], variables: Sequence[Variable]
) -> list[Gradient | None]:
    """Gradients of half-precision variables in float32: clipped, divided and summed up there."""
    return [
        tf.cast(g, "float32") if g is not None and is_half(variable) else g
        for g, variable in zip(grads, variables, strict=True)
    ]


def is_half(variable: Variable) -> bool:
    """Whether the arithmetic of a variable's step is in float32 though the variable is not."""
    return keras.backend.standardize_dtype(variable.dtype) in ("float16", "bfloat16")
