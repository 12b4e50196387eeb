"""When to take a snapshot."""

import numbers
from dataclasses import dataclass


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

    def __post_init__(self):
        if not isinstance(self.interval, numbers.Integral) or isinstance(self.interval, bool):
            raise TypeError(
                f"every must be a whole number of steps, but {self.interval!r} "
                f"({type(self.interval).__name__}) was received; give 10, for example."
            )
        if self.interval < 1:
            raise ValueError(
                f"every={self.interval} is not allowed; it must be at least 1: the number of "
                "optimizer iterations from one snapshot to the next, such as 10."
            )

    def next_after(self, step: int) -> int:
        """First step after ``step`` that is due."""
        return (step // self.interval + 1) * self.interval
