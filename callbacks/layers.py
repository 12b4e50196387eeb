"""The variables that are watched, by their paths, and what it is to measure something of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tfadaopt import compat, effective
from tfadaopt.callbacks.measure import Series
from tfadaopt.compat import Variable
from tfadaopt.lookahead import Lookahead


@dataclass(frozen=True)
class Layer:
    """A variable that is trained.

    Attributes:
        path: Its path, with a number where two have the same.
        variable: The variable itself.
        optimizer: What holds its state: one of ``effective.leaves``.
    """

    path: str
    variable: Variable
    optimizer: keras.optimizers.Optimizer


@dataclass(frozen=True)
class View:
    """What there is to be measured.

    Attributes:
        layers: Variables that are trained.
        steps_per_execution: Steps between two looks of a callback.
        lookaheads: What pulls the weights back every few updates, around the optimizers.
        model: What is trained, or what stands for it.
    """

    layers: tuple[Layer, ...]
    steps_per_execution: int = 1
    lookaheads: tuple[Lookahead, ...] = ()
    model: Any = None


# What is compared decides whether a traced snapshot is used again: frozen dataclasses.
Quantity = Callable[[View], list[Series]]


def paths_of(variables: Sequence) -> list[str]:
    """Path of each variable, with a number where two have the same."""
    seen: Counter[str] = Counter()
    names = []
    for path in map(compat.path_of, variables):
        seen[path] += 1
        names.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return names


def layers_of(optimizer, variables: Sequence, names: Sequence[str]) -> list[Layer]:
    """The layers of variables, by their names, that an optimizer, or one in it, was built for."""
    found = []
    for name, variable in zip(names, variables, strict=True):
        for leaf in effective.leaves(optimizer):
            if leaf.built and compat.index_of(leaf, variable) is not None:
                found.append(Layer(name, variable, leaf))
                break
    return found
