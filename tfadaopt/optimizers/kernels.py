"""Updates by TensorFlow's fused kernels, for methods in which they beat the compiled step on a CPU.

``benchmarks/kernels.py`` measures which do. A method names its kernel in a class attribute; a
contract in ``tests/test_fast.py`` holds it to the readable form. Each takes the handles of a
variable and of its state, the gradient, the number of the step and η, and changes them in place.
There is none for Adagrad, whose kernel has its ε beside the root, nor for RMSprop, whose kernel
keeps a momentum that is not used.
"""

from collections.abc import Mapping

import tensorflow as tf

from tfadaopt.optimizers.moments import weight_so_far

Handles = Mapping[str, tf.Tensor]
# What a subclass may write anew; its parent's kernel would not know.
_RULE = (
    *("advance", "scale", "direction", "rate", "delta"),
    *("update", "decay_and_update", "step", "slots"),
)


def applies(optimizer, kind, on_gpu: bool) -> bool:
    """Whether the optimizer's kernel does what its rule says, for variables of this kind."""
    cls = type(optimizer)
    if cls.kernel is None or on_gpu or kind.decay or kind.lazy is not None:
        return False
    # In a kernel, 0/0 of a coordinate that never had a gradient is NaN.
    if kind.dtype not in ("float32", "float64") or getattr(optimizer, "epsilon", 1) == 0:
        return False
    owner = next(c for c in cls.__mro__ if "kernel" in vars(c))
    return all(getattr(cls, name) is getattr(owner, name) for name in _RULE)


def sgd(optimizer, variable: tf.Tensor, slots: Handles, g, t, eta) -> None:
    """θ ← θ − η g."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable, alpha=eta, delta=g)


def momentum(optimizer, variable: tf.Tensor, slots: Handles, g, t, eta) -> None:
    """b ← μ b + g; θ ← θ − η b."""
    _momentum(optimizer, variable, slots, g, eta, nesterov=False)


def nesterov(optimizer, variable: tf.Tensor, slots: Handles, g, t, eta) -> None:
    """b ← μ b + g; θ ← θ − η (g + μ b)."""
    _momentum(optimizer, variable, slots, g, eta, nesterov=True)


def adam(optimizer, variable: tf.Tensor, slots: Handles, g, t, eta) -> None:
    """Algorithm 1: the kernel's ε beside √v, not √v̂, is ε √(1 − β₂^t)."""
    root = tf.sqrt(weight_so_far(optimizer.beta_2, t))
    tf.raw_ops.ResourceApplyAdam(
        var=variable,
        m=slots["momentum"],
        v=slots["velocity"],
        # The kernel's own corrections would take 1 − β^t, which float32 cannot.
        beta1_power=tf.zeros_like(eta),
        beta2_power=tf.zeros_like(eta),
        lr=eta * root / weight_so_far(optimizer.beta_1, t),
        beta1=tf.cast(optimizer.beta_1, g.dtype),
        beta2=tf.cast(optimizer.beta_2, g.dtype),
        epsilon=optimizer.epsilon * root,
        grad=g,
    )


def _momentum(optimizer, variable, slots, g, eta, nesterov: bool) -> None:
    tf.raw_ops.ResourceApplyMomentum(
        var=variable,
        accum=slots["momentum"],
        lr=eta,
        grad=g,
        momentum=tf.cast(optimizer.momentum, g.dtype),
        use_nesterov=nesterov,
    )
