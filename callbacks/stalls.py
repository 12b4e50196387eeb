"""Find layers that stopped learning, from the numbers of each look: no training needed."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tfadaopt.callbacks import advice
from tfadaopt.callbacks.advice import Case
from tfadaopt.callbacks.losses import Progress
from tfadaopt.callbacks.marks import LOSS, Layer, Look, Mark, Thresholds
from tfadaopt.callbacks.seen import Columns, Seen, some
from tfadaopt.callbacks.symptoms import STATES, Symptoms

# Where weights explode or decay, whatever comes behind them in the list follows from that.
_LEADING = ("decayed", "exploding")
_RANK = {state: rank for rank, state in enumerate(STATES)}
# A layer in one of these does not learn.
STOPPED = ("dead", "below_resolution", "saturated", "stalled")


class StallDetector:
    """Watches the looks at one run, and says of each layer when its state changes, and why.

    A layer is well, or in one of the states of ``symptoms.STATES``, of which the first that holds
    counts. It says so once; again only if the layer was well in between.

    Args:
        layers: What is known of each variable, by its path.
        thresholds: When a layer counts as stopped.

    Attributes:
        has_stopped: Whether no kernel learns any more.

    Example:
        >>> import numpy as np
        >>> from tfadaopt.callbacks.marks import Look
        >>> from tfadaopt.callbacks.stalls import StallDetector
        >>> detector = StallDetector()
        >>> for step in range(10, 1000, 10):
        ...     update = 0.1 if step < 100 else 0.0
        ...     tables = {("update_norm", "value"): (("kernel",), np.array([update]))}
        ...     for mark in detector.observe(Look(step, tables, rates=[0.1], losses=[2.3])):
        ...         print(mark.layer, mark.kind, "since step", mark.since)
        kernel dead since step 100
    """

    def __init__(
        self, layers: Mapping[str, Layer] | None = None, thresholds: Thresholds | None = None
    ):
        self.thresholds = thresholds or Thresholds()
        self._known = dict(layers or {})
        self._forget()

    def _forget(self) -> None:
        self._last = -1
        self._losses = Progress()
        self._not_finite: set[str] = set()
        self._left_out: set[str] = set()
        self._is_lost = False
        self._watch(())

    def _watch(self, paths: tuple[str, ...]) -> None:
        self._columns = Columns(paths, self._known)
        self._found: dict[int, Sequence[str]] = {}
        self._symptoms = Symptoms(self._columns, self.thresholds)
        # The state of each layer that was reported, and since when it has been well again.
        self._state = ["" for _ in paths]
        self._well = np.full(len(paths), -1)
        self._update = np.full(len(paths), np.nan)

    @property
    def has_stopped(self) -> bool:
        """Whether no kernel learns any more."""
        kernels = np.flatnonzero(self._columns.is_kernel & np.isfinite(self._update)).tolist()
        states = [STATES[self._state[i]] if self._state[i] else "" for i in kernels]
        return bool(states) and all(state in STOPPED for state in states)

    def observe(self, look: Look) -> list[Mark]:
        """Take in a look and return what is new.

        Args:
            look: What is seen; steps that go back begin another run.
        """
        if look.step < self._last:
            self._forget()  # another training, from fresh weights
        self._last = look.step
        self._find_layers(look)
        seen = self._columns.of(look)
        self._losses.add(look.step, look.losses)
        marks = self._skipped(seen) + self._nan(look, seen)
        if self._is_lost or not look.tables:
            return marks  # whatever else is seen comes from there
        self._update = seen.update
        return marks + self._changes(seen)

    def _find_layers(self, look: Look) -> None:
        # The same objects come at each look: to compare all paths would cost more than all rules.
        new = [paths for paths, _ in look.tables.values() if id(paths) not in self._found]
        if not new:
            return
        if not all(set(paths) <= set(self._columns.paths) for paths in new):
            every = [path for paths, _ in look.tables.values() for path in paths]
            self._watch(tuple(dict.fromkeys(every)))
        self._found |= {id(paths): paths for paths, _ in look.tables.values()}

    # What is not finite

    def _skipped(self, seen: Seen) -> list[Mark]:
        """Layers of which the optimizer left out updates, as their gradient did not fit."""
        if seen.left_out is None or not some(seen.left_out):
            return []
        new = [
            i
            for i in np.flatnonzero(seen.left_out > 0).tolist()
            if self._columns.paths[i] not in self._left_out
        ]
        self._left_out |= {self._columns.paths[i] for i in new}
        most = int(max((seen.left_out[i] for i in new), default=0))
        why = advice.left_out(most, self._losses.rose())
        return [
            Mark(self._columns.paths[i], "nan", "accumulator/skipped_updates", seen.step, *why)
            for i in new
        ]

    def _nan(self, look: Look, seen: Seen) -> list[Mark]:
        """The first NaN or infinity of each layer, in their order; then of what is not trained."""
        found: dict[str, str] = {}
        first = math.nan
        for i, quantity, value in sorted(seen.not_finite, key=lambda x: x[0]):
            first = value if not found else first
            found.setdefault(self._columns.paths[i], quantity)
        self._is_lost |= bool(found)
        found |= {path: "moving statistics" for path in look.not_finite if path != LOSS}
        if LOSS in look.not_finite and not found and not self._left_out:
            found[LOSS] = LOSS
        new = {path: quantity for path, quantity in found.items() if path not in self._not_finite}
        self._not_finite |= set(new)
        if not new:
            return []
        rose = self._losses.rose() or self._symptoms.leapt
        why = advice.nan(next(iter(new.values())), first, rose)
        return [Mark(path, "nan", quantity, look.step, *why) for path, quantity in new.items()]

    # States that last

    def _changes(self, seen: Seen) -> list[Mark]:
        lasting = self._symptoms.lasting(seen, self._losses)
        if not lasting and not any(self._state):
            return []
        known = {state for state in self._state if state}
        now = self._states(seen, lasting, known)
        changed: dict[str, list[int]] = {}
        for i, state in enumerate(now):
            if not state:
                self._recover(i, seen.step)
                continue
            self._well[i] = -1
            if not self._state[i] or _RANK[state] < _RANK[self._state[i]]:
                self._state[i] = state
                changed.setdefault(state, []).append(i)
        if "vanishing" in known:
            changed.pop("vanishing", None)  # it was said of the layer where it is worst
        return [
            mark for state, layers in changed.items() for mark in self._marks(state, layers, seen)
        ]

    def _states(self, seen: Seen, lasting: Mapping[str, np.ndarray], known: set[str]) -> list[str]:
        """The state of each layer, as far as it has lasted, and the loss lets it count."""
        now = ["" for _ in self._columns.paths]
        for name in STATES:
            if name in lasting and self._counts(name, lasting[name]):
                for i in np.flatnonzero(lasting[name]).tolist():
                    if not now[i] and not self._soon(i, name, seen.step):
                        now[i] = name
            if name in _LEADING and (name in now or name in known):
                break  # beside these, all else follows from them
        return now

    def _soon(self, i: int, name: str, step: int) -> bool:
        """Whether a state that comes before another has nearly lasted: the better word."""
        nearly = 0.6 * self.thresholds.patience
        return any(
            0 <= since[i] <= step - nearly
            for other, since in self._symptoms.since.items()
            if _RANK[other] < _RANK[name] and step - since[i] < self.thresholds.patience
        )

    def _recover(self, i: int, step: int) -> None:
        """Forget the state of a layer that has been well for long enough."""
        if not self._state[i]:
            return
        holds = any(since[i] >= 0 for since in self._symptoms.since.values())
        self._well[i] = -1 if holds else step if self._well[i] < 0 else self._well[i]
        if self._well[i] >= 0 and step - self._well[i] >= self.thresholds.patience:
            self._state[i] = ""

    def _counts(self, name: str, layers: np.ndarray) -> bool:
        """Whether the loss lets a state count: what need not move may stand still."""
        losses = self._losses
        if name == "exploding" or not losses.is_known:
            return True
        if name == "dead":
            return not losses.is_solved()
        if name in ("vanishing", "slow", "decayed") and losses.is_better():
            return False
        if name == "below_resolution" and self._symptoms.all_lost:
            return True  # biases alone learn, which are small
        if name == "below_resolution" and losses.is_better():
            return False
        return not losses.falls(int(self._symptoms.since[name][layers].max()))

    def _marks(self, state: str, layers: list[int], seen: Seen) -> list[Mark]:
        """One mark for each layer, that of the culprit first."""
        paths = self._columns.paths
        culprit = self._culprit(state, layers)
        about = Case(
            state=state,
            layer=self._columns.layers[culprit],
            path=paths[culprit],
            symptoms=self._symptoms.of(culprit),
            alone=len(layers) == 1,
        )
        quantity, cause, what = advice.stopped(about)
        since = self._symptoms.since[state]
        ordered = [culprit, *(i for i in layers if i != culprit)]
        first = int(min(since[i] for i in layers))
        return [Mark(paths[i], STATES[state], quantity, first, cause, what) for i in ordered]

    def _culprit(self, state: str, layers: list[int]) -> int:
        """The layer that the others of the same state follow from."""
        if state == "dead":
            return self._last_dead(layers)
        if state == "exploding":
            return max(layers, key=lambda i: np.nan_to_num(self._symptoms.growth[i]))
        if state == "vanishing":
            return min(layers, key=lambda i: np.nan_to_num(self._symptoms.sensitivity[i]))
        return layers[0]

    def _last_dead(self, layers: list[int]) -> int:
        """The last before the output of which nothing has a gradient.

        A kernel whose bias has one is alive, and its inputs are 0: the layer before it is dead.
        """
        whole = [i for i in layers if self._symptoms.is_whole(i)]
        return (whole or layers)[-1]
