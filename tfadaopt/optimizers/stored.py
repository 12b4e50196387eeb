"""Optimizer state in files: what is written beside the arrays, and what a file means to a reader.

Keras numbers the arrays of an optimizer. Which method they belong to, which slot of which variable
each is, stands in one more array, a JSON text. A file without it, of Keras' own optimizers or of
tfadaopt 0.1, is read by the number and the shapes of its arrays.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tfadaopt import compat
from tfadaopt.optimizers.held import Keeping

KEY = "tfadaopt"
VERSION = 1
ITERATION = ("iteration", None)
RATE = ("learning_rate", None)
SKIPPED = ("skipped_updates", None)
# Name of a piece of state, and position of the variable that it belongs to; None: of all.
Role: TypeAlias = tuple[str, int | None]
Array: TypeAlias = npt.NDArray[Any]


class Store(Protocol):
    """What Keras gives for the arrays of one optimizer in a file."""

    def keys(self) -> Iterable[str]: ...
    def __getitem__(self, key: str) -> Any: ...
    def __setitem__(self, key: str, value: Any) -> None: ...


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
        return int(first) if first.shape == () and first.dtype.kind in "iu" else 0

    def of_rate(self) -> Array | None:
        """The rate η, or None: the file has none, or does not say which array it is."""
        found = self.of_roles().get(RATE) if self.roles else self.arrays.get("1")
        return found if found is not None and found.shape == () else None

    def of_count(self, optimizer: Keeping) -> int:
        """Batches seen, as an optimizer counts them that accumulates otherwise."""
        return self.steps // self.per_update * (optimizer.gradient_accumulation_steps or 1)

    def of_roles(self) -> dict[Role, Array]:
        """The arrays by their roles."""
        return {role: self.arrays[str(i)] for i, role in enumerate(self.roles)}


def description(optimizer: Keeping, methods: Sequence[str]) -> Array:
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


def roles(optimizer: Keeping) -> list[Role]:
    """What each of the optimizer's variables is, in their order."""
    known = {id(variable): role for role, variable in compat.base_state(optimizer).items()}
    for kept in (optimizer.held.own, optimizer.held.shares):
        for index, slots in enumerate(kept):
            known |= {id(variable): (name, index) for name, variable in slots.items()}
    known |= {id(variable): (name, None) for name, variable in optimizer.held.shared.items()}
    known[id(optimizer.skipped_updates)] = SKIPPED
    found, times = [], Counter[str]()
    for v in optimizer.variables:
        times[v.name] += 1  # of a class of one's own, two may have one name
        own = f"own/{v.name}" + (f" {times[v.name]}" if times[v.name] > 1 else "")
        found.append(known.get(id(v), (own, None)))
    return found


def read(store: Store) -> Stored | None:
    """The state in a store of Keras, or None: there is none.

    Raises:
        ValueError: The arrays are no state, or their description is damaged.
    """
    arrays = {key: np.asarray(store[key]) for key in list(store.keys())}
    text = arrays.pop(KEY, None)
    if not arrays:
        return None
    try:
        found = Stored(arrays) if text is None else _described(arrays, text)
        _check(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"The optimizer's state in the file is damaged ({str(error)[:200]!r}). Load the model "
            "with compile=False, or its weights into a model that is not compiled."
        ) from error
    return found


def _described(arrays: Mapping[str, Array], text: Array) -> Stored:
    about = json.loads(np.asarray(text, np.uint8).tobytes())
    return Stored(
        arrays,
        text,
        tuple((name, index) for name, index in about["roles"]),
        tuple(about["methods"]),
        tuple(about["paths"]),
        tuple(map(tuple, about["shapes"])),
        about["per_update"],
    )


def _check(found: Stored) -> None:
    """Refuse what no optimizer has written, before anything is taken of it."""
    names = [*(name for name, _ in found.roles), *found.methods, *found.paths]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a name is no text")
    places = [index for _, index in found.roles if index is not None]
    sizes = [size for shape in found.shapes for size in shape]
    if not all(type(n) is int and n >= 0 for n in (*places, *sizes, found.per_update - 1)):
        raise TypeError("a place, a size or a number of batches is no count")
    if len(found.paths) != len(found.shapes) or len({*found.roles}) != len(found.roles):
        raise ValueError("there are other shapes than variables, or the same array twice")
    if missing := [i for i in range(len(found.roles)) if str(i) not in found.arrays]:
        raise ValueError(f"the array {missing[0]} is missing")
    if strange := [key for key, array in found.arrays.items() if array.dtype.kind in "OSUcmM"]:
        raise TypeError(f"the array {strange[0]} holds no real numbers")
    if not 0 <= found.steps < 2**62:
        raise ValueError(f"{found.steps} steps")
    rate = found.of_rate()
    if rate is not None and not 0 <= rate < np.inf:
        raise ValueError(f"a rate of {rate}")


def is_fresh(stored: Stored) -> bool:
    """Whether it is the state of an optimizer that has taken no step."""
    return stored.steps == 0
