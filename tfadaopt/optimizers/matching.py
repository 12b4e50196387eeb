"""Whether the state in a file fits an optimizer, and what a user should know where it does not."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from tfadaopt import compat
from tfadaopt.optimizers.held import Keeping
from tfadaopt.optimizers.stored import ITERATION, RATE, SKIPPED, Array, Role, Stored, roles

# What a file may lack or have too much of: it changes nothing of what a method has learned.
_OPTIONAL = {RATE, SKIPPED}
# What stands for a whole model, by the name of its role, and how to call it.
_BESIDE = {
    "average": "moving averages of the weights (use_ema)",
    "gradient_accumulator": "accumulated gradients (gradient_accumulation_steps)",
}


@dataclass
class Fit:
    """Whether stored state fits an optimizer.

    Attributes:
        values: What each piece of the optimizer's state becomes.
        reasons: Why it does not fit: then there are no values.
        remarks: What a user should know although it fits.
    """

    values: dict[Role, Array] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def fit(optimizer: Keeping, methods: Sequence[str], stored: Stored) -> Fit:
    """What becomes of the state of a built optimizer with that of a file.

    Args:
        optimizer: The optimizer.
        methods: Names of its method and of those it extends.
        stored: What the file holds.
    """
    mine = dict(zip(roles(optimizer), optimizer.variables, strict=True))
    if not stored.roles:
        return _fit_by_shapes(mine, stored)
    found = Fit()
    if not set(methods) & set(stored.methods):
        found.reasons.append(
            f"It is the state of {_method_in(stored.methods)}, and this is {_method_in(methods)}."
        )
        return found
    place = _places(optimizer, stored, found)
    theirs = {}
    for (name, index), array in stored.of_roles().items():
        at = index if index is None or index >= len(place) else place[index]
        theirs[name, at] = array
    if not found.reasons:
        _compare(mine, theirs, found)
    if found.reasons:
        return Fit(reasons=found.reasons)
    if (optimizer.gradient_accumulation_steps or 1) != stored.per_update:
        found.values[ITERATION] = np.asarray(stored.of_count(optimizer))
    return found


def said(optimizer: Keeping, found: Fit, step: int) -> str:
    """What a user reads of it; empty where there is nothing to say."""
    if not found.reasons:
        return " ".join([f"{optimizer.name}:", *found.remarks]) if found.remarks else ""
    then = (
        f"training goes on with the state that it has (step {step})"
        if step
        else "training starts with fresh state"
    )
    return (
        f"{optimizer.name}: the optimizer state in the file was not taken; {then}. "
        f"{' '.join(found.reasons)} To go on from the file, compile the model with the optimizer "
        "that was saved, with the same layers trainable, before loading."
    )


def _fit_by_shapes(mine: Mapping[Role, keras.Variable], stored: Stored) -> Fit:
    """The state of a file that does not say what its arrays are."""
    for expected in (mine, {role: v for role, v in mine.items() if role != SKIPPED}):
        keys = [str(i) for i in range(len(expected))]
        theirs = [stored.arrays[key] for key in keys if key in stored.arrays]
        if len(stored.arrays) == len(theirs) and [x.shape for x in theirs] == [
            tuple(v.shape) for v in expected.values()
        ]:
            found = Fit(dict(zip(expected, theirs, strict=True)))
            if any(index is not None for _, index in expected):
                found.remarks.append(
                    "The file does not say which method its optimizer state is of, as it was "
                    "written by Keras' own optimizer or by tfadaopt 0.1. It was taken, as the "
                    "number and the shapes of its arrays fit; if another method wrote it, "
                    "compile the model anew with a new optimizer."
                )
            return found
    return Fit(
        reasons=[
            f"The file has {len(stored.arrays)} arrays, and this optimizer {len(mine)}, or of "
            "other shapes: the model that was saved had other trainable variables or another "
            "optimizer."
        ]
    )


def _places(optimizer: Keeping, stored: Stored, found: Fit) -> list[int]:
    """Where each variable of the file stands among those of the optimizer."""
    variables = compat.variables_of(optimizer)
    paths = [compat.path_of(v) for v in variables]
    shapes = [tuple(v.shape) for v in variables]
    mine, theirs = _names(paths), _names(stored.paths)
    if set(mine) == set(theirs) and len(set(mine)) == len(mine) == len(theirs):
        place = [mine.index(name) for name in theirs]
    else:
        place = list(range(len(theirs)))
        moved = any(mine.index(name) != theirs.index(name) for name in set(mine) & set(theirs))
        if moved or len(mine) != len(theirs):
            found.reasons.append(
                f"It is of {len(theirs)} trainable variables ({_some(stored.paths)}), and this "
                f"optimizer has {len(mine)} ({_some(paths)}): other layers are frozen, or it is "
                "another model."
            )
            return place
        renamed = [
            f"{old} is {new}"
            for old, new in zip(stored.paths, paths, strict=True)
            if _without_numbers(old) != _without_numbers(new)
        ]
        if renamed:
            found.remarks.append(
                "The optimizer state of the file was taken in the order of the variables, as "
                f"their names differ ({_some(renamed)}). If they are not the same layers, compile "
                "the model anew with a new optimizer."
            )
    wrong = [
        f"{path} {theirs} and {shapes[at]}"
        for path, theirs, at in zip(stored.paths, stored.shapes, place, strict=True)
        if theirs != shapes[at]
    ]
    if wrong:
        found.reasons.append(f"Shapes differ: {_some(wrong)}.")
    return place


def _compare(mine: Mapping[Role, keras.Variable], theirs: Mapping[Role, Array], found: Fit) -> None:
    missing: dict[str, None] = {}
    extra: dict[str, None] = {}
    for role in dict.fromkeys([*mine, *theirs]):
        if role in _OPTIONAL or role[0].endswith("_share"):  # which is found anew in each update
            continue
        if role not in theirs:
            missing[role[0]] = None
        elif role not in mine:
            extra[role[0]] = None
    missing.pop("gradient_accumulator", None)  # Gradients of an unfinished update are all of it.
    if missing:
        found.reasons.append(f"It lacks {_named(missing)}.")
    dropped = [name for name in extra if name in _BESIDE]
    others = [name for name in extra if name not in _BESIDE]
    if others:
        found.reasons.append(f"It has {_named(others)}, which this optimizer does not keep.")
    if dropped:
        found.remarks.append(
            f"The file has {_named(dropped)}, which this optimizer does not keep: they were "
            "dropped, the rest of the state was taken."
        )
    wrong, dtypes = [], {}
    for role in mine.keys() & theirs.keys():
        variable, array = mine[role], theirs[role]
        if tuple(variable.shape) != array.shape:
            wrong.append(f"{role[0]} {array.shape} and {tuple(variable.shape)}")
        own = keras.backend.standardize_dtype(variable.dtype)
        if role[1] is not None and own != array.dtype.name:
            dtypes[array.dtype.name, own] = role[0]
    if wrong and not found.reasons:
        found.reasons.append(f"Shapes of the state differ: {_some(sorted(wrong))}.")
    for old, new in dtypes:
        found.remarks.append(
            f"The optimizer state of the file is {old} and goes on as {new}"
            + (": it was rounded." if (old, new) == ("float64", "float32") else ".")
        )
    found.values = {role: theirs[role] for role in mine if role in theirs}


def _names(paths: Sequence[str]) -> list[str]:
    """Layer and variable of each path: paths of a loaded model are shorter than they were."""
    short = ["/".join(path.split("/")[-2:]) for path in paths]
    return short if len(set(short)) == len(short) else list(paths)


def _without_numbers(path: str) -> str:
    """Layer and variable without the number by which Keras tells layers of one class apart."""
    return "/".join(re.sub(r"_\d+$", "", part) for part in path.split("/")[-2:])


def _method_in(methods: Sequence[str]) -> str:
    return methods[0] if methods else "an unknown method"


def _named(names: Iterable[str]) -> str:
    return ", ".join(_BESIDE.get(name, name) for name in names)


def _some(texts: Sequence[str], most: int = 4) -> str:
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")
