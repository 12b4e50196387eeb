"""Rates of single layers: factors on η for the variables whose path matches a pattern."""

import re
import warnings
from collections.abc import Mapping, Sequence

from tfadaopt import compat
from tfadaopt.compat import Variable
from tfadaopt.optimizers.arguments import patterns, single


class Multipliers:
    """Factors on the learning rate, by patterns of paths; the first one that matches counts.

    Args:
        owner: Class of the optimizer, for messages.
        given: Factors ≥ 0 by regular expression, or None.

    Raises:
        TypeError: It is no dictionary of numbers by patterns.
        ValueError: A factor is negative or not finite, or a pattern could be searched for ever.
        re.error: A pattern is no regular expression.
    """

    def __init__(self, owner: str, given: Mapping[str, float] | None) -> None:
        name = "learning_rate_multipliers"
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(
                f"{owner}: {name} must be a dictionary of factors by regular expression, but "
                f"{given!r} was received; give {{'encoder/': 0.1}}."
            )
        found = dict(given or {})
        hint = "give a factor on the learning rate, such as 0.1"
        self._owner = owner
        self._factors = {
            pattern: single(owner, f"{name}[{pattern!r}]", found[pattern], at_least=0.0, hint=hint)
            for pattern in patterns(owner, name, tuple(found))
        }

    def of(self, variables: Sequence[Variable]) -> list[float]:
        """The factor of each of the variables of a model; a pattern without any warns."""
        paths = [compat.path_of(v) for v in variables]
        for pattern in self._factors:
            if not any(re.search(pattern, path) for path in paths):
                warnings.warn(
                    f"{self._owner}: the pattern {pattern!r} of learning_rate_multipliers matches "
                    f"none of the variables, which are {', '.join(paths[:4])}"
                    f"{' …' if len(paths) > 4 else ''}; it changes nothing.",
                    stacklevel=2,
                )
        return [
            next((x for pattern, x in self._factors.items() if re.search(pattern, path)), 1.0)
            for path in paths
        ]

    def config(self) -> dict[str, float]:
        """The factors by pattern, as they were given."""
        return dict(self._factors)
