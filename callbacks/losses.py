"""The loss of each batch, from what Keras reports; and what it says of a training."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

# Keras keeps the mean of an epoch in float32: this part of a sum is lost to rounding.
_ROUNDED = 4 * 2.0**-24


class BatchLosses:
    """Gets the loss of each batch out of what Keras reports.

    Keras reports the mean of the epoch so far; a ``train_step`` of one's own often the loss of the
    batch. Which one it is, the metrics of the model tell: who sees them says so. A mean is kept in
    float32: after one huge loss, what it says of later batches is rounding, and they count as
    unknown.

    Attributes:
        is_mean: Whether what is reported is the mean of an epoch; to be set. None: not known yet.
        unseen: Batches since a loss was NaN or infinite, of which nobody has heard yet.
    """

    def __init__(self) -> None:
        self.is_mean: bool | None = None
        self.unseen = 0
        self._level = math.inf
        self.begin_fit()

    def begin_fit(self) -> None:
        """Ask anew whether the loss is a mean: the model may have been compiled again."""
        self.is_mean = None
        self._new: list[float] = []
        self.unseen = 0
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Keras' mean begins anew."""
        self._count, self._mean, self._largest = 0, 0.0, 0.0

    def add(self, batch: int, value: float) -> None:
        """Take in what was reported after a batch.

        Args:
            batch: Its index in the epoch.
            value: The loss that was reported.
        """
        count = batch + 1
        if not math.isfinite(value):
            # A mean stays so until the epoch ends.
            if self.unseen or math.isfinite(self._mean) or not self.is_mean:
                self.unseen += 1
            self._count, self._mean = count, value
            return
        loss: float | None = value
        if self.is_mean:
            loss = self._difference(count, value)
        self._count, self._mean = count, value
        if loss is not None:
            self._new.append(loss)

    def _difference(self, count: int, mean: float) -> float | None:
        batches = count - self._count
        if batches < 1 or not math.isfinite(self._mean):
            return None
        self._largest = max(self._largest, abs(mean) * count)
        loss = (mean * count - self._mean * self._count) / batches
        error = _ROUNDED * self._largest / batches
        if math.isinf(self._level):
            self._level = abs(mean)
        return None if error > max(0.05 * abs(loss), 1e-3 * self._level) else loss

    def take(self) -> tuple[tuple[float, ...], bool]:
        """Losses since the last call, and whether one was NaN or infinite."""
        taken = tuple(self._new), self.unseen > 0
        self._new, self.unseen = [], 0
        return taken


class Progress:
    """What the losses of a run say: at first, now, and whether it gets anywhere.

    Medians and quartiles: one batch that is far off says nothing. Losses may be negative and end
    at a floor: they are compared with what they were at first and with their own scatter.
    """

    # Losses that are kept, those of the beginning, and those that stand for the present.
    _KEPT, _FEW, _LATEST = 400, 5, 20

    def __init__(self) -> None:
        self._first: list[float] = []
        self._best = math.inf
        self._recent: deque[tuple[int, float]] = deque(maxlen=self._KEPT)

    def add(self, step: int, losses: Sequence[float]) -> None:
        """Take in the losses of the batches up to a step."""
        if len(self._first) < self._FEW:
            self._first += losses[: self._FEW - len(self._first)]
        self._recent.extend((step, loss) for loss in losses)
        if losses:
            self._best = min(self._best, sorted(losses)[len(losses) // 2], self.at_first())

    @property
    def is_known(self) -> bool:
        """Whether there are losses enough to say anything."""
        return len(self._recent) >= 3

    def now(self) -> float:
        """Median of the last ones; NaN: unknown."""
        return float(np.median(self._latest())) if self._recent else math.nan

    def at_first(self) -> float:
        """The lowest of the first: a loss that grows from the start does not hide it."""
        return min(self._first) if self._first else math.nan

    def is_worse(self) -> bool:
        """Whether the loss is clearly higher than it once was, and most of what was won is lost."""
        won = self.at_first() - self._best
        return self.now() > self._best + 0.5 * max(abs(self._best), won)

    def is_better(self) -> bool:
        """Whether the loss is clearly lower than at first."""
        first = self.at_first()
        return self.now() < first - max(0.1 * abs(first), _deviation(self._latest()))

    def rose(self) -> bool:
        """Whether the last loss, before one that is none, was far above the first."""
        if not self._recent:
            return False
        won = self.at_first() - self._best
        return self._recent[-1][1] > self._best + 2 * max(abs(self._best), won)

    def is_solved(self) -> bool:
        """Whether what was to be learned is learned: almost nothing is left of the loss."""
        return 0 <= self.now() <= 1e-4 * abs(self.at_first())

    def falls(self, since: int) -> bool:
        """Whether the loss falls, in the steps since then, by more than chance explains."""
        losses = [loss for at, loss in self._recent if at > since]
        if len(losses) < 6:
            return False
        third = len(losses) // 3
        before, after = np.array(losses[:third]), np.array(losses[-third:])
        drop = np.median(before) - np.median(after)
        # Noise is what one batch differs from the next by: a trend is none.
        noise = [1.05 * float(np.median(np.abs(np.diff(part)))) for part in (before, after)]
        error = 1.25 * math.hypot(*noise) / math.sqrt(third)
        return bool(drop > max(2 * error, 3e-3 * abs(np.median(before))))

    def _latest(self) -> np.ndarray:
        n = len(self._recent)
        return np.array([self._recent[i][1] for i in range(max(n - self._LATEST, 0), n)])


def _deviation(values: np.ndarray) -> float:
    """Standard deviation of a normal distribution with such quartiles."""
    if not values.size:
        return math.nan
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low) / 1.35
