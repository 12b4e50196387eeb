"""Which variables get no gradient, as the state of their optimizer shows."""

from collections import deque

import numpy as np

from tfadaopt.callbacks.seen import Columns, Seen

# A slot is this close to what is left of the old one, by its own decay: nothing was added.
_SAME = 1e-3
_SAME_IN_HALF = 2e-2
# Parts of what it was, and of the largest ever, below which a momentum is that of no gradient: one
# huge gradient, too, leaves a momentum that fades by nothing but its decay.
_FADED, _GONE = 0.1, 1e-7
_ZERO = 1e-35
# Spacings by which the last step must have moved the weights: steps that became smaller and smaller
# until rounding kept none are those of a run that has converged.
_AT_ONCE = 16
# Looks before a momentum began to fade, of which the smallest is what it was.
_USUAL = 3


class Stillness:
    """Finds variables without gradient; of the looks so far.

    A momentum fades by its own decay, and by nothing else, whatever weight decay does to the
    weights. A sum of squares stays the same. Without either, the weights stay as they are.

    Args:
        columns: What is known of the variables.
    """

    def __init__(self, columns: Columns):
        self._columns = columns
        self._before: Seen | None = None
        self._usual: deque[np.ndarray] = deque(maxlen=_USUAL)
        self._most = np.zeros(len(columns.paths))
        self._last_ratio = np.full(len(columns.paths), np.inf)

    def keep(self, seen: Seen) -> None:
        """Take in a look at variables that get gradients."""
        self._before = seen
        self._most = np.fmax(self._most, seen.gathered)
        self._usual.append(seen.gathered)
        self._last_ratio = np.where(seen.ratio > 0, seen.ratio, self._last_ratio)

    def find(self, seen: Seen, rounded: bool, shrunk: np.ndarray) -> np.ndarray:
        """Take in a look; return which variables have had no gradient since the last.

        Args:
            seen: Numbers of the look.
            rounded: Whether steps of others are so small that rounding may have lost some.
            shrunk: Variables that weight decay has made small: it may outdo their gradient.
        """
        of, before = self._columns, self._before
        self._before = seen
        unmoved = (seen.update == 0) & (seen.eta != 0)
        if before is None:
            self._most = np.fmax(self._most, seen.gathered)
            self._usual.append(seen.gathered)
            self._last_ratio = np.where(seen.ratio > 0, seen.ratio, self._last_ratio)
            begun = np.where(of.power == 1, seen.gathered == 0, unmoved)
            return begun & ~((of.power == 0) & rounded)
        unmoved &= (seen.weight == before.weight) | np.isnan(seen.weight + before.weight)
        decays = of.decay * seen.eta
        by_decay = (decays > 0) & (np.abs(seen.ratio - decays) <= _SAME * decays)
        unmoved |= by_decay & ~shrunk
        moves = (seen.ratio > 0) & ~by_decay
        self._last_ratio = np.where(moves, seen.ratio, self._last_ratio)
        unmoved &= ~(self._last_ratio < _AT_ONCE * of.spacing)
        added_nothing, fades = self._fades(seen, before)
        still = np.where(of.power == 1, fades, added_nothing & unmoved)
        still = np.where(of.power == 0, unmoved & (not rounded), still)
        # An optimizer that took no step says nothing.
        return still & (seen.done > before.done)

    def _fades(self, seen: Seen, before: Seen) -> tuple[np.ndarray, np.ndarray]:
        """Whether a slot got nothing new, and whether it has faded."""
        of, now = self._columns, seen.gathered
        left = before.gathered * of.kept ** (seen.done - before.done)
        same = np.where(of.is_half, _SAME_IN_HALF, _SAME)
        nothing = np.abs(now - left) <= same * np.maximum(before.gathered - left, 0) + _ZERO
        nothing = np.where(of.adds_up, now == before.gathered, nothing)
        self._most = np.fmax(self._most, now)
        usual = np.min(self._usual, axis=0)
        self._usual.append(np.where(nothing, usual, now))
        return nothing, nothing & ((now < _FADED * usual) | (now <= _GONE * self._most))
