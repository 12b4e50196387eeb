"""What stops a layer, in words: the likely cause, and what to try."""

import math

# Methods whose rate can only fall, as they sum up squared gradients.
_SUMMING = ("Adagrad", "AdaGradNorm", "SM3", "MADGRAD", "Ftrl")
_HALF = ("bfloat16", "float16")
_SMALLER_STEPS = (
    "Lower the learning rate tenfold, warm it up, or clip gradients (global_clipnorm=1.0)."
)


def nan(quantity: str, value: float, exploded: bool) -> tuple[str, str]:
    """Cause and advice for a number that is none.

    Args:
        quantity: Where it was seen.
        value: NaN or infinity.
        exploded: Whether the steps before were large.
    """
    names = {"weight_norm": "the weights", "effective_learning_rate": "its effective learning rate"}
    what = names.get(quantity) or f"its {quantity.partition('/')[2]}"
    first = f"{'Infinity' if math.isinf(value) else 'NaN'} in {what}"
    if exploded:
        return f"{first}: a step moved it by more than a tenth, and it overflowed.", _SMALLER_STEPS
    return (
        f"{first}: the loss or a gradient was not finite.",
        "Look for NaN in the data, for log(0), √0 and 0/0 in the loss, and for overflow in "
        "float16; if the loss grew before, lower the learning rate.",
    )


def left_out(count: int) -> tuple[str, str]:
    """Cause and advice for gradients that the optimizer left out, so many so far."""
    return (
        f"The gradient was NaN, infinite or too large in {count} "
        f"{'step' if count == 1 else 'steps'}, and the optimizer left the update out "
        "(nonfinite='skip').",
        "Look for NaN in the data, for log(0), √0 and 0/0 in the loss and its derivative; if the "
        "loss grew before, lower the learning rate or clip gradients (global_clipnorm=1.0).",
    )


def exploding(ratio: float, growth: float) -> tuple[str, str]:
    """Cause and advice for weights that run away.

    Args:
        ratio: ‖Δθ‖/‖θ‖ where that shows it, or NaN.
        growth: ‖θ‖ to that of the start.
    """
    seen = (
        f"The weights have grown to {growth:.0f} times their first norm"
        if math.isnan(ratio)
        else f"Each step moves the weights by {ratio:.0%} of their norm"
    )
    return (
        f"{seen}, and the loss is higher than at first: the learning rate is too large.",
        _SMALLER_STEPS,
    )


def stopped(
    name: str, optimizer: str, dtype: str, fall: float, rate_fall: float
) -> tuple[str, str, str]:
    """Quantity that shows it, cause and advice for a layer that does not move.

    Args:
        name: Which of the detector's conditions holds.
        optimizer: Name of the class.
        dtype: Type of the weights.
        fall: How much smaller the update is than its largest was, at equal η.
        rate_fall: How much smaller the effective rate is than it was then, at equal η.
    """
    if name == "dead":
        return (
            "update_norm",
            "No gradient arrives here: the units behind it may be dead (ReLU whose inputs are all "
            "negative), saturated, or cut off from the loss; or the loss is not finite.",
            "Lower the learning rate or start anew with smaller weights and biases; use LeakyReLU "
            "or GELU instead of ReLU; check that the output of the layer is used.",
        )
    if name == "skipped":
        return (
            "update_norm",
            "Neither its weights nor its momentum change: its gradient is NaN or infinite in each "
            "step, and the optimizer leaves it out (nonfinite='skip').",
            "Look for NaN in the data, for log(0), √0 and 0/0 in the loss and its derivative.",
        )
    if name == "below_resolution":
        return (
            "update_ratio",
            f"The update is smaller than half the distance of neighbouring {dtype} numbers at "
            "these weights, and is lost in rounding.",
            "Keep the weights in float32: keras.config.set_dtype_policy('mixed_bfloat16')."
            if dtype in _HALF
            else "Raise the learning rate.",
        )
    if name == "saturated":
        return (
            "accumulator/accumulator",
            "The accumulator no longer changes: new squared gradients are too small against what "
            "it has summed up (s + g² = s).",
            _instead_of_summing(optimizer),
        )
    if name == "behind":
        return (
            "update_ratio",
            "Its steps are below a millionth of its weights and a thousandth of what another layer "
            "does: the gradient vanishes on its way back.",
            "Use ReLU or GELU instead of sigmoid or tanh, residual connections, batch or layer "
            "normalization, He initialization; or Adam, which sizes the steps of each layer.",
        )
    if optimizer in _SUMMING:
        return (
            "effective_learning_rate",
            f"Its update fell {fall:.3g}-fold more than {optimizer}'s 1/√t explains: large early "
            "gradients stay in the accumulator and keep the effective rate small.",
            _instead_of_summing(optimizer),
        )
    if rate_fall > math.sqrt(fall):
        return (
            "effective_learning_rate",
            f"Its effective rate fell {rate_fall:.3g}-fold at equal η: recent gradients are small "
            "against what the accumulator remembers.",
            "Warm the learning rate up, clip gradients (global_clipnorm=1.0), or let the "
            "accumulator forget sooner (a smaller rho or beta_2).",
        )
    return (
        "update_norm",
        f"Its update fell {fall:.3g}-fold at equal η, and the loss does not improve: the gradient "
        "has all but vanished, as on a plateau or behind saturated units.",
        "Try a larger learning rate, another initialization, normalization before the activation; "
        "if the loss is as low as it can be, the run has converged.",
    )


def _instead_of_summing(optimizer: str) -> str:
    return (
        "Warm the learning rate up or clip early gradients (global_clipnorm=1.0); start "
        f"{optimizer or 'the optimizer'} anew, with a fresh accumulator; or use RMSprop or Adam, "
        "which forget."
    )
