"""What stops a layer, in words: the cause as far as it is known, and what to try."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tfadaopt.callbacks.marks import Layer

_HALF = ("bfloat16", "float16")
_SMALLER_STEPS = (
    "Lower the learning rate tenfold, warm it up, or clip gradients (global_clipnorm=1.0)."
)
_LOOK_FOR_NAN = (
    "Look for NaN in the data, for log(0), √0 and 0/0 in the loss and its derivative, and for "
    "overflow in float16."
)


@dataclass(frozen=True)
class Case:
    """A layer in a state.

    Args:
        state: One of ``symptoms.STATES``.
        layer: What is known of it.
        path: Its path.
        symptoms: The numbers that explain the state.
        alone: Whether no other layer is in the same state.
    """

    state: str
    layer: Layer
    path: str
    symptoms: Mapping[str, float]
    alone: bool


def nan(quantity: str, value: float, rose: bool) -> tuple[str, str]:
    """Cause and advice for a number that is none.

    Args:
        quantity: Where it was seen first.
        value: NaN or infinity.
        rose: Whether the loss or the steps before were large.
    """
    names = {
        "weight_norm": "the weights",
        "update_ratio": "the weights",
        "effective_learning_rate": "its effective learning rate",
        "moving statistics": "its moving statistics: inputs of the layer were not finite",
        "loss": "the loss",
    }
    what = names.get(quantity) or f"its {quantity.partition('/')[2]}"
    first = f"{'Infinity' if math.isinf(value) else 'NaN'} in {what}"
    if rose:
        return f"{first}: the steps were too large, and it overflowed.", _SMALLER_STEPS
    if quantity == "moving statistics":
        return f"{first}.", f"{_LOOK_FOR_NAN} Make the layer anew: its statistics stay NaN."
    if quantity == "loss":
        return f"{first}; the weights are finite so far.", _LOOK_FOR_NAN
    return f"{first}: the loss or a gradient was not finite.", _LOOK_FOR_NAN


def left_out(count: int, rose: bool) -> tuple[str, str]:
    """Cause and advice for gradients that the optimizer left out, so many so far."""
    cause = (
        f"The gradient was NaN, infinite or too large in {count} "
        f"{'step' if count == 1 else 'steps'}, and the optimizer left the update out "
        "(nonfinite='skip')."
    )
    if rose:
        return f"{cause} The loss had risen before.", _SMALLER_STEPS
    return cause, _LOOK_FOR_NAN


def stopped(case: Case) -> tuple[str, str, str]:
    """Quantity that shows a state, its cause, and what to try."""
    return _OF_STATE[case.state](case)


def _exploding(case: Case) -> tuple[str, str, str]:
    return (
        "weight_norm",
        f"The weights of {case.path} have grown to {case.symptoms['growth']:.3g} times what they "
        "were, and the loss is no better for it: the learning rate is too large.",
        _SMALLER_STEPS,
    )


def _dead(case: Case) -> tuple[str, str, str]:
    if case.layer.underflows:
        return (
            "update_norm",
            "No gradient arrives here: it is computed in float16, where less than 6e-8 is 0, and "
            "the loss is not scaled.",
            "Scale the loss: wrap the optimizer in keras.optimizers.LossScaleOptimizer, or compile "
            "with auto_scale_loss=True; or use mixed_bfloat16, which does without.",
        )
    return (
        "update_norm",
        f"No gradient arrives at {case.path}: the units behind it may be dead (ReLU whose inputs "
        "are all negative) or saturated, or it is cut off from the loss."
        + ("" if case.alone else " The others follow from that."),
        "Lower the learning rate, or start anew with smaller weights and biases; use LeakyReLU or "
        "GELU instead of ReLU; check that the output of the layer is used.",
    )


def _saturated(case: Case) -> tuple[str, str, str]:
    return (
        f"accumulator/{case.layer.slot}",
        "The accumulator no longer changes: new squared gradients are too small against what it "
        "has summed up (s + g² = s).",
        _instead_of_summing(case.layer.optimizer),
    )


def _below_resolution(case: Case) -> tuple[str, str, str]:
    dtype = case.layer.dtype
    cause = (
        f"The update is smaller than half the distance of neighbouring {dtype} numbers at these "
        "weights, and is lost in rounding."
    )
    if dtype in _HALF:
        return (
            "update_ratio",
            cause,
            "Keep the weights in float32: keras.config.set_dtype_policy('mixed_bfloat16').",
        )
    return "update_ratio", cause, "Raise the learning rate."


def _decayed(case: Case) -> tuple[str, str, str]:
    decay = case.layer.weight_decay
    return (
        "weight_norm",
        f"Weight decay (λ = {decay:g}) is stronger than the gradient: the weights have shrunk to "
        f"{case.symptoms['shrunk']:.2g} of their largest norm, and the loss does not improve.",
        f"Lower weight_decay: η λ = {case.symptoms['eta'] * decay:.2g} is the part of the weights "
        "that it takes in each step.",
    )


def _remembering(case: Case) -> tuple[str, str, str]:
    name = case.layer.optimizer or "the optimizer"
    return (
        "effective_learning_rate",
        f"Its steps are {1 / case.symptoms['memory']:.3g} times smaller than those of {name} with "
        "gradients of the present size: large early gradients, or a large initial value, stay in "
        "the accumulator and keep the effective rate small.",
        _instead_of_summing(name),
    )


def _vanishing(case: Case) -> tuple[str, str, str]:
    return (
        "gradient_norm",
        "The gradient vanishes on its way back: to the loss, these weights matter less than a "
        "ten-thousandth of what those of other layers do, and nothing is learned.",
        "Use ReLU or GELU instead of sigmoid or tanh, residual connections, batch or layer "
        "normalization, and He or Glorot initialization.",
    )


def _slow(case: Case) -> tuple[str, str, str]:
    return (
        "update_ratio",
        "Since the start, each step moves the weights by less than a millionth of their norm "
        f"({case.symptoms['ratio']:.1g}), though there is a gradient: the learning rate is too "
        "small.",
        "Raise the learning rate.",
    )


def _instead_of_summing(optimizer: str) -> str:
    return (
        "Warm the learning rate up or clip early gradients (global_clipnorm=1.0); start "
        f"{optimizer or 'the optimizer'} anew, with a fresh accumulator; or use RMSprop or Adam, "
        "which forget."
    )


_OF_STATE = {
    "exploding": _exploding,
    "dead": _dead,
    "saturated": _saturated,
    "below_resolution": _below_resolution,
    "decayed": _decayed,
    "remembering": _remembering,
    "vanishing": _vanishing,
    "slow": _slow,
}
