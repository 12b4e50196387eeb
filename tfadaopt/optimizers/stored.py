"""Optimizer state in files: what is written beside the arrays, and what a file means to a reader.

Keras numbers the arrays of an optimizer. Which method they belong to, which slot of which variable
each is, stands in one more array, a JSON text. A file without it, of Keras' own optimizers or of
tfadaopt 0.1, is read by the number and the shapes of its arrays.
"""

import json
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
        return int(first) if first.shape == () else 0

    def of_rate(self) -> Array | None:
        """The rate η, or None: the file has none, or does not say which array it is."""
        if self.roles:
            return self.of_roles().get(RATE)
        second = self.arrays.get("1")
        return second if second is not None and second.shape == () else None

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
