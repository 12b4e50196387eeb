"""What an optimizer does to each coordinate, for all to read: its rate and its accumulators."""

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.around import Around
from tfadaopt.compat import Variable
from tfadaopt.optimizers.base import SKIPPED
from tfadaopt.optimizers.engine.plan import precision_of
from tfadaopt.readers import reader_of

WRAPPERS = (keras.optimizers.LossScaleOptimizer, Around)


def shells_of(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """An optimizer, and what it wraps, from the outside to the one that steps."""
    found = [optimizer]
    while isinstance(found[-1], WRAPPERS):
        found.append(found[-1].inner_optimizer)
    return found


def unwrapped(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer in all that is around it, which counts the steps."""
    return shells_of(optimizer)[-1]


def leaves(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """The optimizers that hold the state: those inside all that may be around them."""
    optimizer = unwrapped(optimizer)
    if hasattr(optimizer, "optimizers"):
        return list(optimizer.optimizers)
    return [optimizer]


def leaf_of(
    optimizer: keras.optimizers.Optimizer, variable: Variable
) -> keras.optimizers.Optimizer:
    """The optimizer that holds the state of a variable.

    Raises:
        ValueError: There is no state yet, or none of this variable.
    """
    candidates = leaves(optimizer)
    for leaf in candidates:
        reader_of(leaf).check()
    outer = unwrapped(optimizer)
    if not outer.built:
        raise ValueError(
            f"{outer.name} has no state yet. Train one step first, or call "
            "optimizer.build(model.trainable_variables)."
        )
    for leaf in candidates:
        if leaf.built and compat.index_of(leaf, variable) is not None:
            return leaf
    known = ", ".join(compat.path_of(v) for leaf in candidates for v in compat.variables_of(leaf))
    raise ValueError(
        f"{outer.name} was not built for the variable {compat.path_of(variable)!r}. It knows: "
        f"{known}. If the variable was frozen when training began, compile the model with a new "
        "optimizer after unfreezing it."
    )


def effective_learning_rate(optimizer: keras.optimizers.Optimizer, variable: Variable) -> tf.Tensor:
    """Rate of each coordinate of a variable: η(t) · scale, as the last update applied it.

    It is what multiplies the method's direction: before − after = rate ⊙ direction, without weight
    decay. Under a schedule, η is the rate of the update just done, not the next one's. A rate that
    was assigned since (``optimizer.learning_rate = …``) counts at once; before the first update,
    the rate is what the initial state implies.

    Args:
        optimizer: One of tfadaopt's or Keras' optimizers, or one with a method of this name, built;
            what is around it is unwrapped: ``LossScaleOptimizer``, ``MultiOptimizer``,
            ``Lookahead``, ``WeightAverage``.
        variable: A variable that the optimizer was built for.

    Returns:
        A tensor of the variable's shape; float32 for a half-precision variable.

    Raises:
        UnsupportedOptimizerError: The optimizer is of another kind, or sizes no coordinate by
            itself (``Shampoo``, ``SOAP`` and ``Muon``: a matrix acts on the gradient; Keras'
            ``Adafactor``: its state does not tell).
        ValueError: It is not built yet, or not for this variable.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0, 1.0])
        >>> optimizer = tfadaopt.Adagrad(learning_rate=0.5, epsilon=0.0)
        >>> optimizer.apply([keras.ops.array([1.0, 5.0])], [w])
        >>> tfadaopt.effective_learning_rate(optimizer, w).numpy().tolist()
        [0.5, 0.10000000149011612]
    """
    rate = reader_of(leaf_of(optimizer, variable)).rate(variable)
    rate = tf.cast(rate, precision_of(variable))
    return tf.broadcast_to(rate, tf.shape(tf.convert_to_tensor(variable)))


def accumulators(optimizer: keras.optimizers.Optimizer, variable: Variable) -> dict[str, tf.Tensor]:
    """State that the optimizer keeps for a variable, by the name of the slot.

    All count in ``skipped_updates`` how often the gradient of the variable was left out (see
    ``nonfinite``). ``SGD`` keeps nothing else; ``Momentum`` and ``Nesterov`` have ``momentum``,
    ``Adagrad`` has ``accumulator``, ``RMSprop`` has ``velocity`` and, where they are used,
    ``average_gradient`` and ``momentum``, Adam's family ``momentum`` and ``velocity``; the
    docstring of each class names its own. Numbers that all variables share, such as Prodigy's
    ``distance``, are among them.
    Moving averages of the weights by ``use_ema`` and accumulated gradients are not.

    Args:
        optimizer: One of tfadaopt's or Keras' optimizers, or one with a method of this name, built;
            what is around it is unwrapped: ``LossScaleOptimizer``, ``MultiOptimizer``,
            ``Lookahead``, ``WeightAverage``.
        variable: A variable that the optimizer was built for.

    Returns:
        A dictionary of tensors, of the variable's shape or smaller; float32 for a half-precision
        variable.

    Raises:
        UnsupportedOptimizerError: The optimizer is of another kind.
        ValueError: It is not built yet, or not for this variable.

    Example:
        >>> import keras, tfadaopt
        >>> w = keras.Variable([1.0, 1.0])
        >>> optimizer = tfadaopt.Momentum(momentum=0.5)
        >>> optimizer.apply([keras.ops.array([1.0, 2.0])], [w])
        >>> tfadaopt.accumulators(optimizer, w)["momentum"].numpy().tolist()
        [1.0, 2.0]
    """
    dtype = precision_of(variable)
    reader = reader_of(leaf_of(optimizer, variable))
    found = reader.slots(variable)
    skipped = reader.skipped([variable])
    if skipped is not None:
        found.append((SKIPPED, skipped[0]))
    half = ("float16", "bfloat16")
    return {
        name: tf.cast(x, dtype) if x.dtype.name in half else tf.identity(x)
        for name, x in ((name, tf.convert_to_tensor(slot)) for name, slot in found)
    }
