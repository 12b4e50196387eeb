"""Cautious steps: a coordinate stays where a method would move it against its gradient.

    k = [u ⊙ g > 0];  u ← u ⊙ k / max(mean k, 10⁻³)

for the change u that a method makes of a variable, without weight decay; the mean is over the
variable. Liang, Chen, Liu & Liu, Cautious optimizers (2024), arXiv 2411.16085, Algorithm 1.
"""

import tensorflow as tf

from tfadaopt.optimizers.rule import Rule, writes

# Name of k / mean k among the state of a variable: what its effective rate was multiplied with.
CAUTION = "caution"
_LEAST = 1e-3


def cautious(rule: Rule, weight_decay: float | None) -> Rule:
    """The same rule with cautious steps.

    Args:
        rule: The rule of a method.
        weight_decay: λ or None.

    Raises:
        ValueError: The method never moves against the gradient, does not step by a change of its
            own of each variable, or decays in a way of its own.
    """
    owner = type(rule).__name__
    if rule.follows_gradient:
        raise ValueError(
            f"{owner}: cautious=True is not allowed, as the method never moves a coordinate "
            "against its gradient; leave it out, or take a method with momentum."
        )
    if writes(rule, "shared") or writes(rule, "inside"):
        raise ValueError(
            f"{owner}: cautious=True is not allowed, as the method derives one rate or a mean of "
            "weights from the steps that it makes itself; leave it out, or take Adam, Lion or "
            "another method that keeps neither."
        )
    if weight_decay and writes(rule, "decay_and_update"):
        raise ValueError(
            f"{owner}: cautious=True with weight_decay={weight_decay!r} is not allowed, as this "
            "method decays inside its step, of which the mask would leave out a part; give "
            "weight_decay=None, or take AdamW."
        )
    together = writes(rule, "update_all") and type(rule).__module__.startswith("tfadaopt.")
    return CautiousTogether(rule) if together else Cautious(rule)


class Cautious(Rule):
    """A rule whose steps against the gradient are left out.

    Args:
        rule: The rule.
    """

    kernel = None
    still_without_gradient = False

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.unit = None if rule.unit is None else "variable"
        self.gradient_in = rule.gradient_in

    @property
    def method(self):
        return self._rule.method

    def argument(self, name):
        return self._rule.argument(name)

    def slots(self, shape):
        return {**self._rule.slots(shape), CAUTION: 1.0}

    def slots_at(self, index, shape):
        return {**self._rule.slots_at(index, shape), CAUTION: 1.0}

    def scale(self, state, t):
        return self._rule.scale(state, t) * state[CAUTION]

    def rate(self, state, t, eta):
        return self._rule.rate(state, t, eta) * state[CAUTION]

    def decay_now(self, state, decay):
        return self._rule.decay_now(state, decay)

    def update(self, theta, state, g, t, eta):
        new, u = self._rule.decay_and_update(theta, state, g, t, eta, 0.0)
        return _masked(new, u, g)


class CautiousTogether(Cautious):
    """The same for a rule that steps all variables at once."""

    def update_all(self, thetas, states, gradients, t, eta):
        done = self._rule.update_all(thetas, states, gradients, t, eta)
        return [_masked(new, u, g) for (new, u), g in zip(done, gradients, strict=True)]


def _masked(new, u, g):
    """State and change of a variable, where the change goes against the gradient in none."""
    # By signs, as a product of small numbers is 0.
    k = tf.cast(tf.sign(u) * tf.sign(g) > 0, u.dtype)
    caution = k / tf.maximum(tf.reduce_mean(k), _LEAST)
    return {**new, CAUTION: caution}, u * caution
