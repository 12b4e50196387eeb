"""Read from an optimizer what it does to each coordinate: its rate and its accumulators."""

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.catalog import METHODS
from tfadaopt.optimizers.base import Optimizer, UnsupportedOptimizerError, compute_dtype


def readable(optimizer: keras.optimizers.Optimizer) -> Optimizer:
    """Return the optimizer that holds the state, or raise: loss scaling is unwrapped.

    Raises:
        UnsupportedOptimizerError: It is not an optimizer of tfadaopt.
    """
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if not isinstance(optimizer, Optimizer):
        names = ", ".join(f"tfadaopt.{method.name}" for method in METHODS)
        kind = type(optimizer)
        raise UnsupportedOptimizerError(
            f"The state of {kind.__module__}.{kind.__qualname__} cannot be read. Supported are "
            f"{names} (also inside a keras.optimizers.LossScaleOptimizer): compile the model with "
            "one of these."
        )
    return optimizer


def broadcastable_rate(optimizer: Optimizer, variable) -> tf.Tensor:
    """Effective rate in its natural shape: a scalar where one rate serves all coordinates."""
    dtype = compute_dtype(variable)
    state = optimizer.state_of(variable)
    t = tf.cast(tf.maximum(tf.convert_to_tensor(optimizer.iterations), 1), dtype)
    eta = tf.cast(compat.applied_learning_rate(optimizer), dtype)
    return optimizer.rate(state, t, eta)


def effective_learning_rate(optimizer: keras.optimizers.Optimizer, variable) -> tf.Tensor:
    """Rate of each coordinate of a variable: η(t) · scale, as the last update applied it.

    It is what multiplies the method's direction: before − after = rate ⊙ direction, without weight
    decay. Under a schedule, η is the rate of the update just done, not the next one's. A rate that
    was assigned since (``optimizer.learning_rate = …``) counts at once; before the first update,
    the rate is what the initial state implies.

    Args:
        optimizer: One of tfadaopt's optimizers, built; a ``LossScaleOptimizer`` around one is
            unwrapped.
        variable: A variable that the optimizer was built for.

    Returns:
        A tensor of the variable's shape; float32 for a half-precision variable.

    Raises:
        UnsupportedOptimizerError: The optimizer is not one of tfadaopt's, or sizes no coordinate by
            itself (``Shampoo`` and ``SOAP``: a matrix acts on the gradient).
        ValueError: It is not built yet, or not for this variable.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0, 1.0])
        >>> optimizer = tfadaopt.Adagrad(learning_rate=0.5, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([1.0, 5.0])], [w])
        >>> tfadaopt.effective_learning_rate(optimizer, w).numpy().tolist()
        [0.5, 0.10000000149011612]
    """
    rate = broadcastable_rate(readable(optimizer), variable)
    return tf.broadcast_to(rate, tf.shape(tf.convert_to_tensor(variable)))


def accumulators(optimizer: keras.optimizers.Optimizer, variable) -> dict[str, tf.Tensor]:
    """State that the optimizer keeps for a variable, by the name of the slot.

    ``SGD`` keeps none, ``Momentum`` and ``Nesterov`` have ``momentum``, ``Adagrad`` has
    ``accumulator``, ``RMSprop`` has ``velocity`` and, where they are used, ``average_gradient``
    and ``momentum``, Adam's family ``momentum`` and ``velocity``; the docstring of each class names
    its own. Numbers that all variables share, such as Prodigy's ``distance``, are among them.
    Moving averages of the weights by ``use_ema`` and accumulated gradients are not.

    Args:
        optimizer: One of tfadaopt's optimizers, built; a ``LossScaleOptimizer`` around one is
            unwrapped.
        variable: A variable that the optimizer was built for.

    Returns:
        A dictionary of tensors, of the variable's shape or smaller; float32 for a half-precision
        variable.

    Raises:
        UnsupportedOptimizerError: The optimizer is not one of tfadaopt's.
        ValueError: It is not built yet, or not for this variable.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0, 1.0])
        >>> optimizer = tfadaopt.Momentum(momentum=0.5)
        >>> optimizer.apply([keras.ops.array([1.0, 2.0])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["momentum"].numpy().tolist()
        [1.0, 2.0]
    """
    slots = readable(optimizer).slots_of(variable)
    return {name: tf.identity(slot) for name, slot in slots.items()}
