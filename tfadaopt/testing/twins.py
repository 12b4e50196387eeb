"""The float64 twins of several arrays: one each, or one for all that needs all at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray]


class Twins:
    """Steps a list of arrays; what can be read of each is in lists, too.

    A twin has ``step(theta, g)``, which returns the new theta, and may say of its last step
    ``effective_learning_rate``, ``direction`` and ``accumulators`` (a dictionary of arrays by the
    name of the slot). One that is ``joint`` has ``step_all(thetas, gs)`` and lists of these.

    Args:
        make: Returns a fresh twin of one array, or of all.
        count: How many arrays there are.
    """

    def __init__(self, make: Callable[[], Any], count: int) -> None:
        one = make()
        self.joint = one if getattr(one, "joint", False) else None
        self.each = [] if self.joint else [make() for _ in range(count)]
        self._nothing = [None] * count

    def step(self, thetas: Arrays, gs: Arrays) -> list[np.ndarray]:
        """The arrays after a step."""
        if self.joint:
            return self.joint.step_all(thetas, gs)
        return [twin.step(theta, g) for twin, theta, g in zip(self.each, thetas, gs, strict=True)]

    @property
    def rates(self) -> list[np.ndarray | None]:
        """The effective rate of each in the last step; None where there is none."""
        return self._read("effective_learning_rate", "effective_learning_rates")

    @property
    def directions(self) -> list[np.ndarray | None]:
        """What that rate multiplied."""
        return self._read("direction", "directions")

    @property
    def accumulators(self) -> list[Mapping[str, np.ndarray] | None]:
        """State of each, by name."""
        return self._read("accumulators", "all_accumulators")

    def _read(self, of_one: str, of_all: str) -> list[Any]:
        if self.joint:
            return getattr(self.joint, of_all, self._nothing)
        return [getattr(twin, of_one, None) for twin in self.each]
