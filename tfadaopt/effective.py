"""Read from an optimizer what it does to each coordinate: its rate and its accumulators.

Three kinds can be read: the optimizers of tfadaopt, Keras' own (``tfadaopt.builtins`` has their
formulas), and any other that has one or both of these methods:

``effective_learning_rate(variable)``
    Rate of the update just done, as a tensor that broadcasts to the variable.
``accumulators(variable)``
    Its state for the variable: tensors or variables by name.

They are called while a graph is traced: they return tensors and read nothing to the host. A
variable that has no rate is told by ``UnsupportedOptimizerError``.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfadaopt import builtins, compat
from tfadaopt.catalog import METHODS
from tfadaopt.optimizers.base import SKIPPED, Optimizer
from tfadaopt.optimizers.engine.plan import precision_of
from tfadaopt.optimizers.pieces.matrices import no_rate
from tfadaopt.optimizers.rule import UnsupportedOptimizerError

RATE = "effective_learning_rate"
ACCUMULATORS = "accumulators"
Pick = Callable[[tf.Tensor], tf.Tensor]


def unwrapped(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer inside loss scaling, which counts the steps; or the optimizer itself."""
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


def leaves(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """The optimizers that hold the state: those inside loss scaling and ``MultiOptimizer``."""
    optimizer = unwrapped(optimizer)
    if hasattr(optimizer, "optimizers"):
        return list(optimizer.optimizers)
    return [optimizer]


def readable(optimizer: keras.optimizers.Optimizer, what: str | None = None) -> None:
    """Raise if an optimizer without wrappers cannot be read.

    Args:
        optimizer: One of ``leaves``.
        what: ``effective_learning_rate`` or ``accumulators``, or None if either will do.

    Raises:
        UnsupportedOptimizerError: It is of no kind that can be read, or has no effective rates.
    """
    if isinstance(optimizer, Optimizer):
        if what == RATE and type(optimizer) in (m.cls for m in METHODS if not m.has_rate):
            raise no_rate(type(optimizer).__name__)
        return
    if builtins.kind_of(optimizer) is not None:
        if what == RATE:
            builtins.check(optimizer)
        return
    wanted = (RATE, ACCUMULATORS) if what is None else (what,)
    if any(_protocol(optimizer, name) for name in wanted):
        return
    ours = ", ".join(f"tfadaopt.{method.name}" for method in METHODS)
    theirs = ", ".join(kind.__name__ for kind in builtins.kinds())
    kind = type(optimizer)
    raise UnsupportedOptimizerError(
        f"The state of {kind.__module__}.{kind.__qualname__} cannot be read. Supported are {ours}, "
        f"and of keras.optimizers {theirs}, also inside a LossScaleOptimizer or MultiOptimizer: "
        "compile the model with one of these, or give a class of your own the method "
        f"{wanted[0]}(variable); tfadaopt.effective says what it returns."
    )


def leaf_of(optimizer: keras.optimizers.Optimizer, variable) -> keras.optimizers.Optimizer:
    """The optimizer that holds the state of a variable.

    Raises:
        ValueError: There is no state yet, or none of this variable.
    """
    candidates = leaves(optimizer)
    for leaf in candidates:
        readable(leaf)
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


def broadcastable_rate(
    leaf, variable, pick: Pick | None = None, eta: tf.Tensor | None = None
) -> tf.Tensor:
    """Effective rate in its natural shape: a scalar where one rate serves all coordinates.

    Args:
        leaf: One of ``leaves``, built for the variable.
        variable: A variable of the model.
        pick: Takes some coordinates of each tensor of the variable's shape, so that their rates
            alone are computed. Where that cannot be, it is applied to the rates.
        eta: The rate η of the step, where it was kept from before it; or None.

    Raises:
        UnsupportedOptimizerError: The variable has no such rate.
    """
    if _protocol(leaf, RATE):
        return _picked(tf.convert_to_tensor(leaf.effective_learning_rate(variable)), variable, pick)
    readable(leaf, RATE)
    ours = isinstance(leaf, Optimizer)
    dtype = precision_of(variable) if ours else keras.backend.standardize_dtype(variable.dtype)
    state = {
        name: tf.cast(tf.convert_to_tensor(slot), dtype) for name, slot in slots(leaf, variable)
    }
    theta = tf.convert_to_tensor(variable)
    t = tf.cast(tf.maximum(tf.convert_to_tensor(leaf.iterations), 1), dtype)
    eta = tf.cast(compat.applied_learning_rate(leaf) if eta is None else eta, dtype)
    shape = tuple(variable.shape)
    early = pick is not None and all(tuple(x.shape) in ((), shape) for x in state.values())
    if early and (leaf.unit == "coordinate" if ours else builtins.is_elementwise(leaf)):
        # The shape of a variable may be () as well: then there is nothing to pick from.
        state = {name: _picked(x, variable, pick) for name, x in state.items()}
        theta, pick = _picked(theta, variable, pick), None
    rate = leaf.rate(state, t, eta) if ours else builtins.rate(leaf, state, t, eta, theta)
    return _picked(rate, variable, pick)


def _picked(x: tf.Tensor, variable, pick: Pick | None) -> tf.Tensor:
    return x if pick is None or tuple(x.shape) != tuple(variable.shape) else pick(x)


def slots(leaf, variable) -> list[tuple[str, object]]:
    """State of a variable by name, as it stands: variables, not copies of them."""
    if _protocol(leaf, ACCUMULATORS):
        return list(leaf.accumulators(variable).items())
    if isinstance(leaf, Optimizer):
        return list(leaf.slots_of(variable).items())
    kind = builtins.kind_of(leaf)
    if kind is None:
        readable(leaf, ACCUMULATORS)
    return list(compat.builtin_slots(leaf, kind, compat.index_of(leaf, variable)).items())


def skipped_updates(leaf, variable) -> tf.Tensor | None:
    """Updates that left the variable out, as its gradient did not fit; None where nobody counts."""
    return leaf.skipped_of(variable) if isinstance(leaf, Optimizer) else None


def shared_names(leaf) -> frozenset[str]:
    """Names of the numbers that all variables share, such as Prodigy's ``distance``."""
    return frozenset(leaf.shared() if isinstance(leaf, Optimizer) else ())


def varies(leaf) -> bool:
    """Whether some variables may have an effective rate, and others none."""
    return _protocol(leaf, RATE) or isinstance(leaf, compat.Muon)


def _protocol(optimizer, name: str) -> bool:
    return callable(getattr(optimizer, name, None))


def effective_learning_rate(optimizer: keras.optimizers.Optimizer, variable) -> tf.Tensor:
    """Rate of each coordinate of a variable: η(t) · scale, as the last update applied it.

    It is what multiplies the method's direction: before − after = rate ⊙ direction, without weight
    decay. Under a schedule, η is the rate of the update just done, not the next one's. A rate that
    was assigned since (``optimizer.learning_rate = …``) counts at once; before the first update,
    the rate is what the initial state implies.

    Args:
        optimizer: One of tfadaopt's or Keras' optimizers, or one with a method of this name, built;
            a ``LossScaleOptimizer`` or ``MultiOptimizer`` around it is unwrapped.
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
    rate = broadcastable_rate(leaf_of(optimizer, variable), variable)
    rate = tf.cast(rate, precision_of(variable))
    return tf.broadcast_to(rate, tf.shape(tf.convert_to_tensor(variable)))


def accumulators(optimizer: keras.optimizers.Optimizer, variable) -> dict[str, tf.Tensor]:
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
            a ``LossScaleOptimizer`` or ``MultiOptimizer`` around it is unwrapped.
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
    leaf = leaf_of(optimizer, variable)
    found = slots(leaf, variable)
    skipped = skipped_updates(leaf, variable)
    if skipped is not None:
        found.append((SKIPPED, skipped))
    half = ("float16", "bfloat16")
    return {
        name: tf.cast(x, dtype) if x.dtype.name in half else tf.identity(x)
        for name, x in ((name, tf.convert_to_tensor(slot)) for name, slot in found)
    }
