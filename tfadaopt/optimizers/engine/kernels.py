"""Updates by TensorFlow's fused kernels, for methods in which they beat the compiled step on a CPU.

``benchmarks/kernels.py`` measures which do. A method names its kernel in a class attribute; a
contract in ``tests/test_fast.py`` holds it to the readable form. Each takes the handles of a
variable and of its state, the gradient and η, and changes them in place.
There is none for Adagrad, whose kernel has its ε beside the root, for Adam, AMSGrad and Adamax,
whose kernels take 1 − β₂ in float32, which is off by 1e-5 for β₂ = 0.999, nor for RMSprop, whose
kernel keeps a momentum that is not used.
"""

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from tfadaopt.optimizers.engine.plan import Kind
from tfadaopt.optimizers.rule import Rule

Handles = Mapping[str, tf.Tensor]
# What a subclass may override; its parent's kernel would not know.
_RULE = (
    *("advance", "scale", "direction", "rate", "delta"),
    *("update", "decay_and_update", "slots"),
)


def applies(rule: Rule, kind: Kind, on_gpu: bool) -> bool:
    """Whether the rule's kernel does what the rule says, for variables of this kind."""
    cls = type(rule)
    if cls.kernel is None or on_gpu or kind.decay or kind.lazy is not None:
        return False
    if kind.dtype not in ("float32", "float64"):
        return False
    owner = next(c for c in cls.__mro__ if "kernel" in vars(c))
    return all(getattr(cls, name) is getattr(owner, name) for name in _RULE)


def update(
    rule: Rule,
    variable: tf.Tensor,
    slots: Handles,
    g: tf.Tensor,
    finite: tf.Tensor | bool,
    eta: tf.Tensor,
) -> None:
    """One step by the rule's kernel, if the gradient fits."""
    kernel = rule.kernel
    assert kernel is not None  # which ``applies`` looks at first

    def step() -> bool:
        kernel(variable, slots, g, eta)
        return True

    if finite is True:
        step()
    else:
        tf.cond(finite, step, lambda: True)


class WithMomentum(Protocol):
    """A rule with the argument μ."""

    momentum: float


def sgd(rule: Rule, variable: tf.Tensor, slots: Handles, g: tf.Tensor, eta: tf.Tensor) -> None:
    """θ ← θ − η g."""
    tf.raw_ops.ResourceApplyGradientDescent(var=variable, alpha=eta, delta=g)


def momentum(
    rule: WithMomentum, variable: tf.Tensor, slots: Handles, g: tf.Tensor, eta: tf.Tensor
) -> None:
    """b ← μ b + g; θ ← θ − η b."""
    _momentum(rule, variable, slots, g, eta, nesterov=False)


def nesterov(
    rule: WithMomentum, variable: tf.Tensor, slots: Handles, g: tf.Tensor, eta: tf.Tensor
) -> None:
    """b ← μ b + g; θ ← θ − η (g + μ b)."""
    _momentum(rule, variable, slots, g, eta, nesterov=True)


def _momentum(
    rule: WithMomentum,
    variable: tf.Tensor,
    slots: Handles,
    g: tf.Tensor,
    eta: tf.Tensor,
    nesterov: bool,
) -> None:
    tf.raw_ops.ResourceApplyMomentum(
        var=variable,
        accum=slots["momentum"],
        lr=eta,
        grad=g,
        momentum=tf.constant(rule.momentum, g.dtype),
        use_nesterov=nesterov,
    )
