"""The states that a layer may be in, and the rules by which the numbers of a look show them."""

from collections import deque

import numpy as np

from tfadaopt.callbacks.losses import Progress
from tfadaopt.callbacks.marks import Thresholds
from tfadaopt.callbacks.seen import Columns, Seen, some
from tfadaopt.callbacks.stillness import Stillness

# States of a layer, and the kind that is reported. The first that holds counts, and only one that
# stands before it takes its place.
STATES = {
    "decayed": "stalled",
    "dead": "dead",
    "exploding": "exploding",
    "saturated": "saturated",
    "remembering": "stalled",
    "vanishing": "stalled",
    "below_resolution": "below_resolution",
    "slow": "stalled",
}

# Below this part of its largest η, a schedule is at its end: small steps are what it asks for.
_ANNEALED = 0.05
# A rate that rises by more than this from look to look is still being warmed up.
_RISES = 5e-4
# Sensitivity ‖g‖‖θ‖ of a kernel to the largest of all where the gradient has vanished: in healthy
# runs of benchmarks/stalls it is above 0.02. What has risen so many times one after the other, each
# in so many steps, comes back, as behind a gate that opens.
_VANISHED, _COMES_BACK, _STEPS_TO_RISE = 1e-4, 5, 10
# ‖Δθ‖/‖θ‖ of a training that does not move.
_STANDING = 1e-6
# Growth of a kernel's norm in some steps from which on it may explode, and with which it does; and
# its norm to ⁴√n, which Glorot's initialization of n weights has, below which it only grows up.
_GROWN, _BLOWN_UP, _STEPS_OF_GROWTH, _LARGE = 5.0, 100.0, 100, 1.5
# Looks for which it must last, where the loss is worse than it was.
_FEW_LOOKS = 3
# Looks before, with which the memory of an accumulator is compared, and how far it must fall.
_LOOKS_AGO, _FALLS = 6, 3.0
# Sum of squares to ε from which on it is the sum that makes steps small.
_BESIDE_EPSILON = 10.0
# Part of its largest norm to which a kernel has decayed.
_DECAYED = 1 / 3
# A look that is so many times as far from all limits is that of a layer that is well.
_FAR = 1.2
# Part of what a slot forgets below which nothing new has come.
_NOTHING_NEW = 0.02


class Symptoms:
    """Which state holds for each layer, and since when; of the looks so far.

    Args:
        columns: What is known of the layers.
        thresholds: When a layer counts as stopped.

    Attributes:
        since: Step of the first look at which each state held without interruption; −1: it does
            not hold.
        still: Which variables get no gradient.
        growth: ‖θ‖ to what it was some steps ago, or at first.
        memory: Size of a step, as a part of what its method would make of gradients like these
            alone.
        sensitivity: ‖g‖‖θ‖ of each layer.
    """

    def __init__(self, columns: Columns, thresholds: Thresholds):
        self._columns, self._limits = columns, thresholds
        n = len(columns.paths)
        self.since = {name: np.full(n, -1) for name in STATES}
        self.still = np.zeros(n, bool)
        self.growth, self.memory, self.sensitivity = (np.full(n, np.nan) for _ in range(3))
        self._stillness = Stillness(columns)
        self._before: Seen | None = None
        self._weights = deque([(0, columns.first_weight)])
        self._memories: deque[np.ndarray] = deque(maxlen=_LOOKS_AGO)
        self._memory_before = np.full(n, np.inf)
        self._looks_worse = 0
        self._is_open = False
        self._sums = bool(columns.adds_up.any())
        self._part, self._rises, self._rose_at = np.full(n, np.nan), np.zeros(n, int), 0
        self._most_eta, self._most_ratio = np.zeros(n), np.full(n, np.nan)
        self._most_weight = np.nan_to_num(columns.first_weight)

    @property
    def leapt(self) -> bool:
        """Whether a kernel was moved by half its norm, or had grown many times over."""
        if self._before is None:
            return False
        far = (self._before.ratio > 0.5) & (self._columns.first_weight > 0)
        return bool((self._columns.is_kernel & (far | (self.growth > _GROWN))).any())

    @property
    def all_lost(self) -> bool:
        """Whether half precision has lost most of all steps of all kernels, since the start."""
        of = self._columns
        lost = self._most_ratio < of.spacing / 4
        return some(of.is_half) and not some(of.is_kernel & ~lost)

    def of(self, i: int) -> dict[str, float]:
        """The numbers that explain the state of a layer."""
        assert self._before is not None
        found = {
            name: float(getattr(self, name)[i]) for name in ("growth", "memory", "sensitivity")
        }
        seen = self._before
        shrunk = float(seen.weight[i] / self._most_weight[i]) if self._most_weight[i] else 1.0
        return found | {"shrunk": shrunk, "eta": float(seen.eta[i]), "ratio": float(seen.ratio[i])}

    def lasting(self, seen: Seen, losses: Progress) -> dict[str, np.ndarray]:
        """Take in a look; return by state the layers for which it has lasted, where there are any.

        Args:
            seen: Numbers of the look.
            losses: What the losses say.
        """
        with np.errstate(all="ignore"):
            self._keep_extremes(seen)
            if self._is_well(seen):
                self._stillness.keep(seen)
                self._before = seen
                return {}
            holding = self._holding(seen)
            exploding = self._exploding(seen, losses)
        self._before = seen
        lasting = {"exploding": exploding} if some(exploding) else {}
        for name, holds in holding.items():
            since = self.since[name]
            if not some(holds):
                since[:] = -1
                continue
            since[:] = np.where(holds, np.where(since < 0, seen.step, since), -1)
            lasted = holds & (seen.step - since >= self._limits.patience)
            if some(lasted):
                lasting[name] = lasted
        self._is_open = any(some(since >= 0) for since in self.since.values())
        return lasting

    def _keep_extremes(self, seen: Seen) -> None:
        self._most_eta = np.fmax(self._most_eta, seen.eta)
        self._most_ratio = np.fmax(self._most_ratio, seen.ratio)
        self._most_weight = np.fmax(self._most_weight, seen.weight)
        at, before = self._weights[0]
        if some(np.isnan(before)):
            self._weights[0] = at, np.where(np.isnan(before), seen.weight, before)
        self._weights.append((seen.step, seen.weight))
        oldest = seen.step - _STEPS_OF_GROWTH
        while len(self._weights) > _FEW_LOOKS and self._weights[1][0] <= oldest:
            self._weights.popleft()

    def _is_well(self, seen: Seen) -> bool:
        """Whether a look is far from all states, as most are: that costs a third of all rules."""
        of, before = self._columns, self._before
        if self._is_open or before is None or not of.is_alike:
            return False
        kernels, power = of.kernels, of.power[0]
        gradient = seen.gathered if power else seen.update
        if power:
            left = before.gathered * of.kept ** (seen.done - before.done)
            new = np.abs(gradient - left) > _FAR * _NOTHING_NEW * (before.gathered - left)
            if not new[kernels].all():
                return False
        if power == 2:
            gradient = np.sqrt(gradient) * of.root
        weight = seen.weight[kernels]
        sensitivity = gradient[kernels] * weight
        largest = max(sensitivity.max(), gradient.max())
        return bool(
            (seen.ratio[kernels] > _FAR * of.smallest_step).all()
            and (weight * _FAR < _GROWN * self._weights[0][1][kernels]).all()
            and (weight > _FAR * _DECAYED * self._most_weight[kernels]).all()
            and sensitivity.min() > _FAR * _VANISHED * largest
        )

    def _holding(self, seen: Seen) -> dict[str, np.ndarray]:
        of, before = self._columns, self._before
        eta = np.where(np.isnan(seen.eta), 1.0, seen.eta) if some(np.isnan(seen.eta)) else seen.eta
        # Small steps are what a schedule asks for.
        asked = (seen.eta <= _ANNEALED * self._most_eta) & (self._most_eta > 0)
        if before is not None:
            asked |= (seen.eta > (1 + _RISES) * before.eta) | (seen.done <= before.done)
        kernels, moves = of.is_kernel, seen.update > 0
        vanishing, standing = self._compared(seen, eta)
        # In float32, it is so from the start or not for want of resolution: a run may converge.
        below = kernels & (seen.ratio < of.spacing / 4) & (of.is_half | standing) & (eta > 0)
        shrunk = seen.weight < _DECAYED * self._most_weight
        # Where steps of others are as small, 0 is what rounding has left of one.
        rounded = some((below | vanishing) & moves)
        self.still = self._stillness.find(seen, rounded, shrunk)
        dead = kernels & self._no_rounding(self.still)
        lives, none = kernels & ~dead & ~asked, np.zeros(len(of.paths), bool)
        return {
            "decayed": kernels & (of.decay > 0) & shrunk & ~dead,
            "dead": dead,
            "saturated": lives & moves & self._same_sums(seen) if self._sums else none,
            "remembering": lives & moves & self._remembers(seen, eta) if self._sums else none,
            "vanishing": lives & vanishing,
            "below_resolution": lives & below,
            "slow": lives & standing & (moves | (seen.eta == 0)),
        }

    def is_whole(self, i: int) -> bool:
        """Whether nothing of the layer of a variable gets a gradient."""
        return all(self.still[j] for j in self._columns.siblings[i])

    def _no_rounding(self, still: np.ndarray) -> np.ndarray:
        """Leave out kernels of which rounding alone keeps the steps of a plain SGD.

        Behind a dead layer a bias goes on, and its kernel does not. Where all biases go on, no
        layer is dead: they are small, and keep steps that the kernels lose.
        """
        of = self._columns
        unsure = still & of.is_kernel & (of.power == 0)
        if some(unsure) and not any(self.is_whole(i) for i in np.flatnonzero(unsure).tolist()):
            return still & ~unsure
        return still

    def _compared(self, seen: Seen, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Kernels whose gradient vanishes against that of others, and those that all stand still.

        What steps by one optimizer is compared, where its state tells the gradient alike.
        """
        of = self._columns
        squares = np.where(of.adds_up, seen.gathered / seen.done, seen.gathered)
        from_slot = np.where(of.power == 1, seen.gathered, np.sqrt(squares) * of.root)
        gradient = np.where(of.power == 0, seen.update / eta, from_slot)
        self.sensitivity = gradient * seen.weight
        part, standing = np.full(len(eta), np.nan), np.zeros(len(eta), bool)
        for mine in of.groups:
            kernels = mine[of.is_kernel[mine]]
            largest = np.fmax.reduce(self.sensitivity[kernels], initial=0.0)
            if (of.first_weight[kernels] != 0).all():
                # Where no kernel matters, a bias does: of the output, which alone still learns.
                largest = np.fmax.reduce(gradient[mine], initial=largest)
            part[kernels] = self.sensitivity[kernels] / largest
            standing[kernels] = self._most_ratio[kernels].max(initial=0.0) < _STANDING
        vanishing = part < _VANISHED
        if some(vanishing) and seen.step >= self._rose_at + _STEPS_TO_RISE:
            self._rises = np.where(part > self._part, self._rises + 1, 0)
            self._part, self._rose_at = part, seen.step
        return vanishing & (self._rises < _COMES_BACK), standing

    def _same_sums(self, seen: Seen) -> np.ndarray:
        of, before = self._columns, self._before
        if before is None:
            return np.zeros(len(of.paths), bool)
        return of.adds_up & (seen.sums == before.sums).all(axis=0)

    def _remembers(self, seen: Seen, eta: np.ndarray) -> np.ndarray:
        """Whether the rate is far below what present gradients explain, and fell there at once.

        A method that sums up squares makes steps of η/√t of gradients that stay alike. Where the
        gradient fades, as all is learned, steps become smaller than that, but little by little.
        """
        of = self._columns
        self.memory = np.where(of.adds_up, seen.update / (eta * of.root), np.nan)
        self.memory *= np.sqrt(seen.done)
        low = (self.memory < 1 / self._limits.factor) & (seen.done >= 5)
        low &= seen.gathered > _BESIDE_EPSILON * of.epsilon  # else it is ε that makes steps small
        begins = low & (self.since["remembering"] < 0)
        if some(begins):
            known = len(self._memories) == _LOOKS_AGO
            before = np.max(self._memories, axis=0) if known else np.inf
            self._memory_before = np.where(begins, before, self._memory_before)
        self._memories.append(np.nan_to_num(self.memory))
        return low & (self.memory < self._memory_before / _FALLS)

    def _exploding(self, seen: Seen, losses: Progress) -> np.ndarray:
        """Kernels that have grown many times over, while the loss is no better for it."""
        of, since = self._columns, self.since["exploding"]
        before = self._weights[0][1]
        # What begins at 0 grows by no factor.
        self.growth = np.where(before > 0, seen.weight / before, np.nan)
        grown = of.is_kernel & (self.growth > _GROWN) & (seen.weight > _LARGE * of.glorot)
        if some(grown) and losses.is_worse():
            self._looks_worse += 1
        else:
            self._looks_worse = 0
        if not some(grown) or (losses.is_better() and not self._looks_worse):
            since[:] = -1
            return np.zeros_like(grown)
        since[:] = np.where(grown, np.where(since < 0, seen.step, since), -1)
        if self._looks_worse >= _FEW_LOOKS:
            return grown
        if self._looks_worse or not losses.is_known:
            blown_up = some(grown & (self.growth > _BLOWN_UP))
            return grown if blown_up else np.zeros_like(grown)
        lasted = grown & (seen.step - since >= self._limits.patience)
        if some(lasted) and losses.falls(int(since[lasted].min())):
            return np.zeros_like(grown)
        return lasted
