"""Optimizer state in files: what is written beside the arrays, and what a file means to a reader.

Keras numbers the arrays of an optimizer. Which method they belong to, which slot of which variable
each is, stands in one more array, a JSON text. A file without it, of Keras' own optimizers or of
tfadaopt 0.1, is read by the number and the shapes of its arrays.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from tfadaopt import compat
from tfadaopt.optimizers.rule import Slot

KEY = "tfadaopt"
VERSION = 1
ITERATION = ("iteration", None)
RATE = ("learning_rate", None)
SKIPPED = ("skipped_updates", None)
# What a file may lack or have too much of: it changes nothing of what a method has learned.
_OPTIONAL = {RATE, SKIPPED}
# What stands for a whole model, by the name of its role, and how to call it.
_BESIDE = {
    "average": "moving averages of the weights (use_ema)",
    "gradient_accumulator": "accumulated gradients (gradient_accumulation_steps)",
}

# Name of a piece of state, and position of the variable that it belongs to; None: of all.
Role: TypeAlias = tuple[str, int | None]
Array: TypeAlias = npt.NDArray[Any]


class Store(Protocol):
    """What Keras gives for the arrays of one optimizer in a file."""

    def keys(self) -> Iterable[str]: ...
    def __getitem__(self, key: str) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...


class Stateful(Protocol):
    """An optimizer of tfadaopt, as far as its state goes."""

    name: str
    built: bool
    gradient_accumulation_steps: int | None
    skipped_updates: keras.Variable | None

    @property
    def variables(self) -> list[keras.Variable]: ...
    def slots(self, shape: tuple[int, ...]) -> Mapping[str, float | Slot]: ...
    def shared(self) -> Mapping[str, float]: ...
    def own_slots(self) -> list[dict[str, keras.Variable]]: ...
    def numbers(self) -> dict[str, keras.Variable]: ...


@dataclass(frozen=True)
class Stored:
    """The state of an optimizer as a file has it.

    Attributes:
        arrays: Arrays by their keys in the file.
        about: The description as it is in the file, or None: there is none.
        roles: What each of them is, in order; empty where the file does not say.
        methods: Names of the method and of those it extends; empty where the file does not say.
        paths: Paths of the variables that the optimizer was built for.
        shapes: Their shapes.
        per_update: Batches per update (``gradient_accumulation_steps``, or 1).
    """

    arrays: Mapping[str, Array]
    about: Array | None = None
    roles: tuple[Role, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    per_update: int = 1

    @property
    def steps(self) -> int:
        """Batches that the optimizer had seen."""
        first = np.asarray(self.arrays.get("0", 0))
        return int(first) if first.shape == () else 0

    def of_rate(self) -> Array | None:
        """The rate η, or None: the file has none, or does not say which array it is."""
        if self.roles:
            return self.of_roles().get(RATE)
        second = self.arrays.get("1")
        return second if second is not None and second.shape == () else None

    def of_count(self, optimizer: Stateful) -> int:
        """Batches seen, as an optimizer counts them that accumulates otherwise."""
        return self.steps // self.per_update * (optimizer.gradient_accumulation_steps or 1)

    def of_roles(self) -> dict[Role, Array]:
        """The arrays by their roles."""
        return {role: self.arrays[str(i)] for i, role in enumerate(self.roles)}


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


def description(optimizer: Stateful, methods: Sequence[str]) -> Array:
    """What the arrays of an optimizer are, as the bytes of a JSON text."""
    variables = compat.variables_of(optimizer) if optimizer.built else []
    about = {
        "version": VERSION,
        "methods": list(methods),
        "roles": [list(role) for role in roles(optimizer)],
        "paths": [compat.path_of(v) for v in variables],
        "shapes": [list(v.shape) for v in variables],
        "per_update": optimizer.gradient_accumulation_steps or 1,
    }
    return np.frombuffer(json.dumps(about).encode(), np.uint8)


def roles(optimizer: Stateful) -> list[Role]:
    """What each of the optimizer's variables is, in their order."""
    known = {id(variable): role for role, variable in compat.base_state(optimizer).items()}
    for index, slots in enumerate(optimizer.own_slots()):
        known |= {id(variable): (name, index) for name, variable in slots.items()}
    known |= {id(variable): (name, None) for name, variable in optimizer.numbers().items()}
    known[id(optimizer.skipped_updates)] = SKIPPED
    return [known.get(id(v), (f"own/{v.name}", None)) for v in optimizer.variables]


def read(store: Store) -> Stored | None:
    """The state in a store of Keras, or None: there is none.

    Raises:
        ValueError: The description is damaged.
    """
    arrays = {key: np.asarray(store[key]) for key in list(store.keys())}
    text = arrays.pop(KEY, None)
    if not arrays:
        return None
    if text is None:
        return Stored(arrays)
    try:
        about = json.loads(np.asarray(text, np.uint8).tobytes())
        return Stored(
            arrays,
            text,
            tuple((str(name), index) for name, index in about["roles"]),
            tuple(about["methods"]),
            tuple(about["paths"]),
            tuple(map(tuple, about["shapes"])),
            int(about["per_update"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The description of the optimizer's state is damaged ({error!r}). Load the model "
            "with compile=False, or its weights into a model that is not compiled."
        ) from error


def is_fresh(stored: Stored) -> bool:
    """Whether it is the state of an optimizer that has taken no step."""
    return stored.steps == 0


def fit(optimizer: Stateful, methods: Sequence[str], stored: Stored) -> Fit:
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


def said(optimizer: Stateful, found: Fit, step: int) -> str:
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


def _places(optimizer: Stateful, stored: Stored, found: Fit) -> list[int]:
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
        if role not in theirs and role not in _OPTIONAL:
            missing[role[0]] = None
        elif role not in mine and role not in _OPTIONAL:
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
