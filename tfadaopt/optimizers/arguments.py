"""Checks of constructor arguments: bad values fail before training starts."""

import inspect
import itertools
import math
import numbers
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

# What float32 and int32 hold.
LARGEST = float(np.finfo(np.float32).max)
MOST = 2**31 - 1
# A group that is repeated and holds a repetition or an alternative, as in (a+)+ or (a|aa)*.
_EXPLOSIVE = re.compile(r"\((?:[^()\\]|\\.)*[*+}|](?:[^()\\]|\\.)*\)(?:[*+]|\{\d*,)")
_MOST_REPETITIONS = 6


def number(
    owner: str,
    name: str,
    value: object,
    *,
    at_least: float = -math.inf,
    above: float | None = None,
    below: float = math.inf,
    hint: str,
) -> float:
    """Return ``value`` as a float, or raise an error that says what is allowed.

    Args:
        owner: Class that the argument belongs to, for the message.
        name: Name of the argument.
        value: What was received: a Python or NumPy number (a 0-d array too).
        at_least: Smallest allowed value.
        above: Bound that the value must exceed (instead of ``at_least``).
        below: Bound that the value must not reach.
        hint: What to give instead, as the end of a sentence.

    Raises:
        TypeError: Not a real number.
        ValueError: Not finite, or out of range.
    """
    if isinstance(value, np.ndarray | np.generic) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(
            f"{owner}: {name} must be a number, but {value!r} ({type(value).__name__}) was "
            f"received; {hint}."
        )
    value = float(value)
    low, bracket = (at_least, "[") if above is None else (above, "(")
    too_low = value <= above if above is not None else value < at_least
    too_high = value >= below or value > LARGEST
    if not math.isfinite(value) or too_low or too_high:
        raise ValueError(
            f"{owner}: {name}={value} is not allowed; it must be in {bracket}{low:g}, "
            f"{min(below, LARGEST):g}): {hint}."
        )
    return value


def single(owner: str, name: str, value: object, *, hint: str, **bounds: float) -> float:
    """``number`` for what Keras keeps in float32: it must not be rounded to 0 there.

    Raises:
        TypeError: Not a real number.
        ValueError: Out of range, or 0 in float32 though it is not.
    """
    checked = number(owner, name, value, hint=hint, **bounds)
    if checked and not np.float32(checked):
        raise ValueError(
            f"{owner}: {name}={checked} is not allowed; it is 0 in float32, which it is kept in: "
            f"{hint}."
        )
    return checked


def share(owner: str, name: str, value: object, what: str) -> float:
    """Return a share kept per step, such as β₁, as a float in [0, 1).

    Args:
        owner: Class that the argument belongs to, for the message.
        name: Name of the argument.
        value: What was received.
        what: Of what a share is kept, with an example: "the running mean, such as 0.9".
    """
    hint = f"give the share that is kept per step of {what}"
    return number(owner, name, value, at_least=0.0, below=1.0, hint=hint)


def small(owner: str, value: object, example: str) -> float:
    """Return ε as a float ≥ 0, or raise an error that gives the example."""
    hint = f"give a small number ε, such as {example}"
    return number(owner, "epsilon", value, at_least=0.0, hint=hint)


def power(owner: str, name: str, value: object, what: str) -> float:
    """Return a power, such as that with which a rate falls, as a float ≤ 0.

    Args:
        owner: Class that the argument belongs to, for the message.
        name: Name of the argument.
        value: What was received.
        what: Of what it is a power, with an example: "a power of t, such as −0.8".

    Raises:
        TypeError: Not a real number.
        ValueError: Not finite, or above 0.
    """
    checked = number(owner, name, value, hint=f"give {what}")
    if checked > 0:
        raise ValueError(f"{owner}: {name}={checked} is not allowed; it is at most 0: give {what}.")
    return checked


def count(owner: str, name: str, value: object, *, at_least: int, hint: str) -> int:
    """Return ``value`` as an int, or raise an error that says what is allowed.

    Args:
        owner: Class that the argument belongs to, for the message.
        name: Name of the argument.
        value: What was received.
        at_least: Smallest allowed value.
        hint: What to give instead, as the end of a sentence.

    Raises:
        TypeError: Not a whole number.
        ValueError: Too small.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(
            f"{owner}: {name} must be a whole number, but {value!r} ({type(value).__name__}) was "
            f"received; {hint}."
        )
    value = int(value)
    if value < at_least or value > MOST:
        raise ValueError(
            f"{owner}: {name}={value} is not allowed; it must be at least {at_least}, and at most "
            f"{MOST}: {hint}."
        )
    return value


def boolean(owner: str, name: str, value: object) -> bool:
    """Return ``value`` as a bool, or raise ``TypeError``: a "False" read as true helps nobody."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{owner}: {name} must be True or False, but {value!r} was received.")
    return bool(value)


def choice(owner: str, name: str, value: Any, allowed: tuple[Any, ...], hint: str) -> Any:
    """Return ``value`` if it is one of those allowed, of the same type.

    Args:
        owner: Class that the argument belongs to, for the message.
        name: Name of the argument.
        value: What was received.
        allowed: What is allowed.
        hint: What one of them does, as the end of a sentence.

    Raises:
        ValueError: It is none of them.
    """
    value = bool(value) if isinstance(value, np.bool_) else value
    if not any(type(value) is type(x) and value == x for x in allowed):
        raise ValueError(
            f"{owner}: {name}={value!r} is not allowed; give {' or '.join(map(repr, allowed))}: "
            f"{hint}."
        )
    return value


def patterns(owner: str, name: str, value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return regular expressions (one, some or None) as a tuple.

    Raises:
        TypeError: One is no string.
        re.error: One is no regular expression.
        ValueError: A search for one could take for ever.
    """
    one = isinstance(value, str) or (value is not None and not isinstance(value, Iterable))
    found: tuple[Any, ...] = (value,) if one else tuple(value or ())
    for pattern in found:
        if not isinstance(pattern, str):
            raise TypeError(
                f"{owner}: {name} takes regular expressions, but {pattern!r} was received; give "
                "strings such as 'bias'."
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise re.error(
                f"{owner}: {name}={pattern!r} is no regular expression ({error}); it is searched "
                "in the paths of variables: give 'bias', or re.escape(text) for a text as it is."
            ) from error
        if _EXPLOSIVE.search(pattern) or len(re.findall(r"[*+]|,\}", pattern)) > _MOST_REPETITIONS:
            raise ValueError(
                f"{owner}: {name}={pattern!r} is not allowed: it repeats what repeats or branches "
                f"itself, or more than {_MOST_REPETITIONS} times, and the search could take for "
                "ever. Write the parts of the path that matter, such as 'bias' or 'norm.*/gamma'."
            )
    return found


def matching(found: Iterable[str], paths: Sequence[str]) -> set[int]:
    """Positions of the paths in which one of the regular expressions is found."""
    return {i for i, path in enumerate(paths) if any(re.search(x, path) for x in found)}


@cache
def argument_names(cls: type) -> tuple[str, ...]:
    """Names of a method's own arguments: those too that a subclass passes on as ``**kwargs``."""
    names: dict[str, None] = {}
    # What all methods have in common is no argument of this one.
    for owner in itertools.takewhile(lambda owner: not inspect.isabstract(owner), cls.__mro__):
        if "__init__" not in vars(owner):
            continue
        own = list(inspect.signature(vars(owner)["__init__"]).parameters.values())[1:]
        names |= dict.fromkeys(
            p.name for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        )
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return tuple(names)


def plain(value: Any) -> Any:
    """A configuration with NumPy's numbers as Python's, so that ``json.dumps`` takes it."""
    if isinstance(value, dict):
        return {key: plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [plain(x) for x in value] if isinstance(value, list) else tuple(map(plain, value))
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value
