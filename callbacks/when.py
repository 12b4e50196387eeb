"""When to take a snapshot: schedules of optimizer steps."""

import math
import numbers
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_REACH = 1_000_000


class When(Protocol):
    """A schedule: which steps are due."""

    def next_after(self, step: int) -> int:
        """First step after ``step`` that is due."""
        ...


@dataclass(frozen=True)
class Every:
    """Each step that is a multiple of ``interval``.

    Args:
        interval: Optimizer iterations between two snapshots, ≥ 1.

    Raises:
        TypeError: Not a whole number.
        ValueError: Below 1.
    """

    interval: int

    def __post_init__(self) -> None:
        if not isinstance(self.interval, numbers.Integral) or isinstance(self.interval, bool):
            raise TypeError(
                f"every must be a whole number of steps, but {self.interval!r} "
                f"({type(self.interval).__name__}) was received; give 10, for example, "
                "tfadaopt.callbacks.LogSpaced() or a function of the step that returns a bool."
            )
        object.__setattr__(self, "interval", int(self.interval))
        if self.interval < 1:
            raise ValueError(
                f"every={self.interval} is not allowed; it must be at least 1: the number of "
                "optimizer iterations from one snapshot to the next, such as 10."
            )

    def next_after(self, step: int) -> int:
        """First step after ``step`` that is due."""
        return (step // self.interval + 1) * self.interval


@dataclass(frozen=True)
class LogSpaced:
    """Steps at equal distances of their logarithm: dense early, sparse late, without an end.

    Args:
        per_decade: Steps from n to 10 n, ≥ 1. Early, where they would be less than one apart, each
            step is due. Default 30.

    Raises:
        TypeError: Not a number.
        ValueError: Below 1.

    Example:
        >>> from tfadaopt.callbacks import LogSpaced
        >>> schedule, step, due = LogSpaced(per_decade=4), 0, []
        >>> while len(due) < 9:
        ...     step = schedule.next_after(step)
        ...     due.append(step)
        >>> due
        [1, 2, 3, 6, 10, 18, 32, 56, 100]
    """

    per_decade: float = 30

    def __post_init__(self) -> None:
        if not isinstance(self.per_decade, numbers.Real) or isinstance(self.per_decade, bool):
            raise TypeError(
                f"per_decade must be a number, but {self.per_decade!r} "
                f"({type(self.per_decade).__name__}) was received; give 30, for example."
            )
        if not self.per_decade >= 1 or math.isinf(self.per_decade):
            raise ValueError(
                f"per_decade={self.per_decade} is not allowed; it must be at least 1: the number "
                "of snapshots from step 100 to step 1000, for example."
            )

    def next_after(self, step: int) -> int:
        """First step after ``step`` that is due."""
        if step < 1:
            return 1
        number = math.floor(self.per_decade * math.log10(step) - 1)
        while self._at(number) <= step:
            number += 1
        return self._at(number)

    def _at(self, number: int) -> int:
        return round(10 ** (number / self.per_decade))


@dataclass(frozen=True)
class Chosen:
    """Steps for which a function says so; it is asked about each step once, before it is due.

    Args:
        is_due: Function of the step that returns a bool.
    """

    is_due: Callable[[int], bool]

    def next_after(self, step: int) -> int:
        """First step after ``step`` that is due; of a million, or it is taken that none is."""
        return next((s for s in range(step + 1, step + _REACH) if self.is_due(s)), sys.maxsize)


def schedule(every: int | When | Callable[[int], bool]) -> When:
    """A schedule of what users give as ``every``.

    Raises:
        TypeError: It is neither a number, nor a schedule, nor a function.
        ValueError: A number below 1.
    """
    if hasattr(every, "next_after"):
        return every
    if callable(every):
        return Chosen(every)
    return Every(every)
