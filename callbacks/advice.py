"""What stops a layer, in words: the likely cause, and what to try."""

import math

# Methods whose rate can only fall, as they sum up squared gradients.
_SUMMING = ("Adagrad", "AdaGradNorm", "SM3", "MADGRAD")


def nan(quantity: str, value: float, exploded: bool) -> tuple[str, str]:
    """Cause and advice for a number that is none."""
    names = {"weight_norm": "the weights", "effective_learning_rate": "its effective learning rate"}
    what = names.get(quantity) or f"its {quantity.partition('/')[2]}"
    first = "infinity" if math.isinf(value) else "NaN"
    if exploded:
        return (
            f"{first} in {what}: its steps were larger than a tenth of its weights, and overflowed",
            "lower the learning rate tenfold, warm it up, or clip gradients (global_clipnorm=1.0)",
        )
    return (
        f"{first} in {what}: the loss or a gradient was not finite, though steps were small",
        "look for NaN in the data, log(0), √0 or 0/0 in the loss, and overflow in float16; "
        "keras.callbacks.TerminateOnNaN() stops there",
    )


def exploding(ratio: float, growth: float) -> tuple[str, str]:
    """Cause and advice for weights that run away."""
    if math.isnan(ratio):
        seen = (
            f"the weights have grown to {growth:.0f} times their first norm, and the loss with them"
        )
    else:
        seen = (
            f"each step moves the weights by {ratio:.0%} of their norm, and the loss does not fall"
        )
    return (
        f"{seen}: the learning rate is too large",
        "lower the learning rate tenfold, warm it up, or clip gradients (global_clipnorm=1.0)",
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
    summing = optimizer in _SUMMING
    if name == "dead":
        return (
            "gradient_norm",
            "no gradient arrives here: the units behind it may be dead (ReLU of negative inputs "
            "only), saturated, or cut off from the loss",
            "lower the learning rate or the bias; LeakyReLU or GELU instead of ReLU; check that "
            "the output of the layer is used",
        )
    if name == "below_resolution":
        return (
            "update_ratio",
            f"the update is smaller than the distance of neighbouring {dtype} numbers at these "
            "weights, and is lost in rounding",
            "keep the weights in float32 (keras.config.set_dtype_policy('mixed_bfloat16'))"
            if dtype in ("bfloat16", "float16")
            else "raise the learning rate",
        )
    if name == "saturated":
        return (
            "accumulator/accumulator",
            "the accumulator no longer changes: squared gradients are too small against what it "
            "has summed up (s + g² = s)",
            _instead_of_summing(optimizer),
        )
    if name == "behind":
        return (
            "update_ratio",
            "its steps are a millionth of its weights, a thousandth of what other layers do: the "
            "gradient vanishes on its way back",
            "ReLU or GELU instead of sigmoid or tanh, residual connections, batch or layer "
            "normalization, He initialization; or Adam, which sizes the steps of each layer",
        )
    if rate_fall > math.sqrt(fall) or (summing and not rate_fall < 2):
        return (
            "effective_learning_rate",
            f"its effective rate fell {rate_fall:.3g}-fold at equal η"
            + (": large early gradients stay in the accumulator" if summing else ""),
            _instead_of_summing(optimizer),
        )
    return (
        "update_norm",
        f"its update fell {fall:.3g}-fold at equal η, though the loss does not improve: the "
        "gradient has all but vanished, as on a plateau or behind saturated units",
        "a larger learning rate, another initialization, normalization before the activation",
    )


def _instead_of_summing(optimizer: str) -> str:
    name = optimizer or "the optimizer"
    return (
        f"warm the learning rate up or clip early gradients (global_clipnorm=1.0), restart {name} "
        "with a fresh accumulator, or use RMSprop or Adam, which forget"
    )
