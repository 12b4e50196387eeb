"""State of an optimizer on its way into files, and back from them."""

import inspect
import warnings
from collections.abc import Mapping

from tfadaopt import compat
from tfadaopt.optimizers import matching, stored
from tfadaopt.optimizers.held import Keeping
from tfadaopt.optimizers.rule import Rule, Slot


class Restorer:
    """Writes the state of one optimizer, and gives it the state of a file.

    Before the optimizer is built, what needs its variables waits until it is.

    Args:
        optimizer: An optimizer of tfadaopt.
    """

    def __init__(self, optimizer: Keeping) -> None:
        self.optimizer = optimizer
        self.waiting: stored.Stored | None = None

    def methods(self) -> tuple[str, ...]:
        """Names of the method and of those that it extends."""
        ours = [
            c
            for c in type(self.optimizer).__mro__
            if issubclass(c, Rule) and not inspect.isabstract(c)
        ]
        public = [c.__name__ for c in ours if c.__module__.startswith("tfadaopt.optimizers.")]
        return tuple(public or [c.__qualname__ for c in ours])

    def write(self, store: stored.Store) -> None:
        """Add to a store what each array of the optimizer is of."""
        store[stored.KEY] = stored.description(self.optimizer, self.methods())

    def write_waiting(self, store: stored.Store) -> bool:
        """Write what was loaded and never trained since; whether there is such."""
        if self.waiting is None:
            return False
        for key, array in self.waiting.arrays.items():
            store[key] = array
        if self.waiting.about is not None:
            store[stored.KEY] = self.waiting.about
        return True

    def read(self, store: stored.Store) -> None:
        """Take the state of a store, or let it wait."""
        found = stored.read(store)
        if found is None:
            self._say_that_state_stays()
            return
        self.waiting = None
        same = not found.methods or bool(set(found.methods) & set(self.methods()))
        if stored.is_fresh(found):
            self._reset()
            self._take({stored.RATE: found.of_rate()} if same else {})
        elif self.optimizer.built:
            self._fit(found)
        else:
            self.waiting = found
            if same:
                count = found.of_count(self.optimizer)
                self._take({stored.RATE: found.of_rate(), stored.ITERATION: count})

    def take_waiting(self) -> None:
        """Give an optimizer that has just been built what waits for it."""
        if self.waiting is None:
            return
        waiting, self.waiting = self.waiting, None
        fit = matching.fit(self.optimizer, self.methods(), waiting)
        fit.values.pop(stored.RATE, None)  # taken when it was loaded; one given since stays
        if fit.reasons:
            compat.put(compat.micro_steps(self.optimizer), 0)
        self._take(fit.values)
        if text := matching.said(self.optimizer, fit, 0):
            warnings.warn(text, stacklevel=4)

    def _fit(self, found: stored.Stored) -> None:
        fit = matching.fit(self.optimizer, self.methods(), found)
        self._take(fit.values)
        if text := matching.said(self.optimizer, fit, self._step_now()):
            warnings.warn(text, stacklevel=4)

    def _take(self, values: Mapping[stored.Role, object]) -> None:
        mine = dict(zip(stored.roles(self.optimizer), self.optimizer.variables, strict=True))
        for role, value in values.items():
            if role in mine and value is not None:
                compat.put(mine[role], value)

    def _reset(self) -> None:
        """Back to the state before the first step; the rate stays."""
        if not self._step_now():
            return
        optimizer = self.optimizer
        values: dict[stored.Role, float] = {stored.ITERATION: 0.0, stored.SKIPPED: 0.0}
        initial = optimizer.rule().shared()
        variables = compat.variables_of(optimizer) if optimizer.built else []
        for role in stored.roles(optimizer):
            name, index = role
            if index is not None:
                kinds = optimizer.rule().slots(tuple(variables[index].shape))
                slot = kinds[name] if name in optimizer.held.own[index] else 0.0
                values[role] = slot.initial_value if isinstance(slot, Slot) else slot
            elif name in initial:
                values[role] = initial[name]
        self._take(values)

    def _step_now(self) -> int:
        """Calls of ``apply`` so far, on the host."""
        return int(compat.micro_steps(self.optimizer).numpy())

    def _say_that_state_stays(self) -> None:
        if self.optimizer.built and self._step_now():
            warnings.warn(
                f"{self.optimizer.name}: the file has no optimizer state: the weights are those "
                "of the file, and training goes on with the state that the optimizer has (step "
                f"{self._step_now()}). Compile the model with a new optimizer to start afresh.",
                stacklevel=4,
            )
