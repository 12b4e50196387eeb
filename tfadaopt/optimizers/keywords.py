"""Checks of the keywords that Keras' base class takes."""

import numbers
from collections.abc import Mapping
from typing import Any

from tfadaopt.optimizers.arguments import boolean, count, number, single

_CLIPS = {
    "clipnorm": "give the largest norm a gradient may have, or None for no clipping",
    "clipvalue": "give the largest magnitude a gradient may have, or None for no clipping",
    "global_clipnorm": "give the largest norm all gradients together may have, or None",
}
_KEYWORDS = (
    *("clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum"),
    *("ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps", "name"),
)


def keywords(owner: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords that Keras' base class takes, as plain numbers.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: One is out of range or unknown, or there are two clips.
    """
    unknown = sorted(given.keys() - {*_KEYWORDS, "decay"})
    if unknown:
        raise ValueError(
            f"{owner}: {', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not among its "
            f"arguments. Argument(s) not recognized; all methods take {', '.join(_KEYWORDS)}."
        )
    checked = dict(given)
    clips = {name: given[name] for name in _CLIPS if given.get(name) is not None}
    if len(clips) > 1:
        raise ValueError(
            f"{owner}: Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set, but "
            f"{', '.join(f'{name}={value!r}' for name, value in clips.items())} were received."
        )
    for name, value in clips.items():
        checked[name] = single(owner, name, value, above=0.0, hint=_CLIPS[name])
    if given.get("loss_scale_factor") is not None:
        hint = "give the factor by which the loss is multiplied, or None"
        factor = single(
            owner, "loss_scale_factor", given["loss_scale_factor"], above=0.0, hint=hint
        )
        checked["loss_scale_factor"] = factor
    if "use_ema" in given:
        checked["use_ema"] = boolean(owner, "use_ema", given["use_ema"])
    if "ema_momentum" in given:
        hint = "give the share of the average that is kept per step, such as 0.99"
        value = number(owner, "ema_momentum", given["ema_momentum"], at_least=0.0, hint=hint)
        if value > 1:
            raise ValueError(
                f"{owner}: ema_momentum={value} is not allowed; it must be in the range [0, 1]: "
                f"{hint}."
            )
        checked["ema_momentum"] = value
    counts = {
        "ema_overwrite_frequency": (1, "give updates between two replacements, or None"),
        "gradient_accumulation_steps": (2, "give the number of batches per update, or None"),
    }
    for name, (least, hint) in counts.items():
        if given.get(name) is not None:
            checked[name] = whole(owner, name, given[name], least, hint)
    own = given.get("name")
    if own is not None and not (isinstance(own, str) and own):
        raise TypeError(f"{owner}: name must be a text, but {own!r} was received.")
    return checked


def whole(owner: str, name: str, value: object, least: int, hint: str) -> int:
    """``count`` that calls a number of another type out of range, as Keras does."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or int(value) < least:
        raise ValueError(
            f"{owner}: {name}={value!r} is not allowed; it must be a whole number ≥ {least}: "
            f"{hint}."
        )
    return count(owner, name, value, at_least=least, hint=hint)
