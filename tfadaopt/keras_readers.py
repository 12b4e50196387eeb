"""What can be read of Keras' own optimizers: one record for each class, with its rate as a formula.

Each formula is that of Keras 3.15.1, in its order of operations and in the dtype of the variable,
so that a rate that Keras rounds to nothing reads as nothing: in bfloat16, β₂ = 0.999 is 1, and
Adam's steps are 0. ``tests/test_keras_readers.py`` reproduces the next update from each.

=================  =====================================  =======================================
optimizer          effective learning rate                on the direction
=================  =====================================  =======================================
SGD                η                                      g (of momentum: what g adds to it)
Adagrad            η / √(A + ε)                           g
RMSprop            η / √(V − a² + ε), a = 0 uncentered    g (of momentum: what g adds to it)
Adadelta           η √(D + ε) / √(G + ε)                  g; D is from before the step: what is
                                                          read is the rate the next one begins with
Adam, AdamW        η √(1 − β₂ᵗ) / ((1 − β₁ᵗ)(√v + ε))     m; v̂ instead of v with ``amsgrad``
Adamax             η / ((1 − β₁ᵗ)(u + ε))                 m
Nadam              η / (√v̂ + ε)                           Nesterov's mean of m and g
Ftrl               η / (nᵖ + β + 2 η λ₂), 0 where λ₁      g, from the second step on, while η is
                   holds the coordinate at 0              constant: w is a function of the sums
Lion               η                                      the sign
Lamb               η φ / ((1 − β₁ᵗ)(√v̂ + ε))              m; φ is recovered from w after the step
ScheduleFreeAdamW  γ / (√v̂ + ε)                           g, for z
Muon               as Adam, times ``adam_lr_ratio``       m, where Muon leaves a variable to Adam
=================  =====================================  =======================================

Two have none: Muon's matrices, which a matrix acts on, and Adafactor, whose step is divided by the
root mean square of the whole step, which needs the gradient.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from tfadaopt import compat
from tfadaopt.gradients import GradientSource
from tfadaopt.optimizers.rule import UnsupportedOptimizerError

State = Mapping[str, tf.Tensor]
# Of an optimizer, its state for a variable after the step, the number t of the step, η and θ.
Rate = Callable[[keras.optimizers.Optimizer, State, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
_keras = keras.optimizers


@dataclass(frozen=True)
class BuiltIn:
    """What can be read of one of Keras' classes; ``compat`` has the names of its slots.

    Attributes:
        rate: Effective rate of the step just done, which broadcasts to θ; None: it has none.
        gradient: From which slot the gradient can be had, given the optimizer and the names of
            the slots that it has for a variable; None: from none.
        elementwise: Whether the rate of a coordinate needs no other coordinate.
    """

    rate: Rate | None
    gradient: Callable[[keras.optimizers.Optimizer, set[str]], GradientSource | None] | None = None
    elementwise: bool = True


def kinds() -> list[type]:
    """Those whose state can be read, of the Keras that is installed."""
    return [kind for kind in compat.SLOTS_OF_BUILTIN if issubclass(kind, _keras.Optimizer)]


def kind_of(optimizer: keras.optimizers.Optimizer) -> type | None:
    """The built-in whose rule an optimizer follows: a subclass with a step of its own has none."""
    for kind in compat.SLOTS_OF_BUILTIN:
        if isinstance(optimizer, kind):
            same = type(optimizer).update_step is kind.update_step
            return kind if same else None
    return None


def _eta(optimizer, state, t, eta, theta):
    return eta


def _adagrad(optimizer, state, t, eta, theta):
    return eta / tf.sqrt(state["accumulator"] + optimizer.epsilon)


def _rmsprop(optimizer, state, t, eta, theta):
    variance = state["velocity"]
    if optimizer.centered:
        variance -= tf.square(state["average_gradient"])
    return eta / tf.sqrt(variance + optimizer.epsilon)


def _adadelta(optimizer, state, t, eta, theta):
    numerator = tf.sqrt(state["accumulated_delta_var"] + optimizer.epsilon)
    return eta * numerator / tf.sqrt(state["accumulated_grad"] + optimizer.epsilon)


def _power(beta: float, t: tf.Tensor) -> tf.Tensor:
    return tf.pow(tf.cast(beta, t.dtype), t)


def _adam(optimizer, state, t, eta, theta):
    v = state["velocity_hat"] if optimizer.amsgrad else state["velocity"]
    alpha = eta * tf.sqrt(1 - _power(optimizer.beta_2, t)) / (1 - _power(optimizer.beta_1, t))
    return alpha / (tf.sqrt(v) + optimizer.epsilon)


def _adamax(optimizer, state, t, eta, theta):
    return eta / ((1 - _power(optimizer.beta_1, t)) * (state["norm"] + optimizer.epsilon))


def _root_of_corrected(optimizer, state, t):
    return tf.sqrt(state["velocity"] / (1 - _power(optimizer.beta_2, t))) + optimizer.epsilon


def _nadam(optimizer, state, t, eta, theta):
    return eta / _root_of_corrected(optimizer, state, t)


def _ftrl(optimizer, state, t, eta, theta):
    l2 = optimizer.l2_regularization_strength + optimizer.beta / (2.0 * eta)
    power = tf.pow(state["accumulator"], -optimizer.learning_rate_power)
    rate = 1 / (power / eta + 2 * l2)
    if optimizer.l1_regularization_strength > 0:
        rate = tf.where(tf.equal(theta, 0), tf.zeros_like(rate), rate)
    return rate


def _lamb(optimizer, state, t, eta, theta):
    scale = 1 / ((1 - _power(optimizer.beta_1, t)) * _root_of_corrected(optimizer, state, t))
    step = scale * state["momentum"]
    return eta * _trust_ratio(theta, step, eta) * scale


def _trust_ratio(theta: tf.Tensor, step: tf.Tensor, eta: tf.Tensor) -> tf.Tensor:
    """φ = ‖w‖ / ‖U‖ of a step w − η φ U that led to θ.

    ‖θ + η φ U‖ = φ ‖U‖ is quadratic in φ. Where w was 0, φ is 1: then θ = −η U.
    """
    across, along = tf.reduce_sum(theta * step), tf.reduce_sum(tf.square(step))
    length = tf.reduce_sum(tf.square(theta))
    root = tf.sqrt(tf.square(eta * across) + along * (1 - tf.square(eta)) * length)
    ratio = tf.math.divide_no_nan(eta * across + root, along * (1 - tf.square(eta)))
    from_zero = tf.norm(theta + eta * step) <= 1e-5 * tf.norm(theta)
    return tf.where(from_zero | tf.equal(along, 0), tf.ones_like(ratio), ratio)


def _schedule_free(optimizer, state, t, eta, theta):
    if optimizer.warmup_steps > 0:
        eta *= tf.minimum(t / optimizer.warmup_steps, 1)
    return eta / _root_of_corrected(optimizer, state, t)


def _muon(optimizer, state, t, eta, theta):
    if "velocity" not in state:
        raise UnsupportedOptimizerError(
            "Muon moves this variable by a whole matrix, so no coordinate has an effective learning"
            " rate. Its accumulators can be read, and its update ratio measured: see "
            "tfadaopt.callbacks.UpdateRatio."
        )
    beta_1, beta_2 = optimizer.adam_beta_1, optimizer.adam_beta_2
    eta *= optimizer.adam_lr_ratio
    alpha = eta * tf.sqrt(1 - _power(beta_2, t)) / (1 - _power(beta_1, t))
    return alpha / (tf.sqrt(state["velocity"]) + optimizer.epsilon)


def no_rate(kind: type) -> UnsupportedOptimizerError:
    """The error for a class none of whose variables has a rate."""
    return UnsupportedOptimizerError(
        f"{kind.__name__} divides its step by the root mean square of the whole step, which only "
        "the gradient tells, so no effective learning rate can be read from its state. Its "
        "accumulators can be read, and its update ratio measured: see "
        "tfadaopt.callbacks.UpdateRatio."
    )


def _mean(slot: str, beta: str, power: int = 1):
    def source(optimizer, slots):
        kept = getattr(optimizer, beta)
        return GradientSource(slot, power, kept, 1 - kept)

    return source


def _sum_of_squares(optimizer, slots):
    return GradientSource("accumulator", 2, 1.0, 1.0)


def _in_momentum_of_sgd(optimizer, slots):
    if not optimizer.momentum:
        return None
    return GradientSource("momentum", 1, optimizer.momentum, None)  # η is inside the buffer


def _in_muon(optimizer, slots):
    if "velocity" in slots:
        return _first_moment_of_muon(optimizer, slots)
    return GradientSource("momentum", 1, optimizer.momentum, 1.0)


_first_moment = _mean("momentum", "beta_1")
_first_moment_of_muon = _mean("momentum", "adam_beta_1")

BUILT_INS: dict[type, BuiltIn] = {
    _keras.SGD: BuiltIn(_eta, _in_momentum_of_sgd),
    _keras.Adagrad: BuiltIn(_adagrad, _sum_of_squares),
    _keras.RMSprop: BuiltIn(_rmsprop, _mean("velocity", "rho", power=2)),
    _keras.Adadelta: BuiltIn(_adadelta, _mean("accumulated_grad", "rho", power=2)),
    _keras.AdamW: BuiltIn(_adam, _first_moment),
    _keras.Adam: BuiltIn(_adam, _first_moment),
    _keras.Adamax: BuiltIn(_adamax, _first_moment),
    _keras.Nadam: BuiltIn(_nadam, _first_moment),
    _keras.Adafactor: BuiltIn(None),
    _keras.Ftrl: BuiltIn(_ftrl, _sum_of_squares),
    _keras.Lion: BuiltIn(_eta, _mean("momentum", "beta_2")),
    _keras.Lamb: BuiltIn(_lamb, _first_moment, elementwise=False),
    compat.Muon: BuiltIn(_muon, _in_muon),
    compat.ScheduleFreeAdamW: BuiltIn(_schedule_free, _mean("velocity", "beta_2", power=2)),
}
