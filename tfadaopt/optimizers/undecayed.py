"""Which variables weight decay leaves alone."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.arguments import matching, patterns


class Undecayed:
    """Variables that do not decay, as they were named: by patterns of their paths, or themselves.

    Variables that were given themselves are told apart by what they are, as several may have one
    path; a file keeps their paths.

    Args:
        owner: Name of the optimizer, for messages.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._patterns: tuple[str, ...] = ()
        self._paths: tuple[str, ...] = ()
        self._keys: set[Any] = set()

    def add(
        self,
        built: bool,
        variables: Iterable[Variable] | None,
        named: str | Iterable[str] | None,
    ) -> None:
        """Name some more of them.

        Args:
            built: Whether the optimizer is built: what has been named before stays allowed then,
                as the replicas of a strategy each make the call, and the first one builds.
            variables: Variables.
            named: Regular expressions, searched in the path of each variable.

        Raises:
            ValueError: It is built, and these do decay.
            re.error: A pattern that is no regular expression.
        """
        given = list(variables or ())
        keys = {compat.key_of(v) for v in given}
        found = patterns(self.owner, "exclude_from_weight_decay", named)
        if built:
            if keys <= self._keys and set(found) <= set(self._patterns):
                return
            raise ValueError(
                f"{self.owner} is already built, so exclude_from_weight_decay would have no effect."
                " Call it before training, or give the patterns to the constructor."
            )
        self._keys |= keys
        self._patterns = (*self._patterns, *found)
        self._paths = (*self._paths, *(f"^{re.escape(compat.path_of(v))}$" for v in given))

    def among(self, variables: Sequence[Variable]) -> list[Variable]:
        """Those of some variables that do not decay."""
        named = matching(self._patterns, [compat.path_of(v) for v in variables])
        return [v for i, v in enumerate(variables) if i in named or compat.key_of(v) in self._keys]

    def config(self) -> list[str]:
        """Patterns that name the same variables in a model like this one."""
        return [*self._patterns, *self._paths]
